/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "confine.h"
#include "container_private.h"
#include "runtime.h"

/* The runtime sets it before the program runs; ours would come too late for one that looks at once.
 */
static void set_size(struct js *process, const struct console_size *size)
{
    struct js *json = js_new_object();

    js_set_integer(json, "height", size->height);
    js_set_integer(json, "width", size->width);
    js_set(process, "consoleSize", json);
}

static int write_process(const struct container *container, const struct exec_options *options,
                         const char *path, struct error *err)
{
    scoped(js_freep) struct js *json = NULL;
    scoped(freep) char *text = NULL;
    scoped(freep) char *root = NULL;
    struct confine_options confinement;

    if (options->process_length > CONTAINER_SPEC_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the process is larger than %d bytes",
                         CONTAINER_SPEC_MAX);
    if (js_parse(options->process, options->process_length, &json, err) < 0)
        return error_wrap(err, "process");
    container_confinement(container, options->wanted, &root, &confinement);
    if (confine_process(json, &confinement, err) < 0)
        return -1;
    if (options->size.width > 0)
        set_size(json, &options->size);
    text = js_print(json);
    return file_write_atomic(path, text, strlen(text), 0600, err);
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

static void executed(void *user, pid_t pid, const struct error *err)
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
    process_adopt(process, pid);
    if (container->state == CONTAINER_STOPPED) /* it joined after init's end had killed the rest */
        container_kill_rest(container);
    runtime_job_free(take_ptr(process->job));
    (void) unlink(process->file);
    done(process->user, process, NULL);
}

static int check(const struct container *container, const struct exec_options *options,
                 struct error *err)
{
    struct error ignored;

    if (container_allow(container->state, CONTAINER_EXEC, container->id, err) < 0)
        return -1;
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

int container_exec(struct container *container, const struct exec_options *options,
                   container_done_fn *done, void *user, struct error *err)
{
    struct pod *pod = container->pod;
    struct process_options process_options = {
        .container_id = container->id,
        .exec_id = options->id,
        .wanted = options->wanted,
        .size = options->size,
    };
    scoped(freep) char *pid_file = NULL;
    struct runtime_process description;
    struct process *process;

    if (check(container, options, err) < 0 ||
        process_new(pod, &process_options, &container_process_events, &process, err) < 0)
        return -1;
    process->container = container;
    process->next = container->execs;
    container->execs = process;
    container->exec_count++;
    process->done = done;
    process->user = user;
    process->file = xformat("%s/process.%u", container->directory, pod->serial++);
    process_describe(process, &description, &pid_file);
    description.file = process->file;
    if (write_process(container, options, process->file, err) < 0 ||
        runtime_exec(pod->runtime, &description, executed, process, &process->job, err) < 0) {
        remove_exec(process);
        return -1;
    }
    return 0;
}
