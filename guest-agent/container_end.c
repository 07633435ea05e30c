/* SPDX-License-Identifier: Apache-2.0 */
/* How a container ends and goes away. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "cgroup.h"
#include "container_private.h"
#include "events.h"
#include "idempotency.h"
#include "io/loop.h"
#include "layer_store.h"
#include "mounts.h"
#include "rootfs.h"
#include "runtime.h"

enum { OOM_SETTLE_MS = 50, OOM_RECENT_MS = 1000 };
enum { NO_STATUS = 255 }; /* of one whose end nobody saw: certainly not a good one */

/* ---- memory ---- */

void container_check_oom(struct container *container)
{
    uint64_t kills = container->pod->cgroups->oom_kills(container->cgroup);

    if (kills <= container->ooms)
        return;
    events_add_oom(container->pod->events, container->id);
    container->ooms = kills;
    container->oom_ms = clock_monotonic_ms();
}

static void oom_settled(void *user)
{
    container_check_oom(user);
}

/* The kernel tells before it has killed and counted. */
static void oom_readable(void *user, uint32_t events)
{
    struct container *container = user;
    char bytes[512];
    ssize_t n = read(container->oom_fd, bytes, sizeof(bytes));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        source_set_events(container->oom_source, 0);
    else if (container->oom_timer)
        source_rearm(container->oom_timer, OOM_SETTLE_MS);
}

void container_watch_oom(struct container *container)
{
    struct pod *pod = container->pod;
    struct error err;

    container->ooms = pod->cgroups->oom_kills(container->cgroup);
    container->oom_fd = pod->cgroups->open_oom(container->cgroup);
    if (container->oom_fd < 0)
        return;
    if (loop_watch_fd(pod->loop, container->oom_fd, LOOP_READ, oom_readable, container,
                      &container->oom_source, &err) < 0 ||
        loop_after(pod->loop, OOM_SETTLE_MS, oom_settled, container, &container->oom_timer, &err) <
            0)
        log_warn("cannot watch the memory of container '%s': %s", container->id, err.message);
}

void container_unwatch_oom(struct container *container)
{
    if (container->oom_source)
        source_free(take_ptr(container->oom_source));
    if (container->oom_timer)
        source_free(take_ptr(container->oom_timer));
    if (container->oom_fd >= 0)
        close(take_fd(container->oom_fd));
}

/* ---- the end of its processes ---- */

/* A kill that was counted long before another's SIGKILL has not ended it. */
static bool is_recent(uint64_t ms)
{
    return clock_monotonic_ms() - ms <= OOM_RECENT_MS;
}

/* The OOM event goes out before the exit that it explains. */
static void process_ending(struct process *process, struct exit_record *record)
{
    struct container *container = process->container;
    uint64_t before = container->ooms;
    struct error err;
    uint8_t *message;
    size_t length;

    container_check_oom(container);
    record->oom_killed = record->status == 128 + SIGKILL && container->ooms > 0 &&
                         (container->ooms > before ||
                          (process == container->init && is_recent(container->oom_ms)));
    if (process != container->init)
        return;
    container->state = CONTAINER_STOPPED;
    container_leave_slot(container, (unsigned) record->status);
    if (mounts_termination_log(container->directory, &message, &length, &err) < 0) {
        log_warn("container '%s': %s", container->id, err.message);
        return;
    }
    record->message = message;
    record->message_length = length < EVENTS_MESSAGE_MAX ? length : EVENTS_MESSAGE_MAX;
}

void container_kill_rest(struct container *container)
{
    if (container->pid_path) /* else the kernel has ended them with their init */
        cgroup_signal(container->pod->cgroups, container->cgroup,
                      &(struct cgroup_signal){.signum = SIGKILL});
}

static void process_ended(struct process *process)
{
    struct container *container = process->container;
    struct pod *pod = container->pod;

    if (process == container->init) {
        container_unwatch_oom(container);
        container_kill_rest(container);
    }
    container_delete_continue(container);
    pod_changed(pod);
}

const struct process_events container_process_events = {
    .ending = process_ending,
    .ended = process_ended,
};

bool container_is_empty(const struct container *container)
{
    if (container->init && container->init->state == PROCESS_ALIVE)
        return false;
    for (const struct process *process = container->execs; process; process = process->next) {
        if (process->state != PROCESS_ENDED)
            return false;
    }
    return true;
}

/* ---- going away ---- */

/* It may be large: out of the way first, so that its name is free. */
static void remove_disk(const struct container *container)
{
    struct pod *pod = container->pod;
    scoped(freep) char *path = container_disk(container);

    if (!path)
        return;
    scoped(freep) char *gone = xformat("%s/gone/%u", pod->disk, pod->serial++);
    if (rename(path, gone) == 0)
        layer_store_remove(pod->layers, gone);
    else if (errno != ENOENT)
        log_warn("container '%s' leaves files: %s", container->id, strerror(errno));
}

/* Once nothing is mounted any more, what cannot be removed is small, and the container's end must
 * not depend on it: a later container of that id is refused. */
static int remove_files(struct container *container, struct error *err)
{
    struct error left;

    if (mounts_unmake(container->directory, err) < 0 ||
        rootfs_unmount(container->directory, err) < 0)
        return -1;
    remove_disk(container);
    if (file_remove_tree(container->directory, &left) < 0)
        log_warn("container '%s' leaves files: %s", container->id, left.message);
    return 0;
}

static void drop(struct container *container)
{
    struct pod *pod = container->pod;
    scoped(freep) char *id = xstrdup(container->id);

    container_free(container);
    events_forget(pod->events, id, NULL);
    idempotency_forget(pod->answers, id);
    pod_changed(pod);
}

void container_delete_continue(struct container *container)
{
    container_done_fn *deleted = container->deleted;
    void *user = container->deleted_user;
    struct error *failure = container->failure;
    struct error err;

    if ((!deleted && !failure) || !container->runtime_gone || !container_is_empty(container))
        return;
    container->deleted = NULL;
    if (remove_files(container, &err) < 0) {
        log_warn("container '%s': %s", container->id, err.message);
        if (deleted)
            return deleted(user, NULL, &err);
    }
    if (failure && container->done)
        container->done(container->user, NULL, failure);
    else if (deleted)
        deleted(user, container->init, NULL);
    drop(container);
}

static void runtime_deleted(void *user, pid_t pid, const struct error *err)
{
    struct container *container = user;
    container_done_fn *deleted = container->deleted;

    runtime_job_free(take_ptr(container->job));
    if (err && !container->failure) {
        container->deleted = NULL;
        deleted(container->deleted_user, NULL, err);
        return;
    }
    container->runtime_gone = true;
    container_delete_continue(container);
}

static int start_deletion(struct container *container, struct error *err)
{
    return runtime_verb(container->pod->runtime, RUNTIME_DELETE, container->id, runtime_deleted,
                        container, &container->job, err);
}

void container_undo(struct container *container, const struct error *err)
{
    struct error ignored;

    container->failure = xnew(struct error);
    *container->failure = *err;
    if (!container->runtime_gone && start_deletion(container, &ignored) == 0)
        return;
    container->runtime_gone = true;
    container_delete_continue(container);
}

int container_delete(struct container *container, container_done_fn *done, void *user,
                     struct error *err)
{
    struct error aborted;

    if (container_allow(container->state, CONTAINER_DELETE, container->id, err) < 0)
        return -1;
    if (container->deleted || container->failure ||
        (container->job && container->state != CONTAINER_CREATING))
        return error_set(err, STATUS_ABORTED, "container '%s' is busy", container->id);
    if (container->state == CONTAINER_CREATING) {
        container_done_fn *create_done = take_ptr(container->done);

        runtime_job_free(take_ptr(container->job));
        error_set(&aborted, STATUS_ABORTED, "container '%s' was deleted meanwhile", container->id);
        if (create_done)
            create_done(container->user, NULL, &aborted);
    }
    container->deleted = done;
    container->deleted_user = user;
    if (start_deletion(container, err) < 0) {
        container->deleted = NULL;
        return -1;
    }
    return 0;
}

int container_delete_exec(struct container *container, struct process *process, struct error *err)
{
    struct process **link = &container->execs;
    scoped(freep) char *scope = NULL;

    if (process->state != PROCESS_ENDED)
        return error_set(err, STATUS_FAILED_PRECONDITION, "process '%s' has not ended",
                         process->exec_id);
    while (*link != process)
        link = &(*link)->next;
    *link = process->next;
    container->exec_count--;
    scope = xformat("%s/%s", container->id, process->exec_id);
    events_forget(container->pod->events, container->id, process->exec_id);
    idempotency_forget(container->pod->answers, scope);
    process_free(process);
    pod_changed(container->pod);
    return 0;
}

static void release_layers(struct container *container)
{
    for (char **layer = container->layers; layer && *layer; layer++) {
        layer_store_release(container->pod->layers, *layer);
        free(*layer);
    }
    free(container->layers);
}

void container_free(struct container *container)
{
    struct container **link = &container->pod->first;

    container_leave_slot(container, NO_STATUS);
    while (*link != container)
        link = &(*link)->next;
    *link = container->next;
    container->pod->count--;
    container_unwatch_oom(container);
    runtime_job_free(container->job);
    while (container->execs) {
        struct process *process = container->execs;

        container->execs = process->next;
        process_free(process);
    }
    process_free(container->init);
    release_layers(container);
    js_free(container->exec_defaults);
    js_free(container->slot_process);
    free(container->failure);
    free(container->file);
    free(container->id);
    free(container->directory);
    free(container->cgroup);
    free(container->pid_path);
    free(container);
}
