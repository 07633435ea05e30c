/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "host_half.h"
#include "io/loop.h"
#include "pod.h"
#include "pod_config.h"
#include "shim/sandbox_reply.h"
#include "tenant.h"

enum {
    REMOVAL_WAIT_MS = 3000, /* for the host, once nothing of the pod runs */
};

static void set_state(struct tenant *tenant, enum sandbox_state state)
{
    tenant->sandbox.state = state;
}

/* containerd learns of the end by WaitSandbox alone. */
static void set_exited(struct tenant *tenant, uint32_t exit_status)
{
    struct sandbox *sandbox = &tenant->sandbox;
    struct sandbox_facts facts;
    struct call *call;

    if (sandbox->exited_at_ns)
        return;
    sandbox->exited_at_ns = clock_wall_ns();
    sandbox->exit_status = exit_status;
    facts = sandbox_facts(tenant);
    while ((call = call_unpark(&sandbox->waiters)))
        sandbox_reply_wait(call, &facts);
    if (tenant->pause && task_exited(tenant->pause, exit_status, sandbox->exited_at_ns))
        task_service_exited(tenant, tenant->pause);
}

static void on_farewell(void *user)
{
    tenant_quit(user);
}

static void set_stopped(struct tenant *tenant)
{
    struct sandbox *sandbox = &tenant->sandbox;
    struct error err;
    struct call *call;

    set_state(tenant, SANDBOX_STOPPED);
    set_exited(tenant, 137);
    source_free(take_ptr(sandbox->removal_limit));
    while ((call = call_unpark(&sandbox->stoppers)))
        call_reply(call, NULL);
    if (!sandbox->quitting)
        return;
    while ((call = call_unpark(&sandbox->shutdowns)))
        call_reply(call, NULL);
    if (!sandbox->farewell && loop_after(tenant->loop, SANDBOX_FAREWELL_MS, on_farewell, tenant,
                                         &sandbox->farewell, &err) < 0)
        tenant_quit(tenant);
}

/* ---- what the pod says ------------------------------------------------------------------------
 */

/* StopSandbox in the middle of StartSandbox: the verb `delete`, which removes what a failed start
 * leaves, may be long in coming. */
static void bury_host_half(const struct tenant *tenant)
{
    scoped(host_half_freep) struct host_half *half = NULL;
    struct error err;

    if (host_half_read(tenant->bundle, &half, &err) == 0 && host_half_bury(half, &err) == 0)
        return;
    if (err.status != STATUS_NOT_FOUND)
        log_error("the host half may be left over: %s", err.message);
}

static void start_failed(struct tenant *tenant, const struct error *err)
{
    struct error why = *err; /* it is the pod's */
    struct call *call = take_ptr(tenant->sandbox.starting);

    log_error("the pod was not created: %s", why.message);
    tenant->tasks.pod = NULL;
    pod_free(take_ptr(tenant->pod));
    if (tenant->sandbox.stoppers.first)
        bury_host_half(tenant);
    call_fail_with(call, &why);
    set_stopped(tenant);
}

static void on_created(void *user, const struct error *err)
{
    struct tenant *tenant = user;
    struct sandbox_facts facts;

    call_on_gone(tenant->sandbox.starting, NULL, NULL);
    if (err) {
        start_failed(tenant, err);
        return;
    }
    set_state(tenant, SANDBOX_RUNNING);
    tenant->sandbox.created_at_ns = clock_wall_ns();
    task_set_state(tenant->pause, TASK_CREATED);
    task_set_state(tenant->pause, TASK_RUNNING);
    tenant->tasks.pod = tenant->pod;
    facts = sandbox_facts(tenant);
    sandbox_reply_started(take_ptr(tenant->sandbox.starting), &facts);
}

/* A host that takes its time must not keep containerd waiting: a reaper sees to it. */
static void on_removal_limit(void *user)
{
    struct tenant *tenant = user;

    log_warn("the host half takes long to go: a reaper sees to it");
    pod_give_away(tenant->pod);
}

static void on_dead(void *user, uint32_t exit_status)
{
    struct tenant *tenant = user;
    struct sandbox *sandbox = &tenant->sandbox;
    struct error err;

    tasks_all_dead(&tenant->tasks);
    set_exited(tenant, exit_status);
    if (!pod_is_stopping(tenant->pod)) /* by itself, or the host half is gone already */
        set_stopped(tenant);
    else if (!sandbox->removal_limit && loop_after(tenant->loop, REMOVAL_WAIT_MS, on_removal_limit,
                                                   tenant, &sandbox->removal_limit, &err) < 0)
        pod_give_away(tenant->pod);
}

static void on_removed(void *user)
{
    set_stopped(user);
}

static void on_gone(void *user, struct call *call)
{
    struct tenant *tenant = user;

    log_warn("the caller of StartSandbox is gone: the start is cancelled");
    pod_cancel(tenant->pod);
}

/* ---- what is asked ----------------------------------------------------------------------------
 */

static int allow(const struct tenant *tenant, enum sandbox_op op, struct error *err)
{
    return sandbox_state_allow(tenant->sandbox.state, op, tenant->sandbox_id, err);
}

int sandbox_create(struct tenant *tenant, struct pod_config *config, struct error *err)
{
    scoped(pod_config_freep) struct pod_config *taken = config;

    if (allow(tenant, SANDBOX_OP_CREATE, err) < 0)
        return -1;
    if (tenant->pod)
        return error_set(err, STATUS_ALREADY_EXISTS, "this shim has its pod already");
    if (task_table_add(&tenant->tasks.table, tenant->sandbox_id, &tenant->pause, err) < 0)
        return -1;
    tenant->pause->pid = (uint32_t) getpid();
    tenant->pause->bundle = xstrdup(tenant->bundle);
    tenant->sandbox.config = take_ptr(taken);
    tenant->sandbox.created_at_ns = clock_wall_ns();
    set_state(tenant, SANDBOX_CREATED);
    return 0;
}

static int begin(struct tenant *tenant, const struct call *call, struct error *err)
{
    struct pod_events events = tenant_pod_events();
    struct pod_options options = {
        .loop = tenant->loop,
        .queue = tenant->queue,
        .cri_sandbox_id = tenant->sandbox_id,
        .conf_path = tenant->conf_path,
        .bundle_path = tenant->bundle,
        .deadline_ms = call_left_ms(call),
    };

    if (allow(tenant, SANDBOX_OP_START, err) < 0)
        return -1;
    events.created = on_created;
    events.dead = on_dead;
    events.removed = on_removed;
    options.config = take_ptr(tenant->sandbox.config);
    if (pod_create(&options, &events, tenant, &tenant->pod, err) == 0)
        return 0;
    set_stopped(tenant);
    return -1;
}

void sandbox_start(struct tenant *tenant, struct call *call)
{
    struct error err;

    if (begin(tenant, call, &err) < 0) {
        log_error("the pod was not created: %s", err.message);
        call_fail_with(call, &err);
        return;
    }
    set_state(tenant, SANDBOX_STARTING);
    tenant->sandbox.starting = call;
    call_on_gone(call, on_gone, tenant);
}

/* set_stopped() follows, at once or in time. */
static void stop(struct tenant *tenant)
{
    switch (tenant->sandbox.state) {
    case SANDBOX_STARTING:
        pod_cancel(tenant->pod);
        break;
    case SANDBOX_RUNNING:
        set_state(tenant, SANDBOX_STOPPING);
        pod_stop(tenant->pod);
        break;
    case SANDBOX_STOPPING:
        break;
    default:
        set_stopped(tenant);
    }
}

void sandbox_stop(struct tenant *tenant, struct call *call)
{
    call_park(&tenant->sandbox.stoppers, call);
    stop(tenant);
}

void sandbox_wait(struct tenant *tenant, struct call *call)
{
    struct sandbox_facts facts = sandbox_facts(tenant);
    struct error err;

    if (allow(tenant, SANDBOX_OP_WAIT, &err) < 0)
        call_fail_with(call, &err);
    else if (tenant->sandbox.exited_at_ns)
        sandbox_reply_wait(call, &facts);
    else
        call_park(&tenant->sandbox.waiters, call);
}

void sandbox_shutdown(struct tenant *tenant, struct call *call)
{
    tenant->sandbox.quitting = true;
    call_park(&tenant->sandbox.shutdowns, call);
    stop(tenant);
}

struct sandbox_facts sandbox_facts(const struct tenant *tenant)
{
    const struct sandbox *sandbox = &tenant->sandbox;

    return (struct sandbox_facts){
        .id = tenant->sandbox_id,
        .is_ready = sandbox->state == SANDBOX_RUNNING,
        .created_at_ns = sandbox->created_at_ns,
        .exited_at_ns = sandbox->exited_at_ns,
        .exit_status = sandbox->exit_status,
    };
}

static void end_all(struct call_list *list)
{
    struct call *call;

    while ((call = call_unpark(list)))
        call_fail(call, STATUS_UNAVAILABLE, "the shim ends");
}

void sandbox_free(struct tenant *tenant)
{
    struct sandbox *sandbox = &tenant->sandbox;

    if (sandbox->starting)
        call_fail(take_ptr(sandbox->starting), STATUS_UNAVAILABLE, "the shim ends");
    end_all(&sandbox->waiters);
    end_all(&sandbox->stoppers);
    end_all(&sandbox->shutdowns);
    source_free(take_ptr(sandbox->removal_limit));
    source_free(take_ptr(sandbox->farewell));
    pod_config_free(take_ptr(sandbox->config));
}
