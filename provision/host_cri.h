/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The four calls of CRI that make, see and remove a pod on the host node. Synchronous: a
 * provisioner is a short-lived program. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct host_cri;

enum { HOST_CRI_ID_MAX = 128 };

struct host_pod {
    const char *name;
    const char *uid;
    const char *sandbox_id; /* for cleave.dev/id: an annotation, and the label to find it by */
    const char *initdata;   /* base64, for cleave.dev/initdata */
    const char *dial_out;   /* for cleave.dev/dial-out; NULL: none */
    uint32_t vcpus;
    uint64_t memory;
    const char *runtime_handler;
};

int host_cri_open(const char *path, struct host_cri **ret, struct error *err)
    __attribute__((warn_unused_result));
void host_cri_close(struct host_cri *cri);
static inline void host_cri_closep(struct host_cri **p)
{
    if (*p)
        host_cri_close(*p);
}
/* The namespace is always "cleave". The host's id goes to ret (HOST_CRI_ID_MAX bytes). */
int host_cri_run(struct host_cri *cri, const struct host_pod *pod, uint64_t deadline_ms, char *ret,
                 struct error *err) __attribute__((warn_unused_result));
struct host_pod_state {
    char id[HOST_CRI_ID_MAX]; /* "" if there is none */
    bool ready;               /* the host says that it runs */
};

/* By its label. */
int host_cri_find(struct host_cri *cri, const char *sandbox_id, struct host_pod_state *ret,
                  struct error *err) __attribute__((warn_unused_result));
/* By the host's id. */
int host_cri_look(struct host_cri *cri, const char *id, struct host_pod_state *ret,
                  struct error *err) __attribute__((warn_unused_result));
/* Its first address; an error if it has none. */
int host_cri_address(struct host_cri *cri, const char *id, char *ret, size_t size,
                     struct error *err) __attribute__((warn_unused_result));
/* Stops and removes; one that is gone is no error. */
int host_cri_remove(struct host_cri *cri, const char *id, struct error *err)
    __attribute__((warn_unused_result));
