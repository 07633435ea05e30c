/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one adapter of libvirt. Every call runs under a deadline that ends the process. */
#include <stdbool.h>
#include <stddef.h>

struct error;
struct virt;        /* a connection */
struct virt_domain; /* a reference to a domain */

struct virt_options {
    const char *uri;
    unsigned call_timeout; /* seconds */
};

int virt_open(const struct virt_options *options, struct virt **ret, struct error *err)
    __attribute__((warn_unused_result));
void virt_close(struct virt *virt);
static inline void virt_closep(struct virt **p)
{
    if (*p)
        virt_close(*p);
}

enum virt_type { VIRT_QEMU, VIRT_KVM };
/* libvirt's description of what domains it can make of the machine type that we use. The caller
 * frees. */
int virt_capabilities(struct virt *virt, enum virt_type type, char **ret, struct error *err)
    __attribute__((warn_unused_result));

/* Transient and paused: nothing of it survives its end, and no guest runs before it is wired. */
int virt_create_paused(struct virt *virt, const char *xml, struct virt_domain **ret,
                       struct error *err) __attribute__((warn_unused_result));
/* NULL: there is none. */
int virt_find(struct virt *virt, const char *name, struct virt_domain **ret, struct error *err)
    __attribute__((warn_unused_result));
void virt_domain_free(struct virt_domain *domain);
static inline void virt_domain_freep(struct virt_domain **p)
{
    if (*p)
        virt_domain_free(*p);
}
/* The tap that libvirt made for the only interface. */
int virt_tap(struct virt_domain *domain, char *to, size_t size, struct error *err)
    __attribute__((warn_unused_result));
int virt_resume(struct virt_domain *domain, struct error *err) __attribute__((warn_unused_result));
/* A domain that is gone meanwhile is fine. */
int virt_destroy(struct virt_domain *domain, struct error *err) __attribute__((warn_unused_result));
/* ACPI power button. */
int virt_power(struct virt_domain *domain, struct error *err) __attribute__((warn_unused_result));
const char *virt_state(struct virt_domain *domain); /* "running", "paused", ... */
/* Is it ours: does its metadata name this node? */
bool virt_is_of_node(struct virt_domain *domain, const char *node);

typedef int virt_each_fn(void *user, const char *name, struct virt_domain *domain,
                         struct error *err);
int virt_each(struct virt *virt, virt_each_fn *fn, void *user, struct error *err)
    __attribute__((warn_unused_result));
