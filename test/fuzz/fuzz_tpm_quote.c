/* SPDX-License-Identifier: Apache-2.0 */
/* One byte says what follows: a TPMS_ATTEST, a key in either form, or the evidence around them. */
#include <stdbool.h>
#include <stdlib.h>

#include "base/scoped.h"
#include "evidence/finding.h"
#include "evidence/tpm_evidence.h"
#include "evidence/tpm_quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quote(const uint8_t *data, size_t size)
{
    struct registers banks[TPM_QUOTE_BANKS_MAX];
    struct finding finding = {0};
    struct tpm_quote quote;

    if (tpm_quote_parse(data, size, &quote, &finding) < 0)
        return;
    for (size_t i = 0; i < quote.bank_count; i++) {
        registers_init(&banks[i], REGISTERS_PCR, quote.banks[i].type);
        banks[i].set = quote.banks[i].set;
    }
    const struct tpm_quote_expected expected = {.nonce = (const uint8_t *) "n",
                                                .nonce_size = 1,
                                                .banks = banks,
                                                .bank_count = quote.bank_count};
    if (tpm_quote_check(&quote, &expected, &finding) == 0 && quote.nonce[0] != 'n')
        abort();
}

/* A key's own bytes are no signature of its own. */
static void check_key(const uint8_t *data, size_t size, bool is_public)
{
    scoped(tpm_key_freep) struct tpm_key *key = NULL;
    struct tpm_signed object = {data, data, size, size};
    struct finding finding = {0};
    int rc = is_public ? tpm_key_parse_public(data, size, &key, &finding)
                       : tpm_key_parse_spki(data, size, &key, &finding);

    if ((rc == 0) != (key && finding.code == FINDING_NONE))
        abort();
    if (key && tpm_key_verify(key, &object, &finding) == 0)
        abort();
}

static void check_evidence(const char *text, size_t size)
{
    const struct tpm_policy policy = {.nonce = (const uint8_t *) "n", .nonce_size = 1};
    struct finding finding = {0};
    struct tpm_evidence evidence;

    if (tpm_evidence_parse(text, size, &evidence, &finding) < 0)
        return;
    if (tpm_evidence_check(&evidence, &policy, &finding) == 0)
        abort();
    tpm_evidence_fini(&evidence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0] & 3) {
    case 0:
        check_quote(data + 1, size - 1);
        break;
    case 3:
        check_evidence((const char *) data + 1, size - 1);
        break;
    default:
        check_key(data + 1, size - 1, data[0] & 1);
    }
    return 0;
}
