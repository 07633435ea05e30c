/* SPDX-License-Identifier: Apache-2.0 */
/* What is found lies within the quote, and nobody who lacks Intel's keys gets one accepted. */
#include <stdlib.h>

#include "base/error.h"
#include "evidence/tdx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_places(const struct tdx_quote *quote, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size - quote->trailing;
    const uint8_t *pem = (const uint8_t *) quote->pem;

    if (quote->trailing > size || quote->signed_bytes != data || quote->signed_length > size ||
        quote->body.report_data + TDX_REPORT_DATA_SIZE > data + quote->signed_length ||
        quote->attestation_key < data + quote->signed_length ||
        quote->qe_auth + quote->qe_auth_length > pem || pem + quote->pem_length > end)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tdx_policy policy = {.time = 1750000000, .skip = UINT32_MAX};
    const struct tdx_collateral none = {.tcb_info = {0}};
    struct evidence_verdict verdict = {0};
    struct tdx_result result;
    struct tdx_quote quote;
    struct error err;

    if (tdx_quote_parse(data, size, &quote, &err) < 0)
        return 0;
    check_places(&quote, data, size);
    if (tdx_verify((struct chain_bytes){data, size}, &none, &policy, &result, &verdict) == 0 ||
        !verdict.field)
        abort();
    return 0;
}
