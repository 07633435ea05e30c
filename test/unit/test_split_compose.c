/* SPDX-License-Identifier: Apache-2.0 */
/* That the whole is what containerd makes of the same pod, test_split.py sees; here is what one
 * field makes of another. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "compose.h"
#include "defaults.h"
#include "document.h"
#include "layout.h"
#include "quantity.h"
#include "volumes.h"

static struct error err;

struct given {
    const char *container; /* flow YAML, behind the name and the image */
    const char *pod;       /* of spec */
    const char *image;     /* the configuration's `config` */
};

/* "spec.process.args": the node, or NULL. */
static const struct js *node_at(const struct js *node, const char *path)
{
    while (*path) {
        size_t length = strcspn(path, ".");
        scoped(freep) char *name = xstrndup(path, length);

        node = js_get(node, name);
        path += length + (path[length] == '.');
    }
    return node;
}

static int compose(const struct given *given, struct js **ret)
{
    scoped(freep) char *text = xformat(
        "metadata: {name: shop, namespace: town, labels: {app: till}}\n"
        "spec: {containers: [{name: one, image: i%s%s}]%s%s}\n",
        given->container ? ", " : "", given->container ? given->container : "",
        given->pod ? ", " : "", given->pod ? given->pod : "");
    scoped(freep) char *config = xformat("{\"config\":%s}",
                                         given->image ? given->image : "{\"Cmd\":[\"sh\"]}");
    scoped(js_freep) struct js *pod = NULL, *volumes = NULL;
    scoped(image_process_clear) struct image_process process = {0};
    struct layout_image image = {.config_digest = "sha256:c"};

    ck_assert_msg(document_parse(text, strlen(text), &pod, &err) == 0, "%s: %s", text, err.message);
    ck_assert_msg(image_process_parse(config, strlen(config), &process, &err) == 0, "%s",
                  err.message);
    image.process = process;
    defaults_apply(pod);
    if (volumes_describe(js_path(pod, "spec", "volumes"), &volumes, &err) < 0)
        return -1;
    return compose_slot(&(struct compose){.pod = pod,
                                          .container = js_at(js_path(pod, "spec", "containers"), 0),
                                          .kind = "app",
                                          .image = &image,
                                          .volumes = volumes},
                        ret, &err);
}

static void expect(const struct given *given, const char *path, const char *wanted)
{
    scoped(js_freep) struct js *slot = NULL;
    scoped(freep) char *got = NULL;

    ck_assert_msg(compose(given, &slot) == 0, "%s: %s", given->container, err.message);
    got = node_at(slot, path) ? js_print_canonical(node_at(slot, path)) : xstrdup("");
    ck_assert_msg(text_equal(got, wanted), "%s %s %s: %s is %s, not %s", given->container,
                  given->pod, given->image, path, got, wanted);
}

static void expect_error(const struct given *given, const char *part)
{
    scoped(js_freep) struct js *slot = NULL;

    ck_assert_msg(compose(given, &slot) < 0, "%s %s", given->container, given->pod);
    ck_assert_msg(strstr(err.message, part) != NULL, "%s: %s", given->container, err.message);
}

struct row {
    struct given given;
    const char *wanted;
};

static void expect_rows(const char *path, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(&rows[i].given, path, rows[i].wanted);
}

#define IMAGE "{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"]}"

START_TEST(command_and_args_replace_the_images)
{
    static const struct row rows[] = {
        {{.image = IMAGE}, "[\"/e\",\"c\"]"},
        {{.image = IMAGE, .container = "args: [a]"}, "[\"/e\",\"a\"]"},
        {{.image = IMAGE, .container = "command: [x]"}, "[\"x\"]"},
        {{.image = IMAGE, .container = "command: [x], args: [a, b]"}, "[\"x\",\"a\",\"b\"]"},
        {{.image = IMAGE, .container = "command: [], args: []"}, "[\"/e\",\"c\"]"},
        {{.image = "{\"Entrypoint\":[\"\"],\"Cmd\":[\"c\"]}"}, "[\"c\"]"},
        {{.container = "env: [{name: A, value: x}], args: [\"$(A)-$$(A)-$(B)-$A\"]"},
         "[\"x-$(A)-$(B)-$A\"]"},
    };

    expect_rows("spec.process.args", rows, ARRAY_LENGTH(rows));
    expect_error(&(struct given){.image = "{}"}, "what to run");
    expect_error(&(struct given){.container = "command: [1]"}, "write it in quotes");
}
END_TEST

#define PATH "\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\""

START_TEST(variables_stand_in_order_and_the_last_counts)
{
    static const struct row rows[] = {
        {{0}, "[" PATH ",\"HOSTNAME=shop\"]"},
        {{.pod = "hostname: till", .container = "tty: true"},
         "[" PATH ",\"TERM=xterm\",\"HOSTNAME=till\"]"},
        {{.image = "{\"Cmd\":[\"sh\"],\"Env\":[\"PATH=/i\",\"A=1\",\"HOSTNAME\"]}",
          .container =
              "env: [{name: B, value: $(A)}, {name: A, value: '2'}, {name: C, value: $(A)}]"},
         "[\"PATH=/i\",\"B=$(A)\",\"A=2\",\"C=2\"]"},
        {{.container =
              "env: [{name: M, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, "
              "{name: S, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}, "
              "{name: L, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}]"},
         "[" PATH ",\"HOSTNAME=shop\",\"M=shop\",\"S=town\",\"L=till\"]"},
    };

    expect_rows("spec.process.env", rows, ARRAY_LENGTH(rows));
}
END_TEST

#define SECRET "valueFrom: {secretKeyRef: {name: s, key: k}}"

START_TEST(a_value_that_nobody_knows_yet_is_a_hole)
{
    static const struct row rows[] = {
        {{.container = "env: [{name: A, " SECRET "}, {name: B, value: x}]"}, "[\"A\"]"},
        {{.container = "env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]"},
         "[\"A\"]"},
        {{.container = "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]"},
         "[\"A\"]"},
        {{.container = "env: [{name: A, " SECRET "}, {name: A, value: x}]"}, "[]"},
        {{.pod = "enableServiceLinks: false"},
         "[\"KUBERNETES_PORT\",\"KUBERNETES_PORT_443_TCP\",\"KUBERNETES_PORT_443_TCP_ADDR\","
         "\"KUBERNETES_PORT_443_TCP_PORT\",\"KUBERNETES_PORT_443_TCP_PROTO\","
         "\"KUBERNETES_SERVICE_HOST\",\"KUBERNETES_SERVICE_PORT\","
         "\"KUBERNETES_SERVICE_PORT_HTTPS\"]"},
    };

    expect_rows("environment", rows, ARRAY_LENGTH(rows));
    /* Where none comes, the image's stays. */
    expect(&(struct given){.image = "{\"Cmd\":[\"sh\"],\"Env\":[\"A=1\",\"B=2\"]}",
                           .container = "env: [{name: A, " SECRET "}]"},
           "spec.process.env", "[" PATH ",\"HOSTNAME=shop\",\"A=1\",\"B=2\"]");
    expect_error(&(struct given){.container = "env: [{name: A, " SECRET "}], args: [$(A)]"},
                 "only the tenant's node will know");
    expect_error(&(struct given){.container = "args: [$(SHOP_SERVICE_HOST)]"}, "of a service");
    expect_error(&(struct given){.container = "envFrom: [{configMapRef: {name: c}}]"},
                 "name each one in env");
    expect_error(&(struct given){.container = "env: [{name: A, value: 1}]"}, "quotes");
    expect_error(&(struct given){.container = "env: [{name: A, valueFrom: {other: {}}}]"},
                 "valueFrom");
}
END_TEST

START_TEST(a_user_is_numbers)
{
    static const struct row rows[] = {
        {{0}, "{\"additionalGids\":[0],\"gid\":0,\"uid\":0}"},
        {{.container = "securityContext: {runAsUser: 7, runAsGroup: 8}"},
         "{\"additionalGids\":[8],\"gid\":8,\"uid\":7}"},
        {{.pod = "securityContext: {runAsUser: 7, runAsGroup: 8, fsGroup: 3, "
                 "supplementalGroups: [9, 3, 1]}"},
         "{\"additionalGids\":[1,3,8,9],\"gid\":8,\"uid\":7}"},
        {{.pod = "securityContext: {runAsUser: 7, runAsGroup: 8}",
          .container = "securityContext: {runAsUser: 0, runAsGroup: 0}"},
         "{\"additionalGids\":[0],\"gid\":0,\"uid\":0}"},
        {{.image = "{\"Cmd\":[\"sh\"],\"User\":\"5:6\"}"},
         "{\"additionalGids\":[0],\"gid\":0,\"uid\":5}"},
        {{.container = "securityContext: {runAsUser: 7}"},
         "{\"additionalGids\":[0],\"gid\":0,\"uid\":7}"},
        {{.image = "{\"Cmd\":[\"sh\"],\"User\":\"5:6\"}",
          .container = "securityContext: {runAsGroup: 8}"},
         "{\"additionalGids\":[8],\"gid\":8,\"uid\":5}"},
        {{.image = "{\"Cmd\":[\"sh\"],\"User\":\"nobody\"}",
          .container = "securityContext: {runAsUser: 5, runAsGroup: 8}"},
         "{\"additionalGids\":[8],\"gid\":8,\"uid\":5}"},
    };

    expect_rows("spec.process.user", rows, ARRAY_LENGTH(rows));
    expect_error(&(struct given){.image = "{\"Cmd\":[\"sh\"],\"User\":\"nobody:5\"}"},
                 "has no user 'nobody'");
    expect_error(&(struct given){.pod = "securityContext: {runAsNonRoot: true}"}, "root");
    expect_error(&(struct given){.container = "securityContext: {runAsUser: -1}"}, "no number");
    expect_error(&(struct given){.container = "securityContext: {runAsUser: '1'}"}, "no number");
}
END_TEST

#define CAPABILITIES(list) "securityContext: {capabilities: {" list "}}"

START_TEST(capabilities_are_the_default_with_changes)
{
    static const struct row rows[] = {
        {{.container = CAPABILITIES("drop: [ALL]")}, "[]"},
        {{.container = CAPABILITIES("drop: [ALL], add: [NET_BIND_SERVICE, kill]")},
         "[\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]"},
        {{.container = CAPABILITIES("drop: [CHOWN, DAC_OVERRIDE, FSETID, FOWNER, MKNOD, NET_RAW, "
                                    "SETGID, SETUID, SETFCAP, SETPCAP]")},
         "[\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\",\"CAP_SYS_CHROOT\",\"CAP_AUDIT_WRITE\"]"},
    };

    expect_rows("spec.process.capabilities.bounding", rows, ARRAY_LENGTH(rows));
    expect_rows("spec.process.capabilities.effective", rows, ARRAY_LENGTH(rows));
    expect_error(&(struct given){.container = CAPABILITIES("add: [CAP_KILL]")}, "without CAP_");
    expect_error(&(struct given){.container = CAPABILITIES("add: [FLY]")}, "'FLY'");
}
END_TEST

START_TEST(security_is_what_the_pod_says)
{
    expect(&(struct given){0}, "spec.process.noNewPrivileges", "");
    expect(&(struct given){.container = "securityContext: {allowPrivilegeEscalation: false}"},
           "spec.process.noNewPrivileges", "true");
    expect(&(struct given){.container = "securityContext: {readOnlyRootFilesystem: true}"},
           "spec.root", "{\"path\":\"rootfs\",\"readonly\":true}");
    expect(&(struct given){.container = "securityContext: {procMount: Unmasked}"},
           "spec.linux.maskedPaths", "[]");
    expect(&(struct given){0}, "spec.linux.readonlyPaths",
           "[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]");
    expect(&(struct given){.pod = "securityContext: {seccompProfile: {type: Unconfined}}"},
           "spec.linux.seccomp", "");
    expect_error(
        &(struct given){.pod = "securityContext: {seccompProfile: {type: RuntimeDefault}}"},
        "--seccomp FILE");
    expect_error(&(struct given){.container = "securityContext: {privileged: true}"}, "privileged");
    expect_error(&(struct given){.container = "securityContext: {privileged: 'no'}"},
                 "not true or false");
}
END_TEST

#define OF(list) "resources: {" list "}"

START_TEST(resources_are_kubelets_numbers)
{
    static const struct row cpu[] = {
        {{0}, "{\"period\":100000,\"shares\":2}"},
        {{.container = OF("requests: {cpu: 500m}")}, "{\"period\":100000,\"shares\":512}"},
        {{.container = OF("limits: {cpu: 0.5}")},
         "{\"period\":100000,\"quota\":50000,\"shares\":512}"},
        {{.container = OF("limits: {cpu: 1m}")}, "{\"period\":100000,\"quota\":1000,\"shares\":2}"},
        {{.container = OF("limits: {cpu: 2}, requests: {cpu: 1}")},
         "{\"period\":100000,\"quota\":200000,\"shares\":1024}"},
    };
    static const struct row score[] = {
        {{0}, "1000"},
        {{.container = OF("limits: {cpu: 1, memory: 1Gi}")}, "-997"},
        {{.container = OF("limits: {memory: 1Gi}")}, "3"},
        {{.container = OF("requests: {cpu: 1}")}, "999"},
    };

    expect_rows("spec.linux.resources.cpu", cpu, ARRAY_LENGTH(cpu));
    expect_rows("spec.process.oomScoreAdj", score, ARRAY_LENGTH(score));
    expect(&(struct given){.container = OF("limits: {memory: 64Mi}")},
           "spec.linux.resources.memory", "{\"limit\":67108864}");
    expect_error(&(struct given){.container = OF("limits: {memory: lots}")}, "no quantity");
    expect_error(&(struct given){.container = OF("limits: {hugepages-2Mi: 2Mi}")}, "huge pages");
}
END_TEST

START_TEST(quantities_are_read_as_kubernetes_reads_them)
{
    static const struct {
        const char *text;
        int64_t ones, millis;
    } cases[] = {
        {"0", 0, 0},
        {"1", 1, 1000},
        {"500m", 1, 500},
        {"1500m", 2, 1500},
        {"1.5Gi", 1610612736, 1610612736000},
        {"1e3", 1000, 1000000},
        {"2E3", 2000, 2000000},
        {"1n", 1, 1},
        {"100u", 1, 1},
        {"1k", 1000, 1000000},
        {".5", 1, 500},
        {"1Ki", 1024, 1024000},
        {"0.1Mi", 104858, 104857600},
    };
    static const char *const wrong[] = {"",   "x",      "1x",   "1 Gi",  "-1",  "1ki",
                                        "Gi", "9999Ei", "1e99", "1.2.3", "0x10"};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scoped(js_freep) struct js *value = js_new_string(cases[i].text);
        int64_t got = -1;

        ck_assert_msg(quantity_read(value, QUANTITY_ONES, &got, &err) == 0, "%s", cases[i].text);
        ck_assert_msg(got == cases[i].ones, "%s: %ld", cases[i].text, got);
        ck_assert_int_eq(quantity_read(value, QUANTITY_MILLIS, &got, &err), 0);
        ck_assert_msg(got == cases[i].millis, "%s: %ld", cases[i].text, got);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(js_freep) struct js *value = js_new_string(wrong[i]);
        int64_t got = -1;

        ck_assert_msg(quantity_read(value, QUANTITY_ONES, &got, &err) < 0, "%s", wrong[i]);
        ck_assert_int_eq(got, -1);
    }
}
END_TEST

#define VOLUMES                                                                                    \
    "volumes: [{name: e, emptyDir: {}}, {name: c, configMap: {name: x}}, {name: i, image: {}}, "   \
    "{name: p, persistentVolumeClaim: {claimName: q, readOnly: true}}, {name: h, hostPath: {}}]"

START_TEST(volumes_are_mounted_where_the_pod_says)
{
    expect(&(struct given){.pod = VOLUMES,
                           .container = "volumeMounts: [{name: e, mountPath: /e, subPath: a/b}, "
                                        "{name: c, mountPath: /c}, "
                                        "{name: e, mountPath: /r, readOnly: true}]"},
           "mounts",
           "[{\"destination\":\"/e\",\"path\":\"a/b\",\"read_only\":false,\"volume\":\"e\"},"
           "{\"destination\":\"/c\",\"path\":\"\",\"read_only\":true,\"volume\":\"c\"},"
           "{\"destination\":\"/r\",\"path\":\"\",\"read_only\":true,\"volume\":\"e\"}]");
    expect(&(struct given){.pod = VOLUMES,
                           .container = "volumeMounts: [{name: i, mountPath: /i}, "
                                        "{name: p, mountPath: /p}, {name: h, mountPath: /h}]"},
           "mounts",
           "[{\"destination\":\"/i\",\"path\":\"\",\"read_only\":true,\"volume\":\"i\"},"
           "{\"destination\":\"/p\",\"path\":\"\",\"read_only\":true,\"volume\":\"p\"},"
           "{\"destination\":\"/h\",\"path\":\"\",\"read_only\":false,\"volume\":\"h\"}]");
    expect_error(&(struct given){.container = "volumeMounts: [{name: e, mountPath: /e}]"},
                 "there is no volume 'e'");
    expect_error(
        &(struct given){.pod = VOLUMES, .container = "volumeMounts: [{name: e, mountPath: /e/}]"},
        "no plain absolute path");
    expect_error(
        &(struct given){.pod = VOLUMES,
                        .container = "volumeMounts: [{name: e, mountPath: /e, subPath: ../x}]"},
        "no plain relative path");
    expect_error(&(struct given){.pod = VOLUMES,
                                 .container = "volumeMounts: [{name: e, mountPath: /e, "
                                              "subPathExpr: $(A)}]"},
                 "subPathExpr");
    expect_error(&(struct given){.pod = VOLUMES,
                                 .container = "volumeMounts: [{name: e, mountPath: /e}, "
                                              "{name: c, mountPath: /e}]"},
                 "two mounts");
    expect_error(&(struct given){.pod = VOLUMES,
                                 .container = "volumeMounts: [{name: e, mountPath: /e, "
                                              "mountPropagation: Bidirectional}]"},
                 "Bidirectional");
    expect_error(&(struct given){.container = "volumeDevices: [{name: e, devicePath: /dev/x}]"},
                 "volumeDevices");
}
END_TEST

static bool has_mount(const struct given *given, const char *destination, const char *source)
{
    scoped(js_freep) struct js *slot = NULL;
    const struct js *mounts;

    ck_assert_msg(compose(given, &slot) == 0, "%s", err.message);
    mounts = node_at(slot, "spec.mounts");
    for (size_t i = 0; i < js_length(mounts); i++) {
        const struct js *mount = js_at(mounts, i);

        if (text_equal(js_get_string(mount, "destination"), destination))
            return text_equal(js_get_string(mount, "source"), source);
    }
    return source == NULL;
}

START_TEST(a_volume_takes_the_place_of_what_each_container_has)
{
    struct given shm = {.pod = VOLUMES,
                        .container = "volumeMounts: [{name: e, mountPath: /dev/shm}]"};
    struct given hosts = {
        .pod = VOLUMES,
        .container = "volumeMounts: [{name: c, mountPath: /etc/hosts, subPath: h}]"};
    struct given declared = {
        .pod = VOLUMES,
        .image = "{\"Cmd\":[\"sh\"],\"Volumes\":{\"/v\":{},\"w/\":{},\"/e\":{}}}",
        .container = "volumeMounts: [{name: e, mountPath: /e}]"};

    ck_assert(has_mount(&(struct given){0}, "/dev/shm", "cleave:shm"));
    ck_assert(has_mount(&(struct given){0}, "/etc/hosts", "cleave:file:hosts"));
    ck_assert(has_mount(&(struct given){0}, "/dev/termination-log", "cleave:termination-log"));
    ck_assert(has_mount(&shm, "/dev/shm", NULL));
    ck_assert(has_mount(&hosts, "/etc/hosts", "cleave:file:hosts"));
    expect(&hosts, "mounts", "[]");
    ck_assert(has_mount(&declared, "/v", "cleave:image"));
    ck_assert(has_mount(&declared, "/w", "cleave:image"));
    ck_assert(has_mount(&declared, "/e", NULL));
}
END_TEST

START_TEST(execs_are_those_of_probes_and_hooks)
{
    expect(&(struct given){.container = "env: [{name: A, value: $(B)}], "
                                        "livenessProbe: {exec: {command: [live, $(A), $(C)]}}, "
                                        "readinessProbe: {exec: {command: [live, $(A), $(C)]}}, "
                                        "startupProbe: {httpGet: {port: 80}}, "
                                        "lifecycle: {preStop: {exec: {command: [stop, $(A)]}}, "
                                        "postStart: {sleep: {seconds: 1}}}"},
           "exec", "[[\"live\",\"$(B)\",\"$(C)\"],[\"stop\",\"$(A)\"]]");
    expect_error(&(struct given){.container = "livenessProbe: {exec: {command: []}}"}, "nothing");
}
END_TEST

static void expect_volumes(const char *pod, const char *wanted)
{
    scoped(js_freep) struct js *root = NULL, *volumes = NULL;
    scoped(freep) char *text = xformat("volumes: %s", pod), *got = NULL;

    ck_assert_int_eq(document_parse(text, strlen(text), &root, &err), 0);
    if (volumes_describe(js_get(root, "volumes"), &volumes, &err) < 0)
        got = xstrdup(err.message);
    else
        got = js_print_canonical(volumes);
    ck_assert_msg(strstr(got, wanted) != NULL, "%s", got);
}

START_TEST(a_name_is_cut_as_kubelet_cuts_it)
{
    static const struct row rows[] = {
        {{.pod = "hostname: "
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-.bcd"},
         "[" PATH ",\"HOSTNAME=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]"},
    };

    expect_rows("spec.process.env", rows, ARRAY_LENGTH(rows));
    expect(&(struct given){.container = "workingDir: /w"}, "spec.process.cwd", "\"/w\"");
    expect_error(&(struct given){.container = "workingDir: w"}, "no absolute path");
}
END_TEST

START_TEST(volumes_are_of_three_kinds)
{
    expect_volumes("[{name: a}, {name: b, emptyDir: {medium: Memory, sizeLimit: 1Mi}}]",
                   "{\"a\":{\"kind\":\"empty\",\"memory\":false,\"size\":0},"
                   "\"b\":{\"kind\":\"empty\",\"memory\":true,\"size\":1048576}}");
    expect_volumes("[{name: a, secret: {secretName: s}}, {name: b, projected: {sources: []}}]",
                   "{\"a\":{\"kind\":\"copied\"},\"b\":{\"kind\":\"copied\"}}");
    expect_volumes("[{name: a, hostPath: {path: /x}}, {name: b, persistentVolumeClaim: {}}]",
                   "{\"a\":{\"kind\":\"share\"},\"b\":{\"kind\":\"share\"}}");
    expect_volumes("[{name: a, emptyDir: {medium: HugePages}}]", "medium");
    expect_volumes("[{name: a, emptyDir: {}, secret: {}}]", "two sources");
    expect_volumes("[{name: a}, {name: a}]", "twice");
    expect_volumes("[{name: a, gitRepo: {}}]", "no kind of volume");
}
END_TEST

int main(void)
{
    return suite_run(
        "split_compose",
        (const TTest *[]){
            command_and_args_replace_the_images, variables_stand_in_order_and_the_last_counts,
            a_value_that_nobody_knows_yet_is_a_hole, a_user_is_numbers,
            capabilities_are_the_default_with_changes, security_is_what_the_pod_says,
            resources_are_kubelets_numbers, quantities_are_read_as_kubernetes_reads_them,
            volumes_are_mounted_where_the_pod_says,
            a_volume_takes_the_place_of_what_each_container_has,
            execs_are_those_of_probes_and_hooks, a_name_is_cut_as_kubelet_cuts_it,
            volumes_are_of_three_kinds, NULL});
}
