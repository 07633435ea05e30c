/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/sandbox_state.h"

#include "base/error.h"
#include "base/scoped.h"

static const unsigned legal_in[SANDBOX_OPS] = {
    [SANDBOX_OP_CREATE] = BIT(SANDBOX_NEW),
    [SANDBOX_OP_START] = BIT(SANDBOX_CREATED),
    /* Stop cancels a start that still runs, and is repeated by kubelet at will. */
    [SANDBOX_OP_STOP] = BIT(SANDBOX_NEW) | BIT(SANDBOX_CREATED) | BIT(SANDBOX_STARTING) |
                        BIT(SANDBOX_RUNNING) | BIT(SANDBOX_STOPPING) | BIT(SANDBOX_STOPPED),
    [SANDBOX_OP_WAIT] = BIT(SANDBOX_CREATED) | BIT(SANDBOX_STARTING) | BIT(SANDBOX_RUNNING) |
                        BIT(SANDBOX_STOPPING) | BIT(SANDBOX_STOPPED),
    [SANDBOX_OP_ANCHOR] = BIT(SANDBOX_RUNNING),
    [SANDBOX_OP_POWER] = BIT(SANDBOX_RUNNING),
    [SANDBOX_OP_UPDATE] = BIT(SANDBOX_RUNNING),
    [SANDBOX_OP_STATS] = BIT(SANDBOX_RUNNING) | BIT(SANDBOX_STOPPING),
};

static const char *const op_name[SANDBOX_OPS] = {
    [SANDBOX_OP_CREATE] = "create",
    [SANDBOX_OP_START] = "start",
    [SANDBOX_OP_STOP] = "stop",
    [SANDBOX_OP_WAIT] = "wait for",
    [SANDBOX_OP_ANCHOR] = "put a container into",
    [SANDBOX_OP_POWER] = "press the power button of",
    [SANDBOX_OP_UPDATE] = "resize",
    [SANDBOX_OP_STATS] = "measure",
};

static const char *const state_name[SANDBOX_STATES] = {
    [SANDBOX_NEW] = "not created", [SANDBOX_CREATED] = "created",   [SANDBOX_STARTING] = "starting",
    [SANDBOX_RUNNING] = "running", [SANDBOX_STOPPING] = "stopping", [SANDBOX_STOPPED] = "stopped",
};

const char *sandbox_state_name(enum sandbox_state state)
{
    return state_name[state];
}

int sandbox_state_allow(enum sandbox_state state, enum sandbox_op op, const char *id,
                        struct error *err)
{
    enum status status = STATUS_FAILED_PRECONDITION;

    if (legal_in[op] & BIT(state))
        return 0;
    if (state == SANDBOX_NEW)
        status = STATUS_NOT_FOUND;
    else if (op == SANDBOX_OP_CREATE)
        status = STATUS_ALREADY_EXISTS;
    return error_set(err, status, "cannot %s sandbox '%s': it is %s", op_name[op], id,
                     state_name[state]);
}
