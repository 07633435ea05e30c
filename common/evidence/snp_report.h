/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The attestation report of AMD SEV-SNP, versions 2 to 5: what its bytes say. Nothing of it is true
 * before snp_verify() says so. */
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"

struct evidence_verdict;

enum {
    SNP_REPORT_SIZE = 1184,
    SNP_SIGNED_SIZE = 0x2a0,
    SNP_REPORT_DATA_SIZE = 64,
    SNP_CHIP_ID_SIZE = 64,
    SNP_MEASUREMENT_SIZE = 48,
    SNP_HOST_DATA_SIZE = 32,
    SNP_KEY_DIGEST_SIZE = 48,
    SNP_TCB_SIZE = 8,
    SNP_SIGNATURE_SIZE = 96,        /* r || s, big-endian */
    SNP_SIGNER_AUTHOR_KEY = 1 << 0, /* bits of signer_info */
    SNP_SIGNER_MASK_CHIP_KEY = 1 << 1,
    SNP_VERSION_MIN = 2,
    SNP_VERSION_MAX = 5,
    SNP_VERSION_CPUID = 3, /* from this on a report says which product made it */
    SNP_VERSION_MITIGATIONS = 5,
};

enum snp_product { SNP_MILAN, SNP_GENOA, SNP_TURIN, SNP_PRODUCTS, SNP_PRODUCT_UNKNOWN };
enum snp_key { SNP_VCEK = 0, SNP_VLEK = 1, SNP_KEY_NONE = 7 };

#define SNP_POLICY_SMT           (UINT64_C(1) << 16)
#define SNP_POLICY_ONE           (UINT64_C(1) << 17) /* always set */
#define SNP_POLICY_MIGRATE_MA    (UINT64_C(1) << 18)
#define SNP_POLICY_DEBUG         (UINT64_C(1) << 19)
#define SNP_POLICY_SINGLE_SOCKET (UINT64_C(1) << 20)
#define SNP_POLICY_CXL           (UINT64_C(1) << 21)
#define SNP_POLICY_AES_256_XTS   (UINT64_C(1) << 22)
#define SNP_POLICY_RAPL_DISABLED (UINT64_C(1) << 23)
#define SNP_POLICY_CIPHERTEXT    (UINT64_C(1) << 24) /* hidden from the host, in DRAM */
#define SNP_POLICY_NO_SWAP       (UINT64_C(1) << 25)
#define SNP_POLICY_KNOWN         ((UINT64_C(1) << 26) - 1)

struct snp_tcb {
    uint8_t fmc; /* Turin only */
    uint8_t bootloader, tee, snp, microcode;
};

struct snp_firmware {
    uint8_t major, minor, build;
};

struct snp_report {
    uint32_t version, guest_svn, vmpl, signer_info;
    uint64_t policy, platform_info;
    uint8_t report_data[SNP_REPORT_DATA_SIZE];
    uint8_t measurement[SNP_MEASUREMENT_SIZE];
    uint8_t host_data[SNP_HOST_DATA_SIZE];
    uint8_t id_key_digest[SNP_KEY_DIGEST_SIZE];
    uint8_t author_key_digest[SNP_KEY_DIGEST_SIZE];
    uint8_t chip_id[SNP_CHIP_ID_SIZE];
    enum snp_product product; /* SNP_PRODUCT_UNKNOWN in version 2, and of a CPU not known here */
    uint8_t family, model, stepping;
    uint8_t current_tcb[SNP_TCB_SIZE]; /* their layout depends on the product */
    uint8_t reported_tcb[SNP_TCB_SIZE];
    uint8_t committed_tcb[SNP_TCB_SIZE];
    uint8_t launch_tcb[SNP_TCB_SIZE];
    struct snp_firmware current, committed;
    uint64_t launch_mitigations, current_mitigations; /* version 5 */
    uint8_t signature[SNP_SIGNATURE_SIZE];
};

/* Size, version, and that what has to be zero is. */
int snp_report_parse(const void *data, size_t length, struct snp_report *ret,
                     struct evidence_verdict *verdict) must_check;
/* -1: a byte that has to be zero is not; the verdict names the field. */
int snp_tcb_parse(enum snp_product product, const uint8_t raw[SNP_TCB_SIZE], const char *field,
                  struct snp_tcb *ret, struct evidence_verdict *verdict) must_check;
const char *snp_product_name(enum snp_product product); /* "Milan" */
enum snp_key snp_report_key(const struct snp_report *report);
