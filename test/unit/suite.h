/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* int main(void) { return suite_run("bytes", (const TTest *[]){ a_test, another, NULL }); } */
#include <check.h>
#include <stdlib.h>

struct suite {
    const char *name;
    SFun setup, teardown; /* around each test; NULL: nothing */
    int timeout_s;        /* of each test; 0: as check is told */
};

static inline TCase *suite_case(const struct suite *suite, const TTest *const *tests)
{
    TCase *tests_case = tcase_create(suite->name);

    tcase_add_checked_fixture(tests_case, suite->setup, suite->teardown);
    if (suite->timeout_s)
        tcase_set_timeout(tests_case, suite->timeout_s);
    for (; *tests; tests++)
        tcase_add_test(tests_case, *tests);
    return tests_case;
}

/* For whoever has put more into it, such as tests in a loop. */
static inline int suite_run_case(const char *name, TCase *tests)
{
    Suite *suite = suite_create(name);
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int suite_run_with(const struct suite *suite, const TTest *const *tests)
{
    return suite_run_case(suite->name, suite_case(suite, tests));
}

static inline int suite_run(const char *name, const TTest *const *tests)
{
    return suite_run_with(&(struct suite){.name = name}, tests);
}
