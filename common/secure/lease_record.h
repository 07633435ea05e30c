/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who may be spoken to: one record per sandbox says which instance holds its lease, up to which
 * number renewals may go out, and whether all of that was revoked. One file, written in place under
 * an exclusive lock and synced before a function returns; whoever has it open sees a revocation by
 * another process at once, without a system call. What cannot be read is as good as revoked. */
#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"

struct error;
struct lease_record;

#define LEASE_DIRECTORY "/var/lib/cleave/t/lease"

enum { LEASE_NUMBERS = 64 /* that are reserved at a time */ };

struct lease_holder {
    uint8_t sandbox_id[16];
    uint8_t instance[32];
    uint64_t epoch;
};

/* Where the record of a sandbox (32 hex digits) is; directory NULL: LEASE_DIRECTORY. The caller
 * frees. */
char *lease_record_path(const char *directory, const char *sandbox_id);

/* Makes the holder the one that it is, durably. Refused (FAILED_PRECONDITION) if another instance
 * holds the lease, or this one already by somebody else's hand (nobody is adopted), if it was
 * revoked for this instance, or this instance held it before the node booted, or if the sandbox has
 * had a later epoch; DATA_LOSS if the file is torn; UNAVAILABLE if somebody keeps it locked. */
int lease_record_claim(const char *path, const struct lease_holder *holder,
                       struct lease_record **ret, struct error *err) must_check;
void lease_record_close(struct lease_record *record); /* the file stays */
SCOPED_PTR(struct lease_record, lease_record_close)

/* The check before each call: held by whom claimed it, and not revoked. */
bool lease_record_holds(const struct lease_record *record);
/* The next number, never given before, also not by a process that has died. */
int lease_record_next(struct lease_record *record, uint64_t *ret, struct error *err) must_check;
/* For ever, for whoever has it open too. An absent record is no error: nothing was ever claimed. A
 * torn one is revoked as well. On failure who has it open has lost it all the same, unless it could
 * not even be opened: only that it outlives a crash of the node is not certain. */
int lease_record_revoke(const char *path, struct error *err) must_check;
