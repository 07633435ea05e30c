/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "oci/spec.h"

static const char text[] =
    "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"/bin/sh\",\"-c\"],"
    "\"env\":[\"PATH=/bin\",\"A=1\",\"AB=2\",\"A=3\",7]},"
    "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\"},"
    "{\"destination\":\"/x\",\"source\":\"one\"},{\"destination\":\"/x\",\"source\":\"two\"}],"
    "\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\",\"n\":1},"
    "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/n\"}]}}";

static struct js *parsed(void)
{
    struct js *spec = NULL;
    struct error err;

    ck_assert_int_eq(spec_parse(text, strlen(text), &spec, &err), 0);
    return spec;
}

START_TEST(things_are_found)
{
    scoped(js_freep) struct js *spec = parsed();

    ck_assert_str_eq(spec_annotation(spec, "io.kubernetes.cri.container-type"), "sandbox");
    ck_assert_ptr_null(spec_annotation(spec, "n"));
    ck_assert_ptr_null(spec_annotation(spec, "missing"));
    ck_assert_str_eq(spec_program(spec), "/bin/sh");
    ck_assert_str_eq(spec_environment(spec, "A"), "3");
    ck_assert_str_eq(spec_environment(spec, "AB"), "2");
    ck_assert_ptr_null(spec_environment(spec, "PAT"));
    ck_assert_str_eq(js_get_string(spec_mount(spec, "/x"), "source"), "two");
    ck_assert_ptr_null(spec_mount(spec, "/"));
    ck_assert_str_eq(js_get_string(spec_namespace(spec, "network"), "path"), "/n");
    ck_assert_ptr_null(spec_namespace(spec, "ipc"));
}
END_TEST

START_TEST(nothing_is_found_in_nothing)
{
    ck_assert_ptr_null(spec_annotation(NULL, "x"));
    ck_assert_ptr_null(spec_program(NULL));
    ck_assert_ptr_null(spec_environment(NULL, "x"));
    ck_assert_ptr_null(spec_mount(NULL, "/"));
    ck_assert_ptr_null(spec_namespace(NULL, "pid"));
}
END_TEST

START_TEST(sections_are_made_where_they_are_missing)
{
    scoped(js_freep) struct js *spec = parsed();

    ck_assert_ptr_eq(spec_section(spec, "linux"), js_get(spec, "linux"));
    js_set_string(spec_section(spec, "root"), "path", "/r");
    ck_assert_str_eq(js_get_string(js_get(spec, "root"), "path"), "/r");
}
END_TEST

START_TEST(a_bundle_is_written_and_read)
{
    char bundle[] = "/tmp/cleave-spec-XXXXXX";
    scoped(js_freep) struct js *spec = parsed();
    scoped(js_freep) struct js *back = NULL;
    scoped(freep) char *path = NULL, *one = NULL, *two = NULL;
    struct stat info;
    struct error err;

    ck_assert_ptr_nonnull(mkdtemp(bundle));
    path = xformat("%s/config.json", bundle);
    ck_assert_int_eq(spec_read(bundle, &back, &err), -1);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(spec_write(bundle, spec, &err), 0);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(spec_read(bundle, &back, &err), 0);
    one = js_print(spec);
    two = js_print(back);
    ck_assert_str_eq(one, two);
    ck_assert_int_eq(file_remove_tree(bundle, &err), 0);
}
END_TEST

START_TEST(what_is_no_spec_is_refused)
{
    static const char *const bad[] = {
        "", "[]", "{}", "{\"ociVersion\":1}", "null", "{\"ociVersion\""};

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct js *spec = NULL;
        struct error err;

        ck_assert_msg(spec_parse(bad[i], strlen(bad[i]), &spec, &err) < 0, "%s", bad[i]);
    }
}
END_TEST

START_TEST(a_spec_is_bounded)
{
    scoped(freep) char *large = xalloc(SPEC_SIZE_MAX + 2);
    struct js *spec = NULL;
    struct error err;

    memset(large, ' ', SPEC_SIZE_MAX + 1);
    ck_assert_int_eq(spec_parse(large, SPEC_SIZE_MAX + 1, &spec, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

int main(void)
{
    return suite_run("spec",
                     (const TTest *[]){things_are_found, nothing_is_found_in_nothing,
                                       sections_are_made_where_they_are_missing,
                                       a_bundle_is_written_and_read, what_is_no_spec_is_refused,
                                       a_spec_is_bounded, NULL});
}
