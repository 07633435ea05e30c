/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* /etc/cleave/host.conf: read by the host shim, by its helper and by `cleave check host`. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct config_key;

#define HOST_CONF_PATH    "/etc/cleave/host.conf"
#define HOST_CONF_SCRATCH "/var/lib/cleave/h/scratch"
#define HOST_CONF_SCRATCH_MIN                                                                      \
    (UINT64_C(64) << 20) /* a smaller one is not worth its file system                             \
                          */

enum host_accel { HOST_ACCEL_AUTO, HOST_ACCEL_KVM, HOST_ACCEL_TCG };
enum host_launch { HOST_LAUNCH_NONE, HOST_LAUNCH_SEV_SNP, HOST_LAUNCH_TDX };
enum host_tpm { HOST_TPM_NONE, HOST_TPM_SWTPM };

struct host_conf {
    char *helper; /* the program that makes and ends machines */
    char *accel;  /* "auto", "kvm", "tcg"; auto: KVM only where a probe has booted a kernel */
    char *launch; /* "none", "sev-snp", "tdx" */
    char *tpm;    /* "none", "swtpm": a program of this host, so no protection from it */
    bool console; /* a serial console into the state directory; for development */
    int64_t boot_timeout; /* seconds for the whole of create */
    int64_t call_timeout; /* seconds for one call to libvirt */
    char *uri;
    char *kernel;
    char *initrd;
    char *cmdline;  /* a file: the constant kernel command line of the image */
    char *firmware; /* "": QEMU's own, which measures nothing */
    int64_t default_vcpus, max_vcpus;
    uint64_t default_memory, max_memory;
    uint64_t scratch;        /* bytes of a guest's scratch disk; 0: it gets none */
    char *scratch_directory; /* where its sparse file lies */
    char *stub_guest;        /* test/fake/helper-stub only */
    char *stub_agent;
    char *stub_root;
};

const struct config_key *host_conf_keys(size_t *ret_count);
/* A file that is absent gives the defaults; anything wrong in it is an error with its line. */
int host_conf_load(const char *path, struct host_conf *ret, struct error *err)
    __attribute__((warn_unused_result));
/* For tests and tools: text in place of a file. */
int host_conf_parse(const char *text, struct host_conf *ret, struct error *err)
    __attribute__((warn_unused_result));
void host_conf_fini(struct host_conf *conf);
enum host_accel host_conf_accel(const struct host_conf *conf);
enum host_launch host_conf_launch(const struct host_conf *conf);
enum host_tpm host_conf_tpm(const struct host_conf *conf);
