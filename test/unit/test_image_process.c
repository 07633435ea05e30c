/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "oci/image_process.h"

static struct error err;

static int parse(const char *text, struct image_process *ret)
{
    return image_process_parse(text, strlen(text), ret, &err);
}

START_TEST(each_member_is_found)
{
    scoped(image_process_clear) struct image_process process = {0};

    ck_assert_int_eq(parse("{\"config\":{\"Entrypoint\":[\"/a\"],\"Cmd\":[\"b\",\"c\"],"
                           "\"Env\":[\"X=1\"],\"Volumes\":{\"/v\":{}},\"User\":\"7:8\","
                           "\"WorkingDir\":\"/w\",\"Labels\":{\"l\":\"m\"}}}",
                           &process),
                     0);
    ck_assert_str_eq(js_string(js_at(process.entrypoint, 0)), "/a");
    ck_assert_uint_eq(js_length(process.command), 2);
    ck_assert_str_eq(js_string(js_at(process.environment, 0)), "X=1");
    ck_assert_uint_eq(js_length(process.volumes), 1);
    ck_assert_str_eq(process.user, "7:8");
    ck_assert_str_eq(process.directory, "/w");
}
END_TEST

START_TEST(what_is_absent_is_nothing)
{
    static const char *const cases[] = {"{}", "{\"config\":{}}", "{\"config\":null}",
                                        "{\"config\":{\"Cmd\":null,\"User\":null}}"};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scoped(image_process_clear) struct image_process process = {0};

        ck_assert_int_eq(parse(cases[i], &process), 0);
        ck_assert_ptr_null(process.command);
        ck_assert_str_eq(process.user, "");
        ck_assert_str_eq(process.directory, "");
    }
}
END_TEST

/* containerd reads member names without regard to case: "cmd" would be the command to it. */
START_TEST(what_another_reader_takes_for_something_else_is_refused)
{
    static const char *const cases[] = {"{\"config\":{\"cmd\":[\"x\"]}}",
                                        "{\"config\":{\"Cmd\":[\"x\"],\"CMD\":[\"y\"]}}",
                                        "{\"config\":{\"user\":\"0\"}}",
                                        "{\"config\":{\"Cmd\":\"x\"}}",
                                        "{\"config\":{\"Env\":[1]}}",
                                        "{\"config\":{\"Volumes\":[\"/v\"]}}",
                                        "{\"config\":{\"User\":7}}",
                                        "{\"config\":[]}",
                                        "{\"config\":{}",
                                        ""};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct image_process process = {0};

        ck_assert_msg(parse(cases[i], &process) < 0, "%s", cases[i]);
        ck_assert_ptr_null(process.root);
        ck_assert_ptr_nonnull(strstr(err.message, "image config"));
    }
}
END_TEST

int main(void)
{
    return suite_run("image_process",
                     (const TTest *[]){each_member_is_found, what_is_absent_is_nothing,
                                       what_another_reader_takes_for_something_else_is_refused,
                                       NULL});
}
