/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "cgroup.h"
#include "confine.h"
#include "container_private.h"
#include "exec_block.h"
#include "launch.h"
#include "runtime.h"
#include "streams.h"

/* As strong as the container itself, if the tenant's process asks for no more. */
static int make_block(const struct container *container, const struct exec_options *options,
                      size_t cgroup_count, int *ret, struct error *err)
{
    const struct pod *pod = container->pod;
    scoped(js_freep) struct js *json = NULL;
    scoped(freep) char *root = NULL;
    scoped(freep) char *filter = runtime_filter_path(pod->runtime, container->id);
    struct confine_options confinement;
    struct exec_block_options block = {
        .defaults = container->exec_defaults,
        .filter_path = filter,
        .cgroup_version = pod->cgroups->number,
        .cgroup_count = cgroup_count,
        .size = options->size,
    };

    if (options->process_length > CONTAINER_SPEC_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the process is larger than %d bytes",
                         CONTAINER_SPEC_MAX);
    if (js_parse(options->process, options->process_length, &json, err) < 0)
        return error_wrap(err, "process");
    if (container_seal_exec(container, options, &json, err) < 0)
        return -1;
    container_confinement(container, options->wanted, &root, &confinement);
    if (confine_process(json, &confinement, err) < 0)
        return -1;
    block.process = json;
    return exec_block_make(&block, ret, err);
}

static void remove_exec(struct process *process)
{
    struct container *container = process->container;
    struct process **link = &container->execs;

    while (*link != process)
        link = &(*link)->next;
    *link = process->next;
    container->exec_count--;
    process_free(process);
}

static void executed(void *user, const struct launch_result *result, const struct error *err)
{
    struct process *process = user;
    struct container *container = process->container;
    struct pod *pod = container->pod;
    void (*done)(void *, struct process *, const struct error *) = process->done;

    if (err) {
        done(process->user, NULL, err);
        remove_exec(process);
        container_delete_continue(container);
        pod_changed(pod);
        return;
    }
    if (result->master >= 0)
        streams_set_master(process->streams, result->master);
    process_adopt(process, result->pid);
    if (container->state == CONTAINER_STOPPED) /* it joined after init's end had killed the rest */
        container_kill_rest(container);
    launch_free(take_ptr(process->launch)); /* after the adoption: it holds the reaper */
    done(process->user, process, NULL);
}

static int check(const struct container *container, const struct exec_options *options,
                 struct error *err)
{
    struct error ignored;

    if (container_allow(container->state, CONTAINER_EXEC, container->id, err) < 0)
        return -1;
    /* During an operation of the runtime the state does not show it yet. */
    if (process_has_ended(container->init))
        return error_set(err, STATUS_FAILED_PRECONDITION, "container '%s' has ended",
                         container->id);
    if (!text_is_identifier(options->id))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.100s' is not an identifier",
                         options->id);
    if (container_process(container, options->id, &ignored))
        return error_set(err, STATUS_ALREADY_EXISTS, "process '%s' exists in container '%s'",
                         options->id, container->id);
    if (container->exec_count >= CONTAINER_EXECS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%d processes in container '%s'",
                         CONTAINER_EXECS_MAX, container->id);
    return 0;
}

struct group {
    size_t count;
    int fds[CGROUP_FDS_MAX];
};

static void group_close(struct group *group)
{
    while (group->count > 0)
        (void) close(group->fds[--group->count]);
}

static int launch(struct process *process, const struct exec_options *options, struct error *err)
{
    const struct container *container = process->container;
    const struct pod *pod = container->pod;
    scoped(group_close) struct group group = {0};
    scoped(closep) int block = -1;
    struct launch_options description = {.init = container->init->pid, .cgroups = group.fds};

    group.count = pod->cgroups->open_exec(container->cgroup, group.fds);
    if (group.count == 0)
        return error_set(err, STATUS_INTERNAL, "container '%s' has no cgroup", container->id);
    if (make_block(container, options, group.count, &block, err) < 0)
        return -1;
    description.block = block;
    description.cgroup_count = group.count;
    streams_child_fds(process->streams, description.fds);
    return launch_start(pod->launcher, &description, executed, process, &process->launch, err);
}

int container_exec(struct container *container, const struct exec_options *options,
                   container_done_fn *done, void *user, struct error *err)
{
    struct process_options process_options = {
        .container_id = container->id,
        .exec_id = options->id,
        .wanted = options->wanted,
        .size = options->size,
    };
    struct process *process;

    if (check(container, options, err) < 0 ||
        process_new(container->pod, &process_options, &container_process_events, &process, err) < 0)
        return -1;
    process->container = container;
    process->next = container->execs;
    container->execs = process;
    container->exec_count++;
    process->done = done;
    process->user = user;
    if (launch(process, options, err) < 0) {
        remove_exec(process);
        return -1;
    }
    return 0;
}
