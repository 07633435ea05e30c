/* SPDX-License-Identifier: Apache-2.0 */
#include "domain_xml.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/guest_disk.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"

#define MIB (UINT64_C(1) << 20)

/* SNP guest policy: bit 17 is reserved and must be one, bit 16 allows SMT; no debug, no migration.
 */
#define SNP_POLICY "0x30000"
/* TDX attributes: SEPT_VE_DISABLE (bit 28); no debug. */
#define TDX_POLICY "0x10000000"

static bool is_xml_text(const char *text)
{
    for (const unsigned char *p = (const unsigned char *) text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return false;
    return text_is_utf8(text, strlen(text));
}

/* In quotes or between tags; both kinds of quotes are escaped. */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&apos;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* <tag>escaped</tag> on a line of its own. */
static void put_element(FILE *out, const char *indent, const char *tag, const char *text)
{
    fprintf(out, "%s<%s>", indent, tag);
    put_escaped(out, text);
    fprintf(out, "</%s>\n", tag);
}

/* As a ROM, not as flash: there are no variables that a host could prepare or a guest could leave,
 * each boot measures the same, and SEV-SNP and TDX take no flash anyway. */
static void put_os(FILE *out, const struct domain_spec *spec)
{
    fputs("  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n", out);
    if (spec->firmware && spec->firmware[0]) {
        fputs("    <loader type='rom'>", out);
        put_escaped(out, spec->firmware);
        fputs("</loader>\n", out);
    }
    put_element(out, "    ", "kernel", spec->kernel);
    put_element(out, "    ", "initrd", spec->initrd);
    put_element(out, "    ", "cmdline", spec->cmdline);
    fputs("  </os>\n", out);
}

/* Everybody may read the disks. Giving them to QEMU's user and back would only be a way to fail. */
static void put_disk(FILE *out, const char *path, const char *target, const char *serial)
{
    if (!path)
        return;
    fputs("    <disk type='file' device='disk'>\n"
          "      <driver name='qemu' type='raw'/>\n"
          "      <source file='",
          out);
    put_escaped(out, path);
    fprintf(out,
            "'>\n"
            "        <seclabel model='dac' relabel='no'/>\n"
            "      </source>\n"
            "      <target dev='%s' bus='virtio'/>\n"
            "      <readonly/>\n"
            "      <serial>%s</serial>\n"
            "    </disk>\n",
            target, serial);
}

/* Empty at every boot and worth nothing after it, so that nothing need ever reach the host's disk
 * for good (cache). A host that is full must not stop the machine where it is, as QEMU would by
 * itself: its pod gets errors, which somebody notices. */
static void put_scratch(FILE *out, const char *path)
{
    if (!path)
        return;
    fputs("    <disk type='file' device='disk'>\n"
          "      <driver name='qemu' type='raw' cache='unsafe' error_policy='report' "
          "rerror_policy='report'/>\n"
          "      <source file='",
          out);
    put_escaped(out, path);
    fputs("'/>\n"
          "      <target dev='vdc' bus='virtio'/>\n"
          "      <serial>" GUEST_DISK_SCRATCH "</serial>\n"
          "    </disk>\n",
          out);
}

/* No target name: libvirt makes the tap, the caller finds its name in the live XML. */
static void put_interface(FILE *out, const struct domain_spec *spec)
{
    const uint8_t *mac = spec->mac;

    if (!spec->interface)
        return;
    fprintf(out,
            "    <interface type='ethernet'>\n"
            "      <mac address='%02x:%02x:%02x:%02x:%02x:%02x'/>\n"
            "      <model type='virtio'/>\n"
            "      <rom enabled='no'/>\n"
            "    </interface>\n",
            mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void put_console(FILE *out, const char *log)
{
    if (!log)
        return;
    fputs("    <serial type='file'>\n      <source path='", out);
    put_escaped(out, log);
    fputs("'/>\n      <target port='0'/>\n    </serial>\n", out);
}

/* PCR banks and the like are swtpm's configuration; state and process are libvirt's until the end.
 */
static void put_tpm(FILE *out, const struct domain_spec *spec)
{
    if (spec->tpm == DOMAIN_TPM_EMULATED)
        fputs("    <tpm model='tpm-crb'>\n"
              "      <backend type='emulator' version='2.0'/>\n"
              "    </tpm>\n",
              out);
}

static void put_features(FILE *out, const struct domain_spec *spec)
{
    fputs("  <features>\n    <acpi/>\n", out);
    /* A TD's interrupts are not the kernel's to emulate. */
    if (spec->launch == DOMAIN_LAUNCH_TDX)
        fputs("    <ioapic driver='qemu'/>\n", out);
    fputs("  </features>\n", out);
}

static void put_launch(FILE *out, const struct domain_spec *spec)
{
    uint8_t digest[SHA384_SIZE];
    scoped(freep) char *text = NULL;

    if (spec->launch == DOMAIN_LAUNCH_SEV_SNP) {
        digest_sha256(spec->initdata, spec->initdata_length, digest);
        text = base64_encode(digest, SHA256_SIZE);
        fprintf(out,
                "  <launchSecurity type='sev-snp' kernelHashes='yes'>\n"
                "    <policy>" SNP_POLICY "</policy>\n"
                "    <hostData>%s</hostData>\n"
                "  </launchSecurity>\n",
                text);
    } else if (spec->launch == DOMAIN_LAUNCH_TDX) {
        digest_sha384(spec->initdata, spec->initdata_length, digest);
        text = base64_encode(digest, SHA384_SIZE);
        fprintf(out,
                "  <launchSecurity type='tdx'>\n"
                "    <policy>" TDX_POLICY "</policy>\n"
                "    <mrConfigId>%s</mrConfigId>\n"
                "    <quoteGenerationService/>\n"
                "  </launchSecurity>\n",
                text);
    }
}

static int check(const struct domain_spec *spec, struct error *err)
{
    const char *const texts[] = {spec->name,        spec->uuid,        spec->node,
                                 spec->kernel,      spec->initrd,      spec->cmdline,
                                 spec->firmware,    spec->init_disk,   spec->net_disk,
                                 spec->console_log, spec->scratch_disk};
    bool has_firmware = spec->firmware && spec->firmware[0];

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (texts[i] && !is_xml_text(texts[i]))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "text for the domain has control characters or is not UTF-8");
    if (spec->launch != DOMAIN_LAUNCH_NONE && !has_firmware)
        return error_set(err, STATUS_INVALID_ARGUMENT, "launch security needs a firmware");
    if (spec->tpm != DOMAIN_TPM_NONE && !has_firmware)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a TPM needs a firmware that measures into it");
    if (spec->tpm != DOMAIN_TPM_NONE && spec->launch != DOMAIN_LAUNCH_NONE)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the host's TPM has no place in a machine with launch security");
    if (spec->launch != DOMAIN_LAUNCH_NONE && spec->accel != DOMAIN_KVM)
        return error_set(err, STATUS_INVALID_ARGUMENT, "launch security needs KVM");
    return 0;
}

static void put_domain(FILE *out, const struct domain_spec *spec)
{
    fprintf(out, "<domain type='%s'>\n", spec->accel == DOMAIN_KVM ? "kvm" : "qemu");
    put_element(out, "  ", "name", spec->name);
    if (spec->uuid)
        put_element(out, "  ", "uuid", spec->uuid);
    fputs("  <metadata>\n    <cleave:node xmlns:cleave='https://cleave.dev/host/1'>", out);
    put_escaped(out, spec->node);
    fputs("</cleave:node>\n  </metadata>\n", out);
    fprintf(out, "  <memory unit='MiB'>%llu</memory>\n", (unsigned long long) (spec->memory / MIB));
    fprintf(out, "  <vcpu placement='static'>%u</vcpu>\n", spec->vcpus);
    put_os(out, spec);
    put_features(out, spec);
    fprintf(out, "  <cpu mode='%s'/>\n",
            spec->accel == DOMAIN_KVM ? "host-passthrough" : "maximum");
    /* A guest that ends in any way is over: nothing restarts it behind the tenant's back. */
    fputs("  <on_poweroff>destroy</on_poweroff>\n"
          "  <on_reboot>destroy</on_reboot>\n"
          "  <on_crash>destroy</on_crash>\n"
          "  <devices>\n",
          out);
    put_disk(out, spec->init_disk, "vda", "cleave-init");
    put_disk(out, spec->net_disk, "vdb", "cleave-net");
    put_scratch(out, spec->scratch_disk);
    put_interface(out, spec);
    put_console(out, spec->console_log);
    put_tpm(out, spec);
    fputs("    <controller type='usb' model='none'/>\n"
          "    <memballoon model='none'/>\n"
          "  </devices>\n",
          out);
    put_launch(out, spec);
    fputs("</domain>\n", out);
}

int domain_xml(const struct domain_spec *spec, char **ret, struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out;

    if (check(spec, err) < 0)
        return -1;
    out = open_memstream(&text, &size);
    if (!out)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "no memory for the domain's XML");
    put_domain(out, spec);
    if (fclose(out) != 0) {
        free(text);
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "no memory for the domain's XML");
    }
    *ret = text;
    return 0;
}
