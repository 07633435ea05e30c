/* SPDX-License-Identifier: Apache-2.0 */
/* The live shares of a container: there before it is created, gone with it. */
#include "base/error.h"
#include "pod.h"
#include "share_mount.h"
#include "shares.h"
#include "spec_rules.h"
#include "task_private.h"

/* From the specification, which goes when the container is created. */
static void take_names(struct task *task)
{
    struct guest_spec *spec = task->spec;

    if (!spec || spec->share_count == 0)
        return;
    if (!task->shares)
        task->shares = xnew_array(char *, spec->share_count);
    for (size_t i = 0; i < spec->share_count; i++)
        if (spec->shares[i].name)
            task->shares[task->share_count++] = take_ptr(spec->shares[i].name);
}

static void on_shares(void *user, const struct error *err)
{
    struct task *task = user;
    struct error error;

    share_request_free(take_ptr(task->sharing));
    if (!err)
        share_mount_complete(task->spec);
    take_names(task);
    if (err)
        task_create_failed(task, err);
    else if (task_bring_volumes(task, &error) < 0)
        task_create_failed(task, &error);
}

int task_add_shares(struct task *task, struct error *err)
{
    struct shares *shares = pod_shares(task->tasks->pod);

    if (task->spec->share_count == 0)
        return task_bring_volumes(task, err);
    if (!shares)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the pod has ended");
    return shares_add(shares, task->spec->shares, task->spec->share_count, on_shares, task,
                      &task->sharing, err);
}

void task_remove_shares(struct task *task)
{
    struct shares *shares = task->tasks->pod ? pod_shares(task->tasks->pod) : NULL;

    share_request_free(take_ptr(task->sharing));
    take_names(task);
    for (size_t i = 0; i < task->share_count; i++) {
        if (shares)
            shares_remove(shares, task->shares[i]);
        free(task->shares[i]);
    }
    free(take_ptr(task->shares));
    task->share_count = 0;
}
