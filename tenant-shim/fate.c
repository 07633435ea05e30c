/* SPDX-License-Identifier: Apache-2.0 */
#include "fate.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "host_half.h"
#include "io/loop.h"
#include "provision.h"

enum {
    STATUS_WAIT_MS = 10 * 1000,
    DELETE_WAIT_MS = 20 * 1000,
    FIRST_PAUSE_MS = 1000, /* a host, too, needs a moment to notice a death */
    PAUSE_MS = 10 * 1000,
};

struct fate {
    struct loop *loop;
    const struct host_half *half;
    fate_gone_fn *gone;
    void *user;
    struct source *timer;
    struct provision *provision; /* at work */
    uint64_t pause_ms;
    bool wanted;
    bool is_said_gone;
    bool deleting;
};

static struct provision_options options_of(const struct fate *fate, uint64_t deadline_ms)
{
    return (struct provision_options){.program = fate->half->program,
                                      .conf_path = fate->half->conf_path,
                                      .cri_sandbox_id = fate->half->cri_sandbox_id,
                                      .deadline_ms = deadline_ms};
}

static void ask_later(struct fate *fate)
{
    if (!fate->wanted)
        return;
    source_rearm(fate->timer, fate->pause_ms);
    fate->pause_ms = PAUSE_MS;
}

/* The program has ended; it is freed where the next one starts. */
static void on_deleted(void *user, const struct provision_answer *answer, const struct error *err)
{
    struct fate *fate = user;

    fate->deleting = false;
    if (err) {
        log_warn("the host half is said to be gone, but cannot be deleted: %s", err->message);
        ask_later(fate);
        return;
    }
    fate->wanted = false;
    fate->gone(fate->user);
}

static void begin_deletion(struct fate *fate)
{
    const struct provision_options options = options_of(fate, DELETE_WAIT_MS);
    struct error err;

    fate->is_said_gone = false;
    fate->deleting = true;
    provision_free(take_ptr(fate->provision));
    if (provision_delete(fate->loop, &options, on_deleted, fate, &fate->provision, &err) < 0) {
        log_warn("%s", err.message);
        fate->deleting = false;
        ask_later(fate);
    }
}

static void on_status(void *user, const struct provision_answer *answer, const struct error *err)
{
    struct fate *fate = user;

    if (err ? err->status == STATUS_NOT_FOUND : answer->state == PROVISION_GONE) {
        log_warn("the host says that the guest's machine does not run: deleting the host half");
        fate->is_said_gone = true;
        source_rearm(fate->timer, 0);
        return;
    }
    if (err)
        log_debug("status of the host half: %s", err->message);
    ask_later(fate);
}

static void on_timer(void *user)
{
    struct fate *fate = user;
    const struct provision_options options = options_of(fate, STATUS_WAIT_MS);
    struct error err;

    if (fate->is_said_gone) {
        begin_deletion(fate);
        return;
    }
    provision_free(take_ptr(fate->provision));
    if (provision_status(fate->loop, &options, on_status, fate, &fate->provision, &err) < 0) {
        log_warn("%s", err.message);
        ask_later(fate);
    }
}

int fate_new(struct loop *loop, const struct host_half *half, fate_gone_fn *gone, void *user,
             struct fate **ret, struct error *err)
{
    struct fate *fate = xnew(struct fate);

    fate->loop = loop;
    fate->half = half;
    fate->gone = gone;
    fate->user = user;
    if (loop_after(loop, LOOP_NEVER, on_timer, fate, &fate->timer, err) < 0) {
        free(fate);
        return -1;
    }
    *ret = fate;
    return 0;
}

void fate_free(struct fate *fate)
{
    if (!fate)
        return;
    provision_free(fate->provision);
    source_free(fate->timer);
    free(fate);
}

void fate_ask(struct fate *fate)
{
    if (fate->wanted)
        return;
    fate->wanted = true;
    fate->pause_ms = FIRST_PAUSE_MS;
    if (!fate->deleting)
        source_rearm(fate->timer, 0);
}

void fate_rest(struct fate *fate)
{
    fate->wanted = fate->is_said_gone = false;
    if (fate->deleting)
        return;
    source_rearm(fate->timer, LOOP_NEVER);
    provision_free(take_ptr(fate->provision));
}
