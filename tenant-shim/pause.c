/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox container: no process of this node, it stands for the pod. */
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "codec_events.h"
#include "codec_task.h"
#include "io/loop.h"
#include "pod.h"
#include "shim/bundle.h"
#include "tenant.h"

enum { DELETE_WAIT_MS = 3000 }; /* containerd allows Delete 5 s */

static void entry_remove(struct tenant *tenant)
{
    task_table_remove(&tenant->tasks.table, take_ptr(tenant->pause));
}

static void on_created(void *user, const struct error *err)
{
    struct tenant *tenant = user;
    struct call *call = take_ptr(tenant->creating);

    if (err) {
        struct error why = *err; /* it is the pod's */

        log_error("the pod was not created: %s", why.message);
        entry_remove(tenant);
        tenant->tasks.pod = NULL;
        pod_free(take_ptr(tenant->pod));
        call_fail_with(call, &why);
        return;
    }
    call_on_gone(call, NULL, NULL);
    task_set_state(tenant->pause, TASK_CREATED);
    tenant->tasks.pod = tenant->pod;
    events_create(tenant->publisher, tenant->pause);
    codec_reply_create(call, tenant->pause);
}

static void on_dead(void *user, uint32_t exit_status)
{
    struct tenant *tenant = user;

    tasks_all_dead(&tenant->tasks);
    if (!tenant->pause || !task_exited(tenant->pause, exit_status, clock_wall_ns()))
        return;
    events_exit(tenant->publisher, tenant->pause);
    task_service_exited(tenant, tenant->pause);
}

static void finish_delete(struct tenant *tenant, struct call *call)
{
    events_delete(tenant->publisher, tenant->pause);
    codec_reply_delete(call, tenant->pause);
    entry_remove(tenant);
}

static void on_removed(void *user)
{
    struct tenant *tenant = user;
    struct call *call;

    source_free(take_ptr(tenant->delete_limit));
    while ((call = call_unpark(&tenant->deleting))) {
        if (tenant->pause)
            finish_delete(tenant, call);
        else
            call_fail(call, STATUS_NOT_FOUND, "deleted already");
    }
}

/* containerd must not be kept waiting by a host: it would go on without an answer, and find the
 * entry still there at Shutdown. */
static void on_delete_limit(void *user)
{
    struct tenant *tenant = user;

    log_warn("the host half takes long to go: a reaper sees to it");
    pod_give_away(tenant->pod);
}

static void on_gone(void *user, struct call *call)
{
    struct tenant *tenant = user;

    pod_cancel(tenant->pod);
}

void pause_create(struct tenant *tenant, struct call *call, const char *id,
                  const struct bundle *bundle)
{
    struct pod_events events = tenant_pod_events();
    struct pod_options options = {
        .loop = tenant->loop,
        .queue = tenant->queue,
        .cri_sandbox_id = id,
        .conf_path = tenant->conf_path,
        .bundle_path = bundle->path,
        .spec = bundle->spec,
        .deadline_ms = call_left_ms(call),
        .unattended = !tenant->content,
    };
    struct error err;

    if (tenant->pod) {
        call_fail(call, STATUS_ALREADY_EXISTS, "this shim has its pod already");
        return;
    }
    if (task_table_add(&tenant->tasks.table, id, &tenant->pause, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    tenant->pause->pid = (uint32_t) getpid();
    tenant->pause->bundle = xstrdup(bundle->path);
    events.created = on_created;
    events.dead = on_dead;
    events.removed = on_removed;
    if (pod_create(&options, &events, tenant, &tenant->pod, &err) < 0) {
        entry_remove(tenant);
        log_error("the pod was not created: %s", err.message);
        call_fail_with(call, &err);
        return;
    }
    tenant->creating = call;
    call_on_gone(call, on_gone, tenant);
}

void pause_start(struct tenant *tenant)
{
    task_set_state(tenant->pause, TASK_RUNNING);
    events_start(tenant->publisher, tenant->pause);
}

static void delete_when_removed(struct tenant *tenant, struct call *call)
{
    struct error err;

    if (!tenant->delete_limit && loop_after(tenant->loop, DELETE_WAIT_MS, on_delete_limit, tenant,
                                            &tenant->delete_limit, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    call_park(&tenant->deleting, call);
}

void pause_delete(struct tenant *tenant, struct call *call)
{
    struct error err;

    switch (tenant->pause->state) {
    case TASK_CREATING:
        codec_reply_delete(call, tenant->pause);
        pod_cancel(tenant->pod);
        return;
    case TASK_CREATED:
        pod_stop(tenant->pod);
        if (pod_is_stopping(tenant->pod))
            delete_when_removed(tenant, call);
        else
            finish_delete(tenant, call); /* it died meanwhile: `delete` removes the host half */
        return;
    default:
        if (task_allow(tenant->pause, TASK_OP_DELETE, &err) < 0)
            call_fail_with(call, &err);
        else if (pod_is_stopping(tenant->pod))
            delete_when_removed(tenant, call);
        else
            finish_delete(tenant, call);
    }
}

void pause_free(struct tenant *tenant)
{
    struct call *call;

    while ((call = call_unpark(&tenant->deleting)))
        call_fail(call, STATUS_UNAVAILABLE, "the shim ends");
    if (tenant->creating)
        call_fail(take_ptr(tenant->creating), STATUS_UNAVAILABLE, "the shim ends");
    if (tenant->pause)
        entry_remove(tenant);
    source_free(take_ptr(tenant->delete_limit));
    pod_free(take_ptr(tenant->pod));
}
