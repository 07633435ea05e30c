/* SPDX-License-Identifier: Apache-2.0 */
#include "container.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "cgroup.h"
#include "confine.h"
#include "container_private.h"
#include "events.h"
#include "exec_block.h"
#include "layer_store.h"
#include "mounts.h"
#include "nesting.h"
#include "oci/spec.h"
#include "process.h"
#include "rootfs.h"
#include "runtime.h"
#include "secure/initdata.h"
#include "streams.h"

/* ---- create ---- */

/* NULL: err says why not. */
static struct container *add(struct pod *pod, const char *id, struct error *err)
{
    struct container *container;
    struct error ignored;

    if (!text_is_identifier(id)) {
        error_set(err, STATUS_INVALID_ARGUMENT, "'%.100s' is not an identifier", id);
        return NULL;
    }
    if (container_find(pod, id, &ignored)) {
        error_set(err, STATUS_ALREADY_EXISTS, "container '%s' exists", id);
        return NULL;
    }
    if (pod->count >= POD_CONTAINERS_MAX) {
        error_set(err, STATUS_RESOURCE_EXHAUSTED, "%d containers", POD_CONTAINERS_MAX);
        return NULL;
    }
    container = xnew(struct container);
    container->pod = pod;
    container->id = xstrdup(id);
    container->directory = xformat("%s/%s", pod->containers, id);
    container->cgroup = xformat("/cleave/%s", id);
    container->oom_fd = -1;
    container->next = pod->first;
    pod->first = container;
    pod->count++;
    return container;
}

void container_confinement(const struct container *container, unsigned wanted, char **ret_root,
                           struct confine_options *ret)
{
    const struct pod *pod = container->pod;

    *ret_root = xformat("%s/rootfs", container->directory);
    *ret = (struct confine_options){
        .guest_root = pod->initdata->content.limits.guest_root,
        .terminal = (wanted & STREAMS_TERMINAL) != 0,
        .root = *ret_root,
        .cgroup = container->cgroup,
        .net_path = pod->options->pod_netns_path,
        .ipc_path = pod->ipc_path,
        .uts_path = pod->uts_path,
        .pid_path = container->pid_path,
        .lowest_oom_score = pod->lowest_oom_score,
    };
}

/* The spec says whose PID namespace it is (agent.proto, CreateRequest). */
static int choose_pid_namespace(struct container *container, const struct js *spec,
                                struct error *err)
{
    static const char of_container[] = "cleave:container:";
    struct pod *pod = container->pod;
    struct js *entry = spec_namespace(spec, "pid");
    const char *path = js_get_string(entry, "path");
    struct container *target;

    if (text_equal(path, "cleave:pod") && pod_share_pid(pod, err) < 0)
        return -1;
    if (!entry || text_equal(path, "cleave:pod")) {
        container->pid_path = xstrdup(pod->pid_path);
        return 0;
    }
    if (!path || !text_starts(path, of_container))
        return 0;
    target = container_find(pod, path + strlen(of_container), err);
    if (!target)
        return -1;
    if (!target->init || target->init->state != PROCESS_ALIVE || process_has_ended(target->init))
        return error_set(err, STATUS_FAILED_PRECONDITION, "container '%s' has no process to share",
                         target->id);
    container->pid_path = xformat("/proc/%d/ns/pid", (int) target->init->pid);
    return 0;
}

static int write_config(struct container *container, const struct container_options *options,
                        struct error *err)
{
    scoped(js_freep) struct js *spec = NULL;
    scoped(freep) char *root = NULL;
    scoped(freep) char *path = xformat("%s/config.json", container->directory);
    scoped(freep) char *text = NULL;
    struct confine_options confinement;
    struct mounts_places places = {
        .pod_directory = container->pod->directory,
        .container_directory = container->directory,
        .volumes = container->pod->volumes,
        .shared = options->shared,
        .shared_count = options->shared_count,
    };
    struct js *mounts;

    if (options->spec_length > CONTAINER_SPEC_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the spec is larger than %d bytes",
                         CONTAINER_SPEC_MAX);
    if (js_parse(options->spec, options->spec_length, &spec, err) < 0)
        return error_wrap(err, "spec");
    if (choose_pid_namespace(container, spec, err) < 0)
        return -1;
    container_note_process(container, js_get(spec, "process"));
    container_confinement(container, options->wanted, &root, &confinement);
    places.root = root;
    if (container->slot && nesting_check(root, js_get(spec, "mounts"), err) < 0)
        return -1;
    if (confine_spec(spec, &confinement, err) < 0 ||
        mounts_rewrite(js_get(spec, "mounts"), &places, &mounts, err) < 0)
        return -1;
    js_set(spec, "mounts", mounts);
    container->exec_defaults = exec_block_defaults(spec);
    text = js_print(spec);
    return file_write_atomic(path, text, strlen(text), 0600, err);
}

char *container_disk(const struct container *container)
{
    const char *disk = container->pod->disk;

    return disk ? xformat("%s/roots/%s", disk, container->id) : NULL;
}

static int mount_root(struct container *container, const struct container_options *options,
                      struct error *err)
{
    struct layer_store *store = container->pod->layers;
    scoped(freep) char *disk = container_disk(container);
    struct rootfs_options rootfs = {
        .directory = container->directory,
        .layers = options->layers,
        .count = options->layer_count,
        .disk = disk,
        .room = layer_store_memory(store),
    };

    if (rootfs_mount(store, &rootfs, err) < 0)
        return -1;
    container->layers = xnew_array(char *, options->layer_count + 1);
    for (size_t i = 0; i < options->layer_count; i++) {
        container->layers[i] = xstrdup(options->layers[i].digest);
        layer_store_hold(store, container->layers[i]);
    }
    return 0;
}

static int prepare(struct container *container, const struct container_options *options,
                   struct error *err)
{
    struct process_options process = {
        .container_id = container->id,
        .exec_id = "",
        .wanted = options->wanted,
    };

    if (mkdir(container->directory, 0711) < 0)
        return error_errno(err, errno, "make a directory for container '%s'", container->id);
    if (mounts_make_container(container->directory, options->files, options->file_count, err) < 0 ||
        mount_root(container, options, err) < 0 || write_config(container, options, err) < 0 ||
        process_new(container->pod, &process, &container_process_events, &container->init, err) < 0)
        return -1;
    container->init->container = container;
    pod_limit_memory(container->pod);
    return 0;
}

static void finish_op(struct container *container, struct process *process, const struct error *err)
{
    container_done_fn *done = take_ptr(container->done);

    if (done)
        done(container->user, process, err);
}

static void created(void *user, pid_t pid, const struct error *err)
{
    struct container *container = user;

    if (err) {
        runtime_job_free(take_ptr(container->job));
        container_undo(container, err);
        return;
    }
    process_adopt(container->init, pid);
    runtime_job_free(take_ptr(container->job)); /* after the adoption: it holds the reaper */
    container->state = CONTAINER_CREATED;
    container_watch_oom(container);
    finish_op(container, container->init, NULL);
    if (container->pod->phase == PHASE_DRAINING)
        container_power_off(container, container->pod->killed ? SIGKILL : SIGTERM);
}

int container_create(struct pod *pod, const struct container_options *options,
                     container_done_fn *done, void *user, struct error *err)
{
    struct container *container = add(pod, options->id, err);
    struct runtime_process process;
    scoped(freep) char *pid_file = NULL;

    if (!container)
        return -1;
    if (container_take_slot(container, options->slot, err) < 0 ||
        prepare(container, options, err) < 0)
        goto fail;
    process_describe(container->init, &process, &pid_file);
    process.bundle = container->directory;
    container->op = CONTAINER_START;
    container->done = done;
    container->user = user;
    if (runtime_create(pod->runtime, &process, created, container, &container->job, err) < 0)
        goto fail;
    return 0;

fail:
    container->runtime_gone = true;
    container->done = NULL;
    container_undo(container, err);
    return -1;
}

/* ---- looking up ---- */

struct container *container_find(const struct pod *pod, const char *id, struct error *err)
{
    for (struct container *container = pod->first; container; container = container->next) {
        if (text_equal(container->id, id))
            return container;
    }
    error_set(err, STATUS_NOT_FOUND, "no container '%.100s'", id);
    return NULL;
}

struct container *container_next(const struct container *container)
{
    return container->next;
}

struct process *container_process(const struct container *container, const char *exec_id,
                                  struct error *err)
{
    if (*exec_id == '\0' && container->init)
        return container->init;
    for (struct process *process = container->execs; process; process = process->next) {
        if (text_equal(process->exec_id, exec_id))
            return process;
    }
    error_set(err, STATUS_NOT_FOUND, "no process '%.100s' in container '%s'", exec_id,
              container->id);
    return NULL;
}

/* ---- operations of the runtime ---- */

static int begin_op(struct container *container, enum container_op op, container_done_fn *done,
                    void *user, struct error *err)
{
    if (container_allow(container->state, op, container->id, err) < 0)
        return -1;
    if (container->job || container->deleted)
        return error_set(err, STATUS_ABORTED, "container '%s' is busy: %s is in progress",
                         container->id,
                         container_op_name(container->deleted ? CONTAINER_DELETE : container->op));
    container->op = op;
    container->done = done;
    container->user = user;
    return 0;
}

static void op_done(void *user, pid_t pid, const struct error *err)
{
    static const enum container_state after[CONTAINER_OPS] = {
        [CONTAINER_START] = CONTAINER_RUNNING,
        [CONTAINER_PAUSE] = CONTAINER_PAUSED,
        [CONTAINER_RESUME] = CONTAINER_RUNNING,
    };
    struct container *container = user;
    enum container_op op = container->op;

    runtime_job_free(take_ptr(container->job));
    if (container->file)
        (void) unlink(container->file);
    free(take_ptr(container->file));
    if (!err && op != CONTAINER_UPDATE && container->state != CONTAINER_STOPPED)
        container->state = after[op];
    finish_op(container, err ? NULL : container->init, err);
    process_release(container->init); /* last: the end may free the container */
}

static int run_op(struct container *container, enum container_op op, enum runtime_verb verb,
                  container_done_fn *done, void *user, struct error *err)
{
    if (begin_op(container, op, done, user, err) < 0)
        return -1;
    process_hold(container->init);
    if (runtime_verb(container->pod->runtime, verb, container->id, op_done, container,
                     &container->job, err) < 0) {
        container->done = NULL;
        process_release(container->init);
        return -1;
    }
    return 0;
}

int container_start(struct container *container, container_done_fn *done, void *user,
                    struct error *err)
{
    if (run_op(container, CONTAINER_START, RUNTIME_START, done, user, err) < 0)
        return -1;
    container_slot_started(container);
    return 0;
}

int container_kill(struct container *container, struct process *process, int signum,
                   struct error *err)
{
    if (container_allow(container->state, CONTAINER_KILL, container->id, err) < 0)
        return -1;
    if (container->state == CONTAINER_CREATED && process == container->init && signum != 0)
        signum = SIGKILL;
    if (signum != 0)
        container_slot_told(container, process); /* before it may have ended by it */
    if (process_kill(process, signum, err) < 0)
        return -1;
    if (container->state == CONTAINER_PAUSED && signum == SIGKILL)
        container->pod->cgroups->thaw(container->cgroup); /* else it would die only later */
    return 0;
}

int container_kill_all(struct container *container, int signum, struct error *err)
{
    struct cgroup_signal all = {.signum = signum};

    if (container_kill(container, container->init, signum, err) < 0)
        return -1;
    if (signum != SIGKILL)
        all.except = container->init->pid; /* it has it */
    cgroup_signal(container->pod->cgroups, container->cgroup, &all);
    return 0;
}

int container_pause(struct container *container, container_done_fn *done, void *user,
                    struct error *err)
{
    return run_op(container, CONTAINER_PAUSE, RUNTIME_PAUSE, done, user, err);
}

int container_resume(struct container *container, container_done_fn *done, void *user,
                     struct error *err)
{
    return run_op(container, CONTAINER_RESUME, RUNTIME_RESUME, done, user, err);
}

/* Device rules are not the tenant's to change at run time. */
static int write_resources(struct container *container, const struct container_resources *resources,
                           struct error *err)
{
    scoped(js_freep) struct js *json = NULL;
    scoped(freep) char *text = NULL;
    scoped(freep) char *path = xformat("%s/resources.%u", container->directory,
                                       container->pod->serial++);

    if (resources->length > CONTAINER_SPEC_MAX ||
        js_parse(resources->json, resources->length, &json, err) < 0 || js_type(json) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the resources are not a JSON object");
    if (confine_resources(json, err) < 0)
        return -1;
    js_remove(json, "devices");
    text = js_print(json);
    if (file_write_atomic(path, text, strlen(text), 0600, err) < 0)
        return -1;
    container->file = take_ptr(path);
    return 0;
}

int container_update(struct container *container, const struct container_resources *resources,
                     container_done_fn *done, void *user, struct error *err)
{
    struct runtime_update update = {.container_id = container->id};

    if (begin_op(container, CONTAINER_UPDATE, done, user, err) < 0)
        return -1;
    if (write_resources(container, resources, err) < 0)
        goto fail;
    process_hold(container->init);
    update.resources = container->file;
    if (runtime_update(container->pod->runtime, &update, op_done, container, &container->job,
                       err) == 0)
        return 0;
    process_release(container->init);
fail:
    container->done = NULL;
    return -1;
}

/* ---- what the kernel knows ---- */

int container_stats(struct container *container, struct cgroup_stats *ret, struct error *err)
{
    return container->pod->cgroups->stats(container->cgroup, ret, err);
}

int container_pids(struct container *container, pid_t **ret, size_t *ret_count, struct error *err)
{
    return cgroup_pids(container->pod->cgroups, container->cgroup, ret, ret_count, err);
}

void container_power_off(struct container *container, int signum)
{
    const struct cgroup_signal all = {.signum = SIGKILL};
    struct error ignored;

    if (container->state == CONTAINER_CREATING || container->state == CONTAINER_STOPPED)
        return;
    if (container_kill(container, container->init, signum, &ignored) == 0 && signum == SIGKILL)
        cgroup_signal(container->pod->cgroups, container->cgroup, &all);
}

bool container_has_ended(const struct container *container)
{
    return container->state == CONTAINER_STOPPED && container_is_empty(container);
}
