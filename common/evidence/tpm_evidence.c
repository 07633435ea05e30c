/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tpm_evidence.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "evidence/finding.h"
#include "evidence/tpm_quote.h"

enum { SIGNATURE_MAX = 1024 };

struct bytes {
    uint8_t *data;
    size_t size;
};

static int read_base64(const struct js *object, const char *key, size_t limit, struct bytes *ret,
                       struct error *err)
{
    const char *text;

    if (js_need_string(object, key, &text, err) < 0)
        return -1;
    if (base64_decode(text, limit, &ret->data, &ret->size, err) < 0)
        return error_wrap(err, "%s", key);
    return 0;
}

static int read_members(const struct js *root, struct tpm_evidence *evidence, struct bytes *key,
                        struct error *err)
{
    static const char *const members[] = {"ak_public", "tpm_quote", NULL};
    static const char *const quote_members[] = {"message", "pcrs", "signature", NULL};
    const struct js *quote = js_get(root, "tpm_quote");
    struct bytes message = {0}, signature = {0};

    if (js_type(root) != JS_OBJECT || js_type(quote) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no object with an object tpm_quote");
    if (js_only(root, members, err) < 0 || js_only(quote, quote_members, err) < 0)
        return -1;
    if (read_base64(root, "ak_public", TPM_KEY_MAX, key, err) < 0 ||
        read_base64(quote, "message", TPM_QUOTE_MAX, &message, err) < 0)
        return -1;
    evidence->message = message.data;
    evidence->message_size = message.size;
    if (read_base64(quote, "signature", SIGNATURE_MAX, &signature, err) < 0)
        return -1;
    evidence->signature = signature.data;
    evidence->signature_size = signature.size;
    return tpm_evidence_read_pcrs(js_get(quote, "pcrs"), &evidence->pcrs, err);
}

static int read_all(const struct js *root, struct tpm_evidence *evidence, struct finding *finding)
{
    struct bytes key = {0};
    struct error err;
    int rc = read_members(root, evidence, &key, &err);

    if (rc < 0)
        (void) finding_set(finding, FINDING_EVIDENCE, "tpm evidence: %s", err.message);
    else
        rc = tpm_key_parse_spki(key.data, key.size, &evidence->key, finding);
    free(key.data);
    return rc;
}

int tpm_evidence_parse(const char *text, size_t length, struct tpm_evidence *ret,
                       struct finding *finding)
{
    scoped(js_freep) struct js *root = NULL;
    struct tpm_evidence evidence = {0};
    struct error err;

    if (length > TPM_EVIDENCE_MAX)
        return finding_set(finding, FINDING_EVIDENCE, "tpm evidence of %zu bytes, limit %d", length,
                           TPM_EVIDENCE_MAX);
    if (js_parse(text, length, &root, &err) < 0)
        return finding_set(finding, FINDING_EVIDENCE, "tpm evidence: %s", err.message);
    registers_init(&evidence.pcrs, REGISTERS_PCR, DIGEST_SHA256);
    if (read_all(root, &evidence, finding) < 0) {
        tpm_evidence_fini(&evidence);
        return -1;
    }
    *ret = evidence;
    return 0;
}

void tpm_evidence_fini(struct tpm_evidence *evidence)
{
    free(evidence->message);
    free(evidence->signature);
    tpm_key_free(evidence->key);
    *evidence = (struct tpm_evidence){0};
}

int tpm_evidence_read_pcrs(const struct js *array, struct registers *pcrs, struct error *err)
{
    if (js_type(array) != JS_ARRAY || js_length(array) != REGISTERS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "pcrs: not an array of %d", REGISTERS_MAX);
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        const char *text = js_string(js_at(array, i));

        if (!text)
            return error_set(err, STATUS_INVALID_ARGUMENT, "pcrs[%u]: no string", i);
        if (hex_decode(text, pcrs->values[i], SHA256_SIZE, err) < 0)
            return error_wrap(err, "pcrs[%u]", i);
    }
    return 0;
}

static int check_enrolled(const struct tpm_key *key, const struct tpm_policy *policy,
                          struct finding *finding)
{
    char hex[2 * 8 + 1];

    if (policy->skip & TPM_SKIP_ENROLMENT)
        return 0;
    for (size_t i = 0; i < policy->enrolled_count; i++)
        if (memcmp(policy->enrolled[i], tpm_key_spki_digest(key), TPM_KEY_SPKI_DIGEST_SIZE) == 0)
            return 0;
    hex_encode(tpm_key_spki_digest(key), 8, hex);
    return finding_set(finding, FINDING_KEY_UNKNOWN,
                       "ak_public: the key of SHA-256 %s... is not enrolled", hex);
}

static int check_quote(const struct tpm_evidence *evidence, const struct tpm_policy *policy,
                       struct finding *finding)
{
    struct registers quoted = evidence->pcrs;
    struct tpm_quote_expected expected = {.nonce = policy->nonce,
                                          .nonce_size = policy->nonce_size,
                                          .banks = &quoted,
                                          .bank_count = 1,
                                          .reset_count = policy->reset_count};
    struct tpm_quote quote;

    quoted.set = policy->selection;
    if (tpm_quote_parse(evidence->message, evidence->message_size, &quote, finding) < 0 ||
        tpm_quote_check(&quote, &expected, finding) < 0)
        return -1;
    if (policy->reference && registers_cover(&quoted, policy->reference, finding) < 0)
        return -1;
    return policy->lists ? registers_allow(&quoted, policy->lists, finding) : 0;
}

static struct tpm_signed signed_of(const struct tpm_evidence *evidence)
{
    return (struct tpm_signed){evidence->message, evidence->signature, evidence->message_size,
                               evidence->signature_size};
}

int tpm_evidence_check(const struct tpm_evidence *evidence, const struct tpm_policy *policy,
                       struct finding *finding)
{
    const struct tpm_signed object = signed_of(evidence);

    if (tpm_key_verify(evidence->key, &object, finding) < 0 ||
        check_enrolled(evidence->key, policy, finding) < 0)
        return -1;
    return check_quote(evidence, policy, finding);
}

int tpm_evidence_check_bare(const struct tpm_evidence *evidence, const struct tpm_policy *policy,
                            struct finding *finding)
{
    const struct tpm_signed object = signed_of(evidence);

    if (tpm_key_verify_bare(evidence->key, &object, finding) < 0)
        return -1;
    return check_quote(evidence, policy, finding);
}
