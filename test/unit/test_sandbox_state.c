/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/sandbox_state.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "suite.h"

static struct error err;

/* One column per state, one letter per op: c create, s start, x stop, w wait, a anchor, p power,
 * u update, m measure. */
START_TEST(every_pair_of_state_and_operation_is_decided)
{
    static const char letters[] = "csxwapum";
    static const char *const legal[SANDBOX_STATES] = {
        [SANDBOX_NEW] = "cx",         [SANDBOX_CREATED] = "sxw",  [SANDBOX_STARTING] = "xw",
        [SANDBOX_RUNNING] = "xwapum", [SANDBOX_STOPPING] = "xwm", [SANDBOX_STOPPED] = "xw",
    };

    for (int state = 0; state < SANDBOX_STATES; state++)
        for (int op = 0; op < SANDBOX_OPS; op++) {
            int allowed = sandbox_state_allow((enum sandbox_state) state, (enum sandbox_op) op, "x",
                                              &err) == 0;

            ck_assert_msg(allowed == (strchr(legal[state], letters[op]) != NULL), "%s, %c",
                          sandbox_state_name((enum sandbox_state) state), letters[op]);
        }
}
END_TEST

START_TEST(refusals_have_the_codes_that_containerd_knows)
{
    ck_assert_int_lt(sandbox_state_allow(SANDBOX_NEW, SANDBOX_OP_START, "x", &err), 0);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_int_lt(sandbox_state_allow(SANDBOX_RUNNING, SANDBOX_OP_CREATE, "x", &err), 0);
    ck_assert_int_eq(err.status, STATUS_ALREADY_EXISTS);
    ck_assert_int_lt(sandbox_state_allow(SANDBOX_STOPPED, SANDBOX_OP_START, "x", &err), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(err.message, "cannot start sandbox 'x': it is stopped");
}
END_TEST

int main(void)
{
    return suite_run("sandbox_state",
                     (const TTest *[]){every_pair_of_state_and_operation_is_decided,
                                       refusals_have_the_codes_that_containerd_knows, NULL});
}
