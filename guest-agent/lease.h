/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The tenant's hold on this one instance. While it is renewed the containers run. When it lapses,
 * or when a renewal shows that time has stood still here (the host stopped the machine), they are
 * frozen: an instance that may have been replaced meanwhile does no more work. They go on with the
 * first renewal behind an appraisal on the same connection: by renewing, the tenant says that he
 * has judged it. Without any renewal the power goes off in the end.
 *
 * The times in a renewal are the peer's word: a wrong one can freeze, never thaw. */
#include <stdbool.h>
#include <stdint.h>

struct error;
struct lease;
struct loop;

enum {
    LEASE_TTL_MS = 60 * 1000, /* from the first appraisal to the first renewal */
    LEASE_TTL_MIN_MS = 4 * 1000,
    LEASE_TTL_MAX_MS = 10 * 60 * 1000,
    LEASE_POWER_OFF_MS = 10 * 60 * 1000, /* from the lapse on; the most that a renewal can ask */
    LEASE_POWER_OFF_MIN_MS = 4 * 1000,
    LEASE_JUMP_MS = 2000, /* or a tenth of the time between two renewals, if that is more */
};

/* Of the containers; never from inside a call that failed. */
struct lease_events {
    void (*freeze)(void *user);
    void (*thaw)(void *user);
    void (*off)(void *user);
};

struct lease_renewal {
    uint64_t seq;          /* larger than any before */
    uint64_t tenant_ms;    /* the tenant's clock when it was sent */
    uint64_t guest_ms;     /* ours when it came: clock_monotonic_ms() */
    uint64_t ttl_ms;       /* from when it was sent */
    uint64_t power_off_ms; /* 0: LEASE_POWER_OFF_MS */
};

struct lease_state {
    bool frozen;
    bool needs_appraisal;
};

int lease_new(struct loop *loop, const struct lease_events *events, void *user, struct lease **ret,
              struct error *err) __attribute__((warn_unused_result));
void lease_free(struct lease *lease);
/* Evidence went out on this connection of the role control. The first time the clock starts. The
 * session is a name here, never looked into. */
void lease_appraised(struct lease *lease, const void *session);
/* INVALID_ARGUMENT: a value that cannot be; ABORTED: the number is not a new one. */
int lease_renew(struct lease *lease, const void *session, const struct lease_renewal *renewal,
                struct lease_state *ret, struct error *err) __attribute__((warn_unused_result));
bool lease_is_frozen(const struct lease *lease);
