/* SPDX-License-Identifier: Apache-2.0 */
/* Can this machine run guests, and what are they worth: KVM, memory encryption, libvirt. */
#include <stdio.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "checks.h"
#include "shim/accel_record.h"

/* ---- acceleration -----------------------------------------------------------------------------
 */

static enum accel_proof read_proof(const struct node *node)
{
    scoped(freep) char *file = node_path(node, ACCEL_RECORD);
    scoped(freep) char *kernel = node_path(node, node->host.kernel);
    scoped(freep) char *about = accel_record_about(
        &(struct accel_subject){node->host.kernel, kernel, node->host.firmware});

    return accel_record_read(file, about);
}

static const char *say_proof(enum accel_proof proof)
{
    static const char *const words[] = {
        [ACCEL_PROOF_NONE] = "nothing has proven KVM here",
        [ACCEL_PROOF_STALE] = "the last probe was of another kernel or firmware",
        [ACCEL_PROOF_AGAINST] = "in the last probe no kernel booted under KVM",
        [ACCEL_PROOF_FOR] = "a kernel has booted under KVM",
    };

    return words[proof];
}

static bool uses_kvm(const struct node *node)
{
    enum host_accel accel = host_conf_accel(&node->host);

    return accel == HOST_ACCEL_KVM ||
           (accel == HOST_ACCEL_AUTO && read_proof(node) == ACCEL_PROOF_FOR);
}

void check_kvm(struct node *node, struct check_result *result)
{
    bool wanted = uses_kvm(node);

    if (host_conf_accel(&node->host) == HOST_ACCEL_TCG)
        return;
    if (node_has_device(node, "/dev/kvm")) {
        check_ok(result, "/dev/kvm is present (which proves nothing yet)");
        return;
    }
    (wanted ? check_fail : check_warn)(result, "there is no /dev/kvm");
    check_advise(result, "turn on virtualization in the firmware, load kvm_intel or kvm_amd%s",
                 wanted ? "; or set machine.accel = \"tcg\"" : "");
}

static void say_tcg(struct node *node, const char *why, struct check_result *result)
{
    check_warn(result, "TCG, slow and without any protection: %s", why);
    check_advise(result,
                 "`%s probe` finds out whether a kernel boots under KVM, once for each "
                 "kernel",
                 node->host.helper);
}

void check_accel(struct node *node, struct check_result *result)
{
    enum accel_proof proof = read_proof(node);

    switch (host_conf_accel(&node->host)) {
    case HOST_ACCEL_TCG:
        say_tcg(node, "machine.accel says so", result);
        return;
    case HOST_ACCEL_AUTO:
        if (proof == ACCEL_PROOF_FOR)
            check_ok(result, "auto takes KVM: %s", say_proof(proof));
        else
            say_tcg(node, say_proof(proof), result);
        return;
    case HOST_ACCEL_KVM:
        break;
    }
    if (proof == ACCEL_PROOF_FOR) {
        check_ok(result, "KVM: %s", say_proof(proof));
        return;
    }
    (proof == ACCEL_PROOF_AGAINST ? check_fail : check_warn)(result, "KVM: %s", say_proof(proof));
    check_advise(result, "`%s probe` finds out; accel = \"auto\" follows it", node->host.helper);
}

/* ---- memory encryption ------------------------------------------------------------------------
 */

struct technology {
    const char *name;
    const char *device;    /* NULL: it has none on the host */
    const char *parameter; /* of the kernel module, reads Y or 1 where it works */
    const char *advice;
};

static const struct technology technologies[] = {
    [HOST_LAUNCH_SEV_SNP] = {"SEV-SNP", "/dev/sev", "/sys/module/kvm_amd/parameters/sev_snp",
                             "turn on SME, SEV and SNP in the firmware; a host kernel of 6.11 or "
                             "newer; kvm_amd.sev_snp=1"},
    [HOST_LAUNCH_TDX] = {"TDX", NULL, "/sys/module/kvm_intel/parameters/tdx",
                         "turn on TME-MT and TDX in the firmware; a host kernel of 6.16 or newer; "
                         "kvm_intel.tdx=1"},
};

static bool is_on(const struct node *node, const char *parameter)
{
    scoped(freep) char *text = node_read(node, parameter);

    return text && (text[0] == 'Y' || text[0] == '1');
}

void check_launch(struct node *node, struct check_result *result)
{
    enum host_launch launch = host_conf_launch(&node->host);
    const struct technology *technology = &technologies[launch];

    if (launch == HOST_LAUNCH_NONE) {
        check_warn(result, "none: memory is not encrypted, evidence proves nothing here");
        check_advise(result, "on a machine that has it: machine.launch_security = \"sev-snp\" or "
                             "\"tdx\"");
    } else if (technology->device && !node_has_device(node, technology->device)) {
        check_fail(result, "%s: there is no %s", technology->name, technology->device);
        check_advise(result, "%s", technology->advice);
    } else if (!is_on(node, technology->parameter)) {
        check_fail(result, "%s: %s does not say Y", technology->name, technology->parameter);
        check_advise(result, "%s", technology->advice);
    } else if (!uses_kvm(node)) {
        check_fail(result, "%s needs KVM, and guests would run under TCG", technology->name);
        check_advise(result, "see accel, above");
    } else {
        check_ok(result, "%s is on", technology->name);
    }
}

void check_tpm(struct node *node, struct check_result *result)
{
    static const char *const programs[] = {"swtpm", "swtpm_setup"};

    if (host_conf_tpm(&node->host) == HOST_TPM_NONE)
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(programs); i++) {
        scoped(freep) char *program = node_find_program(node, programs[i]);

        if (!program) {
            check_fail(result, "there is no program '%s'", programs[i]);
            check_advise(result, "install swtpm and swtpm-tools, restart libvirt; or set "
                                 "machine.tpm = \"none\"");
            return;
        }
    }
    check_warn(result, "swtpm measures the boot; it is this host's own (host-vtpm), so its word is "
                       "no protection from this host");
    check_advise(result, "tenants take such evidence only where their policy names it");
}

void check_memory(struct node *node, struct check_result *result)
{
    scoped(freep) char *text = node_read(node, "/proc/meminfo");
    const char *line = text ? strstr(text, "MemTotal:") : NULL;
    unsigned long long kib;

    if (!line || sscanf(line, "MemTotal: %llu kB", &kib) != 1) {
        check_warn(result, "/proc/meminfo does not say how much there is");
    } else if (node->host.default_memory >> 10 > kib) {
        check_fail(result, "default_memory is %llu MiB, the machine has %llu MiB",
                   (unsigned long long) node->host.default_memory >> 20, kib >> 10);
        check_advise(result, "lower machine.default_memory");
    } else if (node->host.max_memory >> 10 > kib) {
        check_warn(result, "max_memory is %llu MiB, the machine has %llu MiB",
                   (unsigned long long) node->host.max_memory >> 20, kib >> 10);
        check_advise(result, "lower machine.max_memory, so that such a pod is refused, not killed");
    } else {
        check_ok(result, "%llu MiB, at most %llu MiB for one guest", kib >> 10,
                 (unsigned long long) node->host.max_memory >> 20);
    }
}

/* ---- libvirt ----------------------------------------------------------------------------------
 */

enum { SOCKETS_MAX = 2 };

/* The unix sockets behind DRIVER[+unix]:///system[?socket=PATH]: those of the driver's own daemon
 * and of the one for all. None for any other URI. */
static size_t sockets_of(const char *uri, char *ret[SOCKETS_MAX])
{
    const char *rest = strstr(uri, ":///system");
    size_t driver = strcspn(uri, "+:");
    const char *socket;

    if (!rest || (uri[driver] == '+' && !text_starts(uri + driver, "+unix:")))
        return 0;
    rest += strlen(":///system");
    if (*rest != '\0' && *rest != '?')
        return 0;
    socket = strstr(rest, "socket=");
    if (socket) {
        socket += strlen("socket=");
        ret[0] = xstrndup(socket, strcspn(socket, "&"));
        return 1;
    }
    ret[0] = xformat("/run/libvirt/virt%.*sd-sock", (int) driver, uri);
    ret[1] = xstrdup("/run/libvirt/libvirt-sock");
    return 2;
}

/* The first that answers, or -1 with the most telling reason: one that is there says more. */
static int find_answering(const struct node *node, char *const *sockets, size_t count,
                          struct error *err)
{
    struct error reason;

    *err = (struct error){.status = STATUS_NOT_FOUND};
    for (size_t i = 0; i < count; i++) {
        if (node_connect(node, sockets[i], &reason) == 0)
            return (int) i;
        if (err->status == STATUS_NOT_FOUND)
            *err = reason;
    }
    return -1;
}

void check_libvirt(struct node *node, struct check_result *result)
{
    char *sockets[SOCKETS_MAX];
    size_t count = sockets_of(node->host.uri, sockets);
    struct error err;
    int found = find_answering(node, sockets, count, &err);

    if (count == 0) {
        check_warn(result, "'%s' is no system daemon of this node: not checked", node->host.uri);
        check_advise(result, "`virsh -c %s version` tries it", node->host.uri);
    } else if (found >= 0) {
        check_ok(result, "%s answers", sockets[found]);
    } else {
        check_fail(result, "nobody answers for %s: %s", node->host.uri, err.message);
        check_advise(result, "start libvirtd or the driver's own daemon; or set libvirt.uri");
    }
    for (size_t i = 0; i < count; i++)
        free(sockets[i]);
}

/* Of this machine only: the helper reads its own configuration and asks its own libvirt. A machine
 * without firmware is what any of them can make. */
void check_domain(struct node *node, struct check_result *result)
{
    scoped(freep) char *helper = node_find_program(node, node->host.helper);
    struct error err;

    if (!helper || node->root[0] || node->conf_path || !node->host.firmware[0])
        return;
    if (node_ask_program(helper, "check", &err) == 0) {
        check_ok(result, "libvirt can make the machines that are asked for");
        return;
    }
    check_fail(result, "%s", err.message);
    check_advise(result, "see libvirt, launch-security and tpm above; nothing falls back to less "
                         "than what is asked for");
}
