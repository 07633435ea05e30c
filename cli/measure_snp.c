/* SPDX-License-Identifier: Apache-2.0 */
/* The launch digest of an SEV-SNP guest: OVMF, kernel and initrd given directly. */
#include <errno.h>

#include "base/digest.h"
#include "base/error.h"
#include "measure.h"
#include "measure/kernel_hashes.h"
#include "measure/known_firmware.h"
#include "measure/snp_launch.h"
#include "measure/vcpu_type.h"

/* A name of QEMU's, or CPUID 1 EAX itself for a processor that has none here. */
static int read_cpu(const char *text, uint32_t *ret, struct error *err)
{
    char *end;
    unsigned long value;

    if (!text)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--cpu is missing: the model of the processors is in the digest");
    if (vcpu_type_signature(text, ret))
        return 0;
    errno = 0;
    value = strtoul(text, &end, 16);
    if (text[0] != '0' || text[1] != 'x' || end == text + 2 || *end || errno || value > UINT32_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--cpu '%s' is no model that is known here (EPYC, EPYC-Rome, EPYC-Milan, "
                         "EPYC-Genoa, EPYC-Turin; with or without -v1), nor CPUID 1 EAX as 0x...",
                         text);
    *ret = (uint32_t) value;
    return 0;
}

static int measure(const struct measure_input *input, struct js *ret, struct error *err)
{
    const struct boot_files files = measure_boot_files(input);
    const struct known_firmware *known;
    struct kernel_hashes hashes;
    uint8_t digest[SHA384_SIZE];
    struct snp_launch launch = {
        .firmware = (const uint8_t *) input->firmware.data,
        .firmware_size = input->firmware.length,
        .vcpus = input->vcpus,
        .features = input->sev_features,
    };

    if (read_cpu(input->cpu, &launch.vcpu_signature, err) < 0)
        return -1;
    if (input->kernel_hashes == MEASURE_KERNEL_HASHES_ON) {
        kernel_hashes_of(&files, &hashes);
        launch.kernel = &hashes;
    }
    if (snp_launch_digest(&launch, digest, err) < 0)
        return -1;
    known = known_firmware_find(launch.firmware, launch.firmware_size);
    measure_add(ret, "measurement", &(struct measure_file){(char *) digest, sizeof(digest)},
                known ? known->snp : NULL);
    return 0;
}

const struct measure_type measure_snp = {
    .name = "snp",
    .help =
        "  MEASUREMENT of an SEV-SNP report, by QEMU and KVM. In it are the firmware, --cpu, "
        "--vcpus,\n"
        "  --sev-features, and with --kernel-hashes on (QEMU's kernel-hashes=on) kernel, initrd "
        "and\n"
        "  command line; only OVMF's AmdSev build checks them. --initdata is in HOSTDATA, not "
        "here.\n",
    .measure = measure,
};
