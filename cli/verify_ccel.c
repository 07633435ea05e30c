/* SPDX-License-Identifier: Apache-2.0 */
/* The event log of a TD: alone, or against the quote that it has to explain. */
#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/reference_values.h"
#include "evidence/tdx_quote.h"
#include "verify_log.h"

enum { RTMRS = 4 };

/* "rtmr2=HEX" */
static int set_one(struct verify_log *log, const char *policy, struct error *err)
{
    unsigned index;

    if (!text_starts(policy, "rtmr") || policy[4] < '0' || policy[4] > '3' || policy[5] != '=')
        return verify_log_set(log, policy, err);
    index = (unsigned) (policy[4] - '0');
    if (hex_decode(policy + 6, log->reference.values[index], SHA384_SIZE, err) < 0)
        return error_wrap(err, "--set rtmr%u", index);
    log->reference.set |= BIT(index);
    return 0;
}

static int verify_alone(const struct verify_input *input, struct verify_log *log,
                        struct evidence_verdict *ret, struct js *claims, struct error *err)
{
    if (input->root.data || input->reference)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--%s means nothing to this type without --endorsements",
                         input->root.data ? "root" : "policy");
    for (size_t i = 0; i < input->policy_count; i++)
        if (set_one(log, input->policies[i], err) < 0)
            return -1;
    verify_log_judge(input, EVENT_LOG_CCEL, log, ret, claims);
    return 0;
}

/* The quote as type tdx judges it; borrows. Only the log's own key is not for it. */
static int make_inner(const struct verify_input *input, const struct verify_file *quote,
                      struct verify_log *log, struct verify_input *ret, struct error *err)
{
    *ret = *input;
    ret->evidence = *quote;
    ret->endorsements = verify_has_any(input, verify_tdx_collateral) ? input->endorsements : NULL;
    ret->policy_count = 0;
    for (size_t i = 0; i < input->policy_count; i++) {
        if (!text_starts(input->policies[i], "data="))
            ret->policies[ret->policy_count++] = input->policies[i];
        else if (verify_log_set(log, input->policies[i], err) < 0)
            return -1;
    }
    return 0;
}

/* All four: one that is not used is zero in the quote, so nothing may extend it. */
static void take_rtmrs(const struct verify_file *bytes, struct registers *reference)
{
    struct tdx_quote quote;
    struct error ignored;

    if (tdx_quote_parse(bytes->data, bytes->length, &quote, &ignored) < 0)
        return;
    for (size_t i = 0; i < RTMRS; i++)
        memcpy(reference->values[i], quote.body.rtmr[i], SHA384_SIZE);
    reference->set = BIT(RTMRS) - 1;
}

static int verify_quoted(const struct verify_input *input, struct verify_log *log,
                         struct evidence_verdict *ret, struct js *claims, struct error *err)
{
    scoped(verify_file_fini) struct verify_file quote = {0};
    struct js *quoted = js_new_object();
    struct verify_input inner;

    js_set(claims, "quote", quoted);
    if (verify_read(input, "quote.bin", &quote, err) < 0 ||
        make_inner(input, &quote, log, &inner, err) < 0 ||
        verify_tdx.verify(&inner, ret, quoted, err) < 0)
        return -1;
    if (ret->failed != APPRAISAL_OK)
        return 0;
    take_rtmrs(&quote, &log->reference);
    verify_log_judge(input, EVENT_LOG_CCEL, log, ret, claims);
    return 0;
}

static int verify(const struct verify_input *input, struct evidence_verdict *ret, struct js *claims,
                  struct error *err)
{
    struct verify_log log = {.replay = {.type = DIGEST_SHA384, .data = EVENT_REPLAY_DATA_CHECKED}};

    registers_init(&log.reference, REGISTERS_RTMR, DIGEST_SHA384);
    return (input->endorsements ? verify_quoted : verify_alone)(input, &log, ret, claims, err);
}

/* Those of the quote. */
static bool choose(struct verify_input *input)
{
    input->tdx = reference_values_tdx(input->reference);
    return input->tdx;
}

const struct verify_type verify_ccel = {
    .name = "ccel",
    .choose = choose,
    .of_files = VERIFY_REPORT_DATA | VERIFY_TIME,
    .help = "  The log of a TD: the memory that the ACPI table CCEL names, whole or up to its end. "
            "It\n"
            "  proves nothing without a quote. File in DIR: quote.bin, which is judged as type tdx "
            "judges\n"
            "  it, with its files, keys, report data and time; the log must replay to its RTMRs.\n"
            "  Policy keys, and without DIR:\n"
            "    data=ignored             data that must hash to its digest need not\n"
            "    rtmr0=HEX ... rtmr3=HEX  as quoted; if one is given, the others must not be "
            "extended\n",
    .verify = verify,
};
