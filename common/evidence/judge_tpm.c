/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM that the host runs: docs/attestation.md says what its word is worth. */
#include "evidence/judges.h"

#include <string.h>

#include "base/digest.h"
#include "base/hex.h"
#include "evidence/event_log.h"
#include "evidence/event_replay.h"
#include "evidence/finding.h"
#include "evidence/reference_values.h"
#include "evidence/tpm_loads.h"
#include "evidence/tpm_quote.h"

enum {
    ALL_PCRS = 0xffffff, /* the agent quotes them all, whatever the file selects */
    PCR_INITDATA = 8,
    PCR_KERNELS_OWN = 10,
    /* Firmware keeps no log of these: what the agent extends, the kernel's own, and those that a
     * dynamic launch resets. */
    PCRS_NOT_LOGGED = BIT(PCR_INITDATA) | BIT(PCR_KERNELS_OWN) | 0x7e0000,
};

static int fail(struct evidence_verdict *ret, const struct finding *finding)
{
    return evidence_fail_field(ret, finding_check(finding->code), finding_name(finding->code), "%s",
                               finding->text);
}

/* The nonce is the digest of the statement: a quote for another one is about another connection. */
static int check_quote(const struct tpm_evidence *evidence, const struct reference_tpm *values,
                       const struct evidence_request *expected, struct evidence_verdict *ret)
{
    const bool any = values->keys == REFERENCE_KEYS_ANY;
    uint8_t nonce[EVIDENCE_DIGEST_MAX], own_key[TPM_KEY_SPKI_DIGEST_SIZE];
    struct tpm_policy policy = {
        .nonce = nonce,
        .nonce_size = SHA256_SIZE,
        .selection = ALL_PCRS,
        .enrolled = any ? (const uint8_t(*)[TPM_KEY_SPKI_DIGEST_SIZE]) own_key : values->enrolled,
        .enrolled_count = any ? 1 : values->enrolled_count,
    };
    struct tpm_quote quote;
    struct finding finding;

    memcpy(own_key, tpm_key_spki_digest(evidence->key), sizeof(own_key));
    evidence_find(EVIDENCE_TPM)->digest(expected->statement, EVIDENCE_STATEMENT_SIZE, nonce);
    if (tpm_evidence_check(evidence, &policy, &finding) == 0)
        return 0;
    if (finding_check(finding.code) == APPRAISAL_REPORT_DATA &&
        tpm_quote_parse(evidence->message, evidence->message_size, &quote, &(struct finding){0}) ==
            0 &&
        quote.nonce_size == SHA256_SIZE) {
        memcpy(ret->signed_digest, quote.nonce, SHA256_SIZE);
        ret->signed_digest_size = SHA256_SIZE;
    }
    return fail(ret, &finding);
}

/* A log that the guest sends along has to be that of the quoted registers. */
static int check_log(const struct evidence_bundle *bundle, const struct registers *quoted,
                     struct evidence_verdict *ret)
{
    struct event_replay replay = {.type = DIGEST_SHA256, .data = EVENT_REPLAY_DATA_CHECKED};
    struct event_log log;
    struct finding finding;

    if (!bundle->event_log_length)
        return 0;
    if (event_log_open(&log, EVENT_LOG_TPM, bundle->event_log, bundle->event_log_length, &finding) <
            0 ||
        event_replay_run(&replay, &log, &finding) < 0 ||
        registers_prove(quoted, &replay.registers, PCRS_NOT_LOGGED, &finding) < 0)
        return fail(ret, &finding);
    return 0;
}

/* The agent extends it once, with the SHA-256 of the initdata. */
static int check_initdata(const struct registers *quoted, const struct evidence_request *expected,
                          struct evidence_verdict *ret)
{
    struct registers wanted;

    registers_init(&wanted, REGISTERS_PCR, DIGEST_SHA256);
    registers_extend(&wanted, PCR_INITDATA, expected->initdata_digest);
    if (quoted->set & BIT(PCR_INITDATA) &&
        memcmp(quoted->values[PCR_INITDATA], wanted.values[PCR_INITDATA], SHA256_SIZE) == 0)
        return 0;
    return evidence_fail_field(ret, APPRAISAL_HARDWARE_INITDATA, "pcr8",
                               "PCR 8 is not quoted, or not extended once with the digest of our "
                               "initdata");
}

static void remember(const struct tpm_evidence *evidence, struct evidence_verdict *ret)
{
    struct tpm_quote quote;

    if (tpm_quote_parse(evidence->message, evidence->message_size, &quote, &(struct finding){0}) <
            0 ||
        quote.pcr_digest_size > sizeof(ret->measurement))
        return;
    memcpy(ret->measurement, quote.pcr_digest, quote.pcr_digest_size);
    ret->measurement_size = quote.pcr_digest_size;
    memcpy(ret->chip, tpm_key_spki_digest(evidence->key), TPM_KEY_SPKI_DIGEST_SIZE);
    ret->chip_size = TPM_KEY_SPKI_DIGEST_SIZE;
}

static int judge(const struct evidence_bundle *bundle, const struct tpm_evidence *evidence,
                 const struct evidence_request *expected, const struct evidence_policy *policy,
                 struct evidence_verdict *ret)
{
    const struct reference_tpm *values = reference_values_tpm(policy->values);
    struct registers quoted = evidence->pcrs;
    struct finding finding;

    if (check_quote(evidence, values, expected, ret) < 0)
        return -1;
    quoted.set = ALL_PCRS;
    if (check_log(bundle, &quoted, ret) < 0)
        return -1;
    if (registers_allow(&quoted, &values->pcrs, &finding) < 0) {
        (void) fail(ret, &finding);
        tpm_loads_explain(values, &quoted, bundle, ret);
        return -1;
    }
    if (check_initdata(&quoted, expected, ret) < 0)
        return -1;
    return reference_values_judge_pcrs(policy->values, &quoted, ret);
}

void judge_tpm(const struct evidence_bundle *bundle, const struct evidence_request *expected,
               const struct evidence_policy *policy, struct evidence_verdict *ret)
{
    const struct reference_tpm *values = policy->values ? reference_values_tpm(policy->values)
                                                        : NULL;
    scoped(tpm_evidence_fini) struct tpm_evidence evidence = {0};
    struct finding finding;

    if (judge_needs_values(values, "tpm", ret) < 0)
        return;
    if (!values->host_vtpm)
        return (void) evidence_fail_field(ret, APPRAISAL_POLICY, "trust_anchor",
                                          "the reference values do not name host-vtpm");
    if (tpm_evidence_parse((const char *) bundle->evidence, bundle->evidence_length, &evidence,
                           &finding) < 0)
        return (void) fail(ret, &finding);
    if (judge(bundle, &evidence, expected, policy, ret) < 0)
        return;
    remember(&evidence, ret);
    ret->failed = APPRAISAL_OK;
}
