/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The libvirt domain of a sandbox, as a pure function of what it is made from. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum domain_accel { DOMAIN_TCG, DOMAIN_KVM };
enum domain_launch { DOMAIN_LAUNCH_NONE, DOMAIN_LAUNCH_SEV_SNP, DOMAIN_LAUNCH_TDX };
enum domain_tpm { DOMAIN_TPM_NONE, DOMAIN_TPM_EMULATED };

struct domain_spec {  /* all borrowed */
    const char *name; /* "cleave-<sandbox>" */
    const char *uuid; /* NULL: libvirt chooses one (a probe's) */
    const char *node; /* whose domain this is, for sweeping: one libvirt can serve two nodes */
    enum domain_accel accel;
    enum domain_launch launch;
    enum domain_tpm tpm; /* measures the boot, with a firmware that knows it */
    uint32_t vcpus;
    uint64_t memory; /* bytes, whole MiB */
    const char *kernel;
    const char *initrd;
    const char *cmdline;
    const char *firmware;  /* NULL or "": SeaBIOS */
    const char *init_disk; /* NULL: none (a probe has none) */
    const char *net_disk;
    const char *scratch_disk; /* NULL: none; the only one that the guest may write to */
    bool interface;
    uint8_t mac[6];
    const char *console_log; /* NULL: no console at all */
    const void *initdata;    /* for the launch digests */
    size_t initdata_length;
};

/* The caller frees. Text with control characters or broken UTF-8 is refused: XML 1.0 has no escape
 * for them. */
int domain_xml(const struct domain_spec *spec, char **ret, struct error *err)
    __attribute__((warn_unused_result));
