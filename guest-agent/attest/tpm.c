/* SPDX-License-Identifier: Apache-2.0 */
/* The commands, and nothing about what they are for. */
#include "tpm.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <tss2/tss2_mu.h>
#include <tss2/tss2_sys.h>
#include <tss2/tss2_tcti_device.h>
#include <tss2/tss2_tcti_swtpm.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "tpm_private.h"

enum { BUSY_MAX = 50, BUSY_MS = 20 };

struct tpm {
    TSS2_TCTI_CONTEXT *tcti;
    TSS2_SYS_CONTEXT *sys;
};

/* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign: it signs what the TPM
 * itself says and nothing else. */
static const TPMA_OBJECT ak_attributes = 0x00050072;

static const struct {
    const char *name;
    TSS2_RC (*init)(TSS2_TCTI_CONTEXT *context, size_t *size, const char *configuration);
} transports[] = {
    {"device:", Tss2_Tcti_Device_Init},
    {"swtpm:", Tss2_Tcti_Swtpm_Init},
};

/* An empty password, as every TPM has it whose owner has set none. */
static const TSS2L_SYS_AUTH_COMMAND no_password = {
    .count = 1,
    .auths = {{.sessionHandle = TPM2_RH_PW}},
};

static int fail(struct error *err, TSS2_RC rc, const char *what)
{
    if (rc == TSS2_TCTI_RC_IO_ERROR || rc == TSS2_TCTI_RC_NO_CONNECTION)
        return error_set(err, STATUS_UNAVAILABLE, "the TPM does not answer: cannot %s", what);
    return error_set(err, STATUS_FAILED_PRECONDITION, "the TPM cannot %s: code 0x%x", what,
                     (unsigned) rc);
}

/* A TPM may ask for patience before it has begun. */
static bool is_busy(TSS2_RC rc, int *turns)
{
    const struct timespec pause = {.tv_nsec = BUSY_MS * 1000000L};

    if ((rc != TPM2_RC_RETRY && rc != TPM2_RC_YIELDED && rc != TPM2_RC_TESTING) ||
        ++*turns > BUSY_MAX)
        return false;
    (void) nanosleep(&pause, NULL);
    return true;
}

static int open_transport(struct tpm *tpm, const char *transport, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(transports); i++) {
        size_t size = 0;
        const char *configuration = transport + strlen(transports[i].name);

        if (!text_starts(transport, transports[i].name))
            continue;
        if (transports[i].init(NULL, &size, configuration) != TSS2_RC_SUCCESS)
            break;
        tpm->tcti = xalloc(size);
        memset(tpm->tcti, 0, size);
        if (transports[i].init(tpm->tcti, &size, configuration) == TSS2_RC_SUCCESS)
            return 0;
        free(take_ptr(tpm->tcti));
        break;
    }
    return error_set(err, STATUS_UNAVAILABLE, "no TPM at '%s'", transport);
}

int tpm_open(const char *transport, struct tpm **ret, struct error *err)
{
    scoped(tpm_freep) struct tpm *tpm = xnew(struct tpm);
    TSS2_ABI_VERSION version = TSS2_ABI_VERSION_CURRENT;
    size_t size = Tss2_Sys_GetContextSize(0);
    TSS2_RC rc;

    if (open_transport(tpm, transport, err) < 0)
        return -1;
    tpm->sys = xalloc(size);
    memset(tpm->sys, 0, size);
    rc = Tss2_Sys_Initialize(tpm->sys, size, tpm->tcti, &version);
    if (rc != TSS2_RC_SUCCESS)
        return fail(err, rc, "be used by libtss2");
    *ret = take_ptr(tpm);
    return 0;
}

void tpm_free(struct tpm *tpm)
{
    if (!tpm)
        return;
    if (tpm->sys)
        Tss2_Sys_Finalize(tpm->sys);
    free(tpm->sys);
    if (tpm->tcti)
        Tss2_Tcti_Finalize(tpm->tcti);
    free(tpm->tcti);
    free(tpm);
}

/* ---- PCRs ------------------------------------------------------------------------------------ */

static TPML_PCR_SELECTION select_pcrs(uint32_t set)
{
    TPML_PCR_SELECTION selection = {.count = 1};

    selection.pcrSelections[0] = (TPMS_PCR_SELECTION){
        .hash = TPM2_ALG_SHA256,
        .sizeofSelect = TPM_PCRS / 8,
        .pcrSelect = {(BYTE) set, (BYTE) (set >> 8), (BYTE) (set >> 16)},
    };
    return selection;
}

static uint32_t selected(const TPML_PCR_SELECTION *selection)
{
    const TPMS_PCR_SELECTION *only = &selection->pcrSelections[0];
    uint32_t set = 0;

    if (selection->count != 1 || only->hash != TPM2_ALG_SHA256 || only->sizeofSelect > 3)
        return 0;
    for (unsigned i = 0; i < only->sizeofSelect; i++)
        set |= (uint32_t) only->pcrSelect[i] << 8 * i;
    return set;
}

/* Takes those that it gave, in order; 0: it gave none of the wanted, or others. */
static uint32_t take_values(const TPML_PCR_SELECTION *given, const TPML_DIGEST *digests,
                            uint32_t wanted, struct tpm_pcrs *to)
{
    uint32_t set = selected(given);
    UINT32 next = 0;

    if (set & ~wanted)
        return 0;
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        if (!(set & 1u << i))
            continue;
        if (next >= digests->count || digests->digests[next].size != SHA256_SIZE)
            return 0;
        memcpy(to->values[i], digests->digests[next++].buffer, SHA256_SIZE);
    }
    return next == digests->count ? set : 0;
}

int tpm_read_pcrs(struct tpm *tpm, uint32_t selection, struct tpm_pcrs *ret, struct error *err)
{
    struct tpm_pcrs pcrs = {0};

    while (selection) { /* at most eight at once */
        TPML_PCR_SELECTION wanted = select_pcrs(selection), given = {0};
        TPML_DIGEST digests = {0};
        UINT32 counter;
        int turns = 0;
        TSS2_RC rc;

        do
            rc = Tss2_Sys_PCR_Read(tpm->sys, NULL, &wanted, &counter, &given, &digests, NULL);
        while (is_busy(rc, &turns));
        if (rc != TSS2_RC_SUCCESS)
            return fail(err, rc, "read PCRs");
        uint32_t got = take_values(&given, &digests, selection, &pcrs);
        if (!got)
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "the TPM has no PCRs of bank sha256, or gives others than asked for");
        selection &= ~got;
    }
    *ret = pcrs;
    return 0;
}

int tpm_extend(struct tpm *tpm, unsigned pcr, const uint8_t digest[SHA256_SIZE], struct error *err)
{
    TPML_DIGEST_VALUES values = {.count = 1, .digests = {{.hashAlg = TPM2_ALG_SHA256}}};
    TSS2L_SYS_AUTH_RESPONSE ignored = {0};
    int turns = 0;
    TSS2_RC rc;

    memcpy(values.digests[0].digest.sha256, digest, SHA256_SIZE);
    do
        rc = Tss2_Sys_PCR_Extend(tpm->sys, pcr, &no_password, &values, &ignored);
    while (is_busy(rc, &turns));
    return rc == TSS2_RC_SUCCESS ? 0 : fail(err, rc, "extend a PCR");
}

int tpm_extend_initdata(struct tpm *tpm, const void *initdata, size_t length, struct error *err)
{
    static const uint8_t zero[SHA256_SIZE];
    uint8_t extended[2 * SHA256_SIZE] = {0}, expected[SHA256_SIZE];
    const uint32_t selection = 1u << TPM_INITDATA_PCR;
    struct tpm_pcrs pcrs;

    digest_sha256(initdata, length, extended + SHA256_SIZE);
    digest_sha256(extended, sizeof(extended), expected);
    if (tpm_read_pcrs(tpm, selection, &pcrs, err) < 0)
        return -1;
    if (memcmp(pcrs.values[TPM_INITDATA_PCR], zero, SHA256_SIZE) != 0)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "PCR %d has been extended before this guest could: it takes the initdata "
                         "and nothing else",
                         TPM_INITDATA_PCR);
    if (tpm_extend(tpm, TPM_INITDATA_PCR, extended + SHA256_SIZE, err) < 0 ||
        tpm_read_pcrs(tpm, selection, &pcrs, err) < 0)
        return -1;
    if (memcmp(pcrs.values[TPM_INITDATA_PCR], expected, SHA256_SIZE) != 0)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "PCR %d does not have the value that the initdata gives it",
                         TPM_INITDATA_PCR);
    return 0;
}

/* ---- key and quote --------------------------------------------------------------------------- */

/* A coordinate comes without its leading zeros. */
static bool take_coordinate(const TPM2B_ECC_PARAMETER *from, uint8_t to[32])
{
    if (from->size > 32)
        return false;
    memset(to, 0, 32);
    memcpy(to + 32 - from->size, from->buffer, from->size);
    return true;
}

/* The key is made from the seed of the endorsement hierarchy and this template alone. */
int tpm_load_ak(struct tpm *tpm, struct tpm_ak *ret, struct error *err)
{
    TPM2B_PUBLIC template = {.publicArea = {
                                 .type = TPM2_ALG_ECC,
                                 .nameAlg = TPM2_ALG_SHA256,
                                 .objectAttributes = ak_attributes,
                             }};
    TPMS_ECC_PARMS *parameters = &template.publicArea.parameters.eccDetail;
    TPM2B_SENSITIVE_CREATE sensitive = {0};
    TPM2B_DATA outside = {0};
    TPML_PCR_SELECTION none = {0};
    TPM2B_PUBLIC public = {0};
    TPM2B_CREATION_DATA data = {0};
    TPM2B_DIGEST hash = {.size = sizeof(hash.buffer)};
    TPMT_TK_CREATION ticket = {0};
    TPM2B_NAME name = {.size = sizeof(name.name)};
    TSS2L_SYS_AUTH_RESPONSE ignored = {0};
    struct tpm_ak ak = {0};
    int turns = 0;
    TSS2_RC rc;

    parameters->symmetric.algorithm = TPM2_ALG_NULL;
    parameters->scheme.scheme = TPM2_ALG_ECDSA;
    parameters->scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
    parameters->curveID = TPM2_ECC_NIST_P256;
    parameters->kdf.scheme = TPM2_ALG_NULL;
    do
        rc = Tss2_Sys_CreatePrimary(tpm->sys, TPM2_RH_ENDORSEMENT, &no_password, &sensitive,
                                    &template, &outside, &none, &ak.handle, &public, &data, &hash,
                                    &ticket, &name, &ignored);
    while (is_busy(rc, &turns));
    if (rc != TSS2_RC_SUCCESS)
        return fail(err, rc, "make its attestation key");
    if (public.publicArea.type != TPM2_ALG_ECC ||
        public.publicArea.objectAttributes != ak_attributes ||
        !take_coordinate(&public.publicArea.unique.ecc.x, ak.x) ||
        !take_coordinate(&public.publicArea.unique.ecc.y, ak.y)) {
        tpm_flush_ak(tpm, &ak);
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the TPM made another key than asked for");
    }
    *ret = ak;
    return 0;
}

void tpm_flush_ak(struct tpm *tpm, const struct tpm_ak *ak)
{
    (void) Tss2_Sys_FlushContext(tpm->sys, ak->handle);
}

static int keep_quote(const TPM2B_ATTEST *quoted, const TPMT_SIGNATURE *signature,
                      struct tpm_signed_quote *ret, struct error *err)
{
    size_t size = 0;

    if (quoted->size > sizeof(ret->message) ||
        Tss2_MU_TPMT_SIGNATURE_Marshal(signature, ret->signature, sizeof(ret->signature), &size) !=
            TSS2_RC_SUCCESS)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the TPM's quote is too large");
    memcpy(ret->message, quoted->attestationData, quoted->size);
    ret->message_size = quoted->size;
    ret->signature_size = size;
    return 0;
}

int tpm_quote_all(struct tpm *tpm, const struct tpm_ak *ak, const uint8_t nonce[TPM_NONCE_SIZE],
                  struct tpm_signed_quote *ret, struct error *err)
{
    const TPML_PCR_SELECTION all = select_pcrs((1u << TPM_PCRS) - 1);
    const TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_NULL}; /* the key's own */
    TPM2B_DATA extra = {.size = TPM_NONCE_SIZE};
    TPM2B_ATTEST quoted = {.size = sizeof(quoted.attestationData)};
    TPMT_SIGNATURE signature = {0};
    TSS2L_SYS_AUTH_RESPONSE ignored = {0};
    int turns = 0;
    TSS2_RC rc;

    memcpy(extra.buffer, nonce, TPM_NONCE_SIZE);
    do
        rc = Tss2_Sys_Quote(tpm->sys, ak->handle, &no_password, &extra, &scheme, &all, &quoted,
                            &signature, &ignored);
    while (is_busy(rc, &turns));
    if (rc != TSS2_RC_SUCCESS)
        return fail(err, rc, "quote its PCRs");
    return keep_quote(&quoted, &signature, ret, err);
}
