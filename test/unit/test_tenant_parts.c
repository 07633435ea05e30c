/* SPDX-License-Identifier: Apache-2.0 */
/* The small parts of the tenant shim: configuration, pause's spec, the provisioner's answer, ids,
 * figures. */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "cgroup1.pb-c.h"
#include "cgroup2.pb-c.h"
#include "codec_pod_config.h"
#include "codec_stats.h"
#include "cri.pb-c.h"
#include "pids.h"
#include "pod_config.h"
#include "provision.h"
#include "sealed/manifest.h"
#include "pod_manifest_fixture.h"
#include "shim/tenant_conf.h"
#include "suite.h"

static struct js *pause_spec(void)
{
    scoped(freep) char *text = NULL;
    struct js *spec = NULL;
    struct error err;
    size_t length;

    ck_assert(
        file_read("test/unit/golden/containerd-2.1-pause.json", 65536, &text, &length, &err) == 0);
    ck_assert(js_parse(text, length, &spec, &err) == 0);
    return spec;
}

START_TEST(the_example_configuration_is_the_default)
{
    struct tenant_conf example, initial;
    scoped(freep) char *text = NULL;
    struct error err;
    size_t length;

    ck_assert(file_read("deploy/tenant.conf", 65536, &text, &length, &err) == 0);
    if (tenant_conf_parse(text, &example, &err) < 0)
        ck_abort_msg("%s", err.message);
    ck_assert(tenant_conf_parse("", &initial, &err) == 0);
    ck_assert_str_eq(example.provisioner, initial.provisioner);
    ck_assert_str_eq(example.evidence, initial.evidence);
    ck_assert_str_eq(example.reference_values, initial.reference_values);
    ck_assert_str_eq(example.reference_keys, initial.reference_keys);
    ck_assert_str_eq(example.endorsements, initial.endorsements);
    ck_assert_str_eq(example.vendor_roots, "");
    ck_assert_str_eq(initial.vendor_roots, "");
    ck_assert_ptr_null(initial.allow_insecure ? initial.allow_insecure[0] : NULL);
    ck_assert_int_eq(example.lost_timeout, initial.lost_timeout);
    ck_assert_int_eq(example.transport_ports, initial.transport_ports);
    ck_assert_int_eq(example.lease_ttl, initial.lease_ttl);
    ck_assert_int_eq(example.lease_power_off, initial.lease_power_off);
    ck_assert_uint_eq(example.default_memory, initial.default_memory);
    ck_assert(example.pad_blobs == initial.pad_blobs);
    ck_assert(!initial.guest_root && !example.guest_root);
    tenant_conf_fini(&example);
    tenant_conf_fini(&initial);
}
END_TEST

#define DIALLED(address) "[transport]\nname = \"dial-out\"\naddress = \"" address "\"\n"

START_TEST(guests_dial_one_of_some_ports)
{
    struct tenant_conf conf;
    struct error err;

    ck_assert(tenant_conf_parse(DIALLED("2001:db8::1"), &conf, &err) == 0);
    ck_assert(tenant_conf_is_dialled(&conf));
    ck_assert_int_eq(conf.transport_port, 0);
    tenant_conf_fini(&conf);
    ck_assert(tenant_conf_parse(DIALLED("10.0.0.1") "port = 65500\nports = 36\n", &conf, &err) ==
              0);
    ck_assert_int_eq(conf.transport_ports, 36);
    tenant_conf_fini(&conf);
    ck_assert(tenant_conf_parse("[transport]\nname = \"relay\"\n", &conf, &err) == 0);
    ck_assert(!tenant_conf_is_dialled(&conf));
    tenant_conf_fini(&conf);
}
END_TEST

START_TEST(wrong_configurations_are_refused)
{
    static const char *const wrong[] = {"colour = 1",
                                        "create_timeout = 211",
                                        "network = \"node\"",
                                        "provisioner = \"\"",
                                        "pad_blobs = \"yes\"",
                                        "reference_values = \"values.json\"",
                                        "reference_values = \"\"",
                                        "reference_keys = \"\"",
                                        "endorsements = \"endorsements\"",
                                        "vendor_roots = \"roots.pem\"",
                                        "dial_timeout = 11",
                                        "lease_ttl = 3",
                                        "lost_timeout = 660",
                                        "lease_ttl = 4\nlease_power_off = 6\nlost_timeout = 10",
                                        "[transport]\nname = \"pigeon\"",
                                        "[transport]\nname = \"dial-out\"",
                                        DIALLED("127.0.0.1"),
                                        DIALLED("tenant.example"),
                                        DIALLED("0.0.0.0"),
                                        DIALLED("10.0.0.1") "port = 65500\n",
                                        DIALLED("10.0.0.1") "ports = 0\n",
                                        "default_memory = \"1MiB\""};
    struct tenant_conf conf;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        ck_assert_msg(tenant_conf_parse(wrong[i], &conf, &err) < 0, "%s", wrong[i]);
}
END_TEST

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(peers_are_a_role_and_a_digest)
{
    struct tenant_conf_peer peer;
    struct tenant_conf conf;
    struct error err;

    ck_assert(tenant_conf_parse("peers = [\"observe:" HEX_A "\"]", &conf, &err) == 0);
    ck_assert_str_eq(conf.peers[0], "observe:" HEX_A);
    ck_assert_ptr_null(conf.peers[1]);
    ck_assert(tenant_conf_peer(conf.peers[0], &peer, &err) == 0);
    ck_assert_str_eq(peer.role, "observe");
    ck_assert_uint_eq(peer.spki[0], 0xaa);
    ck_assert_uint_eq(peer.spki[31], 0xaa);
    tenant_conf_fini(&conf);
}
END_TEST

START_TEST(a_wrong_peer_is_named)
{
    static const struct {
        const char *list, *why;
    } wrong[] = {
        {"\"admin:" HEX_A "\"", "'admin:" HEX_A "' begins with none of"},
        {"\"" HEX_A "\"", "'" HEX_A "' begins with none of"},
        {"\":" HEX_A "\"", "begins with none of"},
        {"\"controller:" HEX_A "\"", "begins with none of"},
        {"\"audit:aabb\"", "'audit:aabb'"},
        {"\"audit:" HEX_A "00\"", "'audit:" HEX_A "00'"},
        {"\"audit:\"", "'audit:'"},
        {"\"audit:" HEX_A "\", \"control:" HEX_A "\"", "'control:" HEX_A "' twice"},
    };
    struct tenant_conf conf;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(freep) char *text = xformat("peers = [%s]", wrong[i].list);

        ck_assert_msg(tenant_conf_parse(text, &conf, &err) < 0, "%s", text);
        ck_assert_msg(strstr(err.message, "tenant.conf: peers"), "%s", err.message);
        ck_assert_msg(strstr(err.message, wrong[i].why), "%s", err.message);
    }
}
END_TEST

START_TEST(a_ninth_peer_is_refused)
{
    scoped(freep) char *text = xformat("peers = [\"audit:%064d\"", 1);
    struct tenant_conf conf;
    struct error err;

    for (int i = 2; i <= TENANT_CONF_PEERS_MAX + 1; i++) {
        scoped(freep) char *shorter = text;
        text = xformat("%s, \"audit:%064d\"", shorter, i);
        scoped(freep) char *whole = xformat("%s]", text);
        if (i > TENANT_CONF_PEERS_MAX) {
            ck_assert(tenant_conf_parse(whole, &conf, &err) < 0);
            ck_assert_ptr_nonnull(strstr(err.message, "more than 8"));
            return;
        }
        ck_assert_msg(tenant_conf_parse(whole, &conf, &err) == 0, "%s", err.message);
        tenant_conf_fini(&conf);
    }
}
END_TEST

START_TEST(a_pod_is_read_from_pause)
{
    scoped(js_freep) struct js *spec = pause_spec();
    scoped(pod_config_freep) struct pod_config *config = NULL;
    struct js *annotations = js_get(spec, "annotations");
    struct tenant_conf conf;
    struct error err;

    ck_assert(tenant_conf_parse("", &conf, &err) == 0);
    js_set_string(annotations, "io.kubernetes.cri.sandbox-cpu-quota", "250000");
    js_set_string(annotations, "io.kubernetes.cri.sandbox-cpu-period", "100000");
    js_set_string(annotations, "io.kubernetes.cri.sandbox-memory", "1048576");
    ck_assert(pod_config_from_spec(spec, &conf, &config, &err) == 0);
    ck_assert_str_eq(config->hostname, "golden");
    ck_assert_str_eq(config->name, "golden");
    ck_assert_str_eq(config->pod_namespace, "test");
    ck_assert_uint_eq(config->vcpus, 3);
    ck_assert_uint_eq(config->memory, conf.default_memory + 1048576);
    ck_assert_ptr_nonnull(strstr(config->sandbox_dir, "/sandboxes/"));
    ck_assert_ptr_nonnull(strstr(config->shm_source, "/shm"));
    tenant_conf_fini(&conf);
}
END_TEST

START_TEST(host_network_and_what_is_no_manifest_are_refused_by_name)
{
    scoped(js_freep) struct js *spec = pause_spec();
    struct pod_config *config = NULL;
    struct tenant_conf conf;
    struct error err;

    ck_assert(tenant_conf_parse("", &conf, &err) == 0);
    js_set_string(js_get(spec, "annotations"), "cleave.dev/manifest", "x");
    ck_assert(pod_config_from_spec(spec, &conf, &config, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "cleave.dev/manifest"));
    js_set(js_get(spec, "linux"), "namespaces", js_new_array());
    ck_assert(pod_config_from_spec(spec, &conf, &config, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "hostNetwork"));
    tenant_conf_fini(&conf);
}
END_TEST

static int decode_with(const char *text, const Cri__PodSandboxConfig *pod, struct pod_config **ret,
                       struct error *err)
{
    scoped(freep) uint8_t *data = xalloc(cri__pod_sandbox_config__get_packed_size(pod) + 1);
    ProtobufCBinaryData message = {cri__pod_sandbox_config__pack(pod, data), data};
    struct tenant_conf conf;
    int r;

    ck_assert(tenant_conf_parse(text, &conf, err) == 0);
    r = codec_pod_config(&message, &conf, ret, err);
    tenant_conf_fini(&conf);
    return r;
}

static int decode(const Cri__PodSandboxConfig *pod, struct pod_config **ret, struct error *err)
{
    return decode_with("default_memory = \"256MiB\"", pod, ret, err);
}

START_TEST(a_node_may_have_sealed_pods_only)
{
    scoped(js_freep) struct js *spec = pause_spec();
    scoped(pod_config_freep) struct pod_config *open = NULL, *sealed = NULL, *sandboxed = NULL;
    scoped(freep) char *annotation = sealed_annotation("", "false");
    Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
    struct tenant_conf conf;
    struct error err;

    ck_assert(tenant_conf_parse("open_pods = false", &conf, &err) == 0);
    ck_assert(pod_config_from_spec(spec, &conf, &open, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "no annotation cleave.dev/manifest"));
    js_set_string(js_get(spec, "annotations"), "cleave.dev/manifest", annotation);
    ck_assert_msg(pod_config_from_spec(spec, &conf, &sealed, &err) == 0, "%s", err.message);
    tenant_conf_fini(&conf);
    ck_assert(decode_with("open_pods = false", &pod, &sandboxed, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "open_pods = false"));
}
END_TEST

START_TEST(a_pod_with_a_manifest_is_sealed_in_both_modes)
{
    scoped(js_freep) struct js *spec = pause_spec();
    scoped(pod_config_freep) struct pod_config *paused = NULL, *sandboxed = NULL, *open = NULL;
    scoped(freep) char *annotation = sealed_annotation("", "false");
    Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__PodSandboxMetadata metadata = CRI__POD_SANDBOX_METADATA__INIT;
    Cri__MapEntry entry = CRI__MAP_ENTRY__INIT, *entries[] = {&entry};
    struct tenant_conf conf;
    struct error err;

    ck_assert(tenant_conf_parse("open_pods = true", &conf, &err) == 0);
    ck_assert(pod_config_from_spec(spec, &conf, &open, &err) == 0);
    ck_assert_ptr_null(open->manifest);
    js_set_string(js_get(spec, "annotations"), "cleave.dev/manifest", annotation);
    ck_assert_msg(pod_config_from_spec(spec, &conf, &paused, &err) == 0, "%s", err.message);
    tenant_conf_fini(&conf);
    ck_assert_uint_eq(paused->manifest->slot_count, 1);
    pod.hostname = metadata.name = (char *) "golden";
    metadata.namespace_ = (char *) "test";
    entry.key = (char *) "cleave.dev/manifest";
    entry.value = annotation;
    pod.metadata = &metadata;
    pod.annotations = entries;
    pod.n_annotations = 1;
    ck_assert_msg(decode(&pod, &sandboxed, &err) == 0, "%s", err.message);
    ck_assert_mem_eq(sandboxed->manifest->digest, paused->manifest->digest, MANIFEST_DIGEST_SIZE);
    pod.hostname = (char *) "another";
    ck_assert(decode(&pod, &open, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "its hostname is 'golden'"));
}
END_TEST

static int decode_guest_root(const char *text, const char *wish, struct pod_config **ret,
                             struct error *err)
{
    Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__MapEntry entry = CRI__MAP_ENTRY__INIT, *entries[] = {&entry};

    entry.key = (char *) "cleave.dev/guest-root";
    entry.value = (char *) (uintptr_t) wish;
    pod.annotations = entries;
    pod.n_annotations = wish ? 1 : 0;
    return decode_with(text, &pod, ret, err);
}

START_TEST(a_pod_narrows_guest_root_and_never_widens_it)
{
    static const struct {
        const char *conf, *wish;
        int granted; /* -1: refused */
    } cases[] = {
        {"", NULL, 0},
        {"guest_root = true", NULL, 1},
        {"guest_root = true", "false", 0},
        {"guest_root = false", "false", 0},
        {"guest_root = false", "true", -1},
        {"guest_root = true", "true", -1},
        {"guest_root = true", "", -1},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scoped(js_freep) struct js *spec = pause_spec();
        scoped(pod_config_freep) struct pod_config *config = NULL, *other = NULL;
        struct tenant_conf conf;
        struct error err;
        int r;

        ck_assert(tenant_conf_parse(cases[i].conf, &conf, &err) == 0);
        if (cases[i].wish)
            js_set_string(js_get(spec, "annotations"), "cleave.dev/guest-root", cases[i].wish);
        r = pod_config_from_spec(spec, &conf, &config, &err);
        tenant_conf_fini(&conf);
        ck_assert_msg((r < 0) == (cases[i].granted < 0), "case %zu", i);
        ck_assert_msg(r == decode_guest_root(cases[i].conf, cases[i].wish, &other, &err),
                      "case %zu", i);
        ck_assert(r < 0 || other->guest_root == config->guest_root);
        if (r < 0)
            ck_assert_ptr_nonnull(strstr(err.message, "cleave.dev/guest-root"));
        else
            ck_assert_msg(config->guest_root == (cases[i].granted == 1), "case %zu", i);
    }
}
END_TEST

START_TEST(a_pod_is_read_from_the_sandbox_api)
{
    Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__PodSandboxMetadata name = CRI__POD_SANDBOX_METADATA__INIT;
    Cri__LinuxPodSandboxConfig on_linux = CRI__LINUX_POD_SANDBOX_CONFIG__INIT;
    Cri__LinuxContainerResources resources = CRI__LINUX_CONTAINER_RESOURCES__INIT;
    Cri__DNSConfig dns = CRI__DNSCONFIG__INIT;
    Cri__MapEntry sysctl = CRI__MAP_ENTRY__INIT, *sysctls[] = {&sysctl};
    char *servers[] = {(char *) "192.0.2.1", (char *) "192.0.2.2"}, *searches[] = {(char *) "x.y"};
    scoped(pod_config_freep) struct pod_config *config = NULL;
    struct error err;

    name.name = (char *) "web";
    name.namespace_ = (char *) "test";
    name.uid = (char *) "1";
    pod.metadata = &name;
    pod.hostname = (char *) "web-0";
    dns.servers = servers;
    dns.n_servers = 2;
    dns.searches = searches;
    dns.n_searches = 1;
    pod.dns_config = &dns;
    sysctl.key = (char *) "net.a";
    sysctl.value = (char *) "1";
    on_linux.sysctls = sysctls;
    on_linux.n_sysctls = 1;
    resources.cpu_quota = 100001;
    resources.memory_limit_in_bytes = 4096;
    on_linux.resources = &resources;
    pod.linux_config = &on_linux;
    ck_assert_msg(decode(&pod, &config, &err) == 0, "%s", err.message);
    ck_assert_str_eq(config->name, "web");
    ck_assert_str_eq(config->hostname, "web-0");
    ck_assert_str_eq(config->resolv_conf,
                     "search x.y\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n");
    ck_assert_str_eq(config->sysctls[0].name, "net.a");
    ck_assert_uint_eq(config->vcpus, 2);
    ck_assert_uint_eq(config->memory, (256 << 20) + 4096);
    ck_assert_ptr_null(config->sandbox_dir);
    ck_assert_ptr_null(config->endpoint);
}
END_TEST

START_TEST(what_a_dns_line_cannot_hold_is_refused)
{
    static const char *const wrong[] = {"", "a b", "a\nnameserver b", "a\x7f"};
    Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__DNSConfig dns = CRI__DNSCONFIG__INIT;
    scoped(freep) char *long_word = xalloc(POD_FILE_MAX + 1);
    struct pod_config *config = NULL;
    char *options[1];
    struct error err;

    pod.dns_config = &dns;
    dns.options = options;
    dns.n_options = 1;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        options[0] = (char *) wrong[i];
        ck_assert(decode(&pod, &config, &err) < 0);
        ck_assert_ptr_nonnull(strstr(err.message, "options is not one word"));
    }
    memset(long_word, 'x', POD_FILE_MAX);
    long_word[POD_FILE_MAX] = 0;
    options[0] = long_word;
    ck_assert(decode(&pod, &config, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "too large"));
}
END_TEST

START_TEST(sysctls_are_counted)
{
    Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__LinuxPodSandboxConfig on_linux = CRI__LINUX_POD_SANDBOX_CONFIG__INIT;
    Cri__MapEntry sysctl = CRI__MAP_ENTRY__INIT, *sysctls[POD_SYSCTLS_MAX + 1];
    struct pod_config *config = NULL;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(sysctls); i++)
        sysctls[i] = &sysctl;
    on_linux.sysctls = sysctls;
    on_linux.n_sysctls = ARRAY_LENGTH(sysctls);
    pod.linux_config = &on_linux;
    ck_assert(decode(&pod, &config, &err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "more than 256"));
}
END_TEST

#define ANSWER(id, port)                                                                           \
    "{\"sandbox_id\":\"" id "\",\"initdata_path\":\"/i\",\"key_path\":\"/k\",\"endpoints\":"       \
    "[{\"transport\":\"direct\",\"address\":\"10.0.0.1\",\"port\":" port "}]}"

START_TEST(a_provisioners_answer_is_checked)
{
    static const char good[] = ANSWER("00112233445566778899aabbccddeeff", "7433");
    static const char *const wrong[] = {
        ANSWER("../../../../../../../../etc/pass", "7433"),
        ANSWER("00112233445566778899aabbccddeef", "7433"),
        ANSWER("00112233445566778899aabbccddeeff", "65536"),
        "{}",
        "",
        "[1]",
    };
    struct provision_answer answer;
    struct error err;

    ck_assert(provision_parse(good, strlen(good), &answer, &err) == 0);
    ck_assert_uint_eq(answer.port, 7433);
    ck_assert_str_eq(answer.host_id, "");
    provision_answer_clear(&answer);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        ck_assert_msg(provision_parse(wrong[i], strlen(wrong[i]), &answer, &err) < 0, "%s",
                      wrong[i]);
}
END_TEST

START_TEST(parked_ids_are_distinct_and_resolve)
{
    struct parked *parked[20];
    struct error err;
    char path[64];

    for (size_t i = 0; i < ARRAY_LENGTH(parked); i++) {
        ck_assert(parked_new(&parked[i], &err) == 0);
        ck_assert_uint_ne(parked_pid(parked[i]), (uint32_t) getpid());
        snprintf(path, sizeof(path), "/proc/%u/ns/net", parked_pid(parked[i]));
        ck_assert(access(path, F_OK) == 0);
        for (size_t k = 0; k < i; k++)
            ck_assert_uint_ne(parked_pid(parked[i]), parked_pid(parked[k]));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(parked); i++)
        parked_free(parked[i]);
}
END_TEST

START_TEST(figures_reach_containerd_in_both_forms)
{
    const struct container_sample sample = {.cpu_usage_ns = 5000000,
                                            .memory_usage = 77,
                                            .memory_limit = UINT64_MAX,
                                            .memory_inactive_file = 7,
                                            .pids_current = 3};
    size_t length;
    scoped(freep) uint8_t *v1 = stats_encode(CGROUP_V1, &sample, &length);
    Cgroup1__Metrics *one = cgroup1__metrics__unpack(NULL, length, v1);
    scoped(freep) uint8_t *v2 = stats_encode(CGROUP_V2, &sample, &length);
    Cgroup2__Metrics *two = cgroup2__metrics__unpack(NULL, length, v2);

    ck_assert_uint_eq(one->cpu->usage->total, 5000000);
    ck_assert_uint_eq(one->memory->usage->usage, 77);
    ck_assert_uint_eq(one->memory->total_inactive_file, 7);
    ck_assert_uint_eq(two->cpu->usage_usec, 5000);
    ck_assert_uint_eq(two->memory->usage_limit, UINT64_MAX);
    ck_assert_uint_eq(two->pids->current, 3);
    cgroup1__metrics__free_unpacked(one, NULL);
    cgroup2__metrics__free_unpacked(two, NULL);
}
END_TEST

int main(void)
{
    return suite_run(
        "tenant_parts",
        (const TTest *[]){
            the_example_configuration_is_the_default, guests_dial_one_of_some_ports,
            wrong_configurations_are_refused, peers_are_a_role_and_a_digest, a_wrong_peer_is_named,
            a_ninth_peer_is_refused, a_pod_is_read_from_pause,
            a_pod_narrows_guest_root_and_never_widens_it,
            host_network_and_what_is_no_manifest_are_refused_by_name,
            a_node_may_have_sealed_pods_only, a_pod_with_a_manifest_is_sealed_in_both_modes,
            a_pod_is_read_from_the_sandbox_api, what_a_dns_line_cannot_hold_is_refused,
            sysctls_are_counted, a_provisioners_answer_is_checked,
            parked_ids_are_distinct_and_resolve, figures_reach_containerd_in_both_forms, NULL});
}
