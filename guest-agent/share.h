/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod's live share: directories and files of the tenant's node, by name, in one FUSE mount. Its
 * requests go to the node by a connection of class `share`. While there is none they wait, for so
 * long that a connection can come back and no longer; then, or when the node's server is gone, the
 * share is over: who uses a file of it gets I/O errors, and the pod lives on. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "share_name.h"

struct channel;
struct error;
struct loop;
struct share;

/* Well above what it takes to find a connection dead (3 s), to dial, appraise and join (10 s each
 * at worst), and below what is left of a lease when its channel is lost (45 s of 60): who waits in
 * the kernel cannot be frozen there, so a lease that lapses finds nobody who does. */
enum { SHARE_OUTAGE_MS = 30 * 1000 };

/* Creations whose names are looked up at once, each in a thread: those that were withdrawn count
 * until they have their answer. */
enum { SHARE_OPENINGS_MAX = 64 };

struct share_options {
    const char *place;  /* the directory for the mount; made */
    uint64_t outage_ms; /* 0: SHARE_OUTAGE_MS */
};

int share_new(struct loop *loop, const struct share_options *options, struct share **ret,
              struct error *err) __attribute__((warn_unused_result));
/* Nobody waits for it any more; what was being opened is not told. */
void share_free(struct share *share);
static inline void share_freep(struct share **p)
{
    if (*p)
        share_free(*p);
}
/* Takes an open channel, also on failure; it takes the place of the one before. A share that is
 * over says so on it. */
int share_carry(struct share *share, struct channel *channel, struct error *err)
    __attribute__((warn_unused_result));
/* Its processes have been killed: they cannot die while they wait for a connection. */
void share_end_waiting(struct share *share);
/* FAILED_PRECONDITION with the reason if it is over. */
int share_check(const struct share *share, struct error *err) __attribute__((warn_unused_result));

/* Once, on the loop: names for the length of the call, or err. */
typedef void share_opened_fn(void *user, const struct share_name *names, size_t count,
                             const struct error *err);

struct share_wish {
    const char *container; /* whose it is */
    const struct share_name *names;
    size_t count;
};

/* Each look-up waits for the tenant's node, so done may come late; not after share_free(). The wish
 * is copied; user is taken: free()d some time after done, or with the share, or if this fails. */
int share_open(struct share *share, const struct share_wish *wish, share_opened_fn *done,
               void *user, struct error *err) __attribute__((warn_unused_result));
/* A container is not to be made any more: whoever waits for its names is told ABORTED. False if
 * nobody does. */
bool share_withdraw(struct share *share, const char *container);
