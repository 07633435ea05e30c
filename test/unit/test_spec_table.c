/* SPDX-License-Identifier: Apache-2.0 */
/* Each row of the table does what it says: a value goes in, and what comes out is looked at. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "spec_rules.h"
#include "suite.h"

enum { PATH_SIZE = 160, LINE_SIZE = 512, FILE_SIZE_MAX = 128 * 1024 };

static const char *owner(void *user, uint32_t pid)
{
    return pid == 2317 ? "" : NULL;
}

static const struct spec_context context = {.owner_of_pid = owner};

static struct js *parse(const char *text)
{
    struct js *value = NULL;
    struct error err;

    ck_assert_msg(js_parse(text, strlen(text), &value, &err) == 0, "%s: %s", text, err.message);
    return value;
}

static struct js *base(void)
{
    return parse(
        "{\"process\":{},\"mounts\":[{\"destination\":\"/x\",\"type\":\"tmpfs\",\"source\":"
        "\"tmpfs\"}],\"linux\":{\"namespaces\":[{\"type\":\"network\"}]}}");
}

/* The next part of "a.b[].*.c": its key, and whether a list follows it. */
static bool next_part(const char **path, char *key, bool *is_list)
{
    size_t length = strcspn(*path, ".");

    if (length == 0)
        return false;
    snprintf(key, PATH_SIZE, "%.*s", (int) length, *path);
    *path += length + ((*path)[length] == '.');
    *is_list = length > 2 && text_equal(key + length - 2, "[]");
    if (*is_list)
        key[length - 2] = '\0';
    if (text_equal(key, "*"))
        strcpy(key, "io.kubernetes.cri.any");
    return true;
}

static struct js *first(struct js *object, const char *key)
{
    if (js_type(js_get(object, key)) != JS_ARRAY)
        js_set(object, key, js_new_array());
    if (js_length(js_get(object, key)) == 0)
        js_append(js_get(object, key), js_new_object());
    return js_at(js_get(object, key), 0);
}

static void put(struct js *at, const char *path, struct js *value)
{
    char key[PATH_SIZE];
    bool is_list;

    while (next_part(&path, key, &is_list) && *path) {
        if (is_list) {
            at = first(at, key);
            continue;
        }
        if (js_type(js_get(at, key)) != JS_OBJECT)
            js_set(at, key, js_new_object());
        at = js_get(at, key);
    }
    js_set(at, key, value);
}

static struct js *look(struct js *at, const char *path)
{
    char key[PATH_SIZE];
    bool is_list;

    while (next_part(&path, key, &is_list)) {
        at = js_get(at, key);
        if (is_list && *path)
            at = js_at(at, 0);
    }
    return at;
}

/* Applies the rules to a spec with this value; NULL: refused, err says why. */
static struct guest_spec *with(const char *path, const char *json, struct error *err)
{
    scoped(js_freep) struct js *spec = base();
    struct guest_spec *result = NULL;

    put(spec, path, parse(json));
    return spec_rules_apply(spec, &context, &result, err) < 0 ? NULL : result;
}

static void expect_out(const char *path, const char *in, const char *out)
{
    struct error err = {0};
    scoped(guest_spec_freep) struct guest_spec *result = with(path, in, &err);
    struct js *found;

    ck_assert_msg(result != NULL, "%s = %s: %s", path, in, err.message);
    found = look(result->spec, path);
    if (!out) {
        ck_assert_msg(!found, "%s = %s is still there", path, in);
        return;
    }
    scoped(freep) char *text = found ? js_print(found) : NULL;
    ck_assert_msg(text && text_equal(text, out), "%s = %s became %s", path, in, text ? text : "-");
}

static void expect_error(const char *path, const char *in, const char *words)
{
    struct error err = {0};
    scoped(guest_spec_freep) struct guest_spec *result = with(path, in, &err);

    ck_assert_msg(!result, "%s = %s passed", path, in);
    ck_assert_msg(strstr(err.message, words), "%s = %s: '%s' lacks '%s'", path, in, err.message,
                  words);
}

#define POD_FILE(path, name)                                                                       \
    "{\"destination\":\"" path "\",\"type\":\"bind\",\"source\":\"cleave:" name "\","              \
    "\"options\":[\"rbind\",\"rprivate\",\"rw\"]}"
#define POD_FILES                                                                                  \
    "[" POD_FILE("/etc/hosts", "hosts") "," POD_FILE(                                              \
        "/etc/resolv.conf", "resolv.conf") "," POD_FILE("/etc/hostname",                           \
                                                        "hostname") "," POD_FILE("/dev/shm",       \
                                                                                 "shm") "]"

/* In `out` NULL: gone. In `words`: an error that has them. */
static const struct {
    const char *path, *in, *out, *words;
} rewrites[] = {
    {"ociVersion", "\"1.2.1\"", "\"1.0.2\"", NULL},
    {"annotations", "{\"run.oci.x\":\"y\",\"io.kubernetes.cri.a\":\"b\"}",
     "{\"io.kubernetes.cri.a\":\"b\"}", NULL},
    {"annotations.*", "\"kept\"", "\"kept\"", NULL},
    {"root.path", "\"/var/lib/x\"", "\"rootfs\"", NULL},
    {"mounts", "[]", POD_FILES, NULL},
    {"mounts", "{}", NULL, "'mounts' is not an array"},
    {"mounts[].type", "\"tmpfs\"", "\"tmpfs\"", NULL},
    {"mounts[].type", "\"ext4\"", NULL, "'ext4' is not available in the guest"},
    {"mounts[].type", "\"bind\"", NULL, "'/x'"},
    {"mounts[].source", "\"/dev/sda\"", "\"tmpfs\"", NULL},
    {"mounts[].options", "[\"ro\",\"rslave\",\"context=\\\"x\\\"\"]", "[\"ro\",\"rprivate\"]",
     NULL},
    {"mounts[].options", "[\"rshared\"]", NULL, "bidirectional"},
    {"mounts[].options", "[{}]", NULL, "an option is not a string"},
    {"linux.namespaces[].path", "\"/proc/2317/ns/net\"", "\"cleave:pod\"", NULL},
    {"linux.namespaces[].path", "\"/proc/1/ns/net\"", NULL, "not one of this pod"},
    {"linux.namespaces", "[]", NULL, "hostNetwork"},
    {"linux.namespaces", "{}", NULL, "'linux.namespaces' is not an array"},
    {"linux.resources.devices", "[]", "[{\"allow\":false,\"access\":\"rwm\"}]", NULL},
    {"linux.resources.devices", "7", NULL, "'linux.resources.devices' is not an array"},
    {"linux.resources.devices[].allow", "true", "true", NULL},
    {"linux.resources.devices[].type", "\"c\"", NULL, NULL},
    {"linux.resources.devices[].major", "8", NULL, NULL},
    {"linux.resources.devices[].minor", "0", NULL, NULL},
    {"linux.resources.devices[].access", "\"r\"", "\"rwm\"", NULL},
    {"linux.resources.devices", "[{\"allow\":true,\"type\":\"c\",\"major\":1,\"access\":\"rw\"}]",
     "[{\"allow\":false,\"access\":\"rwm\"}]", NULL},
    {"linux.resources.memory.disableOOMKiller", "false", NULL, NULL},
    {"linux.resources.memory.disableOOMKiller", "true", NULL, "must be able to go on"},
    {"linux.resources.memory.disableOOMKiller", "\"yes\"", NULL, "must be able to go on"},
    {"linux.resources.hugepageLimits", "[]", NULL, NULL},
    {"linux.resources.hugepageLimits[].pageSize", "\"2MB\"", NULL, NULL},
    {"linux.resources.hugepageLimits[].limit", "0", NULL, NULL},
    {"linux.resources.hugepageLimits[].limit", "1", NULL, "huge pages"},
};

static void check_rewrite(const struct spec_rule *rule)
{
    size_t cases = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(rewrites); i++) {
        if (!text_equal(rewrites[i].path, rule->path))
            continue;
        cases++;
        if (rewrites[i].words)
            expect_error(rule->path, rewrites[i].in, rewrites[i].words);
        else
            expect_out(rule->path, rewrites[i].in, rewrites[i].out);
    }
    ck_assert_msg(cases > 0, "no case shows what becomes of '%s'", rule->path);
}

static void check_row(const struct spec_rule *rule)
{
    bool is_type = text_equal(rule->path, "linux.namespaces[].type");
    const char *scalar = is_type ? "\"network\"" : "\"a value\"";

    switch (rule->action) {
    case SPEC_KEEP:
        expect_out(rule->path, scalar, scalar);
        break;
    case SPEC_MAP:
        expect_out(rule->path, "{\"a\":\"b\"}", "{\"a\":\"b\"}");
        expect_error(rule->path, "[]", rule->path);
        break;
    case SPEC_OBJECT:
    case SPEC_LIST:
        expect_error(rule->path, "7", rule->action == SPEC_LIST ? "is not an array" : "not a");
        break;
    case SPEC_DROP:
        expect_out(rule->path, "\"a value\"", NULL);
        break;
    case SPEC_REWRITE:
        check_rewrite(rule);
        break;
    case SPEC_REFUSE:
        expect_error(rule->path, "[\"a value\"]", rule->path);
        expect_error(rule->path, "[\"a value\"]", "is refused");
        expect_out(rule->path, "[]", NULL); /* nothing is asked for */
        break;
    }
}

START_TEST(each_row_does_what_it_says)
{
    size_t count;
    const struct spec_rule *rules = spec_rules_table(&count);

    for (size_t i = 0; i < count; i++)
        check_row(&rules[i]);
}
END_TEST

START_TEST(beneath_each_row_a_field_that_nobody_knows_is_named)
{
    size_t count;
    const struct spec_rule *rules = spec_rules_table(&count);

    for (size_t i = 0; i < count; i++) {
        scoped(freep) char *object = xformat("%s.colour", rules[i].path);
        scoped(freep) char *list = xformat("%s[].colour", rules[i].path);
        const char *last = strrchr(rules[i].path, '.');
        scoped(freep) char *free_key = xformat("%s.*", rules[i].path);

        if (spec_rules_find(free_key) || rules[i].action == SPEC_REFUSE || text_equal(last, ".*"))
            continue;
        expect_error(object, "1", rules[i].action == SPEC_LIST ? "is not an array" : rules[i].path);
        if (rules[i].action == SPEC_LIST || rules[i].action == SPEC_DROP)
            expect_error(list, "1", list);
    }
    expect_error("colour", "1", "the field 'colour' has no rule");
    expect_error("mounts[].colour", "1", "the field 'mounts[].colour' has no rule");
    expect_error("linux.namespaces[].colour", "1", "'linux.namespaces[].colour'");
    expect_error("linux.resources.devices[].colour", "1", "'linux.resources.devices[].colour'");
    expect_error("linux.seccomp.syscalls[].args[].colour", "1", "syscalls[].args[].colour'");
    expect_error("hooks.colour", "1", "'hooks.colour'");
}
END_TEST

START_TEST(a_device_is_refused_by_its_path)
{
    expect_error("linux.devices", "[{\"path\":\"/dev/fuse\",\"type\":\"c\",\"major\":10}]",
                 "'/dev/fuse'");
    expect_error("linux.devices", "[{\"path\":\"/dev/fuse\"}]", "privileged_without_host_devices");
    expect_error("hooks.prestart", "[{\"path\":\"/usr/bin/hook\"}]", "'/usr/bin/hook'");
}
END_TEST

/* Every leaf and every branch of the sample has a row, or stands beneath one that refuses. */
static int has_row(void *user, const char *key, struct js *value, struct error *err)
{
    const char *parent = user;
    scoped(freep) char *named = xformat("%s%s%s", parent, *parent ? "." : "", key);
    scoped(freep) char *any = xformat("%s%s*", parent, *parent ? "." : "");
    const struct spec_rule *rule = spec_rules_find(named) ?: spec_rules_find(any);

    ck_assert_msg(rule != NULL, "'%s' has no row", named);
    if (rule->action == SPEC_REFUSE)
        return 0;
    scoped(freep) char *path = xformat("%s%s", rule->path, js_type(value) == JS_ARRAY ? "[]" : "");
    const struct js *inside = js_type(value) == JS_ARRAY ? js_at(value, 0) : value;
    return js_type(inside) == JS_OBJECT ? js_each(inside, has_row, path, err) : 0;
}

static char root[] = "";

static struct js *golden(const char *name)
{
    scoped(freep) char *path = xformat("test/unit/golden/%s.json", name), *text = NULL;
    struct error err;
    size_t length;

    ck_assert_msg(file_read(path, FILE_SIZE_MAX, &text, &length, &err) == 0, "%s", err.message);
    return parse(text);
}

START_TEST(the_table_has_every_field_of_the_specification)
{
    scoped(js_freep) struct js *spec = golden("oci-1.2.1-every-field");
    scoped(guest_spec_freep) struct guest_spec *result = NULL;
    struct error err;

    ck_assert(js_each(spec, has_row, root, &err) == 0);
    ck_assert_msg(spec_rules_apply(spec, &context, &result, &err) == 0, "%s", err.message);
}
END_TEST

START_TEST(what_containerd_makes_goes_through)
{
    static const char *const names[] = {"containerd-2.1-pause", "containerd-2.1-container",
                                        "containerd-2.1-privileged"};
    const struct spec_context here = {
        .node.sandbox_dir = "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/"
                            "74ee9e63e48e451f0c2e31e3fd0b58955aa23568a4e0fa8af8d003a11bb4dfdb",
        .node.shm_source = "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/"
                           "74ee9e63e48e451f0c2e31e3fd0b58955aa23568a4e0fa8af8d003a11bb4dfdb/shm",
        .owner_of_pid = owner,
    };

    for (size_t i = 1; i < ARRAY_LENGTH(names); i++) { /* pause itself has no container */
        scoped(js_freep) struct js *spec = golden(names[i]);
        scoped(guest_spec_freep) struct guest_spec *result = NULL;
        struct error err;

        ck_assert_msg(spec_rules_apply(spec, &here, &result, &err) == 0, "%s: %s", names[i],
                      err.message);
        scoped(freep) char *text = js_print(result->spec);
        ck_assert_msg(!strstr(text, "/var/lib/") && !strstr(text, "/run/") &&
                          !strstr(text, "/proc/2317"),
                      "%s", text);
    }
    scoped(js_freep) struct js *pause = golden(names[0]);
    struct error err;
    ck_assert(js_each(pause, has_row, root, &err) == 0);
}
END_TEST

START_TEST(a_privileged_container_keeps_what_makes_it_one)
{
    scoped(js_freep) struct js *spec = golden("containerd-2.1-privileged");
    scoped(guest_spec_freep) struct guest_spec *result = NULL;
    scoped(freep) char *in = js_print(js_path(spec, "process", "capabilities"));
    scoped(freep) char *rules = NULL, *out = NULL;
    const struct spec_context here = {
        .node.sandbox_dir = "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/"
                            "74ee9e63e48e451f0c2e31e3fd0b58955aa23568a4e0fa8af8d003a11bb4dfdb",
        .node.shm_source = "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/"
                           "74ee9e63e48e451f0c2e31e3fd0b58955aa23568a4e0fa8af8d003a11bb4dfdb/shm",
        .owner_of_pid = owner,
    };
    struct error err;

    ck_assert_msg(spec_rules_apply(spec, &here, &result, &err) == 0, "%s", err.message);
    out = js_print(js_path(result->spec, "process", "capabilities"));
    ck_assert_str_eq(in, out);
    rules = js_print(js_get(js_path(result->spec, "linux", "resources"), "devices"));
    ck_assert_str_eq(rules, "[{\"allow\":true,\"access\":\"rwm\"}]");
    ck_assert_ptr_null(js_path(spec, "linux", "devices")); /* privileged_without_host_devices */
    ck_assert_ptr_null(js_path(result->spec, "linux", "maskedPaths"));
    for (size_t i = 0; i < js_length(js_path(result->spec, "linux", "namespaces")); i++)
        ck_assert_str_ne(
            js_get_string(js_at(js_path(result->spec, "linux", "namespaces"), i), "type"),
            "cgroup");
}
END_TEST

static void row_text(const struct spec_rule *rule, char *ret)
{
    snprintf(ret, LINE_SIZE, "| `%s` | %s | %s |", rule->path, spec_action_name(rule->action),
             rule->reason ? rule->reason : "");
}

START_TEST(the_documents_table_is_the_codes)
{
    scoped(freep) char *text = NULL;
    struct error err;
    size_t length, count, at = 0;
    const struct spec_rule *rules = spec_rules_table(&count);
    char expected[LINE_SIZE];

    ck_assert_msg(file_read("docs/spec-rules.md", FILE_SIZE_MAX, &text, &length, &err) == 0, "%s",
                  err.message);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        if (!text_starts(line, "| `"))
            continue;
        ck_assert_msg(at < count, "docs/spec-rules.md has a row too many: %s", line);
        row_text(&rules[at++], expected);
        ck_assert_str_eq(line, expected);
    }
    ck_assert_uint_eq(at, count);
}
END_TEST

START_TEST(an_exec_and_an_update_name_what_they_do_not_know)
{
    scoped(js_freep) struct js *process = parse("{\"args\":[\"a\"],\"user\":{\"shoe\":1}}");
    scoped(js_freep) struct js *resources = parse("{\"cpu\":{\"shares\":2,\"colour\":1}}");
    scoped(js_freep) struct js *dropped = parse("{\"blockIO\":{\"colour\":1}}");
    struct js *out = NULL;
    struct error err;

    ck_assert(spec_rules_process(process, &out, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'process.user.shoe'"));
    ck_assert(spec_rules_resources(resources, &out, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'linux.resources.cpu.colour'"));
    ck_assert(spec_rules_resources(dropped, &out, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'linux.resources.blockIO.colour'"));
}
END_TEST

int main(void)
{
    return suite_run(
        "spec_table",
        (const TTest *[]){
            each_row_does_what_it_says, beneath_each_row_a_field_that_nobody_knows_is_named,
            a_device_is_refused_by_its_path, the_table_has_every_field_of_the_specification,
            what_containerd_makes_goes_through, a_privileged_container_keeps_what_makes_it_one,
            the_documents_table_is_the_codes, an_exec_and_an_update_name_what_they_do_not_know,
            NULL});
}
