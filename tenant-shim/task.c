/* SPDX-License-Identifier: Apache-2.0 */
#include "task.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "codec_events.h"
#include "io/loop.h"
#include "leftovers.h"
#include "link.h"
#include "pod.h"
#include "pod_config.h"
#include "pod_manifest.h"
#include "pod_stdio.h"
#include "rootfs.h"
#include "sealed/manifest.h"
#include "shim/bundle.h"
#include "shim/tenant_conf.h"
#include "spec_rules.h"
#include "task_private.h"
#include "volumes.h"

enum {
    DRAIN_MS = 10 * 1000,
    GUEST_DELETE_MS = 5 * 1000, /* then the answer does not wait for the guest any more */
    CREATE_MS = 10 * 60 * 1000, /* with the image; mostly the caller's patience ends it earlier */
    KILL_MS = 10 * 1000,        /* without a channel: who kills has more to do, and comes again */
    STATS_MS = 1500,            /* containerd allows 2 s */
    STATS_AGE_MS = 1000,
};

/* ---- questions to the guest -------------------------------------------------------------------
 */

static void answer(struct task_answer *answer, struct task_entry *entry, const struct error *err)
{
    struct task_answer was = *answer;

    *answer = (struct task_answer){0};
    if (was.done)
        was.done(was.call, entry, err);
}

static void ask_unlink(struct ask *ask)
{
    struct ask **p = &ask->task->asks;

    while (*p != ask)
        p = &(*p)->next;
    *p = ask->next;
}

static void ask_done(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct ask *ask = user;
    struct task *task = ask->task;

    ask_unlink(ask);
    if (err && ask->failed)
        ask->failed(task);
    if (!err && ask->after)
        ask->after(task, reply);
    answer(&ask->answer, task->entry, err);
    free(ask);
}

static struct ask *ask_new(struct task *task, struct task_answer to)
{
    struct ask *ask = xnew(struct ask);

    ask->task = task;
    ask->answer = to;
    ask->next = task->asks;
    task->asks = ask;
    return ask;
}

static uint64_t left_of(const struct call *call, uint64_t limit_ms)
{
    uint64_t left = call ? call_left_ms(call) : UINT64_MAX;

    if (left > limit_ms)
        return limit_ms;
    return left ? left : 1;
}

/* Nobody waits longer than the caller. */
static struct agent_ask ask_guest(struct ask *ask, uint64_t limit_ms)
{
    struct pod *pod = ask->task->tasks->pod;

    if (limit_ms == 0)
        limit_ms = (uint64_t) pod_conf(pod)->request_timeout * 1000;
    return (struct agent_ask){.link = pod_link(pod),
                              .done = ask_done,
                              .user = ask,
                              .deadline_ms = left_of(ask->answer.call, limit_ms)};
}

/* What has not been sent yet must not happen later, when nobody wants it any more. What has been
 * sent takes its course: the guest may have done it. */
static void ask_abandoned(void *user, struct call *call)
{
    struct ask *ask = user;
    struct tasks *tasks = ask->task->tasks;
    struct error err;

    if (link_call_was_sent(ask->link_call))
        return;
    link_cancel(take_ptr(ask->link_call));
    error_set(&err, STATUS_CANCELLED, "the caller has given up");
    ask_done(ask, NULL, &err);
    pod_changed(tasks->pod);
}

/* Last of all: the caller may be gone already, and the ask with it. */
static void ask_sent(struct ask *ask, struct link_call *link_call)
{
    ask->link_call = link_call;
    if (ask->answer.call)
        call_on_gone(ask->answer.call, ask_abandoned, ask);
}

static bool refuse(struct task *task, enum task_op op, struct task_answer to)
{
    struct error err;

    if (task_allow(task->entry, op, &err) == 0)
        return false;
    answer(&to, task->entry, &err);
    return true;
}

/* ---- create -----------------------------------------------------------------------------------
 */

static const char *owner_of_pid(void *user, uint32_t pid)
{
    struct tasks *tasks = user;

    if (pid == (uint32_t) getpid())
        return "";
    for (struct task_entry *entry = tasks->table.first; entry; entry = entry->next) {
        if (entry->pid == pid && entry->user)
            return entry->id;
    }
    return NULL;
}

void task_create_failed(struct task *task, const struct error *err)
{
    task_leave_behind(task);
    answer(&task->creating, task->entry, err);
    task_free(task);
}

static void created(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct ask *ask = user;
    struct task *task = ask->task;

    ask_unlink(ask);
    free(ask);
    if (err) {
        task_create_failed(task, err);
        return;
    }
    source_free(take_ptr(task->create_limit));
    guest_spec_free(take_ptr(task->spec));
    task_set_state(task->entry, TASK_CREATED);
    pipes_start(task->pipes);
    events_create(task->tasks->publisher, task->entry);
    answer(&task->creating, task->entry, NULL);
    heap_trim();         /* of what the image's transfer took */
    task_let_exit(task); /* its record may have come before the answer */
}

static void on_rootfs(void *user, const struct agent_layer *layers, size_t count,
                      const struct error *err)
{
    struct task *task = user;
    struct agent_process name = task_name(task);
    struct agent_ask guest;
    struct ask *ask;

    if (err) {
        task_create_failed(task, err);
        return;
    }
    ask = ask_new(task, (struct task_answer){0});
    guest = ask_guest(ask, CREATE_MS);
    guest.done = created;
    name.slot = task->slot ? task->slot->name : NULL;
    task->is_in_guest = true;
    ask->link_call = agent_create(&guest, &name, task->spec, layers, count);
    rootfs_free(take_ptr(task->rootfs));
}

static int translate(struct task *task, const struct bundle *bundle, struct error *err)
{
    const struct pod_config *pod = pod_config(task->tasks->pod);
    struct spec_context context = {
        .node = {.kubelet_root = pod_conf(task->tasks->pod)->kubelet_root,
                 .pod_uid = pod->uid,
                 .container_id = task->entry->id,
                 .sandbox_dir = pod->sandbox_dir,
                 .shm_source = pod->shm_source},
        .refuses_shares = !pod_conf(task->tasks->pod)->live_shares,
        .namespace_paths = pod->namespace_paths,
        .namespace_path_count = pod->namespace_path_count,
        .annotations = js_get(bundle->spec, "annotations"),
        .owner_of_pid = owner_of_pid,
        .user = task->tasks,
    };

    if (pod->manifest &&
        pod_manifest_slot(pod->manifest, context.annotations, &task->slot, err) < 0)
        return -1;
    if (spec_rules_apply(bundle->spec, &context, &task->spec, err) < 0)
        return -1;
    if (task->slot && pod_manifest_check_shares(task->slot, task->spec, err) < 0)
        return -1;
    task->termination_log = xstrdup(task->spec->termination_log);
    if (task->spec->dropped[0])
        log_debug("spec of '%s': dropped %s", task->entry->id, task->spec->dropped);
    return 0;
}

static int open_pipes(struct task *task, struct error *err)
{
    struct agent_process name = task_name(task);
    struct pipes_options options = {
        .container_id = name.container_id,
        .exec_id = name.exec_id,
        .stdin_path = task->entry->stdin_path,
        .stdout_path = task->entry->stdout_path,
        .stderr_path = name.has_stderr ? task->entry->stderr_path : NULL, /* a terminal has none */
        .changed = task_io_changed,
        .user = task,
    };

    return pipes_open(pod_stdio(task->tasks->pod), &options, &task->pipes, err);
}

static void on_create_limit(void *user)
{
    const struct task *task = user;
    struct error err;

    error_set(&err, STATUS_DEADLINE_EXCEEDED, "the %s not in the guest in time",
              task->sharing || task->bring ? "volumes were" : "image was");
    task_create_failed(user, &err);
}

static int begin_rootfs(struct task *task, struct error *err)
{
    struct rootfs_options options = {
        .loop = task->tasks->loop,
        .link = pod_link(task->tasks->pod),
        .content = task->tasks->content,
        .container_id = task->entry->id,
        .tree = task->tree,
        .pad = pod_conf(task->tasks->pod)->pad_blobs,
        .needs_digests = task->slot,
    };

    return rootfs_prepare(&options, on_rootfs, task, &task->rootfs, err);
}

static void on_volumes(void *user, const struct error *err)
{
    struct task *task = user;
    struct error error;

    bring_free(take_ptr(task->bring));
    if (err)
        task_create_failed(task, err);
    else if (begin_rootfs(task, &error) < 0)
        task_create_failed(task, &error);
}

int task_bring_volumes(struct task *task, struct error *err)
{
    if (task->spec->volume_count == 0)
        return begin_rootfs(task, err);
    return volumes_bring(pod_volumes(task->tasks->pod), task->spec->volumes,
                         task->spec->volume_count, on_volumes, task, &task->bring, err);
}

static int begin_create(struct task *task, const struct bundle *bundle, struct error *err)
{
    uint64_t limit = left_of(task->creating.call, CREATE_MS);

    task->entry->bundle = xstrdup(bundle->path);
    if (translate(task, bundle, err) < 0 || open_pipes(task, err) < 0 ||
        loop_after(task->tasks->loop, limit, on_create_limit, task, &task->create_limit, err) < 0)
        return -1;
    return task_add_shares(task, err);
}

static void create_abandoned(void *user, struct call *call)
{
    struct task *task = user;
    struct error err;

    error_set(&err, STATUS_CANCELLED, "the caller has given up");
    task_create_failed(task, &err);
}

static int check_name(const struct tasks *tasks, const char *container_id, const char *exec_id,
                      struct error *err)
{
    if (!leftovers_has(tasks->leftovers, container_id, exec_id))
        return 0;
    return error_set(err, STATUS_UNAVAILABLE, "a former '%s' is still being removed from the guest",
                     *exec_id ? exec_id : container_id);
}

void task_create(struct tasks *tasks, const char *id, const struct bundle *bundle,
                 const struct task_io *io, struct task_answer to)
{
    struct task_entry *entry;
    struct task *task;
    struct error err;

    if (check_name(tasks, id, "", &err) < 0 ||
        task_table_add(&tasks->table, id, &entry, &err) < 0) {
        answer(&to, NULL, &err);
        return;
    }
    task = task_new(tasks, entry, io, &err);
    if (!task) {
        task_table_remove(&tasks->table, entry);
        answer(&to, NULL, &err);
        return;
    }
    task->creating = to;
    task->tree = xstrdup(io->tree);
    if (begin_create(task, bundle, &err) < 0)
        task_create_failed(task, &err);
    else if (to.call)
        call_on_gone(to.call, create_abandoned, task);
}

/* ---- exec and start ---------------------------------------------------------------------------
 */

int task_exec(struct task *task, const char *exec_id, const struct task_io *io, const char *spec,
              size_t spec_length, struct error *err)
{
    scoped(js_freep) struct js *in = NULL;
    scoped(js_freep) struct js *out = NULL;
    struct task_entry *entry;
    struct task *exec;

    if (task_allow(task->entry, TASK_OP_EXEC, err) < 0 ||
        check_name(task->tasks, task->entry->id, exec_id, err) < 0 ||
        js_parse(spec, spec_length, &in, err) < 0 || spec_rules_process(in, &out, err) < 0 ||
        task_table_add_exec(task->entry, exec_id, &entry, err) < 0)
        return -1;
    exec = task_new(task->tasks, entry, io, err);
    if (!exec) {
        task_table_remove(&task->tasks->table, entry);
        return -1;
    }
    exec->process = js_print(out);
    events_exec_added(task->tasks->publisher, entry);
    return 0;
}

static void send_size(struct task *task)
{
    struct agent_ask ask = {.link = pod_link(task->tasks->pod)};
    struct agent_process name = task_name(task);

    task->resize_due = false;
    agent_resize(&ask, &name);
}

static void started(struct task *task, const struct agent_reply *reply)
{
    task->starting = false;
    task_set_state(task->entry, TASK_RUNNING);
    if (task->entry->parent && task->pipes) {
        pipes_start(task->pipes);
        if (task->stdin_closed)
            pipes_close_stdin(task->pipes);
    }
    if (task->resize_due)
        send_size(task);
    events_start(task->tasks->publisher, task->entry);
}

static void start_failed(struct task *task)
{
    task->starting = false;
    if (task->entry->parent)
        pipes_free(take_ptr(task->pipes));
}

/* The start is told and answered before an exit that overtook its answer. */
static void start_done(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct ask *ask = user;
    struct task *task = ask->task;

    ask_done(ask, reply, err);
    task_let_exit(task);
    if (task->entry->parent)
        task_let_exit(task->entry->parent->user);
    pod_changed(task->tasks->pod);
}

void task_start(struct task *task, struct task_answer to)
{
    struct agent_process name = task_name(task);
    struct agent_ask guest;
    struct error err;
    struct ask *ask;

    if (refuse(task, TASK_OP_START, to))
        return;
    if (task->starting) {
        error_set(&err, STATUS_FAILED_PRECONDITION, "'%s' is being started", task->entry->id);
        answer(&to, task->entry, &err);
        return;
    }
    if (task->entry->parent && open_pipes(task, &err) < 0) {
        pipes_free(take_ptr(task->pipes));
        answer(&to, task->entry, &err);
        return;
    }
    task->starting = true;
    ask = ask_new(task, to);
    ask->after = started;
    ask->failed = start_failed;
    guest = ask_guest(ask, 0);
    guest.done = start_done;
    if (task->entry->parent) {
        task->is_in_guest = true;
        ask_sent(ask, agent_exec(&guest, &name, task->process));
    } else {
        ask_sent(ask, agent_start(&guest, name.container_id));
    }
}

/* ---- delete -----------------------------------------------------------------------------------
 */

static void delete_finish(struct task *task)
{
    struct tasks *tasks = task->tasks;

    if (!task->entry->parent)
        events_delete(task->tasks->publisher, task->entry);
    answer(&task->deleting, task->entry, NULL);
    task_free(task);
    pod_changed(tasks->pod);
}

/* Whatever the guest says, the exit is known and the caller need not wait longer: what the guest
 * still has goes later. */
static void deleted(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct ask *ask = user;
    struct task *task = ask->task;

    ask_unlink(ask);
    free(ask);
    if (err && err->status != STATUS_NOT_FOUND) {
        log_warn("delete of '%s' in the guest: %s", task->entry->id, err->message);
        task_leave_behind(task);
    }
    task->is_in_guest = false;
    delete_finish(task);
}

static void delete_in_guest(struct task *task)
{
    struct agent_process name = task_name(task);
    struct agent_ask guest;
    struct ask *ask;

    source_free(take_ptr(task->drain_limit));
    task_acknowledge(task);
    if (!task->is_in_guest) {
        delete_finish(task);
        return;
    }
    ask = ask_new(task, (struct task_answer){0});
    guest = ask_guest(ask, GUEST_DELETE_MS);
    guest.done = deleted;
    ask->link_call = agent_delete(&guest, &name);
}

static void on_drain_limit(void *user)
{
    delete_in_guest(user);
}

void task_io_changed(void *user)
{
    struct task *task = user;

    if (pipes_have_arrived(task->pipes) && task->entry->state == TASK_STOPPED)
        task_acknowledge(task);
    pod_changed(task->tasks->pod);
    if (task->drain_limit && pipes_are_drained(task->pipes))
        delete_in_guest(task);
}

void task_delete(struct task *task, struct task_answer to)
{
    struct error err;

    if (task->entry->state == TASK_CREATING) {
        task->deleting = to;
        error_set(&err, STATUS_CANCELLED, "deleted while it was being created");
        answer(&task->deleting, task->entry, NULL);
        task_create_failed(task, &err);
        return;
    }
    if (refuse(task, TASK_OP_DELETE, to))
        return;
    if (task->deleting.done) {
        error_set(&err, STATUS_FAILED_PRECONDITION, "'%s' is being deleted", task->entry->id);
        answer(&to, task->entry, &err);
        return;
    }
    task->deleting = to;
    if (task->starting && task->entry->parent) { /* the cancel of its start */
        delete_finish(task);
        return;
    }
    if (task->pipes && task->entry->state == TASK_STOPPED && !pipes_are_drained(task->pipes) &&
        loop_after(task->tasks->loop, DRAIN_MS, on_drain_limit, task, &task->drain_limit, &err) ==
            0)
        return;
    delete_in_guest(task);
}

/* ---- the rest ---------------------------------------------------------------------------------
 */

/* That there is no channel is why, not that the guest took its time. */
static void killed(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct ask *ask = user;
    bool is_lost = pod_state(ask->task->tasks->pod) == POD_UNKNOWN;
    struct error why;

    if (err && err->status == STATUS_DEADLINE_EXCEEDED && is_lost) {
        why = *err;
        why.status = STATUS_UNAVAILABLE;
        err = &why;
    }
    ask_done(ask, reply, err);
}

/* CRI stops a pod by killing each of its containers and waiting for the end of it, before it says
 * anything to pause. If that had to wait for a channel that the host keeps away, so would the end
 * of the pod. What is frozen does no more work, and what was told to be dead is killed before
 * anything else when it can be heard again; the pod itself lives on. Another signal waits, as it
 * does for any process that is frozen: who could not ask does not always go on to kill. */
static bool signal_out_of_reach(struct task *task, uint32_t signal)
{
    const struct task_entry *entry = task->entry;
    struct agent_process name = task_name(task);
    struct agent_ask guest;
    struct ask *ask;

    if (entry->parent || !pod_has_lapsed(task->tasks->pod) ||
        (entry->state != TASK_RUNNING && entry->state != TASK_PAUSED))
        return false;
    if (signal == SIGKILL) {
        task_give_up(task);
        return true;
    }
    ask = ask_new(task, (struct task_answer){0});
    guest = ask_guest(ask, 0);
    ask_sent(ask, agent_kill(&guest, &name, signal, AGENT_KILL_ONE));
    return true;
}

void task_kill(struct task *task, uint32_t signal, enum agent_kill_scope scope,
               struct task_answer to)
{
    struct agent_process name = task_name(task);
    struct agent_ask guest;
    struct ask *ask;

    if (refuse(task, TASK_OP_KILL, to))
        return;
    if (signal_out_of_reach(task, signal)) {
        answer(&to, task->entry, NULL);
        return;
    }
    ask = ask_new(task, to);
    guest = ask_guest(ask, pod_state(task->tasks->pod) == POD_UNKNOWN ? KILL_MS : 0);
    guest.done = killed;
    ask_sent(ask, agent_kill(&guest, &name, signal, scope));
}

void task_resize(struct task *task, uint32_t width, uint32_t height, struct task_answer to)
{
    struct agent_process name;
    struct agent_ask guest;
    struct ask *ask;

    task->width = width;
    task->height = height;
    /* Without a terminal, before the start and after the end there is nothing to resize: that is
     * success; a size that comes early goes along with the start. */
    if (!task->entry->terminal || task->entry->state == TASK_STOPPED ||
        (task->entry->parent && task->entry->state == TASK_CREATED)) {
        task->resize_due = task->starting;
        answer(&to, task->entry, NULL);
        return;
    }
    if (refuse(task, TASK_OP_RESIZE, to))
        return;
    name = task_name(task);
    ask = ask_new(task, to);
    guest = ask_guest(ask, 0);
    ask_sent(ask, agent_resize(&guest, &name));
}

void task_close_stdin(struct task *task)
{
    task->stdin_closed = true;
    if (task->pipes)
        pipes_close_stdin(task->pipes);
}

void task_update(struct task *task, const char *resources, size_t length, struct task_answer to)
{
    scoped(js_freep) struct js *in = NULL;
    scoped(js_freep) struct js *out = NULL;
    scoped(freep) char *text = NULL;
    struct agent_ask guest;
    struct error err;
    struct ask *ask;

    if (refuse(task, TASK_OP_UPDATE, to))
        return;
    if (js_parse(resources, length, &in, &err) < 0 || spec_rules_resources(in, &out, &err) < 0) {
        answer(&to, task->entry, &err);
        return;
    }
    text = js_print(out);
    ask = ask_new(task, to);
    guest = ask_guest(ask, 0);
    ask_sent(ask, agent_update(&guest, task->entry->id, text));
}

static void paused(struct task *task, const struct agent_reply *reply)
{
    task_set_state(task->entry, TASK_PAUSED);
    events_paused(task->tasks->publisher, task->entry);
}

static void resumed(struct task *task, const struct agent_reply *reply)
{
    task_set_state(task->entry, TASK_RUNNING);
    events_resumed(task->tasks->publisher, task->entry);
}

void task_pause(struct task *task, struct task_answer to)
{
    struct agent_ask guest;
    struct ask *ask;

    if (refuse(task, TASK_OP_PAUSE, to))
        return;
    ask = ask_new(task, to);
    ask->after = paused;
    guest = ask_guest(ask, 0);
    ask_sent(ask, agent_pause(&guest, task->entry->id));
}

void task_resume(struct task *task, struct task_answer to)
{
    struct agent_ask guest;
    struct ask *ask;

    if (refuse(task, TASK_OP_RESUME, to))
        return;
    ask = ask_new(task, to);
    ask->after = resumed;
    guest = ask_guest(ask, 0);
    ask_sent(ask, agent_resume(&guest, task->entry->id));
}

static void sampled(struct task *task, const struct agent_reply *reply)
{
    task->sample = reply->sample;
    task->sampled_ms = clock_monotonic_ms();
    task_settle_sample(task);
}

void task_settle_sample(struct task *task)
{
    struct container_sample *sample = &task->sample;

    if (task->entry->state != TASK_STOPPED)
        return;
    sample->memory_usage = sample->memory_anon = sample->memory_inactive_file = 0;
    sample->pids_current = 0;
}

/* An old sample is better than none: without one CRI shows nothing. */
static void stats_done(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct ask *ask = user;

    ask_done(ask, reply ? reply : &(struct agent_reply){.sample = ask->task->sample},
             err && ask->task->sampled_ms == 0 ? err : NULL);
}

static bool is_sampling(const struct task *task)
{
    const struct ask *ask = task->asks;

    while (ask && ask->after != sampled)
        ask = ask->next;
    return ask;
}

/* However many ask, the guest is asked once per second. */
void task_stats(struct task *task, struct task_answer to)
{
    struct agent_ask guest;
    struct error err;
    struct ask *ask;

    if (task->entry->state == TASK_CREATING) {
        error_set(&err, STATUS_NOT_FOUND, "'%s' is being created", task->entry->id);
        answer(&to, task->entry, &err);
        return;
    }
    if (task->sampled_ms &&
        (is_sampling(task) || clock_monotonic_ms() - task->sampled_ms < STATS_AGE_MS ||
         task->entry->state == TASK_STOPPED)) {
        answer(&to, task->entry, NULL);
        return;
    }
    ask = ask_new(task, to);
    ask->after = sampled;
    guest = ask_guest(ask, STATS_MS);
    guest.done = stats_done;
    ask_sent(ask, agent_stats(&guest, task->entry->id));
}

const struct container_sample *task_sample(const struct task *task)
{
    return &task->sample;
}
