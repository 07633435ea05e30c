/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* int main(void) { return suite_run("bytes", (const TTest *[]){ a_test, another, NULL }); } */
#include <check.h>
#include <stdlib.h>

static inline int suite_run(const char *name, const TTest *const *tests)
{
    Suite *suite = suite_create(name);
    TCase *tests_case = tcase_create(name);
    SRunner *runner;
    int failed;

    for (; *tests; tests++)
        tcase_add_test(tests_case, *tests);
    suite_add_tcase(suite, tests_case);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
