/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What may be asked of a sandbox when. */

struct error;

enum sandbox_state {
    SANDBOX_NEW,      /* the shim runs, CreateSandbox has not come yet */
    SANDBOX_CREATED,  /* validated; no machine */
    SANDBOX_STARTING, /* the helper makes the machine */
    SANDBOX_RUNNING,
    SANDBOX_STOPPING, /* the machine is being destroyed, asked for or by itself */
    SANDBOX_STOPPED,
    SANDBOX_STATES,
};

enum sandbox_op {
    SANDBOX_OP_CREATE,
    SANDBOX_OP_START,
    SANDBOX_OP_STOP,
    SANDBOX_OP_WAIT,
    SANDBOX_OP_ANCHOR, /* create or start a container */
    SANDBOX_OP_POWER,
    SANDBOX_OP_UPDATE,
    SANDBOX_OP_STATS,
    SANDBOX_OPS,
};

const char *sandbox_state_name(enum sandbox_state state);
/* STATUS_FAILED_PRECONDITION, but NOT_FOUND before CreateSandbox and ALREADY_EXISTS for a second
 * one. */
int sandbox_state_allow(enum sandbox_state state, enum sandbox_op op, const char *id,
                        struct error *err) __attribute__((warn_unused_result));
