/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent writes, as cleave-exec reads it. */
#include "suite.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "exec/plan.h"
#include "exec_block.h"

static struct js *parse(const char *json)
{
    struct js *ret;
    struct error err;

    ck_assert_msg(js_parse(json, strlen(json), &ret, &err) == 0, "%s: %s", json, err.message);
    return ret;
}

static struct console_size window = {.width = 91, .height = 17};

static int make(const char *process, const char *spec, const char *filter, struct plan *ret,
                struct error *err)
{
    scoped(js_freep) struct js *process_json = parse(process);
    scoped(js_freep) struct js *spec_json = parse(spec);
    scoped(js_freep) struct js *defaults = exec_block_defaults(spec_json);
    struct exec_block_options options = {
        .process = process_json,
        .defaults = defaults,
        .filter_path = filter,
        .cgroup_version = 2,
        .cgroup_count = 1,
        .size = window,
    };
    int fd;

    if (exec_block_make(&options, &fd, err) < 0)
        return -1;
    plan_open(ret, fd);
    return 0;
}

static void must_make(const char *process, const char *spec, struct plan *ret)
{
    struct error err;

    ck_assert_msg(make(process, spec, "/nowhere", ret, &err) == 0, "%s", err.message);
}

static void must_refuse(const char *process, const char *spec, enum status status)
{
    scoped(plan_close) struct plan plan = {0};
    struct error err;

    ck_assert_msg(make(process, spec, "/nowhere", &plan, &err) < 0, "%s", process);
    ck_assert_msg(err.status == status, "%s: %s", process, err.message);
}

START_TEST(everything_arrives)
{
    static const char process[] =
        "{\"args\":[\"a\",\"\",\"c d\"],\"env\":[\"X=1\"],\"cwd\":\"/w\",\"terminal\":true,"
        "\"noNewPrivileges\":true,\"oomScoreAdj\":-5,\"user\":{\"uid\":7,\"gid\":8,\"umask\":63,"
        "\"additionalGids\":[9,4294967294]},\"capabilities\":{\"bounding\":[\"CAP_CHOWN\","
        "\"CAP_CHECKPOINT_RESTORE\"],\"ambient\":[\"CAP_KILL\"]},\"rlimits\":[{\"type\":"
        "\"RLIMIT_NOFILE\",\"soft\":5,\"hard\":18446744073709551615}]}";
    scoped(plan_close) struct plan plan = {0};

    must_make(process, "{\"linux\":{\"personality\":{\"domain\":\"LINUX32\"}}}", &plan);
    ck_assert_uint_eq(plan.header->flags, BLOCK_TERMINAL | BLOCK_NO_NEW_PRIVS | BLOCK_OOM_SCORE |
                                              BLOCK_PERSONALITY | BLOCK_CGROUP_V2);
    ck_assert_uint_eq(plan.header->uid, 7);
    ck_assert_uint_eq(plan.header->gid, 8);
    ck_assert_uint_eq(plan.header->umask, 077);
    ck_assert_int_eq(plan.header->oom_score, -5);
    ck_assert_uint_eq(plan.header->personality, PER_LINUX32);
    ck_assert_uint_eq(plan.header->columns, 91);
    ck_assert_uint_eq(plan.header->rows, 17);
    ck_assert_uint_eq(plan.header->group_count, 2);
    ck_assert_uint_eq(plan.groups[0], 9);
    ck_assert_uint_eq(plan.groups[1], 4294967294u);
    ck_assert_uint_eq(plan.header->capabilities[BLOCK_BOUNDING],
                      UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_CHECKPOINT_RESTORE);
    ck_assert_uint_eq(plan.header->capabilities[BLOCK_EFFECTIVE], 0);
    ck_assert_uint_eq(plan.header->capabilities[BLOCK_INHERITABLE], 0);
    ck_assert_uint_eq(plan.header->capabilities[BLOCK_AMBIENT], UINT64_C(1) << CAP_KILL);
    ck_assert_uint_eq(plan.header->rlimit_count, 1);
    ck_assert_uint_eq(plan.rlimits[0].resource, RLIMIT_NOFILE);
    ck_assert_uint_eq(plan.rlimits[0].soft, 5);
    ck_assert_uint_eq(plan.rlimits[0].hard, UINT64_MAX);
    ck_assert_str_eq(plan.cwd, "/w");
    ck_assert_str_eq(plan.arguments[1], "");
    ck_assert_str_eq(plan.arguments[2], "c d");
    ck_assert_ptr_null(plan.arguments[3]);
    ck_assert_str_eq(plan_getenv(&plan, "X"), "1");
}
END_TEST

START_TEST(what_it_has_not_is_the_containers)
{
    static const char spec[] =
        "{\"process\":{\"env\":[\"OF=container\"],\"capabilities\":{\"bounding\":[\"CAP_KILL\"]}}}";
    scoped(plan_close) struct plan plan = {0};

    must_make("{\"args\":[\"a\"]}", spec, &plan);
    ck_assert_str_eq(plan_getenv(&plan, "OF"), "container");
    ck_assert_uint_eq(plan.header->capabilities[BLOCK_BOUNDING], UINT64_C(1) << CAP_KILL);
    ck_assert_uint_eq(plan.header->umask, 022);
    ck_assert_str_eq(plan.cwd, "/");
    plan_close(&plan);
    must_make("{\"args\":[\"a\"],\"env\":[\"B=1\"],\"capabilities\":{}}", spec, &plan);
    ck_assert_ptr_null(plan_getenv(&plan, "OF"));
    ck_assert_uint_eq(plan.header->capabilities[BLOCK_BOUNDING], 0);
}
END_TEST

START_TEST(a_window_is_the_callers_or_the_processs)
{
    static const char process[] = "{\"args\":[\"a\"],\"consoleSize\":{\"width\":80,\"height\":24}}";
    scoped(plan_close) struct plan plan = {0};

    must_make(process, "{}", &plan);
    ck_assert_uint_eq(plan.header->columns, 91);
    plan_close(&plan);
    window.width = 0;
    must_make(process, "{}", &plan);
    ck_assert_uint_eq(plan.header->columns, 80);
    ck_assert_uint_eq(plan.header->rows, 24);
    plan_close(&plan);
    must_make("{\"args\":[\"a\"],\"consoleSize\":{\"width\":65537,\"height\":-1}}", "{}", &plan);
    ck_assert_uint_eq(plan.header->columns, 0);
    ck_assert_uint_eq(plan.header->rows, 0);
}
END_TEST

START_TEST(variables_are_as_with_putenv)
{
    scoped(plan_close) struct plan plan = {0};

    must_make("{\"args\":[\"a\"],\"env\":[\"A=1\",\"B=2\",\"A=3\",\"B\",\"B=4\",\"C\",\"=x\"]}",
              "{}", &plan);
    ck_assert_str_eq(plan.environment[0], "A=3");
    ck_assert_str_eq(plan.environment[1], "B=4");
    ck_assert_str_eq(plan.environment[2], "=x");
    ck_assert_ptr_null(plan.environment[3]);
}
END_TEST

/* As one who is somebody else than was meant, no process may run. */
START_TEST(only_numbers_are_numbers)
{
    static const char *const users[] = {"\"1\"", "\"0x0\"", "\"+0\"", "\" 0\"", "\"1:\"",
                                        "1.0",   "true",    "[]",     "{}"};

    for (size_t i = 0; i < ARRAY_LENGTH(users); i++) {
        char process[128];

        (void) snprintf(process, sizeof(process), "{\"args\":[\"a\"],\"user\":{\"uid\":%s}}",
                        users[i]);
        must_refuse(process, "{}", STATUS_INVALID_ARGUMENT);
        (void) snprintf(process, sizeof(process), "{\"args\":[\"a\"],\"user\":{\"gid\":%s}}",
                        users[i]);
        must_refuse(process, "{}", STATUS_INVALID_ARGUMENT);
        (void) snprintf(process, sizeof(process),
                        "{\"args\":[\"a\"],\"user\":{\"additionalGids\":[%s]}}", users[i]);
        must_refuse(process, "{}", STATUS_INVALID_ARGUMENT);
    }
    must_refuse("{\"args\":[\"a\"],\"user\":{\"uid\":4294967295}}", "{}", STATUS_OUT_OF_RANGE);
    must_refuse("{\"args\":[\"a\"],\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":-1,\"hard\":1}]}",
                "{}", STATUS_INVALID_ARGUMENT);
}
END_TEST

/* Fail closed: without its filter no process runs. */
START_TEST(a_filter_is_whole_or_nothing_runs)
{
    static const char spec[] = "{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}}}";
    char path[] = "/tmp/filter-XXXXXX";
    const uint64_t instructions[2] = {1, 2};
    int fd = mkstemp(path);
    scoped(plan_close) struct plan plan = {0};
    struct error err;

    must_refuse("{\"args\":[\"a\"]}", spec, STATUS_NOT_FOUND);
    ck_assert_int_lt(make("{\"args\":[\"a\"]}", spec, path, &plan, &err), 0);
    ck_assert_int_eq(write(fd, instructions, 12), 12);
    ck_assert_int_lt(make("{\"args\":[\"a\"]}", spec, path, &plan, &err), 0);
    ck_assert_int_eq(pwrite(fd, instructions, 16, 0), 16);
    ck_assert_int_eq(make("{\"args\":[\"a\"]}", spec, path, &plan, &err), 0);
    ck_assert_uint_eq(plan.header->filter_count, 2);
    ck_assert_int_eq(memcmp(plan.filter, instructions, 16), 0);
    ck_assert(plan.header->flags & BLOCK_SECCOMP);
    (void) close(fd);
    (void) unlink(path);
}
END_TEST

int main(void)
{
    return suite_run("exec_block",
                     (const TTest *[]){everything_arrives, what_it_has_not_is_the_containers,
                                       a_window_is_the_callers_or_the_processs,
                                       variables_are_as_with_putenv, only_numbers_are_numbers,
                                       a_filter_is_whole_or_nothing_runs, NULL});
}
