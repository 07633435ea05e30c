/* SPDX-License-Identifier: Apache-2.0 */
/* PCRs of a measured boot with a TPM: OVMF, kernel and initrd given directly. */
#include <stdio.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "measure.h"
#include "measure/pcr.h"

static void say(const struct pcr_values *values, struct js *to)
{
    char name[8];

    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        const struct measure_file value = {(char *) values->registers.values[i], SHA256_SIZE};

        snprintf(name, sizeof(name), "pcr%u", i);
        if (values->registers.set & BIT(i))
            measure_add(to, name, &value, values->compared[i]);
    }
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        snprintf(name, sizeof(name), "pcr%u", i);
        if (values->left_out[i])
            measure_leave_out(to, name, values->left_out[i]);
    }
}

static int measure(const struct measure_input *input, struct js *ret, struct error *err)
{
    uint8_t initdata[SHA256_SIZE];
    struct pcr_values values;
    struct pcr_input pcrs = {
        .firmware = {(const uint8_t *) input->firmware.data, input->firmware.length},
        .kernel = {(const uint8_t *) input->kernel.data, input->kernel.length},
        .initrd = {(const uint8_t *) input->initrd.data, input->initrd.length},
        .cmdline = input->cmdline.data,
        .memory = input->memory,
        .vcpus = input->vcpus,
        .address_bits = input->address_bits,
        .kernel_header = input->kernel_header == MEASURE_KERNEL_AS_FILE ? PCR_KERNEL_AS_FILE
                                                                        : PCR_KERNEL_PATCHED,
    };

    if (input->initdata.data) {
        digest_sha256(input->initdata.data, input->initdata.length, initdata);
        pcrs.initdata = initdata;
    }
    if (pcr_calculate(&pcrs, &values, err) < 0)
        return -1;
    say(&values, ret);
    return 0;
}

const struct measure_type measure_tpm = {
    .name = "tpm",
    .help = "  PCRs, bank SHA-256, of a q35 with OVMF and a TPM, without option ROMs and keys of "
            "Secure\n"
            "  Boot. PCR 4 depends on --memory, because QEMU writes into the kernel's header; PCR "
            "0 of\n"
            "  OVMF as of 2022 depends on --memory, --vcpus and --address-bits. PCR 8 is that of "
            "--initdata,\n"
            "  zero without it.\n",
    .measure = measure,
};
