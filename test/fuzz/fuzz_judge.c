/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest sends to be appraised by: its type, u16 and endorsements, u16 and an event log, and
 * evidence. It has no vendor's key, so whatever it is, it is refused, with a reason. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "evidence/judge.h"
#include "evidence/reference_values.h"

#define MEASUREMENT                                                                                \
    "[\"111111111111111111111111111111111111111111111111"                                          \
    "111111111111111111111111111111111111111111111111\"]"

static const char text[] =
    "{\"format\":\"cleave-reference-values/1\",\"id\":\"fuzz\",\"serial\":1,"
    "\"not_after\":\"2099-01-01T00:00:00Z\",\"revoked\":[],"
    "\"snp\":{\"measurements\":" MEASUREMENT ",\"products\":[\"Milan\"],\"crl\":\"if-given\","
    "\"keys\":[\"vcek\",\"vlek\"],\"tcb_min\":{\"Milan\":{\"bootloader\":0,\"tee\":0,\"snp\":0,"
    "\"microcode\":0}},\"guest_policy\":{\"smt\":\"any\"}},"
    "\"tdx\":{\"mr_td\":" MEASUREMENT ",\"rtmr\":{\"0\":\"any\",\"1\":\"any\",\"2\":\"any\","
    "\"3\":\"any\"},\"tcb_status\":[\"UpToDate\"],\"collateral\":\"if-given\"},"
    "\"tpm\":{\"trust_anchor\":\"host-vtpm\",\"attestation_keys\":\"any\","
    "\"pcrs\":{\"4\":[\"0\"]},\"selection\":\"all\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct reference_values *values;

static void read_values(void)
{
    struct error err;

    if (!values && reference_values_parse(text, sizeof(text) - 1, &values, &err) < 0)
        abort();
}

static const uint8_t *part(struct reader *reader, size_t *ret)
{
    size_t length = reader_u16(reader);
    const uint8_t *bytes = reader_bytes(reader, length);

    *ret = bytes ? length : 0;
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t statement[EVIDENCE_STATEMENT_SIZE], initdata[48];
    const struct evidence_request expected = {statement, initdata};
    struct evidence_policy policy = {.time = 1750000000};
    struct evidence_verdict verdict = {0};
    struct evidence_bundle bundle = {0};
    struct reader reader;

    if (size == 0 || !evidence_find(data[0]))
        return 0;
    read_values();
    policy.values = values;
    reader_init(&reader, data + 1, size - 1);
    bundle.endorsements = part(&reader, &bundle.endorsements_length);
    bundle.event_log = part(&reader, &bundle.event_log_length);
    bundle.evidence_length = reader_left(&reader);
    bundle.evidence = reader_bytes(&reader, bundle.evidence_length);
    evidence_judge(evidence_find(data[0]), &bundle, &expected, &policy, &verdict);
    if (verdict.failed == APPRAISAL_OK || !verdict.text[0])
        abort();
    return 0;
}
