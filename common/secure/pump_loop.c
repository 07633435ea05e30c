/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "secure/pump_runner.h"

struct loop_runner {
    struct pump_runner base;
    struct source *socket, *plain;
    struct source *timer; /* more to do at once, or a linger that ends */
};

static void turn(struct loop_runner *runner)
{
    struct pump_wants wants;
    struct error err;
    enum pump_result result = pump_step(&runner->base.pump, &wants, &err);

    if (result == PUMP_DONE || result == PUMP_FAILED) {
        runner->base.events.ended(runner->base.user, result == PUMP_FAILED ? &err : NULL);
        return; /* it may be gone */
    }
    /* With more to do at once the timer turns it again; other sources get their turn between. */
    source_set_events(runner->socket, result == PUMP_AGAIN ? 0 : wants.socket);
    source_set_events(runner->plain, result == PUMP_AGAIN ? 0 : wants.plain);
    if (result == PUMP_AGAIN)
        source_rearm(runner->timer, 0);
    else if (wants.timeout_ms)
        source_rearm(runner->timer, wants.timeout_ms);
    if (!runner->base.due_told && pump_due(&runner->base.pump)) {
        runner->base.due_told = true;
        runner->base.events.due(runner->base.user);
    }
}

static void on_ready(void *user, uint32_t events)
{
    turn(user);
}

static void on_timer(void *user)
{
    turn(user);
}

static void loop_runner_free(struct pump_runner *base)
{
    struct loop_runner *runner = container_of(base, struct loop_runner, base);

    source_freep(&runner->timer);
    source_freep(&runner->plain);
    source_freep(&runner->socket);
    free(runner);
}

int pump_run_on_loop(struct loop *loop, const struct pump_options *options,
                     const struct pump_events *events, void *user, struct pump_runner **ret,
                     struct error *err)
{
    struct loop_runner *runner = xnew(struct loop_runner);

    runner->base.pump.options = *options;
    runner->base.events = *events;
    runner->base.user = user;
    runner->base.free = loop_runner_free;
    if (loop_watch_fd(loop, options->socket, 0, on_ready, runner, &runner->socket, err) < 0 ||
        loop_watch_fd(loop, options->plain.fd, 0, on_ready, runner, &runner->plain, err) < 0 ||
        loop_after(loop, 0, on_timer, runner, &runner->timer, err) < 0) {
        loop_runner_free(&runner->base);
        return -1;
    }
    *ret = &runner->base;
    return 0;
}
