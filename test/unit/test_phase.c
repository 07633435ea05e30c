/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdbool.h>

#include "base/error.h"
#include "phase.h"

/* The whole table: from (row) to (column). */
static const char *const expected[PHASE_COUNT] = {
    [PHASE_BOOTED] = "-A--D", [PHASE_ATTESTED] = "--OSD", [PHASE_OPEN] = "----D",
    [PHASE_SEALED] = "----D", [PHASE_DRAINING] = "-----",
};

START_TEST(a_guest_goes_forwards_only)
{
    for (int from = 0; from < PHASE_COUNT; from++) {
        for (int to = 0; to < PHASE_COUNT; to++) {
            enum phase phase = (enum phase) from;
            struct error err;
            int result = phase_advance(&phase, (enum phase) to, &err);
            bool may = expected[from][to] != '-';

            ck_assert_msg((result == 0) == may, "%s to %s", phase_name((enum phase) from),
                          phase_name((enum phase) to));
            ck_assert_int_eq(phase, may ? to : from);
            if (!may)
                ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
        }
    }
}
END_TEST

START_TEST(containers_run_in_an_open_guest_and_in_a_sealed_one)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        ck_assert_int_eq(phase_may_run((enum phase) phase),
                         phase == PHASE_OPEN || phase == PHASE_SEALED);
}
END_TEST

int main(void)
{
    return suite_run("phase",
                     (const TTest *[]){a_guest_goes_forwards_only,
                                       containers_run_in_an_open_guest_and_in_a_sealed_one, NULL});
}
