/* SPDX-License-Identifier: Apache-2.0 */
#include "domain_logs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "suite.h"

START_TEST(the_oldest_of_our_logs_go)
{
    static const char *const files[] = {"cleave-a1.log",   "cleave-b2.log",      "cleave-c3.log.1",
                                        "cleave-d4.log",   "other.log",          "cleave-.log",
                                        "cleave-e5.notes", "cleave-b2-swtpm.log"};
    static const bool stays[] = {false, false, false, true, true, true, true, true};
    char directory[] = "/tmp/test_domain_logs.XXXXXX";
    struct error err;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    for (size_t i = 0; i < ARRAY_LENGTH(stays); i++) {
        scoped(freep) char *path = xformat("%s/%s", directory, files[i]);
        const struct timespec times[2] = {{.tv_sec = 1000 + (time_t) i},
                                          {.tv_sec = 1000 + (time_t) i}};

        ck_assert_int_eq(file_write_atomic(path, "", 0, 0600, &err), 0);
        ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    domain_logs_trim(directory, 2);
    for (size_t i = 0; i < ARRAY_LENGTH(stays); i++) {
        scoped(freep) char *path = xformat("%s/%s", directory, files[i]);

        ck_assert_msg(file_exists(path) == stays[i], "%s", files[i]);
    }
    domain_logs_trim(directory, 2);
    ck_assert_int_eq(file_remove_tree(directory, &err), 0);
    domain_logs_trim(directory, 2); /* absent: nothing to do */
}
END_TEST

int main(void)
{
    return suite_run("domain_logs", (const TTest *[]){the_oldest_of_our_logs_go, NULL});
}
