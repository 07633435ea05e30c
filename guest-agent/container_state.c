/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/scoped.h"
#include "container.h"

static const char *const state_names[CONTAINER_STATES] = {
    [CONTAINER_CREATING] = "being created", [CONTAINER_CREATED] = "created",
    [CONTAINER_RUNNING] = "running",        [CONTAINER_PAUSED] = "paused",
    [CONTAINER_STOPPED] = "stopped",
};

static const char *const op_names[CONTAINER_OPS] = {
    [CONTAINER_START] = "start",   [CONTAINER_EXEC] = "exec in",  [CONTAINER_KILL] = "kill",
    [CONTAINER_PAUSE] = "pause",   [CONTAINER_RESUME] = "resume", [CONTAINER_UPDATE] = "update",
    [CONTAINER_DELETE] = "delete",
};

static const unsigned legal_in[CONTAINER_OPS] = {
    [CONTAINER_START] = BIT(CONTAINER_CREATED),
    [CONTAINER_EXEC] = BIT(CONTAINER_CREATED) | BIT(CONTAINER_RUNNING),
    [CONTAINER_KILL] = BIT(CONTAINER_CREATED) | BIT(CONTAINER_RUNNING) | BIT(CONTAINER_PAUSED) |
                       BIT(CONTAINER_STOPPED), /* NOT_FOUND from the process */
    [CONTAINER_PAUSE] = BIT(CONTAINER_RUNNING),
    [CONTAINER_RESUME] = BIT(CONTAINER_PAUSED),
    [CONTAINER_UPDATE] = BIT(CONTAINER_CREATED) | BIT(CONTAINER_RUNNING) | BIT(CONTAINER_PAUSED),
    [CONTAINER_DELETE] = BIT(CONTAINER_CREATING) | BIT(CONTAINER_CREATED) | BIT(CONTAINER_STOPPED),
};

const char *container_op_name(enum container_op op)
{
    return op_names[op];
}

int container_allow(enum container_state state, enum container_op op, const char *id,
                    struct error *err)
{
    if (legal_in[op] & BIT(state))
        return 0;
    return error_set(err, STATUS_FAILED_PRECONDITION, "cannot %s container '%s': it is %s",
                     op_names[op], id, state_names[state]);
}
