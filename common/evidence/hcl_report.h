/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The report of Azure's paravisor, which runs the vTPM inside of the TEE: a hardware report, and
 * JSON ("variable data") with the attestation key of that TPM. The hardware report carries the
 * SHA-256 of the JSON in its report_data. So the order is: verify the hardware report with the
 * vendor's chain, bind the JSON to it, verify the quote of the TPM with the key in the JSON. */
#include <stddef.h>
#include <stdint.h>

struct finding;
struct tpm_key;

enum {
    HCL_REPORT_MAX = 16384,
    HCL_USER_DATA_SIZE = 64,
    HCL_SNP_REPORT_SIZE = 1184,
    HCL_TD_REPORT_SIZE = 1024,
};

enum hcl_report_type { HCL_REPORT_SNP, HCL_REPORT_TDX };

struct hcl_report {
    enum hcl_report_type type;
    /* SNP: an attestation report, to be verified. TDX: a TDREPORT, which only its own processor can
     * verify: what is to be verified is the quote that came beside it. Borrowed, like variable. */
    const uint8_t *hardware;
    size_t hardware_size;
    const uint8_t *variable;
    size_t variable_size;
    struct tpm_key *key; /* HCLAkPub */
    uint8_t user_data[HCL_USER_DATA_SIZE];
};

int hcl_report_parse(const void *data, size_t size, struct hcl_report *ret, struct finding *finding)
    __attribute__((warn_unused_result));
void hcl_report_fini(struct hcl_report *report);

/* Of a hardware report (SNP) or a quote (TDX) that has been verified. Without this the key is
 * anybody's. */
int hcl_report_bind(const struct hcl_report *report, const uint8_t report_data[64],
                    struct finding *finding) __attribute__((warn_unused_result));
