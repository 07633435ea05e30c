/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What must be removed for a pod although its shim may be dead by then: the host half, by its
 * provisioner, and the sandbox's directory of this node. A record in the bundle tells the verb
 * `delete`; what cannot be finished in its time becomes a tombstone. */
#include <stdint.h>
#include "base/scoped.h"

struct error;

#define TENANT_DIRECTORY  "/run/cleave/t"
#define TENANT_TOMBSTONES "/var/lib/cleave/t/tombstones"

enum host_half_state {
    HOST_HALF_CREATING, /* the provisioner was started: there may be something */
    HOST_HALF_MADE,
    HOST_HALF_REMOVED,
};

struct host_half {
    char *bundle; /* where the record is */
    char *program;
    char *conf_path; /* what the provisioner reads */
    char *cri_sandbox_id;
    char *sandbox_id; /* "" while it is not known */
    enum host_half_state state;
};

/* Durably, before anything is made that would have to be removed. */
int host_half_write(const struct host_half *half, struct error *err) must_check;
/* NOT_FOUND: no record, so nothing was ever made. */
int host_half_read(const char *bundle, struct host_half **ret, struct error *err) must_check;
/* For a record that cannot be read: what the configuration would have made. */
int host_half_guess(const char *bundle, const char *cri_sandbox_id, struct host_half **ret,
                    struct error *err) must_check;
void host_half_free(struct host_half *half);
SCOPED_PTR(struct host_half, host_half_free)

/* First of all: nobody speaks to the guest any more, in this process or another. */
int host_half_revoke(const struct host_half *half, struct error *err) must_check;
/* Removes what this node keeps of the sandbox, its lease too. */
int host_half_forget(const struct host_half *half, struct error *err) must_check;
/* For a pod whose runtime runs no verb `delete` (CRI-O): the tombstone from the first day, renewed
 * when more is known. While *hold is open nobody acts on it; the next start of a shim finds that of
 * a shim which was killed, and removes its socket too. Takes the lock if *hold is -1. */
int host_half_hold(const struct host_half *half, int *hold, struct error *err) must_check;
/* The host half is gone: nothing is to be remembered any more. */
int host_half_finish(const struct host_half *half, struct error *err) must_check;
/* Revokes; then somebody else finishes the removal: a detached reaper with growing pauses. */
int host_half_bury(const struct host_half *half, struct error *err) must_check;
/* The tombstone in advance, by who means to do the work himself but may be killed before the end.
 * *ret_hold keeps reapers away while it is open. ABORTED: one is at work already. */
int host_half_prepare(const struct host_half *half, int *ret_hold, struct error *err) must_check;
/* For the verb `delete`, after host_half_prepare(): all of it within the time, or a reaper goes on.
 * Takes hold (may be -1). */
int host_half_remove(struct host_half *half, uint64_t deadline_ms, int hold,
                     struct error *err) must_check;
