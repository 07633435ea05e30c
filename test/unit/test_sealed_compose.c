/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest against a node that sends what it likes. */
#include "suite.h"

#include <stdio.h>

#include "dropped.h"
#include "oci/spec.h"
#include "sealed_compose.h"
#include "sealed_exec.h"
#include "sealed_fixture.h"
#include "sealed_volumes.h"
#include "base/text.h"
#include "volumes.h"

#define CONTAINER(name, spec, mounts)                                                              \
    "{\"name\":\"" name "\",\"kind\":\"app\",\"config\":\"" FIXTURE_DIGEST                         \
    "\",\"layers\":[\"" FIXTURE_DIGEST "\"],\"spec\":" spec ",\"mounts\":" mounts                  \
    ",\"environment\":[\"TOKEN\",\"PINNED\"],"                                                     \
    "\"exec\":[[\"/probe\",\"a b\"],[\"/probe\"]],\"stdin\":false}"

#define SPEC                                                                                       \
    "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"/app\",\"-x\"],\"cwd\":\"/\","             \
    "\"user\":{\"uid\":7,\"gid\":8},\"env\":[\"PATH=/bin\",\"MODE=fixed\","                        \
    "\"REDIS_SERVICE_HOST=own\",\"PINNED=else\"]},\"root\":{\"readonly\":true},"                   \
    "\"mounts\":["                                                                                 \
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"                           \
    "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"cleave:hosts\","               \
    "\"options\":[\"rbind\",\"ro\"]},"                                                             \
    "{\"destination\":\"/etc/hostname\",\"type\":\"bind\",\"source\":\"cleave:hostname\","         \
    "\"options\":[\"rbind\",\"ro\"]},"                                                             \
    "{\"destination\":\"/etc/resolv.conf\",\"type\":\"bind\","                                     \
    "\"source\":\"cleave:resolv.conf\",\"options\":[\"rbind\",\"ro\"]}],"                          \
    "\"linux\":{\"resources\":{\"memory\":{\"limit\":1000}}}}"

#define MOUNTS                                                                                     \
    "[{\"destination\":\"/etc\",\"volume\":\"etc\",\"path\":\"\",\"read_only\":false},"            \
    "{\"destination\":\"/work\",\"volume\":\"work\",\"path\":\"sub\",\"read_only\":true},"         \
    "{\"destination\":\"/conf\",\"volume\":\"conf\",\"path\":\"\",\"read_only\":true},"            \
    "{\"destination\":\"/key\",\"volume\":\"conf\",\"path\":\"key\",\"read_only\":true},"          \
    "{\"destination\":\"/data\",\"volume\":\"data\",\"path\":\"\",\"read_only\":true},"            \
    "{\"destination\":\"/more\",\"volume\":\"data\",\"path\":\"x\",\"read_only\":false}]"

static const char pod[] =
    "{" FIXTURE_HEAD
    ",\"restart_policy\":\"Always\",\"service_environment\":true,\"debug\":false,\"volumes\":{"
    "\"etc\":{\"kind\":\"empty\",\"size\":0,\"memory\":false},"
    "\"work\":{\"kind\":\"empty\",\"size\":1000,\"memory\":true},"
    "\"conf\":{\"kind\":\"copied\"},\"data\":{\"kind\":\"share\"}},"
    "\"containers\":[" CONTAINER("main", SPEC, MOUNTS) "," CONTAINER(
        "other", SPEC,
        "[{\"destination\":\"/w\",\"volume\":\"work\",\"path\":\"\",\"read_only\":false}]") "]}";

/* What a node sends that has no ill will. */
static const char good[] =
    "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"/app\",\"-x\"],\"cwd\":\"/\","
    "\"user\":{\"uid\":7,\"gid\":8},\"env\":[\"PATH=/bin\",\"MODE=fixed\",\"TOKEN=told\","
    "\"REDIS_SERVICE_HOST=own\"]},"
    "\"root\":{\"readonly\":true},\"annotations\":{\"io.kubernetes.cri.x\":\"1\"},"
    "\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"cleave:hosts\","
    "\"options\":[\"rbind\",\"rprivate\",\"ro\"]},"
    "{\"destination\":\"/etc/hostname\",\"type\":\"bind\",\"source\":\"cleave:hostname\","
    "\"options\":[\"rbind\",\"ro\"]},"
    "{\"destination\":\"/etc/resolv.conf\",\"type\":\"bind\",\"source\":\"cleave:resolv.conf\","
    "\"options\":[\"rbind\",\"ro\"]},"
    "{\"destination\":\"/etc\",\"type\":\"bind\",\"source\":\"cleave:volume:ram1\"},"
    "{\"destination\":\"/work\",\"type\":\"bind\",\"source\":\"cleave:volume:ram2/sub\"},"
    "{\"destination\":\"/conf\",\"type\":\"bind\",\"source\":\"cleave:volume:copy1\"},"
    "{\"destination\":\"/key\",\"type\":\"bind\",\"source\":\"cleave:volume:copy2/..data/file\"},"
    "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"cleave:share:s1\"},"
    "{\"destination\":\"/more\",\"type\":\"bind\",\"source\":\"cleave:share:s2\"}],"
    "\"linux\":{\"resources\":{\"memory\":{\"limit\":1000}}}}";

static struct manifest *manifest;
static struct sealed_volumes *volumes;
static struct js *came, *result;
static struct dropped dropped;
static struct error err;

/* ram1, ram2, ... are empty ones in memory, disk1 on the disk, copy1, copy2 copied. */
static bool look(void *user, const char *name, struct volumes_about *ret)
{
    *ret = (struct volumes_about){.is_copied = text_starts(name, "copy"),
                                  .is_in_memory = !text_starts(name, "disk")};
    return text_starts(name, "ram") || text_starts(name, "disk") || text_starts(name, "copy");
}

static void setup(void)
{
    manifest = fixture_manifest(pod);
    volumes = sealed_volumes_new(manifest, look, NULL);
    ck_assert(js_parse(good, strlen(good), &came, &err) == 0);
}

static void teardown(void)
{
    js_free(take_ptr(result));
    js_free(take_ptr(came));
    sealed_volumes_free(take_ptr(volumes));
    manifest_free(take_ptr(manifest));
}

static int compose(const char *slot)
{
    const struct sealed_composition composition = {.manifest = manifest,
                                                   .slot = manifest_slot(manifest, slot),
                                                   .volumes = volumes,
                                                   .came = came};

    ck_assert_ptr_nonnull(composition.slot);
    js_free(take_ptr(result));
    return sealed_compose(&composition, &result, &dropped, &err);
}

static void must_compose(void)
{
    ck_assert_msg(compose("main") == 0, "%s", err.message);
}

static void add_variable(const char *entry)
{
    js_append(js_path(came, "process", "env"), js_new_string(entry));
}

static void set_source(const char *destination, const char *source)
{
    struct js *mount = spec_mount(came, destination);

    if (!mount) {
        mount = js_new_object();
        js_set_string(mount, "destination", destination);
        js_set_string(mount, "type", "bind");
        js_append(js_get(came, "mounts"), mount);
    }
    js_set_string(mount, "source", source);
}

static struct js *json(const char *text)
{
    struct js *ret = NULL;

    ck_assert_msg(js_parse(text, strlen(text), &ret, &err) == 0, "%s", text);
    return ret;
}

START_TEST(of_a_node_without_ill_will_nothing_is_dropped)
{
    must_compose();
    ck_assert_msg(dropped.count == 0, "%s", dropped.text);
    ck_assert_str_eq(spec_environment(result, "TOKEN"), "told");
    ck_assert_str_eq(spec_environment(result, "PINNED"), "else"); /* a hole that is left */
    ck_assert_ptr_null(js_get(result, "annotations"));
}
END_TEST

/* ---- variables ---- */

static const struct {
    const char *sent, *name, *value; /* value NULL: it is not there */
    bool is_dropped;
} variables[] = {
    {"TOKEN=another", "TOKEN", "another", false},
    {"PINNED=now", "PINNED", "now", false},
    {"TOKEN=", "TOKEN", "", false},
    {"WEB_SERVICE_HOST=10.0.0.1", "WEB_SERVICE_HOST", "10.0.0.1", false},
    {"WEB_PORT_80_TCP_ADDR=10.0.0.1", "WEB_PORT_80_TCP_ADDR", "10.0.0.1", false},
    {"WEB_PORT=tcp://10.0.0.1:80", "WEB_PORT", "tcp://10.0.0.1:80", false},
    {"JAVA_DEBUG_PORT=6,server=y", "JAVA_DEBUG_PORT", NULL, true},
    {"MODE=other", "MODE", "fixed", true},
    {"PATH=/evil:/bin", "PATH", "/bin", true},
    {"LD_PRELOAD=/evil.so", "LD_PRELOAD", NULL, true},
    {"TOKEN2=x", "TOKEN2", NULL, true},
    {"token=x", "token", NULL, true},
    /* it looks like one of a service, and the manifest says what it is */
    {"REDIS_SERVICE_HOST=10.6.6.6", "REDIS_SERVICE_HOST", "own", true},
};

static size_t count_of(const char *name)
{
    const struct js *env = js_path(result, "process", "env");
    size_t count = 0;

    for (size_t i = 0; i < js_length(env); i++) {
        const char *entry = js_string(js_at(env, i));

        count += text_starts(entry, name) && entry[strlen(name)] == '=';
    }
    return count;
}

START_TEST(a_variable_is_the_manifests_or_a_hole)
{
    must_compose();
    add_variable(variables[_i].sent);
    must_compose();
    if (variables[_i].value)
        ck_assert_str_eq(spec_environment(result, variables[_i].name), variables[_i].value);
    else
        ck_assert_ptr_null(spec_environment(result, variables[_i].name));
    ck_assert_uint_eq(count_of(variables[_i].name), variables[_i].value != NULL);
    ck_assert_uint_eq(dropped.count, variables[_i].is_dropped);
    if (variables[_i].is_dropped) {
        scoped(freep) char *wanted = xformat("variable %s", variables[_i].name);

        ck_assert_str_eq(dropped.text, wanted);
    }
}
END_TEST

START_TEST(without_service_environment_such_a_variable_is_no_hole)
{
    manifest->service_environment = false;
    add_variable("WEB_SERVICE_HOST=10.0.0.1");
    must_compose();
    ck_assert_ptr_null(spec_environment(result, "WEB_SERVICE_HOST"));
    ck_assert_str_eq(dropped.text, "variable WEB_SERVICE_HOST");
}
END_TEST

/* ---- the rest of the specification ---- */

static const struct {
    const char *object, *key, *value, *name; /* object NULL: a member of the spec itself */
} members[] = {
    {"process", "args", "[\"/evil\"]", "process.args"},
    {"process", "user", "{\"uid\":0,\"gid\":0}", "process.user"},
    {"process", "capabilities", "{\"bounding\":[\"CAP_SYS_ADMIN\"]}", "process.capabilities"},
    {"process", "noNewPrivileges", "true", "process.noNewPrivileges"},
    {"linux", "resources", "{}", "linux.resources"},
    {"linux", "namespaces", "[{\"type\":\"pid\",\"path\":\"cleave:container:x\"}]",
     "linux.namespaces"},
    {"linux", "seccomp", "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", "linux.seccomp"},
    {NULL, "root", "{\"readonly\":false}", "root"},
    {NULL, "hooks", "{\"prestart\":[{\"path\":\"/evil\"}]}", "hooks"},
    {NULL, "linux", "7", ""},
};

START_TEST(whatever_else_differs_is_the_manifests_and_named)
{
    scoped(freep) char *before = NULL;
    scoped(freep) char *after = NULL;

    must_compose();
    before = js_print_canonical(result);
    js_set(members[_i].object ? js_get(came, members[_i].object) : came, members[_i].key,
           json(members[_i].value));
    must_compose();
    after = js_print_canonical(result);
    ck_assert_str_eq(before, after);
    ck_assert_str_eq(dropped.text, members[_i].name);
}
END_TEST

START_TEST(the_log_names_much_and_has_a_bound_and_no_value)
{
    for (int i = 0; i < 500; i++) {
        scoped(freep) char *entry = xformat("A\nB%d=value", i);

        add_variable(entry);
    }
    must_compose();
    ck_assert_uint_eq(dropped.count, 500);
    ck_assert_uint_gt(dropped.unnamed, 400);
    ck_assert(strlen(dropped.text) < sizeof(dropped.text));
    ck_assert(strstr(dropped.text, "variable A?B0, variable A?B1,") == dropped.text);
    ck_assert(!strchr(dropped.text, '\n') && !strstr(dropped.text, "value"));
}
END_TEST

/* ---- mounts ---- */

START_TEST(mounts_that_are_not_in_the_manifest_are_dropped)
{
    set_source("/evil", "cleave:share:s1");
    set_source("/etc/hostname", "cleave:file:hostname");
    set_source("/etc/hosts", "cleave:volume:ram1/hosts");
    must_compose();
    ck_assert_ptr_null(spec_mount(result, "/evil"));
    ck_assert_str_eq(js_get_string(spec_mount(result, "/etc/hostname"), "source"),
                     "cleave:hostname");
    ck_assert_str_eq(js_get_string(spec_mount(result, "/etc/hosts"), "source"), "cleave:hosts");
    ck_assert_str_eq(dropped.text, "mount /etc/hosts, mount /etc/hostname, mount /evil");
}
END_TEST

/* What the manifest has there, what came, and which one it is. */
static const struct {
    const char *name, *own, *came, *wanted;
} files[] = {
    {"hosts", "hosts", "hosts", "hosts"},
    {"hosts", "hosts", "file:hosts", "file:hosts"},
    {"hosts", "file:hosts", "hosts", "hosts"},
    {"hosts", "file:hosts", "file:hosts", "file:hosts"},
    {"hosts", "hosts", "file:resolv.conf", "hosts"},
    {"resolv.conf", "file:resolv.conf", "share:s1", "resolv.conf"},
    {"hostname", "hostname", "file:hostname", "hostname"},
    {"hostname", "file:hostname", "file:hostname", "file:hostname"},
    {"hostname", "file:hostname", "volume:ram1", "hostname"},
};

START_TEST(a_file_of_the_pod_is_the_nodes_where_it_is_a_hole)
{
    struct manifest_slot *slot = &manifest->slots[0];
    scoped(freep) char *destination = xformat("/etc/%s", files[_i].name);
    scoped(freep) char *own = xformat("cleave:%s", files[_i].own);
    scoped(freep) char *sent = xformat("cleave:%s", files[_i].came);
    scoped(freep) char *wanted = xformat("cleave:%s", files[_i].wanted);
    scoped(js_freep) struct js *spec = js_copy(slot->spec);

    js_set_string(spec_mount(spec, destination), "source", own);
    slot->spec = spec;
    set_source(destination, sent);
    must_compose();
    ck_assert_str_eq(js_get_string(spec_mount(result, destination), "source"), wanted);
}
END_TEST

static const struct {
    const char *destination, *text;
} mounted[] = {
    {"/work", "{\"destination\":\"/work\",\"options\":[\"rbind\",\"rprivate\",\"ro\"],"
              "\"source\":\"cleave:volume:ram2/sub\",\"type\":\"bind\"}"},
    {"/etc", "{\"destination\":\"/etc\",\"options\":[\"rbind\",\"rprivate\",\"rw\"],"
             "\"source\":\"cleave:volume:ram1\",\"type\":\"bind\"}"},
    {"/key", "{\"destination\":\"/"
             "key\",\"options\":[\"rbind\",\"rprivate\",\"ro\"],\"source\":\"cleave:volume:copy2/"
             "..data/file\",\"type\":\"bind\"}"},
    {"/data", "{\"destination\":\"/"
              "data\",\"options\":[\"rbind\",\"rprivate\",\"ro\"],\"source\":\"cleave:share:s1\","
              "\"type\":\"bind\"}"},
    {"/more", "{\"destination\":\"/"
              "more\",\"options\":[\"rbind\",\"rprivate\",\"rw\"],\"source\":\"cleave:share:s2\","
              "\"type\":\"bind\"}"},
};

START_TEST(a_mount_of_a_volume_is_as_the_manifest_has_it)
{
    scoped(freep) char *text = NULL;

    js_set(spec_mount(came, mounted[_i].destination), "options", json("[\"rw\",\"exec\",\"dev\"]"));
    must_compose();
    text = js_print_canonical(spec_mount(result, mounted[_i].destination));
    ck_assert_str_eq(text, mounted[_i].text);
    ck_assert_uint_eq(dropped.count, 0);
}
END_TEST

/* Else the volume at /etc would cover them. */
START_TEST(what_is_in_another_mount_comes_behind_it)
{
    const struct js *mounts;
    size_t etc = SIZE_MAX;

    must_compose();
    mounts = js_get(result, "mounts");
    ck_assert_uint_eq(js_length(mounts), 10);
    for (size_t i = 0; i < js_length(mounts); i++) {
        const char *destination = js_get_string(js_at(mounts, i), "destination");

        if (text_equal(destination, "/etc"))
            etc = i;
        ck_assert(!text_starts(destination, "/etc/") || etc < i);
    }
}
END_TEST

static const struct {
    const char *destination, *source, *why;
} wrong[] = {
    {"/work", "cleave:volume:gone/sub", "was not handed over"},
    {"/work", "cleave:volume:copy1/sub", "copied from the node"},
    {"/work", "cleave:volume:ram2", "another subPath"},
    {"/work", "cleave:volume:ram2/sub/x", "another subPath"},
    {"/work", "cleave:volume:ram2/..", "another subPath"},
    {"/work", "cleave:volume:disk1/sub", "is not in memory"},
    {"/work", "cleave:share:s1", "no volume of the guest"},
    {"/work", "cleave:image", "no volume of the guest"},
    {"/work", "cleave:file:hosts", "no volume of the guest"},
    {"/work", "cleave:volume:ram1/sub", "stands for another volume already"},
    {"/etc", "cleave:volume:ram1/x", "another subPath"},
    {"/conf", "cleave:volume:ram3", "is an empty volume"},
    {"/conf", "cleave:volume:copy1/..data", "is a part of a volume"},
    {"/conf", "cleave:share:s1", "no volume of the guest"},
    {"/key", "cleave:volume:copy2", "is no part that was copied for it"},
    {"/key", "cleave:volume:copy2/key", "is no part that was copied for it"},
    {"/key", "cleave:volume:ram1/..data", "stands for another volume already"},
    {"/data", "cleave:volume:ram3", "is not a live share"},
    {"/data", "cleave:share:../x", "is no name of a live volume"},
    {"/data", "/etc", "is not a live share"},
};

START_TEST(a_source_of_another_kind_or_place_is_refused)
{
    set_source(wrong[_i].destination, wrong[_i].source);
    ck_assert_msg(compose("main") < 0, "%s", wrong[_i].source);
    ck_assert_msg(strstr(err.message, wrong[_i].why), "%s: %s", wrong[_i].source, err.message);
}
END_TEST

START_TEST(a_volume_that_did_not_come_is_named)
{
    js_set(came, "mounts", js_new_array());
    ck_assert(compose("main") < 0);
    ck_assert_msg(strstr(err.message, "'/etc'") && strstr(err.message, "nothing came"), "%s",
                  err.message);
}
END_TEST

START_TEST(an_empty_volume_is_one_for_all_containers)
{
    must_compose();
    set_source("/w", "cleave:volume:ram9");
    ck_assert(compose("other") < 0);
    ck_assert_msg(strstr(err.message, "not the volume that came with an earlier"), "%s",
                  err.message);
    set_source("/w", "cleave:volume:ram2");
    ck_assert_msg(compose("other") == 0, "%s", err.message);
    must_compose();
}
END_TEST

/* ---- exec ---- */

static const struct {
    const char *process;
    bool may;
} commands[] = {
    {"{\"args\":[\"/probe\",\"a b\"]}", true},
    {"{\"args\":[\"/probe\"]}", true},
    {"{\"args\":[\"/probe\",\"a\",\"b\"]}", false},
    {"{\"args\":[\"/probe\",\"a b\",\"c\"]}", false},
    {"{\"args\":[\"/probe a b\"]}", false},
    {"{\"args\":[]}", false},
    {"{\"args\":[\"/bin/sh\"]}", false},
    {"{\"args\":\"/probe\"}", false},
    {"{\"args\":[7]}", false},
    {"{}", false},
    {"7", false},
};

START_TEST(what_may_be_executed_is_listed_word_by_word)
{
    const struct manifest_slot *slot = manifest_slot(manifest, "main");
    scoped(js_freep) struct js *process = json(commands[_i].process);
    scoped(js_freep) struct js *sealed = NULL;

    if (js_type(process) == JS_OBJECT)
        js_set(process, "user", json("{\"uid\":0}"));
    must_compose();
    ck_assert_int_eq(sealed_exec(slot, js_get(result, "process"), process, &sealed, &err) == 0,
                     commands[_i].may);
    if (!commands[_i].may) {
        ck_assert_int_eq(err.status, STATUS_PERMISSION_DENIED);
        return;
    }
    ck_assert_int_eq(js_get_integer(js_get(sealed, "user"), "uid", -1), 7);
    ck_assert_str_eq(js_string(js_at(js_get(sealed, "args"), 0)), "/probe");
    ck_assert_uint_eq(js_length(js_get(sealed, "args")), js_length(js_get(process, "args")));
    ck_assert_uint_eq(js_length(js_get(sealed, "env")), 5);
}
END_TEST

int main(void)
{
    const TTest *const single[] = {of_a_node_without_ill_will_nothing_is_dropped,
                                   without_service_environment_such_a_variable_is_no_hole,
                                   the_log_names_much_and_has_a_bound_and_no_value,
                                   mounts_that_are_not_in_the_manifest_are_dropped,

                                   what_is_in_another_mount_comes_behind_it,
                                   a_volume_that_did_not_come_is_named,
                                   an_empty_volume_is_one_for_all_containers,
                                   NULL};
    TCase *tests = suite_case(&(struct suite){"sealed_compose", setup, teardown, 0}, single);

    tcase_add_loop_test(tests, a_variable_is_the_manifests_or_a_hole, 0, ARRAY_LENGTH(variables));
    tcase_add_loop_test(tests, whatever_else_differs_is_the_manifests_and_named, 0,
                        ARRAY_LENGTH(members));
    tcase_add_loop_test(tests, a_file_of_the_pod_is_the_nodes_where_it_is_a_hole, 0,
                        ARRAY_LENGTH(files));
    tcase_add_loop_test(tests, a_mount_of_a_volume_is_as_the_manifest_has_it, 0,
                        ARRAY_LENGTH(mounted));
    tcase_add_loop_test(tests, a_source_of_another_kind_or_place_is_refused, 0,
                        ARRAY_LENGTH(wrong));
    tcase_add_loop_test(tests, what_may_be_executed_is_listed_word_by_word, 0,
                        ARRAY_LENGTH(commands));
    return suite_run_case("sealed_compose", tests);
}
