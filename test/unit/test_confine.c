/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "confine.h"

#define PROCESS "\"process\":{\"args\":[\"/bin/true\"]}"

static const struct confine_options plain = {
    .root = "/run/cleave/containers/one/rootfs",
    .cgroup = "/cleave/one",
    .net_path = "/run/net",
    .ipc_path = "/run/ipc",
    .uts_path = "/run/uts",
    .lowest_oom_score = -1000,
};

static struct confine_options powerful(void)
{
    struct confine_options options = plain;

    options.guest_root = true;
    return options;
}

static int confine(const char *json, const struct confine_options *options, struct js **ret,
                   struct error *err)
{
    scoped(js_freep) struct js *spec = NULL;

    ck_assert_msg(js_parse(json, strlen(json), &spec, err) == 0, "%s: %s", json, err->message);
    if (confine_spec(spec, options, err) < 0)
        return -1;
    *ret = take_ptr(spec);
    return 0;
}

static struct js *confined(const char *json, const struct confine_options *options)
{
    struct js *spec = NULL;
    struct error err;

    ck_assert_msg(confine(json, options, &spec, &err) == 0, "%s: %s", json, err.message);
    return spec;
}

static void refused(const char *json, const struct confine_options *options, enum status status,
                    const char *part)
{
    scoped(js_freep) struct js *spec = NULL;
    struct error err;

    ck_assert_msg(confine(json, options, &spec, &err) < 0, "%s passed", json);
    ck_assert_msg(err.status == status && strstr(err.message, part), "%s: %s: %s", json,
                  status_name(err.status), err.message);
}

static char *with_capability(const char *set, const char *literal)
{
    return xformat("{\"process\":{\"args\":[\"x\"],\"capabilities\":{\"%s\":[%s]}}}", set, literal);
}

START_TEST(capabilities_that_reach_the_agent_need_guest_root)
{
    static const char *const names[] = {"SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO",  "BPF",
                                        "PERFMON",   "SYS_BOOT",   "SYS_PTRACE", "DAC_READ_SEARCH"};
    static const char *const sets[] = {"bounding", "effective", "inheritable", "permitted",
                                       "ambient"};
    const struct confine_options root = powerful();

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        for (size_t s = 0; s < ARRAY_LENGTH(sets); s++) {
            scoped(freep) char *name = xformat("\"CAP_%s\"", names[i]);
            scoped(freep) char *json = with_capability(sets[s], name);
            scoped(js_freep) struct js *spec = NULL;

            refused(json, &plain, STATUS_PERMISSION_DENIED, names[i]);
            spec = confined(json, &root);
            ck_assert_uint_eq(js_length(js_get(js_path(spec, "process", "capabilities"), sets[s])),
                              1);
        }
    }
}
END_TEST

START_TEST(a_capability_has_one_spelling)
{
    static const char *const others[] = {
        "\"cap_sys_admin\"",
        "\"SYS_ADMIN\"",
        "\"21\"",
        "21",
        "\"CAP_SYS_ADMIN \"",
        "\"CAP_SYS_ADMINx\"",
        "\"CAP_21\"",
        "\"\"",
        "null",
        "[\"CAP_KILL\"]",
        "\"ALL\"",
        "\"CAP_KILL,CAP_SYS_ADMIN\"",
    };
    const struct confine_options root = powerful();

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        scoped(freep) char *json = with_capability("bounding", others[i]);

        refused(json, &plain, STATUS_INVALID_ARGUMENT, "capability");
        refused(json, &root, STATUS_INVALID_ARGUMENT, "capability");
    }
}
END_TEST

START_TEST(mknod_and_immutable_go_and_the_harmless_stay)
{
    const struct confine_options root = powerful();
    scoped(freep) char *json = with_capability(
        "bounding", "\"CAP_MKNOD\",\"CAP_CHOWN\",\"CAP_MKNOD\",\"CAP_LINUX_IMMUTABLE\","
                    "\"CAP_NET_RAW\"");
    scoped(js_freep) struct js *weak = confined(json, &plain);
    scoped(js_freep) struct js *strong = confined(json, &root);
    struct js *left = js_get(js_path(weak, "process", "capabilities"), "bounding");

    ck_assert_uint_eq(js_length(left), 2);
    ck_assert_str_eq(js_string(js_at(left, 0)), "CAP_CHOWN");
    ck_assert_str_eq(js_string(js_at(left, 1)), "CAP_NET_RAW");
    ck_assert_uint_eq(js_length(js_get(js_path(strong, "process", "capabilities"), "bounding")), 5);
}
END_TEST

START_TEST(the_kernels_trees_have_one_place)
{
    static const char *const wrong[] = {
        "\"type\":\"proc\",\"destination\":\"/p\"",
        "\"type\":\"proc\",\"destination\":\"/proc/\"",
        "\"type\":\"proc\",\"destination\":\"//proc\"",
        "\"type\":\"proc\"",
        "\"type\":\"sysfs\",\"destination\":\"/mnt/sys\"",
        "\"type\":\"sysfs\",\"destination\":\"/sys/.\"",
    };
    const struct confine_options root = powerful();

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(freep) char *json = xformat("{" PROCESS ",\"mounts\":[{%s}]}", wrong[i]);
        scoped(js_freep) struct js *spec = NULL;

        refused(json, &plain, STATUS_PERMISSION_DENIED, "guest_root");
        spec = confined(json, &root);
    }
}
END_TEST

START_TEST(the_kernels_trees_are_read_only)
{
    scoped(js_freep) struct js *spec = confined(
        "{" PROCESS ",\"mounts\":[{\"type\":\"proc\",\"destination\":\"/proc\"},"
        "{\"type\":\"sysfs\",\"destination\":\"/sys\",\"options\":[\"nosuid\"]},"
        "{\"type\":\"cgroup\",\"destination\":\"/sys/fs/cgroup\"}]}",
        &plain);
    struct js *mounts = js_get(spec, "mounts");

    ck_assert_ptr_null(js_get(js_at(mounts, 0), "options"));
    ck_assert_str_eq(js_string(js_at(js_get(js_at(mounts, 1), "options"), 1)), "ro");
    ck_assert_str_eq(js_string(js_at(js_get(js_at(mounts, 2), "options"), 0)), "ro");
    refused("{" PROCESS ",\"mounts\":[{\"type\":\"sysfs\",\"destination\":\"/sys\",\"options\":"
            "[\"ro\",\"rw\"]}]}",
            &plain, STATUS_PERMISSION_DENIED, "writable sysfs");
}
END_TEST

START_TEST(no_mount_makes_another_writable)
{
    static const char *const wrong[] = {
        "\"type\":\"sysfs\",\"destination\":\"/sys\",\"options\":[\"rrw\"]",
        "\"type\":\"proc\",\"destination\":\"/proc\",\"options\":[\"nosuid\",\"rrw\"]",
        "\"type\":\"cgroup\",\"destination\":\"/sys/fs/cgroup\",\"options\":[\"ro\",\"rrw\"]",
        "\"type\":\"cgroup2\",\"destination\":\"/c\",\"options\":[\"rrw\"]",
        "\"type\":\"sysfs\",\"destination\":\"/sys\",\"options\":[\"ro\",\"remount\"]",
        "\"type\":\"tmpfs\",\"destination\":\"/sys\",\"options\":[\"remount\",\"rw\"]",
        "\"type\":\"bind\",\"destination\":\"/proc/sys\",\"options\":[\"bind\",\"remount\"]",
        "\"destination\":\"/sys\",\"options\":[\"remount\"]",
    };
    const struct confine_options root = powerful();
    scoped(js_freep) struct js *usual = confined(
        "{" PROCESS ",\"mounts\":[{\"type\":\"proc\",\"destination\":\"/proc\",\"options\":"
        "[\"rw\"]},{\"type\":\"tmpfs\",\"destination\":\"/x\",\"options\":[\"rw\"]}]}",
        &plain);

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(freep) char *json = xformat("{" PROCESS ",\"mounts\":[{%s}]}", wrong[i]);
        scoped(js_freep) struct js *spec = NULL;

        refused(json, &plain, STATUS_PERMISSION_DENIED, "guest_root");
        spec = confined(json, &root);
    }
}
END_TEST

START_TEST(a_spec_of_wrong_types_is_refused)
{
    static const char *const wrong[] = {
        "[]",
        "null",
        "{}",
        "{\"process\":\"x\"}",
        "{\"process\":{\"args\":\"x\"}}",
        "{\"process\":{\"args\":{\"a\":1}}}",
        "{\"process\":{\"args\":[\"x\"],\"capabilities\":[]}}",
        "{\"process\":{\"args\":[\"x\"],\"capabilities\":{\"bounding\":\"CAP_KILL\"}}}",
        "{" PROCESS ",\"linux\":\"x\"}",
        "{" PROCESS ",\"linux\":[1]}",
        "{" PROCESS ",\"linux\":{\"resources\":7}}",
        "{" PROCESS ",\"linux\":{\"seccomp\":[]}}",
        "{" PROCESS ",\"linux\":{\"sysctl\":[\"a\"]}}",
        "{" PROCESS ",\"linux\":{\"devices\":{\"path\":\"/dev/kmsg\"}}}",
        "{" PROCESS ",\"linux\":{\"maskedPaths\":\"/proc/kcore\"}}",
        "{" PROCESS ",\"mounts\":{\"type\":\"proc\"}}",
        "{" PROCESS ",\"mounts\":[\"proc\"]}",
        "{" PROCESS ",\"mounts\":[{\"type\":\"sysfs\",\"destination\":\"/sys\","
        "\"options\":\"ro\"}]}",
    };
    const struct confine_options root = powerful();

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        refused(wrong[i], &plain, STATUS_INVALID_ARGUMENT, "");
        refused(wrong[i], &root, STATUS_INVALID_ARGUMENT, "");
    }
}
END_TEST

START_TEST(what_steers_the_runtime_is_removed)
{
    const struct confine_options root = powerful();
    const struct confine_options *const both[] = {&plain, &root};

    for (size_t i = 0; i < ARRAY_LENGTH(both); i++) {
        scoped(js_freep) struct js *spec = confined(
            "{" PROCESS ",\"annotations\":{\"run.oci.handler\":\"wasm\"},\"hostname\":\"h\","
            "\"hooks\":{},\"linux\":{\"seccomp\":{\"listenerPath\":\"/run/cleave/x\","
            "\"listenerMetadata\":\"m\",\"defaultAction\":\"SCMP_ACT_ALLOW\"},"
            "\"cgroupsPath\":\"/\",\"rootfsPropagation\":\"shared\",\"uidMappings\":[]}}",
            both[i]);
        struct js *seccomp = js_path(spec, "linux", "seccomp");

        ck_assert_ptr_null(js_get(spec, "annotations"));
        ck_assert_ptr_null(js_get(spec, "hostname"));
        ck_assert_ptr_null(js_get(spec, "hooks"));
        ck_assert_uint_eq(js_length(seccomp), 1);
        ck_assert_str_eq(js_get_string(seccomp, "defaultAction"), "SCMP_ACT_ALLOW");
        ck_assert_str_eq(js_get_string(js_get(spec, "linux"), "cgroupsPath"), plain.cgroup);
        ck_assert_ptr_null(js_path(spec, "linux", "rootfsPropagation"));
        ck_assert_ptr_null(js_path(spec, "linux", "uidMappings"));
        ck_assert_str_eq(js_get_string(js_get(spec, "root"), "path"), plain.root);
    }
}
END_TEST

START_TEST(an_unknown_member_of_linux_is_refused)
{
    static const char *const unknown[] = {"netDevices", "timeOffsets", "memoryPolicy",
                                          "Namespaces", "netdevices",  ""};
    const struct confine_options root = powerful();
    scoped(js_freep) struct js *known = confined(
        "{" PROCESS ",\"linux\":{\"cgroupsPath\":\"/x\",\"devices\":[],\"maskedPaths\":[],"
        "\"namespaces\":[],\"personality\":{\"domain\":\"LINUX\"},\"readonlyPaths\":[],"
        "\"resources\":{},\"rootfsPropagation\":\"\",\"seccomp\":{},\"sysctl\":{}}}",
        &plain);

    for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++) {
        scoped(freep) char *json = xformat("{" PROCESS ",\"linux\":{\"%s\":{}}}", unknown[i]);

        refused(json, &plain, STATUS_INVALID_ARGUMENT, unknown[i]);
        refused(json, &root, STATUS_INVALID_ARGUMENT, unknown[i]);
    }
}
END_TEST

START_TEST(hooks_and_devices_are_refused)
{
    const struct confine_options root = powerful();
    scoped(js_freep) struct js *spec = NULL;
    static const char device[] = "{" PROCESS ",\"linux\":{\"devices\":[{\"path\":\"/dev/mem\"}]}}";

    refused("{" PROCESS ",\"hooks\":{\"poststop\":[{\"path\":\"/x\"}]}}", &root,
            STATUS_PERMISSION_DENIED, "hooks");
    refused(device, &plain, STATUS_PERMISSION_DENIED, "/dev/mem");
    spec = confined(device, &root);
}
END_TEST

static const char *path_of(const struct js *spec, const char *type)
{
    const struct js *list = js_path(spec, "linux", "namespaces");

    for (size_t i = 0; i < js_length(list); i++) {
        if (strcmp(js_get_string(js_at(list, i), "type"), type) == 0)
            return js_get_string(js_at(list, i), "path") ?: "new";
    }
    return "none";
}

START_TEST(namespaces_are_the_agents_choice)
{
    struct confine_options options = plain;
    scoped(js_freep) struct js *spec = NULL;

    options.pid_path = "/run/pid";
    spec = confined("{" PROCESS ",\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":"
                    "\"/proc/1/ns/pid\"},{\"type\":\"user\"}]}}",
                    &options);
    ck_assert_str_eq(path_of(spec, "pid"), "/run/pid");
    ck_assert_str_eq(path_of(spec, "network"), plain.net_path);
    ck_assert_str_eq(path_of(spec, "ipc"), plain.ipc_path);
    ck_assert_str_eq(path_of(spec, "uts"), plain.uts_path);
    ck_assert_str_eq(path_of(spec, "mount"), "new");
    ck_assert_str_eq(path_of(spec, "cgroup"), "new");
    ck_assert_str_eq(path_of(spec, "user"), "none");
}
END_TEST

START_TEST(masks_are_added_to_those_of_the_spec)
{
    scoped(js_freep) struct js *spec = confined(
        "{" PROCESS ",\"linux\":{\"maskedPaths\":[\"/proc/kcore\",\"/own\"]}}", &plain);
    const struct js *list = js_path(spec, "linux", "maskedPaths");
    unsigned kcore = 0, own = 0, keys = 0;

    for (size_t i = 0; i < js_length(list); i++) {
        kcore += strcmp(js_string(js_at(list, i)), "/proc/kcore") == 0;
        own += strcmp(js_string(js_at(list, i)), "/own") == 0;
        keys += strcmp(js_string(js_at(list, i)), "/proc/keys") == 0;
    }
    ck_assert_uint_eq(kcore, 1);
    ck_assert_uint_eq(own, 1);
    ck_assert_uint_eq(keys, 1);
}
END_TEST

START_TEST(files_of_the_group_itself_are_the_agents)
{
    const struct confine_options root = powerful();
    scoped(js_freep) struct js *spec = confined(
        "{" PROCESS ",\"linux\":{\"resources\":{\"unified\":{\"memory.high\":\"1\"}}}}", &plain);

    refused("{" PROCESS ",\"linux\":{\"resources\":{\"unified\":{\"cgroup.procs\":\"1\"}}}}", &root,
            STATUS_PERMISSION_DENIED, "cgroup.procs");
    refused("{" PROCESS ",\"linux\":{\"resources\":{\"unified\":[\"cgroup.procs\"]}}}", &root,
            STATUS_INVALID_ARGUMENT, "unified");
}
END_TEST

START_TEST(sysctls_of_the_machine_are_refused)
{
    static const char *const good[] = {"net.ipv4.ip_forward", "kernel.shmmax", "kernel.msgmax",
                                       "kernel.sem", "fs.mqueue.msg_max"};
    static const char *const bad[] = {"kernel.core_pattern", "vm.overcommit_memory",
                                      "kernel.sema",         "net/../kernel/core_pattern",
                                      "net..kernel",         ""};
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        ck_assert_msg(confine_sysctl(good[i], &err) == 0, "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_msg(confine_sysctl(bad[i], &err) < 0, "%s", bad[i]);
    refused("{" PROCESS ",\"linux\":{\"sysctl\":{\"kernel.core_pattern\":\"|x\"}}}", &plain,
            STATUS_PERMISSION_DENIED, "core_pattern");
}
END_TEST

START_TEST(the_terminal_and_the_oom_score_are_ours)
{
    struct confine_options options = plain;
    scoped(js_freep) struct js *spec = NULL;
    const struct js *process;

    options.terminal = true;
    options.lowest_oom_score = -5;
    spec = confined("{\"process\":{\"args\":[\"x\"],\"terminal\":false,\"oomScoreAdj\":-900,"
                    "\"apparmorProfile\":\"p\",\"selinuxLabel\":\"l\"}}",
                    &options);
    process = js_get(spec, "process");
    ck_assert(js_get_boolean(process, "terminal", false));
    ck_assert_int_eq(js_get_integer(process, "oomScoreAdj", 0), -5);
    ck_assert_ptr_null(js_get(process, "apparmorProfile"));
    ck_assert_ptr_null(js_get(process, "selinuxLabel"));
}
END_TEST

int main(void)
{
    return suite_run("confine", (const TTest *[]){
                                    capabilities_that_reach_the_agent_need_guest_root,
                                    a_capability_has_one_spelling,
                                    mknod_and_immutable_go_and_the_harmless_stay,
                                    the_kernels_trees_have_one_place,
                                    the_kernels_trees_are_read_only,
                                    no_mount_makes_another_writable,
                                    a_spec_of_wrong_types_is_refused,
                                    what_steers_the_runtime_is_removed,
                                    an_unknown_member_of_linux_is_refused,
                                    hooks_and_devices_are_refused,
                                    namespaces_are_the_agents_choice,
                                    masks_are_added_to_those_of_the_spec,
                                    files_of_the_group_itself_are_the_agents,
                                    sysctls_of_the_machine_are_refused,
                                    the_terminal_and_the_oom_score_are_ours,
                                    NULL,
                                });
}
