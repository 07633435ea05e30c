/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "container.h"

/* What is legal: of creating, created, running, paused, stopped. */
static const char *const expected[CONTAINER_OPS] = {
    [CONTAINER_START] = "-C---",  [CONTAINER_EXEC] = "-CR--",   [CONTAINER_KILL] = "-CRPS",
    [CONTAINER_PAUSE] = "--R--",  [CONTAINER_RESUME] = "---P-", [CONTAINER_UPDATE] = "-CRP-",
    [CONTAINER_DELETE] = "cC--S",
};

START_TEST(each_operation_has_its_states)
{
    for (int op = 0; op < CONTAINER_OPS; op++) {
        for (int state = 0; state < CONTAINER_STATES; state++) {
            bool may = expected[op][state] != '-';
            struct error err;
            int result = container_allow((enum container_state) state, (enum container_op) op,
                                         "one", &err);

            ck_assert_msg((result == 0) == may, "%s in state %d",
                          container_op_name((enum container_op) op), state);
            if (!may)
                ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
        }
    }
}
END_TEST

START_TEST(a_refusal_names_operation_container_and_state)
{
    struct error err;

    ck_assert_int_eq(container_allow(CONTAINER_STOPPED, CONTAINER_EXEC, "web", &err), -1);
    ck_assert_str_eq(err.message, "cannot exec in container 'web': it is stopped");
}
END_TEST

int main(void)
{
    return suite_run("container_state",
                     (const TTest *[]){each_operation_has_its_states,
                                       a_refusal_names_operation_container_and_state, NULL});
}
