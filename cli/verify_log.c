/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs: `eventlog` of a TPM, `ccel` of a TD. */
#include <stdio.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/event_replay.h"
#include "evidence/finding.h"
#include "verify.h"

struct settings {
    struct event_replay replay;
    struct registers reference;
};

static int set_common(struct settings *settings, const char *policy, struct error *err)
{
    if (!text_equal(policy, "data=ignored"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "--policy %s: there is no such key or value",
                         policy);
    settings->replay.data = EVENT_REPLAY_DATA_IGNORED;
    return 0;
}

static int set_tpm(struct settings *settings, const char *policy, struct error *err)
{
    if (text_equal(policy, "bank=sha256") || text_equal(policy, "bank=sha384")) {
        settings->replay.type = text_ends(policy, "384") ? DIGEST_SHA384 : DIGEST_SHA256;
        return 0;
    }
    return set_common(settings, policy, err);
}

/* "rtmr2=HEX" */
static int set_ccel(struct settings *settings, const char *policy, struct error *err)
{
    unsigned index;

    if (!text_starts(policy, "rtmr") || policy[4] < '0' || policy[4] > '3' || policy[5] != '=')
        return set_common(settings, policy, err);
    index = (unsigned) (policy[4] - '0');
    if (hex_decode(policy + 6, settings->reference.values[index], SHA384_SIZE, err) < 0)
        return error_wrap(err, "--policy rtmr%u", index);
    settings->reference.set |= BIT(index);
    return 0;
}

static int read_reference(const struct verify_input *input, struct settings *settings,
                          struct error *err)
{
    scoped(verify_file_fini) struct verify_file file = {0};
    struct finding finding;

    if (!input->endorsements)
        return 0;
    if (verify_read(input, "pcrs.json", &file, err) < 0)
        return -1;
    registers_init(&settings->reference, REGISTERS_PCR, settings->replay.type);
    if (registers_parse(file.data, file.length, &settings->reference, &finding) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "pcrs.json: %s", finding.text);
    return 0;
}

/* Only of a log that replays to its end. */
static void claim_replay(const struct event_replay *replay, struct js *claims)
{
    js_set_string(claims, "bank", registers_bank(replay->type));
    js_set_integer(claims, "events", replay->events);
    if (replay->registers.kind == REGISTERS_PCR)
        js_set_integer(claims, "locality", replay->locality);
    verify_claim_registers(&replay->registers, claims);
}

static void claim_skipped(const struct settings *settings, struct js *claims)
{
    struct js *list = js_new_array();

    if (!settings->reference.set)
        js_append(list, js_new_string("registers"));
    if (settings->replay.data == EVENT_REPLAY_DATA_IGNORED)
        js_append(list, js_new_string("data"));
    js_set(claims, "not_judged", list);
}

static int judge(const struct verify_input *input, enum event_log_kind kind,
                 struct settings *settings, struct js *claims, struct finding *finding)
{
    struct event_log log;

    if (event_log_open(&log, kind, input->evidence.data, input->evidence.length, finding) < 0)
        return -1;
    if (event_replay_run(&settings->replay, &log, finding) < 0)
        return -1;
    claim_replay(&settings->replay, claims);
    if (!settings->reference.set)
        return 0;
    return registers_match(&settings->replay.registers, &settings->reference, finding);
}

static int verify(const struct verify_input *input, enum event_log_kind kind,
                  struct evidence_verdict *ret, struct js *claims, struct error *err)
{
    struct settings settings = {
        .replay = {.type = DIGEST_SHA256, .data = EVENT_REPLAY_DATA_CHECKED}};
    struct finding finding = {0};

    if (input->root.data || (kind == EVENT_LOG_CCEL && input->endorsements))
        return error_set(err, STATUS_INVALID_ARGUMENT, "--%s means nothing to this type",
                         input->root.data ? "root" : "endorsements");
    if (kind == EVENT_LOG_CCEL) {
        settings.replay.type = DIGEST_SHA384;
        registers_init(&settings.reference, REGISTERS_RTMR, DIGEST_SHA384);
    }
    for (size_t i = 0; i < input->policy_count; i++)
        if ((kind == EVENT_LOG_CCEL ? set_ccel : set_tpm)(&settings, input->policies[i], err) < 0)
            return -1;
    if (read_reference(input, &settings, err) < 0)
        return -1;
    (void) judge(input, kind, &settings, claims, &finding);
    verify_set_finding(ret, &finding);
    claim_skipped(&settings, claims);
    return 0;
}

static int verify_tpm_log(const struct verify_input *input, struct evidence_verdict *ret,
                          struct js *claims, struct error *err)
{
    return verify(input, EVENT_LOG_TPM, ret, claims, err);
}

static int verify_ccel_log(const struct verify_input *input, struct evidence_verdict *ret,
                           struct js *claims, struct error *err)
{
    return verify(input, EVENT_LOG_CCEL, ret, claims, err);
}

const struct verify_type verify_eventlog = {
    .name = "eventlog",
    .unused = VERIFY_REPORT_DATA | VERIFY_TIME,
    .help = "  The log of a TPM, as firmware wrote it: binary_bios_measurements. It proves nothing "
            "without\n"
            "  a quote. File in DIR: pcrs.json, {\"sha256\": {\"0\": HEX, ...}}; PCRs that are not "
            "in it must\n"
            "  not be extended. Without --endorsements no value is judged.\n"
            "  Policy keys:\n"
            "    bank=sha256|sha384   which digests: sha256 if not given\n"
            "    data=ignored         data that must hash to its digest need not\n",
    .verify = verify_tpm_log,
};

const struct verify_type verify_ccel = {
    .name = "ccel",
    .unused = VERIFY_REPORT_DATA | VERIFY_TIME,
    .help = "  The log of a TD: the memory that the ACPI table CCEL names, whole or up to its end. "
            "It\n"
            "  proves nothing without a quote.\n"
            "  Policy keys:\n"
            "    rtmr0=HEX ... rtmr3=HEX  as quoted; if one is given, the others must not be "
            "extended\n"
            "    data=ignored             data that must hash to its digest need not\n",
    .verify = verify_ccel_log,
};
