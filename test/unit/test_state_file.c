/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "shim/bundle.h"
#include "shim/state_file.h"
#include "suite.h"

static char directory[] = "/tmp/test_state_file.XXXXXX";
static char path[128];
static struct error err;
static const struct state_format format = {.kind = "pod", .version = 1};

static void put(const char *file, const char *text)
{
    scoped(freep) char *full = xformat("%s/%s", directory, file);

    ck_assert_int_eq(file_write_atomic(full, text, strlen(text), 0600, &err), 0);
}

static enum status read_status(const char *text)
{
    struct js *state;

    put("state.json", text);
    if (state_file_read(path, &format, &state, &err) < 0)
        return err.status;
    js_free(state);
    return STATUS_OK;
}

START_TEST(what_was_written_is_read)
{
    scoped(js_freep) struct js *state = js_new_object(), *back = NULL;
    struct stat info;

    js_set_string(state, "id", "x");
    ck_assert_int_eq(state_file_write(path, &format, state, &err), 0);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(state_file_read(path, &format, &back, &err), 0);
    ck_assert_str_eq(js_get_string(back, "id"), "x");
}
END_TEST

START_TEST(only_the_own_kind_and_version_is_read)
{
    ck_assert_int_eq(read_status("{\"version\":1,\"kind\":\"pod\"}"), STATUS_OK);
    ck_assert_int_eq(read_status("{\"version\":2,\"kind\":\"pod\"}"), STATUS_FAILED_PRECONDITION);
    ck_assert_int_eq(read_status("{\"version\":1,\"kind\":\"vm\"}"), STATUS_FAILED_PRECONDITION);
    ck_assert_int_eq(read_status("{\"version\":\"1\",\"kind\":\"pod\"}"),
                     STATUS_FAILED_PRECONDITION);
    ck_assert_int_eq(read_status("{}"), STATUS_FAILED_PRECONDITION);
    ck_assert_int_eq(read_status("[]"), STATUS_FAILED_PRECONDITION);
    ck_assert_int_ne(read_status("{\"version\":1,"), STATUS_OK);
    ck_assert_int_ne(read_status(""), STATUS_OK);
}
END_TEST

START_TEST(an_absent_file_is_not_found)
{
    struct js *state;

    (void) unlink(path);
    ck_assert_int_lt(state_file_read(path, &format, &state, &err), 0);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
}
END_TEST

static void expect_bundle(const char *config, enum bundle_role role, const char *sandbox_id)
{
    scoped(bundle_freep) struct bundle *bundle = NULL;

    put("config.json", config);
    ck_assert_msg(bundle_open(directory, &bundle, &err) == 0, "%s", err.message);
    ck_assert_int_eq(bundle->role, role);
    if (sandbox_id)
        ck_assert_str_eq(bundle->sandbox_id, sandbox_id);
    else
        ck_assert_ptr_null(bundle->sandbox_id);
    ck_assert_str_eq(bundle_group(bundle, "own"), sandbox_id ? sandbox_id : "own");
}

START_TEST(a_bundle_tells_its_role)
{
    expect_bundle("{}", BUNDLE_ALONE, NULL);
    expect_bundle("{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
                  "\"io.kubernetes.cri.sandbox-id\":\"p1\"}}",
                  BUNDLE_SANDBOX, "p1");
    expect_bundle("{\"annotations\":{\"io.kubernetes.cri.container-type\":\"container\","
                  "\"io.kubernetes.cri.sandbox-id\":\"p1\"}}",
                  BUNDLE_CONTAINER, "p1");
    expect_bundle("{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"sandbox\","
                  "\"io.kubernetes.cri-o.SandboxID\":\"p2\"}}",
                  BUNDLE_SANDBOX, "p2");
    expect_bundle("{\"annotations\":{\"io.containerd.runc.v2.group\":\"g\","
                  "\"io.kubernetes.cri.sandbox-id\":\"p1\"}}",
                  BUNDLE_CONTAINER, "g");
    expect_bundle("{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"../../x\"}}", BUNDLE_ALONE,
                  NULL);
    expect_bundle("{\"annotations\":7}", BUNDLE_ALONE, NULL);
}
END_TEST

START_TEST(a_sandbox_file_names_the_pod)
{
    put("sandbox", "p9");
    expect_bundle("{}", BUNDLE_CONTAINER, "p9");
    put("sandbox", "a/b");
    expect_bundle("{}", BUNDLE_ALONE, NULL);
    scoped(freep) char *file = xformat("%s/sandbox", directory);
    (void) unlink(file);
}
END_TEST

START_TEST(a_broken_bundle_is_refused_and_an_empty_one_is_not)
{
    scoped(bundle_freep) struct bundle *bundle = NULL;
    scoped(freep) char *file = xformat("%s/config.json", directory);
    struct bundle *broken;

    put("config.json", "{\"annotations\":{}");
    ck_assert_int_lt(bundle_open(directory, &broken, &err), 0);
    (void) unlink(file);
    ck_assert_int_eq(bundle_open(directory, &bundle, &err), 0);
    ck_assert_ptr_null(bundle->spec);
    ck_assert_int_eq(bundle->role, BUNDLE_ALONE);
    ck_assert_ptr_null(bundle_annotation(bundle, "x"));
}
END_TEST

int main(void)
{
    int failed;

    if (!mkdtemp(directory))
        return EXIT_FAILURE;
    (void) snprintf(path, sizeof(path), "%s/state.json", directory);
    failed = suite_run("state_file",
                       (const TTest *[]){what_was_written_is_read,
                                         only_the_own_kind_and_version_is_read,
                                         an_absent_file_is_not_found, a_bundle_tells_its_role,
                                         a_sandbox_file_names_the_pod,
                                         a_broken_bundle_is_refused_and_an_empty_one_is_not, NULL});
    if (file_remove_tree(directory, &err) < 0)
        failed = EXIT_FAILURE;
    return failed;
}
