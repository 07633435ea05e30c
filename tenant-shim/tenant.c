/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant.h"

#include "pod.h"

static void on_exited(void *user, const struct exit_record *record)
{
    struct tenant *tenant = user;

    tasks_exited(&tenant->tasks, record);
}

static void on_oom(void *user, const char *container_id)
{
    struct tenant *tenant = user;

    tasks_oom(&tenant->tasks, container_id);
}

static void on_retold(void *user)
{
    struct tenant *tenant = user;

    tasks_retold(&tenant->tasks);
}

static bool on_quiet(void *user)
{
    const struct tenant *tenant = user;

    return tasks_are_quiet(&tenant->tasks);
}

struct pod_events tenant_pod_events(void)
{
    return (struct pod_events){
        .exited = on_exited, .oom = on_oom, .retold = on_retold, .quiet = on_quiet};
}
