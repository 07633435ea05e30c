/* SPDX-License-Identifier: Apache-2.0 */
/* `cleave check tenant`: its table, evidence, the provisioner, what containerd lets through. */
#include "checks.h"

#include <fnmatch.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/dial_out.h"
#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "containerd_conf.h"
#include "evidence/evidence.h"

enum { CRICTL_SECONDS = 60 };

#define ENDPOINT            "cleave.dev/endpoint"
#define MANIFEST            "cleave.dev/manifest"
#define TERMINATION_MESSAGE "io.kubernetes.container.terminationMessagePath"

static void check_conf(struct node *node, struct check_result *result)
{
    scoped(freep) char *path = node->conf_path ? xstrdup(node->conf_path)
                                               : node_path(node, TENANT_CONF_PATH);
    struct error err;

    if (tenant_conf_load(path, &node->tenant, &err) < 0) {
        check_fail(result, "%s", err.message);
        check_advise(result, "correct it; deploy/tenant.conf shows every key");
        return;
    }
    node->known |= NODE_CONF;
    check_ok(result, file_exists(path) ? "%s" : "%s does not exist: the defaults hold", path);
}

/* ---- evidence ---------------------------------------------------------------------------------
 */

/* "sample, snp": what this build can verify. */
static void list_types(char *to, size_t size)
{
    size_t used = 0;

    to[0] = '\0';
    for (unsigned code = 1; code <= UINT8_MAX; code++) {
        const struct evidence_type *type = evidence_find((uint8_t) code);

        if (type && used < size)
            used += (size_t) snprintf(to + used, size - used, "%s%s", used ? ", " : "", type->name);
    }
}

static void check_evidence(struct node *node, struct check_result *result)
{
    const struct evidence_type *type = evidence_find_name(node->tenant.evidence);
    const struct evidence_policy policy = {
        .allow_insecure = (const char *const *) node->tenant.allow_insecure};
    char known[128];

    if (!type) {
        list_types(known, sizeof(known));
        check_fail(result, "this build cannot verify '%s', only: %s", node->tenant.evidence, known);
        check_advise(result, "set evidence to one of these; `cleave version` tells which are "
                             "insecure");
    } else if (!evidence_allowed(type, &policy)) {
        check_fail(result, "'%s' is insecure and not allowed: every guest would be refused",
                   type->name);
        check_advise(result, "for development only: allow_insecure_evidence = [\"%s\"]",
                     type->name);
    } else if (type->insecure) {
        check_warn(result, "'%s' is INSECURE: it proves nothing", type->name);
        check_advise(result, "for development only; no secret may enter such a guest");
    } else {
        check_ok(result, "%s", type->name);
    }
}

/* ---- provisioner ------------------------------------------------------------------------------
 */

/* The shim's own rule: an absolute path, or beside the shim, or in PATH. */
static char *find_program(const struct node *node, const char *file)
{
    scoped(freep) char *shim = file[0] == '/' ? NULL : check_shim_path(node);
    scoped(freep) char *real = shim ? realpath(shim, NULL) : NULL;
    scoped(freep) char *beside = NULL;

    if (real) {
        *strrchr(real, '/') = '\0';
        beside = xformat("%s/%s", real, file);
        if (node_is_program(beside))
            return take_ptr(beside);
    }
    return node_find_program(node, file);
}

static void check_provisioner(struct node *node, struct check_result *result)
{
    const char *name = node->tenant.provisioner;
    scoped(freep) char *file = name[0] == '/' ? xstrdup(name)
                                              : xformat("cleave-provision-%s", name);
    scoped(freep) char *found = NULL;

    if (name[0] != '/' && !text_is_identifier(name)) {
        check_fail(result, "'%s' is neither a name nor an absolute path", name);
        check_advise(result, "provisioner = \"cri\" or \"static\"");
        return;
    }
    found = find_program(node, file);
    if (found) {
        check_ok(result, "%s", found);
        return;
    }
    if (name[0] == '/')
        check_fail(result, "'%s' is no program that can be run", file);
    else
        check_fail(result, "no program '%s' beside the shim or in PATH", file);
    check_advise(result, "install it, or set provisioner");
}

/* What the node's kernel lets it do only root can try. */
static void check_shares(struct node *node, struct check_result *result)
{
    scoped(freep) char *found = find_program(node, "cleave-share");
    struct error err;

    if (!node->tenant.live_shares) {
        check_ok(result, "containers with hostPath or persistent volumes are refused");
    } else if (!found) {
        check_fail(result, "no program 'cleave-share' beside the shim or in PATH: containers with "
                           "hostPath or persistent volumes cannot be created");
        check_advise(result, "install it, or set live_shares = false");
    } else if (geteuid() != 0 || node_ask_program(found, "check", &err) == 0) {
        check_ok(result, "%s", found);
    } else {
        check_fail(result, "containers with hostPath or persistent volumes cannot be created: %s",
                   err.message);
        check_advise(result, "a kernel of 5.12 or newer with namespaces of mounts, processes, "
                             "network and IPC, and all of root's capabilities; or set live_shares "
                             "= false");
    }
}

static bool is_provisioner(const struct node *node, const char *name)
{
    scoped(freep) char *file = xformat("/cleave-provision-%s", name);

    return text_equal(node->tenant.provisioner, name) || text_ends(node->tenant.provisioner, file);
}

static void check_host_api(struct node *node, struct check_result *result)
{
    struct error err;

    if (!is_provisioner(node, "cri"))
        return;
    if (node_connect(node, node->tenant.cri_endpoint, &err) == 0) {
        check_ok(result, "%s answers", node->tenant.cri_endpoint);
        return;
    }
    check_fail(result, "the host node's CRI does not answer: %s", err.message);
    check_advise(result,
                 "forward it (ssh -L %s:/run/containerd/containerd.sock HOST), or set cri.endpoint",
                 node->tenant.cri_endpoint);
}

static void check_static(struct node *node, struct check_result *result)
{
    scoped(freep) char *there = node_path(node, node->tenant.static_directory);
    struct stat info;

    if (!is_provisioner(node, "static"))
        return;
    if (stat(there, &info) == 0 && S_ISDIR(info.st_mode) && access(there, R_OK | X_OK) == 0) {
        check_ok(result, "%s", node->tenant.static_directory);
        return;
    }
    check_fail(result, "'%s' is no directory that can be read", node->tenant.static_directory);
    check_advise(result, "put initdata and key of each guest there, or set static.directory");
}

/* ---- transport --------------------------------------------------------------------------------
 */

static bool is_ours(const char *address)
{
    struct sockaddr_storage to;
    struct dial_out place;
    struct error err;

    if (dial_out_make(address, 1, &place, &err) < 0)
        return false;
    place.port = 0;
    scoped(closep) int fd = socket(place.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned length = dial_out_socket_address(&place, &to);

    return fd >= 0 && bind(fd, (const struct sockaddr *) &to, length) == 0;
}

static void check_dial_out(struct node *node, struct check_result *result)
{
    const struct tenant_conf *conf = &node->tenant;

    if (is_provisioner(node, "static")) {
        check_fail(result, "static finds guests that run already: nobody tells them to dial");
        check_advise(result, "transport.name = \"direct\" or \"relay\", or provisioner = \"cri\"");
    } else if (!is_ours(conf->transport_address)) {
        check_fail(result, "'%s' is no address of this node: guests would dial in vain",
                   conf->transport_address);
        check_advise(result, "transport.address: one of this node that the host's pods reach");
    } else if (conf->transport_port) {
        check_ok(result, "guests dial %s, ports %lld to %lld", conf->transport_address,
                 (long long) conf->transport_port,
                 (long long) (conf->transport_port + conf->transport_ports - 1));
    } else {
        check_ok(result, "guests dial %s, any port", conf->transport_address);
    }
}

static void check_transport(struct node *node, struct check_result *result)
{
    const struct tenant_conf *conf = &node->tenant;
    scoped(freep) char *path = NULL;

    if (tenant_conf_is_dialled(conf)) {
        check_dial_out(node, result);
        return;
    }
    if (!text_equal(conf->transport, "relay") || conf->transport_address[0] != '/')
        return;
    path = node_path(node, conf->transport_address);
    if (file_exists(path)) {
        check_ok(result, "the relay %s is there", conf->transport_address);
        return;
    }
    check_fail(result, "there is no relay at '%s'", conf->transport_address);
    check_advise(result, "start it, or set transport.address");
}

/* ---- containerd -------------------------------------------------------------------------------
 */

/* NULL: podsandbox. */
static const char *other_sandboxer(const struct node *node)
{
    const char *sandboxer = containerd_conf_text(node->containerd, node->runtime, "sandboxer");

    return !sandboxer || !sandboxer[0] || text_equal(sandboxer, "podsandbox") ? NULL : sandboxer;
}

static void check_sandboxer(struct node *node, struct check_result *result)
{
    const char *sandboxer = other_sandboxer(node);

    if (!sandboxer) {
        check_ok(result, "podsandbox");
    } else if (!text_equal(sandboxer, "shim")) {
        check_fail(result, "sandboxer is '%s': this shim serves podsandbox and shim", sandboxer);
        check_advise(result, "remove it from the handler's table, restart containerd");
    } else if (containerd_conf_has_table(node->containerd, node->runtime, "options")) {
        check_fail(result, "sandboxer is 'shim' and the handler has an options table: with both, "
                           "containerd 2.0 to 2.3.0 fails at every start of a container");
        check_advise(result, "remove the table; the shim's settings are in " TENANT_CONF_PATH);
    } else {
        check_ok(result, "shim");
    }
}

static void check_devices(struct node *node, struct check_result *result)
{
    const char *value = containerd_conf_text(node->containerd, node->runtime,
                                             "privileged_without_host_devices");

    if (text_equal(value, "true")) {
        check_ok(result, "privileged containers get none of this node's");
        return;
    }
    check_warn(result, "privileged containers would get this node's device nodes, which mean "
                       "nothing in a guest");
    check_advise(result, "privileged_without_host_devices = true in the handler's table");
}

/* containerd matches with Go's path.Match: a star does not cross a slash. */
static bool lets_through(const struct node *node, const char *key, const char *annotation)
{
    const char *const *pattern = containerd_conf_strings(node->containerd, node->runtime, key);

    for (; pattern && *pattern; pattern++)
        if (fnmatch(*pattern, annotation, FNM_PATHNAME) == 0)
            return true;
    return false;
}

static void check_pod_annotations(struct node *node, struct check_result *result)
{
    if (other_sandboxer(node)) {
        check_ok(result, "the Sandbox API brings all annotations of a pod");
        return;
    }
    bool endpoint = lets_through(node, "pod_annotations", ENDPOINT);

    if (endpoint && lets_through(node, "pod_annotations", MANIFEST)) {
        check_ok(result, "cleave.dev/* reaches the shim");
        return;
    }
    if (is_provisioner(node, "static") && !endpoint)
        check_fail(result, ENDPOINT " does not reach the shim, and provisioner = \"static\" lives "
                                    "by it");
    else
        check_warn(result, "%s does not reach the shim: a pod that is meant to be sealed runs open",
                   endpoint ? MANIFEST : "cleave.dev/*");
    check_advise(result, "pod_annotations = [\"cleave.dev/*\"] in the handler's table");
}

static void check_container_annotations(struct node *node, struct check_result *result)
{
    if (lets_through(node, "container_annotations", TERMINATION_MESSAGE)) {
        check_ok(result, "terminationMessagePath reaches the shim");
        return;
    }
    check_warn(result, "termination messages would be lost");
    check_advise(result, "container_annotations = [\"" TERMINATION_MESSAGE "\"] in the handler's "
                         "table");
}

static void check_content(struct node *node, struct check_result *result)
{
    if (!containerd_conf_discards_layers(node->containerd)) {
        check_ok(result, "image layers are kept");
        return;
    }
    check_warn(result, "discard_unpacked_layers = true: images are sent as their unpacked files, "
                       "which no digest of the image covers, and nothing is shared between them");
    check_advise(result, "remove it, restart containerd, pull the images again");
}

/* crictl's file is YAML; one number at its top is all that is asked. */
static void check_crictl(struct node *node, struct check_result *result)
{
    scoped(freep) char *text = node_read(node, "/etc/crictl.yaml");
    const char *line = text && !text_starts(text, "timeout:") ? strstr(text, "\ntimeout:") : text;
    unsigned seconds = 0;

    if (!text)
        return;
    if (line && sscanf(line, " timeout: %u", &seconds) == 1 && seconds >= CRICTL_SECONDS) {
        check_ok(result, "its timeout is %u s", seconds);
        return;
    }
    check_warn(result, "/etc/crictl.yaml: crictl would give up before a guest is up");
    check_advise(result, "timeout: 240");
}

/* What a pod's eth0 on this node is joined with, unless pods have no network. */
static void check_pods_tun(struct node *node, struct check_result *result)
{
    if (text_equal(tenant_conf_network(&node->tenant), "tenant"))
        check_tun(node, result);
}

static void check_pods_redirects(struct node *node, struct check_result *result)
{
    if (text_equal(tenant_conf_network(&node->tenant), "tenant"))
        check_redirects(node, result);
}

/* In the order of dependence: what a row learns, later rows need. */
static const struct check checks[] = {
    {"user", check_user, 0},
    {"config", check_conf, 0},
    {"evidence", check_evidence, NODE_CONF},
    {"reference-values", check_reference_values, NODE_CONF},
    {"endorsements", check_endorsements, NODE_CONF},
    {"directories", check_directories, 0},
    {"containerd", check_containerd, 0},
    {"containerd-config", check_containerd_conf, 0},
    {"runtime", check_runtime, NODE_CONTAINERD},
    {"sandboxer", check_sandboxer, NODE_RUNTIME},
    {"devices", check_devices, NODE_RUNTIME},
    {"pod-annotations", check_pod_annotations, NODE_CONF | NODE_RUNTIME},
    {"container-annotations", check_container_annotations, NODE_RUNTIME},
    {"content", check_content, NODE_CONTAINERD},
    {"shim", check_shim, 0},
    {"provisioner", check_provisioner, NODE_CONF},
    {"shares", check_shares, NODE_CONF},
    {"host-api", check_host_api, NODE_CONF},
    {"static", check_static, NODE_CONF},
    {"transport", check_transport, NODE_CONF},
    {"tun", check_pods_tun, NODE_CONF},
    {"redirects", check_pods_redirects, NODE_CONF},
    {"crictl", check_crictl, 0},
};

const struct realm tenant_realm = {
    .name = "tenant",
    .runtime = "cleave-tenant",
    .example = "deploy/containerd-tenant.toml",
    .containerd_major = 1,
    .containerd_minor = 7,
    .checks = checks,
    .count = ARRAY_LENGTH(checks),
};
