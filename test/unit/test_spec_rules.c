/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "share_mount.h"
#include "spec_rules.h"
#include "suite.h"

#define SANDBOX     "74ee9e63e48e451f0c2e31e3fd0b58955aa23568a4e0fa8af8d003a11bb4dfdb"
#define SANDBOX_DIR "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/" SANDBOX
#define SHM         "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/" SANDBOX "/shm"

enum { PAUSE_PID = 2317, TARGET_PID = 99 };

static const char *owner(void *user, uint32_t pid)
{
    return pid == PAUSE_PID ? "" : pid == TARGET_PID ? "target" : NULL;
}

static const struct spec_context context = {
    .node = {.sandbox_dir = SANDBOX_DIR, .shm_source = SHM},
    .owner_of_pid = owner,
};

static struct js *golden(void)
{
    scoped(freep) char *text = NULL;
    struct js *spec = NULL;
    struct error err;
    size_t length;

    ck_assert(file_read("test/unit/golden/containerd-2.1-container.json", 65536, &text, &length,
                        &err) == 0);
    ck_assert(js_parse(text, length, &spec, &err) == 0);
    return spec;
}

/* The golden spec with one member of an object replaced. */
static struct js *with(const char *object, const char *key, const char *value)
{
    struct js *spec = golden(), *at = object[0] ? js_get(spec, object) : spec, *parsed = NULL;
    struct error err;

    ck_assert(js_parse(value, strlen(value), &parsed, &err) == 0);
    js_set(at, key, parsed);
    return spec;
}

static struct guest_spec *apply(const struct js *spec)
{
    struct guest_spec *result = NULL;
    struct error err;

    if (spec_rules_apply(spec, &context, &result, &err) < 0)
        ck_abort_msg("%s", err.message);
    return result;
}

static void assert_refused(struct js *spec, const char *words)
{
    struct guest_spec *result = NULL;
    struct error err;

    ck_assert(spec_rules_apply(spec, &context, &result, &err) < 0);
    ck_assert_msg(strstr(err.message, words), "'%s' lacks '%s'", err.message, words);
    js_free(spec);
}

static const struct js *find(const struct js *list, const char *key, const char *value)
{
    for (size_t i = 0; i < js_length(list); i++) {
        if (text_equal(js_get_string(js_at(list, i), key), value))
            return js_at(list, i);
    }
    return NULL;
}

START_TEST(what_containerd_makes_is_accepted)
{
    scoped(js_freep) struct js *spec = golden();
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);
    const struct js *linux_object = js_get(result->spec, "linux");
    scoped(freep) char *text = js_print(result->spec);

    ck_assert_str_eq(js_get_string(result->spec, "ociVersion"), "1.0.2");
    ck_assert_str_eq(js_string(js_path(result->spec, "root", "path")), "rootfs");
    ck_assert_ptr_null(js_get(linux_object, "cgroupsPath"));
    ck_assert_ptr_null(strstr(text, "/proc/2317"));
    ck_assert_ptr_null(strstr(text, "/var/lib/containerd"));
    ck_assert_ptr_null(strstr(text, "/run/containerd"));
}
END_TEST

START_TEST(a_name_with_a_dot_is_no_path)
{
    scoped(js_freep) struct js *annotated = with("annotations", "io.kubernetes.cri.x[]", "\"y\"");

    assert_refused(with("", "root.readonly", "true"), "'root.readonly' has no rule");
    assert_refused(with("", "linux.sysctl", "{\"a\":\"b\"}"), "'linux.sysctl' has no rule");
    assert_refused(with("linux", "resources.pids", "{}"), "'resources.pids' has no rule");
    assert_refused(with("", "mounts[]", "[]"), "'mounts[]' has no rule");
    guest_spec_free(apply(annotated)); /* where any key is a key */
}
END_TEST

START_TEST(namespaces_of_the_pod_get_its_name)
{
    scoped(js_freep) struct js *spec = golden();
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);
    const struct js *list = js_path(result->spec, "linux", "namespaces");
    static const char *const shared[] = {"network", "ipc", "uts", "pid"};

    for (size_t i = 0; i < ARRAY_LENGTH(shared); i++)
        ck_assert_str_eq(js_get_string(find(list, "type", shared[i]), "path"), "cleave:pod");
    ck_assert_ptr_null(js_get(find(list, "type", "mount"), "path"));
    ck_assert_ptr_nonnull(find(list, "type", "cgroup"));
}
END_TEST

START_TEST(a_debug_container_names_its_target)
{
    scoped(js_freep) struct js *spec = with(
        "linux", "namespaces",
        "[{\"type\":\"network\",\"path\":\"/proc/2317/ns/net\"},"
        "{\"type\":\"pid\",\"path\":\"/proc/99/ns/pid\"}]");
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);
    const struct js *list = js_path(result->spec, "linux", "namespaces");

    ck_assert_str_eq(js_get_string(find(list, "type", "pid"), "path"), "cleave:container:target");
}
END_TEST

START_TEST(the_pods_files_get_their_names)
{
    scoped(js_freep) struct js *spec = golden();
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);
    const struct js *mounts = js_get(result->spec, "mounts");
    static const char *const expected[][2] = {
        {"/etc/hosts", "cleave:hosts"},
        {"/etc/hostname", "cleave:hostname"},
        {"/etc/resolv.conf", "cleave:resolv.conf"},
        {"/dev/shm", "cleave:shm"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
        ck_assert_str_eq(js_get_string(find(mounts, "destination", expected[i][0]), "source"),
                         expected[i][1]);
    ck_assert_uint_eq(result->file_count, 0);
}
END_TEST

/* containerd in Sandbox API mode: none of the pod's files is on the node, and /dev/shm is what its
 * default spec has. */
START_TEST(what_containerd_leaves_out_the_agent_provides)
{
    scoped(js_freep) struct js *spec = with(
        "", "mounts",
        "[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
        "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
        "\"options\":[\"size=65536k\"]}]");
    scoped(guest_spec_freep) struct guest_spec *result = NULL;
    static const char *const expected[][3] = {
        {"/etc/hosts", "cleave:hosts", "ro"},
        {"/etc/resolv.conf", "cleave:resolv.conf", "ro"},
        {"/etc/hostname", "cleave:hostname", "ro"},
        {"/dev/shm", "cleave:shm", "rw"},
    };

    js_set(js_get(spec, "root"), "readonly", js_new_boolean(true));
    result = apply(spec);
    ck_assert_uint_eq(js_length(js_get(result->spec, "mounts")), 5);
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        const struct js *mount = find(js_get(result->spec, "mounts"), "destination",
                                      expected[i][0]);

        ck_assert_str_eq(js_get_string(mount, "source"), expected[i][1]);
        ck_assert_str_eq(js_string(js_at(js_get(mount, "options"), 2)), expected[i][2]);
    }
}
END_TEST

START_TEST(a_mount_of_the_spec_wins)
{
    scoped(js_freep) struct js *spec = with(
        "", "mounts",
        "[{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
        "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"/etc/hosts\"}]");
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);
    const struct js *mounts = js_get(result->spec, "mounts");

    ck_assert_uint_eq(js_length(mounts), 4);
    ck_assert_str_eq(js_get_string(find(mounts, "destination", "/dev/shm"), "source"), "tmpfs");
    ck_assert_str_eq(js_get_string(find(mounts, "destination", "/etc/hosts"), "source"),
                     "cleave:file:hosts");
}
END_TEST

START_TEST(a_hosts_file_of_kubelet_is_copied)
{
    scoped(js_freep) struct js *spec = with(
        "", "mounts",
        "[{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"/etc/hosts\","
        "\"options\":[\"rbind\",\"ro\"]}]");
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);

    ck_assert_uint_eq(result->file_count, 1);
    ck_assert_str_eq(result->files[0].name, "hosts");
    ck_assert_uint_gt(result->files[0].length, 0);
    ck_assert_str_eq(js_get_string(js_at(js_get(result->spec, "mounts"), 0), "source"),
                     "cleave:file:hosts");
}
END_TEST

START_TEST(the_termination_log_is_remembered)
{
    scoped(js_freep) struct js *spec = with(
        "", "mounts",
        "[{\"destination\":\"/dev/termination-log\",\"type\":\"bind\",\"source\":\"/x/log\","
        "\"options\":[\"rbind\"]}]");
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);

    ck_assert_str_eq(result->termination_log, "/x/log");
    ck_assert_str_eq(js_get_string(js_at(js_get(result->spec, "mounts"), 0), "source"),
                     "cleave:termination-log");
}
END_TEST

START_TEST(a_read_only_file_at_the_termination_path_is_not_the_log)
{
    scoped(js_freep) struct js *spec = with(
        "", "mounts",
        "[{\"destination\":\"/dev/termination-log\",\"type\":\"bind\",\"source\":\"/x/log\","
        "\"options\":[\"rbind\",\"ro\"]}]");
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);

    ck_assert_ptr_null(result->termination_log);
    ck_assert_uint_eq(result->share_count, 1);
    ck_assert_str_eq(result->shares[0].options, "ro");
}
END_TEST

static struct js *with_mount(const char *source, const char *options)
{
    scoped(freep) char *mounts = xformat("[{\"destination\":\"/data\",\"type\":\"bind\","
                                         "\"source\":\"%s\",\"options\":[%s]}]",
                                         source, options);

    return with("", "mounts", mounts);
}

/* What is read-only is so on the node; in the guest it would be so for the mounts below, too. */
START_TEST(a_path_of_the_node_is_shared_as_the_mount_says)
{
    static const struct {
        const char *options, *shared, *guests;
    } cases[] = {
        {"\"rbind\",\"rprivate\",\"rw\"", "rw", "rbind rprivate rw"},
        {"\"rbind\",\"rprivate\",\"ro\"", "ro", "rbind rprivate"},
        {"\"rbind\",\"rprivate\",\"ro\",\"rro\"", "rro", "rbind rprivate"},
        {"\"rbind\",\"rro\"", "rro", "rbind"},
        {"\"rbind\",\"rslave\",\"rw\",\"noexec\"", "rw,slave", "rbind rprivate rw noexec"},
        {"\"bind\",\"slave\",\"ro\"", "ro,slave", "bind rprivate"},
        {"\"rbind\"", "rw", "rbind"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scoped(js_freep) struct js *spec = with_mount("/srv", cases[i].options);
        scoped(guest_spec_freep) struct guest_spec *result = apply(spec);
        const struct js *mount = js_at(js_get(result->spec, "mounts"), 0);
        const struct js *options = js_get(mount, "options");
        char text[128] = "";

        for (size_t k = 0; k < js_length(options); k++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", k ? " " : "",
                     js_string(js_at(options, k)));
        ck_assert_uint_eq(result->share_count, 1);
        ck_assert_str_eq(result->shares[0].source, "/srv");
        ck_assert_str_eq(result->shares[0].options, cases[i].shared);
        ck_assert_str_eq(text, cases[i].guests);
        result->shares[0].name = xstrdup("s7");
        share_mount_complete(result);
        ck_assert_str_eq(js_get_string(mount, "source"), "cleave:share:s7");
    }
}
END_TEST

#define IMAGES "/run/containerd/io.containerd.grpc.v1.cri/image-volumes/"

START_TEST(what_cannot_be_a_share_is_refused_by_name)
{
    struct spec_context none = context;
    scoped(js_freep) struct js *spec = with_mount("/srv", "\"rbind\"");
    struct guest_spec *result;
    struct error err;

    assert_refused(with_mount("/srv", "\"rbind\",\"rshared\""), "bidirectional");
    assert_refused(with_mount("/srv", "\"rbind\",\"rslave\",\"rro\""), "would not be read-only");
    assert_refused(with_mount(IMAGES "a/b", "\"rbind\",\"rw\""), "read-only only");
    assert_refused(with_mount("/proc", "\"rbind\""), "'/data': '/proc' of this node");
    none.refuses_shares = true;
    ck_assert_int_lt(spec_rules_apply(spec, &none, &result, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "live_shares = false"));
}
END_TEST

START_TEST(what_is_the_nodes_is_dropped)
{
    scoped(js_freep) struct js *spec = with("process", "apparmorProfile",
                                            "\"cri-containerd.apparmor.d\"");
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);

    ck_assert_ptr_null(js_path(result->spec, "process", "apparmorProfile"));
    ck_assert_ptr_nonnull(strstr(result->dropped, "process.apparmorProfile"));
}
END_TEST

START_TEST(annotations_that_steer_runtimes_are_dropped)
{
    scoped(js_freep) struct js *spec = with(
        "", "annotations", "{\"run.oci.handler\":\"x\",\"io.kubernetes.cri.a\":\"b\"}");
    scoped(guest_spec_freep) struct guest_spec *result = apply(spec);

    ck_assert_uint_eq(js_length(js_get(result->spec, "annotations")), 1);
}
END_TEST

START_TEST(refusals_name_the_field)
{
    assert_refused(with("", "vm", "{\"kernel\":{}}"), "'vm' is refused");
    assert_refused(with("", "colour", "1"), "'colour' has no rule");
    assert_refused(with("process", "user", "{\"uid\":0,\"shoe\":1}"), "'process.user.shoe'");
    assert_refused(with("linux", "uidMappings", "[{\"size\":1}]"), "user namespaces");
    assert_refused(with("linux", "namespaces", "[{\"type\":\"mount\"}]"), "hostNetwork");
    assert_refused(
        with("linux", "namespaces", "[{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"}]"),
        "not one of this pod");
    assert_refused(with("", "mounts",
                        "[{\"destination\":\"/dev/shm\",\"type\":\"bind\",\"source\":\"" SHM
                        "\",\"options\":[\"rshared\"]}]"),
                   "bidirectional");
    assert_refused(
        with("linux", "resources", "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1}]}"),
        "huge pages");
}
END_TEST

START_TEST(every_rule_says_why)
{
    size_t count;
    const struct spec_rule *rules = spec_rules_table(&count);

    ck_assert_uint_gt(count, 80);
    for (size_t i = 0; i < count; i++) {
        bool passes = rules[i].action <= SPEC_LIST;

        ck_assert_msg(passes == !rules[i].reason, "%s", rules[i].path);
        ck_assert_ptr_eq(spec_rules_find(rules[i].path), &rules[i]); /* none stands twice */
    }
}
END_TEST

START_TEST(an_exec_and_an_update_follow_the_same_rules)
{
    static const char process[] = "{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":1,\"gid\":2},"
                                  "\"selinuxLabel\":\"x\"}";
    static const char resources[] = "{\"cpu\":{\"shares\":2,\"cpus\":\"0-3\"}}";
    scoped(js_freep) struct js *in = NULL, *out = NULL;
    struct error err;

    ck_assert(js_parse(process, strlen(process), &in, &err) == 0);
    ck_assert(spec_rules_process(in, &out, &err) == 0);
    ck_assert_ptr_null(js_get(out, "selinuxLabel"));
    ck_assert_int_eq(js_integer(js_path(out, "user", "gid"), 0), 2);
    js_free(take_ptr(in));
    js_free(take_ptr(out));
    ck_assert(js_parse(resources, strlen(resources), &in, &err) == 0);
    ck_assert(spec_rules_resources(in, &out, &err) == 0);
    ck_assert_ptr_null(js_path(out, "cpu", "cpus"));
    ck_assert_int_eq(js_integer(js_path(out, "cpu", "shares"), 0), 2);
}
END_TEST

int main(void)
{
    return suite_run(
        "spec_rules",
        (const TTest *[]){what_containerd_makes_is_accepted, a_name_with_a_dot_is_no_path,
                          namespaces_of_the_pod_get_its_name, a_debug_container_names_its_target,
                          the_pods_files_get_their_names,
                          what_containerd_leaves_out_the_agent_provides, a_mount_of_the_spec_wins,

                          a_hosts_file_of_kubelet_is_copied, the_termination_log_is_remembered,
                          a_read_only_file_at_the_termination_path_is_not_the_log,
                          a_path_of_the_node_is_shared_as_the_mount_says,
                          what_cannot_be_a_share_is_refused_by_name, what_is_the_nodes_is_dropped,
                          annotations_that_steer_runtimes_are_dropped, refusals_name_the_field,
                          every_rule_says_why, an_exec_and_an_update_follow_the_same_rules, NULL});
}
