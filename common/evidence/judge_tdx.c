/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/judges.h"

#include <string.h>

#include "evidence/event_log.h"
#include "evidence/event_replay.h"
#include "evidence/finding.h"
#include "evidence/reference_values.h"
#include "evidence/tdx.h"

enum { RTMRS = 4 };

struct roots {
    uint8_t spki[CHAIN_LENGTH_MAX][CHAIN_SPKI_SIZE];
    size_t count;
};

static int read_roots(struct chain_bytes pem, struct roots *ret, struct evidence_verdict *verdict)
{
    scoped(chain_bundle_fini) struct chain_bundle bundle = {0};

    if (!pem.length)
        return 0;
    if (chain_parse_pem("root", pem, &bundle, verdict) < 0)
        return -1;
    for (; ret->count < bundle.count; ret->count++)
        chain_spki(bundle.certificates[ret->count], ret->spki[ret->count]);
    return 0;
}

/* A log that the guest sends along has to be that of the quoted registers. */
static int check_log(const struct evidence_bundle *bundle, const struct tdx_body *body,
                     struct evidence_verdict *ret)
{
    struct event_replay replay = {.type = DIGEST_SHA384, .data = EVENT_REPLAY_DATA_CHECKED};
    struct registers quoted;
    struct event_log log;
    struct finding finding;

    if (!bundle->event_log_length)
        return 0;
    registers_init(&quoted, REGISTERS_RTMR, DIGEST_SHA384);
    for (unsigned i = 0; i < RTMRS; i++) {
        quoted.set |= BIT(i);
        memcpy(quoted.values[i], body->rtmr[i], TDX_MEASUREMENT_SIZE);
    }
    if (event_log_open(&log, EVENT_LOG_CCEL, bundle->event_log, bundle->event_log_length,
                       &finding) == 0 &&
        event_replay_run(&replay, &log, &finding) == 0 &&
        registers_match(&replay.registers, &quoted, &finding) == 0)
        return 0;
    return evidence_fail_field(ret, APPRAISAL_MEASUREMENT, "event_log", "event log: %s",
                               finding.text);
}

static void remember(const struct tdx_result *result, struct evidence_verdict *ret)
{
    memcpy(ret->measurement, result->quote.body.mr_td, TDX_MEASUREMENT_SIZE);
    ret->measurement_size = TDX_MEASUREMENT_SIZE;
    memcpy(ret->chip, result->pck.fmspc, sizeof(result->pck.fmspc));
    ret->chip_size = sizeof(result->pck.fmspc);
}

void judge_tdx(const struct evidence_bundle *bundle, const struct evidence_request *expected,
               const struct evidence_policy *policy, struct evidence_verdict *ret)
{
    const struct tdx_policy *values = policy->values ? reference_values_tdx(policy->values) : NULL;
    const struct evidence_endorsements *own = &policy->endorsements;
    const struct tdx_collateral collateral = {own->tcb_info, own->qe_identity, own->tcb_signing,
                                              own->pck_crl, own->root_crl};
    uint8_t report_data[EVIDENCE_DIGEST_MAX];
    struct roots roots = {.count = 0};
    struct tdx_result result = {0};

    if (judge_needs_values(values, "tdx", ret) < 0 || read_roots(own->roots, &roots, ret) < 0)
        return;
    evidence_find(EVIDENCE_TDX)->digest(expected->statement, EVIDENCE_STATEMENT_SIZE, report_data);
    struct tdx_policy wanted = *values;
    wanted.time = policy->time;
    wanted.roots = roots.count ? (const uint8_t(*)[CHAIN_SPKI_SIZE]) roots.spki : NULL;
    wanted.root_count = roots.count;
    wanted.mr_config_id = expected->initdata_digest;
    wanted.report_data = report_data;
    const struct chain_bytes quote = {bundle->evidence, bundle->evidence_length};
    int rc = tdx_verify(quote, &collateral, &wanted, &result, ret);
    if (rc < 0 && ret->failed == APPRAISAL_REPORT_DATA) {
        memcpy(ret->signed_digest, result.quote.body.report_data, TDX_REPORT_DATA_SIZE);
        ret->signed_digest_size = TDX_REPORT_DATA_SIZE;
    }
    if (rc < 0 || check_log(bundle, &result.quote.body, ret) < 0 ||
        reference_values_judge_tdx(policy->values, &result.quote.body, ret) < 0)
        return;
    remember(&result, ret);
    ret->failed = APPRAISAL_OK;
}
