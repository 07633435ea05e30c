/* SPDX-License-Identifier: Apache-2.0 */
/* One byte says what follows: a file of reference values, or (u16 and) keys and a signature for
 * one. Whatever is taken keeps what no file can allow, and nobody signs without a key. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "evidence/reference_values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_snp(const struct snp_policy *policy)
{
    if (policy &&
        (!(policy->policy_zero & SNP_POLICY_DEBUG) || !policy->measurement_count || !policy->keys ||
         !policy->products || policy->skip & (SNP_SKIP_MEASUREMENT | SNP_SKIP_HOST_DATA)))
        abort();
}

static void check_tdx(const struct tdx_policy *policy)
{
    if (policy && (!policy->mr_td.count || policy->skip & TDX_SKIP_MR_TD ||
                   policy->also_accepted & BIT(TDX_REVOKED)))
        abort();
}

static void check_tpm(const struct reference_tpm *tpm)
{
    if (tpm && (tpm->pcrs.set & ~tpm->selection || tpm->selection >= BIT(REGISTERS_MAX)))
        abort();
    for (unsigned i = 0; tpm && i < REGISTERS_MAX; i++)
        if (!(tpm->pcrs.set & BIT(i)) != !tpm->pcrs.lists[i].count)
            abort();
}

static void check_azure(const struct reference_azure *azure)
{
    if (!azure)
        return;
    if (!azure->snp == !azure->tdx)
        abort();
    check_snp(azure->snp);
    check_tdx(azure->tdx);
    check_tpm(&azure->tpm);
}

static void check_text(const char *text, size_t size)
{
    scoped(reference_values_freep) struct reference_values *values = NULL;
    struct error err = {0};
    uint64_t epoch;

    if (reference_values_parse(text, size, &values, &err) < 0) {
        if (values || !err.message[0])
            abort();
        return;
    }
    if (!reference_values_id(values)[0])
        abort();
    for (size_t i = 0; reference_values_epoch_at(values, i, &epoch); i++)
        if (!strchr(reference_values_epoch_at(values, i, &epoch), '/'))
            abort();
    check_snp(reference_values_snp(values));
    check_tdx(reference_values_tdx(values));
    check_tpm(reference_values_tpm(values));
    check_azure(reference_values_az_snp(values));
    check_azure(reference_values_az_tdx(values));
}

static void check_signature(const uint8_t *data, size_t size)
{
    static const uint8_t text[] = "{}";
    struct reader reader;
    struct error err = {0};

    reader_init(&reader, data, size);
    size_t length = reader_u16(&reader);
    const uint8_t *keys = reader_bytes(&reader, length);
    if (!keys)
        return;
    const struct chain_bytes signature = {data + 2 + length, size - 2 - length};
    if (reference_values_verify_signature((struct chain_bytes){text, sizeof(text) - 1}, signature,
                                          (struct chain_bytes){keys, length}, &err) == 0 ||
        !err.message[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 1)
        check_signature(data + 1, size - 1);
    else
        check_text((const char *) data + 1, size - 1);
    return 0;
}
