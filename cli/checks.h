/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* `cleave check`: a table of small questions about a node, an answer for each. */
#include <stddef.h>

#include "node.h"

enum check_grade { CHECK_SILENT, CHECK_OK, CHECK_WARN, CHECK_FAIL };

/* A check that says nothing does not apply to this node. */
struct check_result {
    enum check_grade grade;
    char fact[640];
    char advice[640]; /* what to do about it; "" with CHECK_OK */
};

/* The last one counts. */
void check_ok(struct check_result *result, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void check_warn(struct check_result *result, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void check_fail(struct check_result *result, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void check_advise(struct check_result *result, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

struct check {
    const char *name;
    void (*run)(struct node *node, struct check_result *result);
    unsigned needs; /* of enum node_known; the check is left out without it */
};

struct realm {
    const char *name;
    const char *runtime;       /* the NAME of io.containerd.NAME.v2 */
    const char *example;       /* the containerd snippet of this realm */
    unsigned containerd_major; /* the oldest containerd that serves it */
    unsigned containerd_minor;
    const struct check *checks;
    size_t count;
};

extern const struct realm host_realm, tenant_realm;

/* Runs one row of the realm's table if what it needs is known; for tests, too. */
void check_run(const struct check *check, struct node *node, struct check_result *ret);

/* Checks of both realms, in check_containerd.c. */
void check_user(struct node *node, struct check_result *result);
void check_directories(struct node *node, struct check_result *result);
void check_containerd(struct node *node, struct check_result *result);
void check_containerd_conf(struct node *node, struct check_result *result); /* NODE_CONTAINERD */
void check_runtime(struct node *node, struct check_result *result);         /* NODE_RUNTIME */
void check_shim(struct node *node, struct check_result *result);
char *check_shim_path(const struct node *node); /* NULL if there is none; the caller frees */

/* Checks of the host's machine, in check_machine.c. */
void check_kvm(struct node *node, struct check_result *result);
void check_accel(struct node *node, struct check_result *result);
void check_launch(struct node *node, struct check_result *result);
void check_libvirt(struct node *node, struct check_result *result);
void check_tpm(struct node *node, struct check_result *result);
void check_domain(struct node *node, struct check_result *result);
void check_memory(struct node *node, struct check_result *result);

/* Checks of a tenant's reference values, in check_reference.c. */
void check_reference_values(struct node *node, struct check_result *result);
void check_endorsements(struct node *node, struct check_result *result);

/* Checks of the host's network, in check_uplink.c. */
void check_tun(struct node *node, struct check_result *result);
void check_redirects(struct node *node, struct check_result *result);
