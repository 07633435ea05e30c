/* SPDX-License-Identifier: Apache-2.0 */
/* How a stopped machine is noticed: its clock stands still with it, the tenant's does not. So the
 * offset between the two, tenant minus guest, grows by the length of the stop. A renewal that was
 * long on its way only makes the offset look smaller, and the next one would then look like a stop:
 * each is therefore compared with the largest offset since the last appraisal, not with the one
 * before. An appraisal begins anew, so that two honest clocks need not agree for ever.
 *
 * What makes the offset look smaller may be a host that keeps renewals back, to hand them over one
 * by one when the tenant has long gone: a ttl counts from when a renewal was sent. */
#include "lease.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "io/loop.h"

struct lease {
    struct lease_events events;
    void *user;
    struct source *timer; /* the lapse, then the power-off */
    bool begun;
    bool lapsed;
    bool needs_appraisal;
    bool frozen;           /* as the containers are */
    const void *appraised; /* the session that may thaw by renewing; NULL: none */
    uint64_t seq;          /* of the last renewal; 0: none yet */
    uint64_t tenant_ms;    /* in it */
    int64_t offset_ms;     /* the largest */
    uint64_t power_off_ms;
};

static void settle(struct lease *lease)
{
    bool frozen = lease->lapsed || lease->needs_appraisal;

    if (frozen == lease->frozen)
        return;
    lease->frozen = frozen;
    if (frozen)
        lease->events.freeze(lease->user);
    else
        lease->events.thaw(lease->user);
}

static void need_appraisal(struct lease *lease)
{
    lease->needs_appraisal = true;
    lease->appraised = NULL;
}

static void on_timer(void *user)
{
    struct lease *lease = user;

    if (lease->lapsed) {
        log_warn("the lease has lapsed for good: power off");
        lease->events.off(lease->user);
        return;
    }
    log_warn("the lease has lapsed: frozen until it is renewed, power off in %" PRIu64 " s",
             lease->power_off_ms / 1000);
    lease->lapsed = true;
    need_appraisal(lease);
    source_rearm(lease->timer, lease->power_off_ms);
    settle(lease);
}

int lease_new(struct loop *loop, const struct lease_events *events, void *user, struct lease **ret,
              struct error *err)
{
    struct lease *lease = xnew(struct lease);

    lease->events = *events;
    lease->user = user;
    lease->power_off_ms = LEASE_POWER_OFF_MS;
    if (loop_after(loop, LOOP_NEVER, on_timer, lease, &lease->timer, err) < 0) {
        free(lease);
        return -1;
    }
    *ret = lease;
    return 0;
}

void lease_free(struct lease *lease)
{
    if (!lease)
        return;
    source_free(lease->timer);
    free(lease);
}

void lease_appraised(struct lease *lease, const void *session)
{
    lease->appraised = session;
    if (lease->begun)
        return;
    lease->begun = true;
    source_rearm(lease->timer, LEASE_TTL_MS);
}

static int check(const struct lease *lease, const struct lease_renewal *renewal, struct error *err)
{
    if (renewal->seq <= lease->seq)
        return error_set(err, STATUS_ABORTED, "lease_seq %" PRIu64 " is not after %" PRIu64,
                         renewal->seq, lease->seq);
    if (renewal->tenant_ms < lease->tenant_ms || renewal->tenant_ms > INT64_MAX / 2)
        return error_set(err, STATUS_INVALID_ARGUMENT, "tenant_ms cannot be %" PRIu64,
                         renewal->tenant_ms);
    if (renewal->ttl_ms < LEASE_TTL_MIN_MS || renewal->ttl_ms > LEASE_TTL_MAX_MS)
        return error_set(err, STATUS_INVALID_ARGUMENT, "ttl_ms is %d to %d", LEASE_TTL_MIN_MS,
                         LEASE_TTL_MAX_MS);
    if (renewal->power_off_ms && (renewal->power_off_ms < LEASE_POWER_OFF_MIN_MS ||
                                  renewal->power_off_ms > LEASE_POWER_OFF_MS))
        return error_set(err, STATUS_INVALID_ARGUMENT, "power_off_ms is 0 or %d to %d",
                         LEASE_POWER_OFF_MIN_MS, LEASE_POWER_OFF_MS);
    return 0;
}

static bool has_jumped(const struct lease *lease, const struct lease_renewal *renewal,
                       int64_t offset_ms)
{
    uint64_t allowed_ms = (renewal->tenant_ms - lease->tenant_ms) / 10;

    if (allowed_ms < LEASE_JUMP_MS)
        allowed_ms = LEASE_JUMP_MS;
    return lease->seq > 0 && offset_ms - lease->offset_ms > (int64_t) allowed_ms;
}

static void compare_clocks(struct lease *lease, const void *session,
                           const struct lease_renewal *renewal)
{
    int64_t offset_ms = (int64_t) renewal->tenant_ms - (int64_t) renewal->guest_ms;
    bool appraised = lease->appraised && lease->appraised == session;

    if (has_jumped(lease, renewal, offset_ms)) {
        log_warn("time stood still here for %" PRId64 " ms: frozen until appraised",
                 offset_ms - lease->offset_ms);
        need_appraisal(lease);
        lease->offset_ms = offset_ms;
    } else if (appraised) {
        lease->needs_appraisal = false;
        lease->appraised = NULL;
        lease->offset_ms = offset_ms;
    } else if (offset_ms > lease->offset_ms || lease->seq == 0) {
        lease->offset_ms = offset_ms;
    }
}

/* Of the renewal's ttl. What a stop may be without being noticed, a delay may be as well. */
static uint64_t time_left(const struct lease *lease, const struct lease_renewal *renewal)
{
    int64_t offset_ms = (int64_t) renewal->tenant_ms - (int64_t) renewal->guest_ms;
    int64_t late_ms = lease->offset_ms - offset_ms - LEASE_JUMP_MS;

    if (late_ms <= 0)
        return renewal->ttl_ms;
    return (uint64_t) late_ms < renewal->ttl_ms ? renewal->ttl_ms - (uint64_t) late_ms : 0;
}

int lease_renew(struct lease *lease, const void *session, const struct lease_renewal *renewal,
                struct lease_state *ret, struct error *err)
{
    uint64_t left_ms;

    if (check(lease, renewal, err) < 0)
        return -1;
    compare_clocks(lease, session, renewal);
    lease->seq = renewal->seq;
    lease->tenant_ms = renewal->tenant_ms;
    left_ms = time_left(lease, renewal);
    if (left_ms > 0) {
        lease->begun = true;
        lease->lapsed = false;
        lease->power_off_ms = renewal->power_off_ms ? renewal->power_off_ms : LEASE_POWER_OFF_MS;
        source_rearm(lease->timer, left_ms);
    }
    settle(lease);
    *ret = (struct lease_state){lease->frozen, lease->needs_appraisal};
    return 0;
}

bool lease_is_frozen(const struct lease *lease)
{
    return lease->frozen;
}
