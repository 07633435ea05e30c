/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "manifest_fixture.h"
#include "sealed/kube_name.h"
#include "suite.h"

static struct error err;

static int parse(const char *text)
{
    scoped(manifest_freep) struct manifest *manifest = NULL;

    return manifest_parse(text, strlen(text), &manifest, &err);
}

/* The fixture with the first `from` behind `behind` replaced. */
static char *changed(const char *behind, const char *from, const char *to)
{
    scoped(js_freep) struct js *pod = fixture_manifest();
    scoped(freep) char *text = js_print_canonical(pod);
    const char *at = strstr(text, behind);

    ck_assert_msg(at, "no '%s'", behind);
    at = strstr(at, from);
    ck_assert_msg(at, "no '%s' behind '%s'", from, behind);
    return xformat("%.*s%s%s", (int) (at - text), text, to, at + strlen(from));
}

struct change {
    const char *from, *to, *why;
};

static void each_is_refused(const char *behind, const struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scoped(freep) char *text = changed(behind, changes[i].from, changes[i].to);

        ck_assert_msg(parse(text) < 0, "accepted: %s", changes[i].to);
        ck_assert_msg(strstr(err.message, changes[i].why), "%s: %s", changes[i].to, err.message);
    }
}

START_TEST(a_good_one_is_read)
{
    scoped(js_freep) struct js *pod = fixture_manifest();
    scoped(freep) char *text = js_print_canonical(pod);
    scoped(manifest_freep) struct manifest *manifest = fixture_parse(pod);
    uint8_t digest[SHA384_SIZE];

    digest_sha384(text, strlen(text), digest);
    ck_assert_mem_eq(manifest->digest, digest, sizeof(digest));
    ck_assert_str_eq(manifest->text, text);
    ck_assert_uint_eq(manifest->length, strlen(text));
    ck_assert_str_eq(manifest->pod_name, "web-0");
    ck_assert_str_eq(manifest->pod_namespace, "shop");
    ck_assert_str_eq(manifest->hostname, "web-0");
    ck_assert_str_eq(js_get_string(manifest->sysctls, "net.ipv4.ip_forward"), "0");
    ck_assert_int_eq(manifest->restart, MANIFEST_NEVER);
    ck_assert(!manifest->debug && !manifest->service_environment);
    ck_assert_uint_eq(manifest->slot_count, 3);
    ck_assert_int_eq(manifest->slots[0].kind, MANIFEST_INIT);
    ck_assert_int_eq(manifest->slots[1].kind, MANIFEST_SIDECAR);
    ck_assert_int_eq(manifest->slots[2].kind, MANIFEST_APP);
    ck_assert_ptr_null(manifest_slot(manifest, "nobody"));
    ck_assert_ptr_null(manifest_volume(manifest, "nothing"));
}
END_TEST

START_TEST(a_slot_has_all_that_stands_in_it)
{
    scoped(js_freep) struct js *pod = fixture_manifest();
    scoped(manifest_freep) struct manifest *manifest = fixture_parse(pod);
    const struct manifest_slot *web = manifest_slot(manifest, "web");
    const struct manifest_volume *scratch = manifest_volume(manifest, "scratch");

    ck_assert_ptr_eq(web, &manifest->slots[2]);
    ck_assert_str_eq(web->config_digest, FIXTURE_CONFIG);
    ck_assert_uint_eq(web->layer_count, 1);
    ck_assert_str_eq(web->layers[0], FIXTURE_LAYER);
    ck_assert_str_eq(js_string(js_at(js_path(web->spec, "process", "args"), 0)), "/bin/web");
    ck_assert_uint_eq(web->exec_count, 1);
    ck_assert_str_eq(web->execs[0].args[1], "-v");
    ck_assert_ptr_null(web->execs[0].args[2]);
    ck_assert(!web->has_stdin);
    ck_assert_uint_eq(web->mount_count, 3);
    ck_assert_str_eq(web->mounts[1].destination, "/etc/web");
    ck_assert_str_eq(web->mounts[1].path, "web/conf");
    ck_assert_int_eq(web->mounts[1].volume->kind, MANIFEST_COPIED);
    ck_assert_ptr_eq(web->mounts[0].volume, scratch);
    ck_assert_int_eq(scratch->kind, MANIFEST_EMPTY);
    ck_assert_uint_eq(scratch->size, 1048576);
    ck_assert_int_eq(web->mounts[2].volume->kind, MANIFEST_SHARE);
}
END_TEST

START_TEST(each_member_of_the_document_is_needed)
{
    static const char *const keys[] = {"containers", "debug",   "pod",     "restart_policy",
                                       "salt",       "version", "volumes", "service_environment"};
    static const char *const of_pod[] = {"hostname", "name", "namespace", "sysctls", "uid"};

    for (size_t i = 0; i < ARRAY_LENGTH(keys) + ARRAY_LENGTH(of_pod); i++) {
        scoped(js_freep) struct js *pod = fixture_manifest();
        bool inner = i >= ARRAY_LENGTH(keys);
        const char *key = inner ? of_pod[i - ARRAY_LENGTH(keys)] : keys[i];
        scoped(freep) char *expected = xformat("%s'%s' is missing", inner ? "pod: " : "", key);

        js_remove(inner ? js_get(pod, "pod") : pod, key);
        scoped(freep) char *text = js_print_canonical(pod);
        ck_assert_int_lt(parse(text), 0);
        ck_assert_msg(strstr(err.message, expected), "%s: %s", key, err.message);
    }
}
END_TEST

START_TEST(each_member_of_a_slot_is_needed)
{
    static const char *const keys[] = {"config", "environment", "exec", "kind", "layers",
                                       "mounts", "name",        "spec", "stdin"};
    static const char *const of_mount[] = {"destination", "path", "read_only", "volume"};

    for (size_t i = 0; i < ARRAY_LENGTH(keys) + ARRAY_LENGTH(of_mount); i++) {
        scoped(js_freep) struct js *pod = fixture_manifest();
        struct js *web = js_at(js_get(pod, "containers"), 2);
        bool inner = i >= ARRAY_LENGTH(keys);
        const char *key = inner ? of_mount[i - ARRAY_LENGTH(keys)] : keys[i];
        scoped(freep) char *expected = xformat("%s'%s' is missing", inner ? "mounts[1]: " : "",
                                               key);

        js_remove(inner ? js_at(js_get(web, "mounts"), 1) : web, key);
        scoped(freep) char *text = js_print_canonical(pod);
        ck_assert_int_lt(parse(text), 0);
        ck_assert_msg(strstr(err.message, "containers[2]"), "%s: %s", key, err.message);
        ck_assert_msg(strstr(err.message, expected), "%s: %s", key, err.message);
    }
}
END_TEST

START_TEST(only_the_canonical_form_is_taken)
{
    static const struct change changes[] = {
        {"{\"containers\"", " {\"containers\"", "not canonical at byte 0"},
        {"\"version\":1", "\"version\": 1", "not canonical"},
        {"\"version\":1,\"volumes\":{\"data\":{\"kind\":\"share\"}",
         "\"volumes\":{},\"version\":1,\"x\":{\"data\":{\"kind\":\"share\"}", "not canonical"},
        {"\"hostname\":\"web-0\"", "\"hostname\":\"\\u0077eb-0\"", "not canonical"},
        {"\"hostname\":\"web-0\"", "\"hostname\":\"web\\/0\"", "not canonical"},
        {"\"uid\":0", "\"uid\":-0", "not canonical"},
        {"\"uid\":0", "\"uid\":0.0", "the number is not an integer"},
        {"\"uid\":0", "\"uid\":1e3", "the number is not an integer"},
        {"\"uid\":0", "\"uid\":00", "not JSON"},
        {"\"uid\":0", "\"uid\":null", "null"},
        {"\"uid\":0", "\"uid\":18446744073709551616", "not JSON"},
        {"\"debug\":false", "\"debug\":false,\"debug\":true", "stands twice"},
    };
    scoped(freep) char *text = changed("{", "{", "{");
    scoped(freep) char *twice = xformat("%s\n", text), *more = xformat("%s{}", text);

    each_is_refused("{", changes, ARRAY_LENGTH(changes));
    ck_assert_int_eq(parse(text), 0);
    ck_assert_int_lt(parse(twice), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "not canonical"));
    ck_assert_int_lt(parse(more), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "more than one value"));
}
END_TEST

START_TEST(what_is_wrong_with_the_pod_is_named)
{
    static const struct change changes[] = {
        {"\"debug\":false", "\"debug\":0", "'debug' is not true or false"},
        {"\"debug\":false", "\"debug\":false,\"debugs\":1", "unknown member 'debugs'"},
        {"\"hostname\":\"web-0\"", "\"hostname\":\"\"", "hostname ''"},
        {"\"hostname\":\"web-0\"", "\"hostname\":\"-web\"", "hostname '-web'"},
        {"\"hostname\":\"web-0\"", "\"colour\":1,\"hostname\":\"web-0\"", "pod: unknown member"},
        {"\"name\":\"web-0\"", "\"name\":\"Web\"", "'Web' is not the name of a pod"},
        {"\"name\":\"web-0\"", "\"name\":\"web..0\"", "'web..0'"},
        {"\"namespace\":\"shop\"", "\"namespace\":\"a.b\"", "'a.b' is not a namespace"},
        {"\"namespace\":\"shop\"", "\"namespace\":7", "'namespace' is not a string"},
        {"\"net.ipv4.ip_forward\":\"0\"", "\"net.ipv4.ip_forward\":0", "net.ipv4.ip_forward"},
        {"\"uid\":\"3f6c", "\"uid\":\"a/b", "uid 'a/b"},
        {"\"Never\"", "\"Maybe\"", "'restart_policy' cannot be 'Maybe'"},
        {FIXTURE_SALT, "5a5a", "'salt' is not 64 digits"},
        {FIXTURE_SALT, "5A" FIXTURE_SALT, "'salt' is not 64 digits"},
        {"\"salt\":\"5a", "\"salt\":\"5A", "'salt' is not 64 digits in lower case"},
        {"\"service_environment\":false", "\"service_environment\":\"no\"", "service_environment"},
        {"\"version\":1", "\"version\":2", "'version' is not in 1..1"},
        {"\"version\":1", "\"version\":\"1\"", "'version' is not an integer"},
    };

    each_is_refused("\"debug\"", changes, ARRAY_LENGTH(changes));
    ck_assert_int_lt(parse("[]"), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "not an object"));
}
END_TEST

START_TEST(what_is_wrong_with_a_volume_is_named)
{
    static const struct change changes[] = {
        {"\"data\":{", "\"Data\":{", "volumes: 'Data' is not the name of one"},
        {"\"data\":{", "\"a/b\":{", "volumes: 'a/b' is not the name of one"},
        {"{\"kind\":\"share\"}", "1", "volumes: 'data': it is not an object"},
        {"\"kind\":\"share\"", "\"kind\":\"disk\"", "'data': 'kind' cannot be 'disk'"},
        {"\"kind\":\"share\"", "\"kind\":\"share\",\"size\":1", "'data': unknown member 'size'"},
        {"{\"kind\":\"share\"}", "{}", "'data': 'kind' is missing"},
        {"\"memory\":false,", "", "'scratch': 'memory' is missing"},
        {",\"size\":1048576", "", "'scratch': 'size' is missing"},
        {"\"size\":1048576", "\"size\":-1", "'size' is not in 0.."},
        {"\"size\":1048576", "\"size\":1048576,\"sync\":true", "unknown member 'sync'"},
        {"{\"kind\":\"copied\"}", "{\"kind\":\"copied\",\"optional\":true}", "'settings': unknown"},
    };

    each_is_refused("\"volumes\"", changes, ARRAY_LENGTH(changes));
}
END_TEST

START_TEST(what_is_wrong_with_a_slot_is_named)
{
    static const struct change changes[] = {
        {FIXTURE_CONFIG, "sha512:cc", "config 'sha512:cc' is not"},
        {"\"config\":\"sha256:cc", "\"config\":\"sha256:CC", "config 'sha256:CC"},
        {"[\"" FIXTURE_LAYER "\"]", "[]", "'layers' is empty"},
        {FIXTURE_LAYER, "sha256:11", "layers[0] 'sha256:11' is not"},
        {"\"" FIXTURE_LAYER "\"", "7", "layers[0] is not"},
        {"\"environment\":[\"DB_HOST\"]", "\"environment\":\"DB_HOST\"", "is not an array"},
        {"[\"DB_HOST\"]", "[\"A=B\"]", "environment[0] 'A=B' is not the name of a variable"},
        {"[\"DB_HOST\"]", "[\"\"]", "environment[0] '' is not"},
        {"[\"DB_HOST\"]", "[\"DB_HOST\",\"DB_HOST\"]", "'DB_HOST' stands twice"},
        {"[[\"/bin/probe\",\"-v\"]]", "[[]]", "exec[0]: it names no program"},
        {"[[\"/bin/probe\",\"-v\"]]", "[[\"\"]]", "exec[0]: it names no program"},
        {"[[\"/bin/probe\",\"-v\"]]", "[[\"a\",1]]", "exec[0]: args[1] is not a string"},
        {"[[\"/bin/probe\",\"-v\"]]", "[\"a\"]", "exec[0]: it is not an array"},
        {"\"kind\":\"init\"", "\"kind\":\"main\"", "'kind' cannot be 'main'"},
        {"\"name\":\"setup\"", "\"name\":\"Setup\"", "'Setup' is not the name of a container"},
        {"\"name\":\"setup\"", "\"name\":\"\"", "'' is not the name of a container"},
        {"\"stdin\":false", "\"stdin\":false,\"tty\":true", "unknown member 'tty'"},
        {"\"stdin\":false", "\"stdin\":\"no\"", "'stdin' is not true or false"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        each_is_refused("{", &changes[i], 1);
        ck_assert_msg(strstr(err.message, "containers[0]"), "%s", err.message);
    }
}
END_TEST

START_TEST(what_is_wrong_with_a_spec_is_named)
{
    static const struct change changes[] = {
        {"\"ociVersion\":\"1.0.2\",", "", "'ociVersion' is missing"},
        {"\"process\":{", "\"procesz\":{", "'process' is missing"},
        {"[\"/bin/setup\"]", "[]", "process: 'args' names no program"},
        {"[\"/bin/setup\"]", "[\"\"]", "process: 'args' names no program"},
        {"[\"/bin/setup\"]", "[\"a\",1]", "process: 'args' has a member that is no string"},
        {"[\"PATH=/bin\"]", "[\"PATH\"]", "'env' has a member not of the form"},
        {"[\"PATH=/bin\"]", "[\"=x\"]", "'env' has a member not of the form"},
        {"[\"PATH=/bin\"]", "[1]", "'env' has a member not of the form"},
        {"[\"PATH=/bin\"]", "[\"A=1\",\"AB=2\",\"A=2\"]", "'env' has the variable 'A' twice"},
        {"\"destination\":\"/proc\"", "\"destination\":\"/\"", "mounts[0]: destination '/'"},
        {"\"destination\":\"/proc\"", "\"destination\":\"/a/../proc\"",
         "'/a/../proc' is not plain"},
        {"\"destination\":\"/proc\"", "\"destination\":\"/proc/\"", "'/proc/' is not plain"},
        {"\"destination\":\"/proc\"", "\"destination\":\"/etc/hosts\"",
         "'/etc/hosts' stands twice"},
        {"\"destination\":\"/proc\",", "", "mounts[0]: 'destination' is missing"},
        {"\"source\":\"proc\"", "\"source\":1", "mounts[0]: 'source' is not a string"},
        {"\"cleave:hosts\"", "\"cleave:volume:scratch\"", "mounts[1]: 'cleave:volume:scratch'"},
        {"\"cleave:hosts\"", "\"cleave:share:x\"", "mounts[1]: 'cleave:share:x' is not a source"},
        {"\"cleave:hosts\"", "\"cleave:file:hostname\"", "'cleave:file:hostname' is not a source"},
        {"\"cleave:hosts\"", "\"cleave:file:../hosts\"", "'cleave:file:../hosts' is not"},
        {"\"cleave:hosts\"", "\"cleave:\"", "'cleave:' is not a source"},
    };
    scoped(freep) char *good = changed("{", "\"cleave:hosts\"", "\"cleave:file:hosts\"");

    ck_assert_msg(parse(good) == 0, "%s", err.message);
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        each_is_refused("{", &changes[i], 1);
        ck_assert_msg(strstr(err.message, "containers[0]: 'setup': spec"), "%s", err.message);
    }
}
END_TEST

START_TEST(what_is_wrong_with_a_mount_is_named)
{
    static const struct change changes[] = {
        {"\"/scratch\"", "\"scratch\"", "mounts[0]: destination 'scratch' is not"},
        {"\"/scratch\"", "\"/\"", "mounts[0]: destination '/' is not"},
        {"\"/scratch\"", "\"/scratch/\"", "destination '/scratch/' is not"},
        {"\"/scratch\"", "\"//scratch\"", "destination '//scratch' is not"},
        {"\"/scratch\"", "\"/./scratch\"", "destination '/./scratch' is not"},
        {"\"/scratch\"", "\"/a/..\"", "destination '/a/..' is not"},
        {"\"/etc/web\"", "\"/scratch\"", "mounts[1]: something else is on '/scratch'"},
        {"\"/scratch\"", "\"/etc/hosts\"", "mounts[0]: something else is on '/etc/hosts'"},
        {"\"web/conf\"", "\"/web\"", "mounts[1]: path '/web' is not"},
        {"\"web/conf\"", "\"web/../../x\"", "path 'web/../../x' is not"},
        {"\"web/conf\"", "\"..\"", "path '..' is not"},
        {"\"web/conf\"", "\"web//conf\"", "path 'web//conf' is not"},
        {"\"read_only\":false", "\"read_only\":\"no\"", "'read_only' is not true or false"},
        {"\"volume\":\"scratch\"", "\"volume\":\"other\"", "'volumes' has no 'other'"},
        {"\"volume\":\"scratch\"", "\"volume\":\"scratch\",\"x\":1", "unknown member 'x'"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        each_is_refused("\"sidecar\"", &changes[i], 1);
        ck_assert_msg(strstr(err.message, "containers[2]: 'web'"), "%s", err.message);
    }
}
END_TEST

/* `kinds` by their first letters; the error, or NULL. */
static const char *order(const char *kinds)
{
    scoped(js_freep) struct js *pod = fixture_pod();

    for (size_t i = 0; kinds[i]; i++) {
        scoped(freep) char *name = xformat("c%zu", i);
        const char *kind = kinds[i] == 'i' ? "init" : kinds[i] == 's' ? "sidecar" : "app";

        fixture_add(pod, fixture_container(name, kind));
    }
    scoped(freep) char *text = js_print_canonical(pod);
    return parse(text) < 0 ? err.message : NULL;
}

START_TEST(nothing_is_mounted_in_a_share)
{
    static const struct change changes[] = {
        {"\"/scratch\"", "\"/data/scratch\"", "'/data/scratch' lies in the share at '/data'"},
        {"\"destination\":\"/data\"", "\"destination\":\"/etc\"", "'/etc/web' lies in the share"},
        {"\"destination\":\"/proc\"", "\"destination\":\"/data/a/proc\"", "'/data/a/proc' lies"},
    };
    scoped(freep) char *beside = changed("\"sidecar\"", "\"/scratch\"", "\"/data2\"");
    scoped(freep) char *empty = changed("\"sidecar\"", "\"/etc/web\"", "\"/scratch/web\"");

    ck_assert_msg(parse(beside) == 0, "%s", err.message);
    ck_assert_msg(parse(empty) == 0, "%s", err.message);
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        each_is_refused("\"kind\":\"app\"", &changes[i], 1);
        ck_assert_msg(strstr(err.message, "containers[2]: 'web': mounts[2]: "), "%s", err.message);
    }
}
END_TEST

START_TEST(what_begins_first_stands_first)
{
    ck_assert_ptr_null(order("a"));
    ck_assert_ptr_null(order("isiaa"));
    ck_assert_ptr_nonnull(strstr(order(""), "'containers' has not 1 to 64"));
    ck_assert_ptr_nonnull(strstr(order("is"), "none of kind app"));
    ck_assert_ptr_nonnull(strstr(order("ai"), "containers[1]: 'c1' is of kind init"));
    ck_assert_ptr_nonnull(strstr(order("iasa"), "containers[2]: 'c2' is of kind sidecar"));
}
END_TEST

START_TEST(two_slots_of_one_name_are_refused)
{
    scoped(freep) char *text = changed("\"sidecar\"", "\"name\":\"proxy\"", "\"name\":\"setup\"");

    ck_assert_int_lt(parse(text), 0);
    ck_assert_msg(strstr(err.message, "containers[1]: the name 'setup' stands twice"), "%s",
                  err.message);
}
END_TEST

/* `count` members `one` (each "%d" its index) in the array or object `key` of the slot or the pod.
 */
static const char *many(const char *key, const char *one, int count)
{
    scoped(js_freep) struct js *pod = fixture_manifest();
    struct js *slot = js_at(js_get(pod, "containers"), 0), *list;
    scoped(freep) char *text = xstrdup(""), *all = NULL;
    bool of_pod = text_equal(key, "volumes");

    for (int i = 0; i < count; i++) {
        scoped(freep) char *before = text;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        scoped(freep) char *member = xformat(one, i);
#pragma GCC diagnostic pop

        text = xformat("%s%s%s", before, i ? "," : "", member);
    }
    all = xformat("%c%s%c", of_pod ? '{' : '[', text, of_pod ? '}' : ']');
    ck_assert_msg(js_parse(all, strlen(all), &list, &err) == 0, "%s", err.message);
    js_set(of_pod ? pod : slot, key, list);
    if (of_pod)
        js_set(js_at(js_get(pod, "containers"), 2), "mounts", js_new_array());
    scoped(freep) char *document = js_print_canonical(pod);
    return parse(document) < 0 ? err.message : NULL;
}

START_TEST(each_list_has_its_limit)
{
    static const struct {
        const char *key, *one;
        int max;
    } lists[] = {
        {"volumes", "\"v%d\":{\"kind\":\"copied\"}", MANIFEST_VOLUMES_MAX},
        {"environment", "\"V%d\"", MANIFEST_HOLES_MAX},
        {"exec", "[\"probe-%d\"]", MANIFEST_EXECS_MAX},
        {"layers", "\"sha256:%064d\"", MANIFEST_LAYERS_MAX},
        {"mounts",
         "{\"destination\":\"/m%d\",\"path\":\"\",\"read_only\":true,\"volume\":\"data\"}",
         MANIFEST_MOUNTS_MAX},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        const char *fault = many(lists[i].key, lists[i].one, lists[i].max);

        ck_assert_msg(!fault, "%s", fault);
        fault = many(lists[i].key, lists[i].one, lists[i].max + 1);
        ck_assert_msg(fault && strstr(fault, "has more than") && strstr(fault, lists[i].key), "%s",
                      fault ? fault : lists[i].key);
        ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    }
    scoped(freep) char *slots = xalloc(MANIFEST_SLOTS_MAX + 2);
    memset(slots, 'a', MANIFEST_SLOTS_MAX);
    ck_assert_ptr_null(order(slots));
    slots[MANIFEST_SLOTS_MAX] = 'a';
    ck_assert_ptr_nonnull(strstr(order(slots), "'containers' has not 1 to 64"));
}
END_TEST

START_TEST(too_much_and_nothing_are_refused)
{
    scoped(manifest_freep) struct manifest *manifest = NULL;
    scoped(freep) char *large = xalloc(MANIFEST_SIZE_MAX + 2);

    memset(large, '[', MANIFEST_SIZE_MAX + 1);
    ck_assert_int_lt(manifest_parse(large, MANIFEST_SIZE_MAX + 1, &manifest, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "1048577 bytes, at most 1048576"));
    ck_assert_int_lt(manifest_parse(large, MANIFEST_SIZE_MAX, &manifest, &err), 0);
    ck_assert_int_lt(manifest_parse("", 0, &manifest, &err), 0);
    ck_assert_ptr_null(manifest);
}
END_TEST

START_TEST(holes_are_what_the_slot_names)
{
    scoped(js_freep) struct js *pod = fixture_manifest();
    scoped(manifest_freep) struct manifest *manifest = fixture_parse(pod);
    const struct manifest_slot *web = manifest_slot(manifest, "web");

    ck_assert(manifest_is_hole(manifest, web, "DB_HOST"));
    ck_assert(!manifest_is_hole(manifest, web, "DB_HOS"));
    ck_assert(!manifest_is_hole(manifest, web, "PATH"));
    ck_assert(!manifest_is_hole(manifest, web, "LD_PRELOAD"));
    ck_assert(!manifest_is_hole(manifest, web, "REDIS_SERVICE_HOST"));
}
END_TEST

START_TEST(a_service_sets_nothing_that_the_manifest_sets)
{
    scoped(js_freep) struct js *pod = fixture_manifest();
    struct js *web = js_at(js_get(pod, "containers"), 2);

    js_set(pod, "service_environment", js_new_boolean(true));
    js_append(js_path(js_get(web, "spec"), "process", "env"), js_new_string("DB_PORT=5432"));
    scoped(manifest_freep) struct manifest *manifest = fixture_parse(pod);
    const struct manifest_slot *slot = manifest_slot(manifest, "web");
    ck_assert(manifest_is_hole(manifest, slot, "REDIS_SERVICE_HOST"));
    ck_assert(manifest_is_hole(manifest, slot, "REDIS_PORT"));
    ck_assert(!manifest_is_hole(manifest, slot, "DB_PORT"));
    ck_assert(!manifest_is_hole(manifest, slot, "LD_PRELOAD"));
}
END_TEST

START_TEST(variables_of_services_are_known_by_their_form)
{
    static const char *const good[] = {
        "REDIS_SERVICE_HOST",      "REDIS_SERVICE_PORT",
        "REDIS_SERVICE_PORT_DATA", "REDIS_PORT",
        "REDIS_PORT_6379_TCP",     "REDIS_PORT_6379_TCP_PROTO",
        "R_PORT_1_UDP_PORT",       "MY_REDIS_0_SERVICE_HOST",
        "A_PORT_PORT_53_UDP_ADDR", "A_SERVICE_PORT_WEB_UI",
        "A__B_PORT_80_SCTP",
    };
    static const char *const bad[] = {
        "",
        "_PORT",
        "PORT",
        "SERVICE_HOST",
        "redis_SERVICE_HOST",
        "0_PORT",
        "A_PORT_TCP",
        "A_PORT_6",
        "A_PORT_6_ICMP",
        "A_PORT_6_TCP_X",
        "A_PORT_123456_TCP",
        "A_SERVICE_PORT_",
        "A_SERVICE_PORT_ABCDEFGHIJKLMNOP",
        "LD_PRELOAD",
        "A_PORT=1",
        "A_PORT ",
        "A__PORT",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        ck_assert_msg(kube_name_is_service_variable(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_msg(!kube_name_is_service_variable(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(a_service_has_an_address_and_nothing_else)
{
    static const char *const good[] = {
        "10.96.0.1", "fd00::1",           "6379", "tcp", "sctp", "tcp://10.96.0.1:6379",
        "udp",       "udp://[fd00::1]:53"};
    static const char *const bad[] = {
        "",           "x",
        "123456",     "$(id)",
        "10.0.0.1 x", "10.0.0.1;id",
        "/evil.so",   "http://10.0.0.1:80",
        "tcp://",     "tcp://host:80",
        "tcp:80",     "tcp://10.0.0.1:80/x",
        "[fd00::1]",  "tcp://]:1",
        "tcp://[:1",  "10.0.0.1.10.0.0.1.10.0.0.1.10.0.0.1.10.0.0.1.10"};
    scoped(js_freep) struct js *pod = fixture_manifest();

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        ck_assert_msg(kube_name_is_service_value(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_msg(!kube_name_is_service_value(bad[i]), "%s", bad[i]);
    js_set(pod, "service_environment", js_new_boolean(true));
    scoped(manifest_freep) struct manifest *manifest = fixture_parse(pod);
    const struct manifest_slot *web = manifest_slot(manifest, "web");
    ck_assert(manifest_takes(manifest, web, "DEBUG_PORT", "6379"));
    ck_assert(!manifest_takes(manifest, web, "DEBUG_PORT", "6379,suspend=n"));
    ck_assert(manifest_takes(manifest, web, "DB_HOST", "any text"));
    ck_assert(!manifest_takes(manifest, web, "OTHER", "6379"));
}
END_TEST

START_TEST(names_have_their_lengths)
{
    char label[65], pod[300];

    memset(label, 'a', sizeof(label));
    label[63] = '\0';
    ck_assert(kube_name_is_label(label));
    snprintf(pod, sizeof(pod), "%s.%s.%s.%.61s", label, label, label, label);
    ck_assert_uint_eq(strlen(pod), 253);
    ck_assert(kube_name_is_subdomain(pod));
    pod[253] = 'a';
    pod[254] = '\0';
    ck_assert(!kube_name_is_subdomain(pod));
    label[63] = 'a';
    label[64] = '\0';
    ck_assert(!kube_name_is_label(label));
    ck_assert(!kube_name_is_label("a-") && !kube_name_is_label("-a") && kube_name_is_label("a-1"));
    ck_assert(!kube_name_is_subdomain("") && !kube_name_is_subdomain("a."));
    ck_assert(!kube_name_is_variable("1A") && kube_name_is_variable("_a.b-C1"));
}
END_TEST

int main(void)
{
    return suite_run("manifest", (const TTest *[]){a_good_one_is_read,
                                                   a_slot_has_all_that_stands_in_it,
                                                   each_member_of_the_document_is_needed,
                                                   each_member_of_a_slot_is_needed,
                                                   only_the_canonical_form_is_taken,
                                                   what_is_wrong_with_the_pod_is_named,
                                                   what_is_wrong_with_a_volume_is_named,
                                                   what_is_wrong_with_a_slot_is_named,
                                                   what_is_wrong_with_a_spec_is_named,
                                                   what_is_wrong_with_a_mount_is_named,
                                                   nothing_is_mounted_in_a_share,
                                                   what_begins_first_stands_first,
                                                   two_slots_of_one_name_are_refused,
                                                   each_list_has_its_limit,
                                                   too_much_and_nothing_are_refused,
                                                   holes_are_what_the_slot_names,
                                                   a_service_sets_nothing_that_the_manifest_sets,
                                                   variables_of_services_are_known_by_their_form,
                                                   a_service_has_an_address_and_nothing_else,
                                                   names_have_their_lengths,
                                                   NULL});
}
