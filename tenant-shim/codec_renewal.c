/* SPDX-License-Identifier: Apache-2.0 */
/* Not by link_call(): that repeats a call byte for byte on the next connection, where the time in
 * it would look like one that stood still. */
#include <string.h>

#include "agent.pb-c.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include "io/loop.h"
#include "link.h"
#include "renewal.h"
#include "secure/lease_record.h"

enum {
    RENEWALS = 4, /* in a ttl */
    APPRAISE_MS = 10 * 60 * 1000,
    APPRAISE_WAIT_MS = CHANNEL_DEADLINE_MS,
    RETRY_MS = 1000,
    NONCE_SIZE = 32,
    FIRST_TTL_MS = 60 * 1000, /* the guest's own, until it has heard of ours */
    UNNOTICED_MS = 4 *
                   1000, /* what a renewal's delay and a stop may be without the guest saying so */
};

struct renewal {
    struct renewal_options options;
    struct lease_record *record;
    struct link_listener listener;
    struct rpc_channel *control; /* borrowed from the link */
    struct rpc_call *call;       /* Renew or Appraise: one at a time */
    struct source *tick;
    uint64_t sent_ms;      /* the last Renew: it may have arrived, whatever became of its answer */
    bool is_known;         /* one was answered: the guest knows our ttl */
    uint64_t renewed_ms;   /* when the last good one was sent, or the connection opened */
    uint64_t appraised_ms; /* likewise */
    uint8_t nonce[NONCE_SIZE];
    uint32_t number; /* of the last appraisal that was asked for on this connection; 0: none */
};

/* What no later answer can mend. The others (a signature, a TCB, the form) can fail because of what
 * this node has, such as a list that is too old: the guest freezes while that lasts. */
static const bool is_final[] = {
    [APPRAISAL_INITDATA] = true,          [APPRAISAL_HARDWARE] = true,
    [APPRAISAL_ATTRIBUTES] = true,        [APPRAISAL_MEASUREMENT] = true,
    [APPRAISAL_HARDWARE_INITDATA] = true, [APPRAISAL_REPORT_DATA] = true,
    [APPRAISAL_INSTANCE] = true,
};

static void appraise(struct renewal *renewal);

static uint64_t interval(const struct renewal *renewal)
{
    return renewal->options.ttl_ms / RENEWALS;
}

static void call_free(struct renewal *renewal)
{
    rpc_call_free(renewal->call);
    renewal->call = NULL;
}

static void try_later(struct renewal *renewal, const char *what, const char *why)
{
    log_debug("%s: %s", what, why);
    source_rearm(renewal->tick, interval(renewal) < RETRY_MS ? interval(renewal) : RETRY_MS);
}

static void on_renewed(void *user, const struct rpc_result *result)
{
    struct renewal *renewal = user;
    const Agent__RenewResponse *reply = (const Agent__RenewResponse *) result->reply;

    if (result->status != STATUS_OK) {
        try_later(renewal, "Renew", result->message);
        call_free(renewal);
        return;
    }
    bool needs_appraisal = reply->needs_appraisal;

    renewal->renewed_ms = renewal->sent_ms;
    renewal->is_known = true;
    call_free(renewal);
    if (!needs_appraisal)
        return;
    log_warn("the guest is frozen: its time stood still, or its lease had lapsed; appraising it");
    appraise(renewal);
}

static void renew(struct renewal *renewal)
{
    Agent__RenewRequest message = AGENT__RENEW_REQUEST__INIT;
    struct rpc_request request = {.method = "/agent.Control/Renew",
                                  .message = &message.base,
                                  .reply = &agent__renew_response__descriptor,
                                  .deadline_ms = interval(renewal)};
    struct error err;

    if (renewal->call)
        return;
    if (lease_record_next(renewal->record, &message.lease_seq, &err) < 0 &&
        lease_record_holds(renewal->record)) {
        log_warn("the lease cannot be renewed: %s", err.message);
        try_later(renewal, "Renew", err.message);
        return;
    } /* else revoked: the call below is refused, and the link ends */
    renewal->sent_ms = clock_monotonic_ms();
    message.tenant_ms = renewal->sent_ms;
    message.wall_clock_ns = clock_wall_ns();
    message.ttl_ms = (uint32_t) renewal->options.ttl_ms;
    message.power_off_ms = (uint32_t) renewal->options.power_off_ms;
    if (rpc_call_unary(renewal->control, &request, on_renewed, renewal, &renewal->call) < 0)
        try_later(renewal, "Renew", "no call");
}

static void refuse(struct renewal *renewal, enum appraisal_check failed, const struct error *err)
{
    bool ends = (size_t) failed < ARRAY_LENGTH(is_final) && is_final[failed];

    log_error("%s: %s",
              failed == APPRAISAL_OK ? "the guest cannot be judged" : "the guest is refused",
              err->message);
    if (ends && renewal->options.refused)
        renewal->options.refused(renewal->options.user, err);
    else
        link_drop(renewal->options.link, err);
}

static void on_appraised(void *user, const struct rpc_result *result)
{
    struct renewal *renewal = user;
    const Agent__AppraiseResponse *reply = (const Agent__AppraiseResponse *) result->reply;
    struct appraise_answer answer = {.nonce = renewal->nonce, .number = renewal->number};
    struct channel *control = link_control(renewal->options.link);
    enum appraisal_check failed;
    struct error err;
    int r;

    if (result->status != STATUS_OK || !control) {
        try_later(renewal, "Appraise", result->message);
        call_free(renewal);
        return;
    }
    answer.body = reply->evidence.data;
    answer.length = reply->evidence.len;
    r = channel_appraise_verify(control, &answer, &failed, &err);
    call_free(renewal);
    if (r < 0) {
        refuse(renewal, failed, &err);
        return;
    }
    log_info("the guest is appraised again, number %u on this connection", renewal->number);
    renewal->appraised_ms = clock_monotonic_ms();
    if (renewal->options.appraised)
        renewal->options.appraised(renewal->options.user);
    renew(renewal);
}

/* The guest may have used up the number of a question whose answer never came. They only grow: when
 * there are no more, so it is with the connection. */
static void appraise(struct renewal *renewal)
{
    Agent__AppraiseRequest message = AGENT__APPRAISE_REQUEST__INIT;
    struct rpc_request request = {.method = "/agent.Control/Appraise",
                                  .message = &message.base,
                                  .reply = &agent__appraise_response__descriptor,
                                  .deadline_ms = APPRAISE_WAIT_MS};
    struct channel *control = link_control(renewal->options.link);
    struct error err;

    if (renewal->call || !control)
        return;
    if (renewal->number < channel_facts(control).appraisals)
        renewal->number = channel_facts(control).appraisals;
    if (++renewal->number > UINT16_MAX) {
        error_set(&err, STATUS_RESOURCE_EXHAUSTED, "the connection's appraisals are used up");
        link_drop(renewal->options.link, &err);
        return;
    }
    random_bytes(renewal->nonce, sizeof(renewal->nonce));
    message.nonce = (ProtobufCBinaryData){sizeof(renewal->nonce), renewal->nonce};
    message.number = renewal->number;
    if (rpc_call_unary(renewal->control, &request, on_appraised, renewal, &renewal->call) < 0)
        try_later(renewal, "Appraise", "no call");
}

static bool is_stale(const struct renewal *renewal)
{
    const struct renewal_options *options = &renewal->options;

    return options->is_stale && options->is_stale(options->user);
}

static void on_tick(void *user)
{
    struct renewal *renewal = user;
    uint64_t now = clock_monotonic_ms();
    struct error err;

    if (!renewal->control)
        return;
    source_rearm(renewal->tick, interval(renewal));
    if (now - renewal->renewed_ms > renewal->options.ttl_ms) {
        error_set(&err, STATUS_DEADLINE_EXCEEDED, "the lease was not renewed for %llu s",
                  (unsigned long long) (now - renewal->renewed_ms) / 1000);
        link_drop(renewal->options.link, &err);
    } else if (now - renewal->appraised_ms >= APPRAISE_MS || is_stale(renewal)) {
        appraise(renewal);
    } else {
        renew(renewal);
    }
}

static void on_link_changed(struct link_listener *listener, struct rpc_channel *control,
                            struct rpc_channel *bulk)
{
    struct renewal *renewal = container_of(listener, struct renewal, listener);

    call_free(renewal);
    renewal->control = control;
    renewal->number = 0;
    if (!control)
        return;
    renewal->renewed_ms = renewal->appraised_ms = clock_monotonic_ms();
    source_rearm(renewal->tick, interval(renewal));
    renew(renewal);
}

static int claim(const struct renewal_options *options, struct lease_record **ret,
                 struct error *err)
{
    const struct initdata_content *content = &options->initdata->content;
    char sandbox_id[2 * INITDATA_SANDBOX_ID_SIZE + 1];
    struct lease_holder holder = {.epoch = content->epoch};
    scoped(freep) char *path = NULL;

    hex_encode(content->sandbox_id, INITDATA_SANDBOX_ID_SIZE, sandbox_id);
    path = lease_record_path(options->directory, sandbox_id);
    memcpy(holder.sandbox_id, content->sandbox_id, sizeof(holder.sandbox_id));
    memcpy(holder.instance, options->instance, sizeof(holder.instance));
    return lease_record_claim(path, &holder, ret, err);
}

int renewal_new(const struct renewal_options *options, struct renewal **ret, struct error *err)
{
    scoped(renewal_freep) struct renewal *renewal = xnew(struct renewal);

    if (claim(options, &renewal->record, err) < 0 ||
        loop_after(options->loop, LOOP_NEVER, on_tick, renewal, &renewal->tick, err) < 0)
        return -1;
    renewal->options = *options;
    renewal->sent_ms = clock_monotonic_ms();
    renewal->listener.changed = on_link_changed;
    link_listen(options->link, &renewal->listener);
    *ret = take_ptr(renewal);
    return 0;
}

void renewal_free(struct renewal *renewal)
{
    if (!renewal)
        return;
    if (renewal->options.link)
        link_leave(renewal->options.link, &renewal->listener);
    call_free(renewal);
    source_free(renewal->tick);
    lease_record_close(renewal->record);
    free(renewal);
}

bool renewal_holds(const struct renewal *renewal)
{
    return lease_record_holds(renewal->record);
}

/* Its clock may be slower than ours by a tenth before that looks like a stop. */
bool renewal_has_lapsed(const struct renewal *renewal)
{
    uint64_t ttl_ms = renewal->options.ttl_ms;

    if (!renewal->is_known && ttl_ms < FIRST_TTL_MS)
        ttl_ms = FIRST_TTL_MS;
    return clock_monotonic_ms() - renewal->sent_ms > ttl_ms + ttl_ms / 8 + UNNOTICED_MS;
}
