/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs, and the type `eventlog`: that of a TPM. */
#include "verify_log.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/finding.h"

int verify_log_set(struct verify_log *log, const char *policy, struct error *err)
{
    if (!text_equal(policy, "data=ignored"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "--set %s: there is no such key or value",
                         policy);
    log->replay.data = EVENT_REPLAY_DATA_IGNORED;
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

static void claim_skipped(const struct verify_log *log, struct js *claims)
{
    struct js *list = js_new_array();

    if (!log->reference.set)
        js_append(list, js_new_string("registers"));
    if (log->replay.data == EVENT_REPLAY_DATA_IGNORED)
        js_append(list, js_new_string("data"));
    js_set(claims, "not_judged", list);
}

static int judge(const struct verify_input *input, enum event_log_kind kind, struct verify_log *log,
                 struct js *claims, struct finding *finding)
{
    struct event_log events;

    if (event_log_open(&events, kind, input->evidence.data, input->evidence.length, finding) < 0)
        return -1;
    if (event_replay_run(&log->replay, &events, finding) < 0)
        return -1;
    claim_replay(&log->replay, claims);
    if (!log->reference.set)
        return 0;
    return registers_match(&log->replay.registers, &log->reference, finding);
}

void verify_log_judge(const struct verify_input *input, enum event_log_kind kind,
                      struct verify_log *log, struct evidence_verdict *ret, struct js *claims)
{
    struct finding finding = {0};

    (void) judge(input, kind, log, claims, &finding);
    verify_set_finding(ret, &finding);
    claim_skipped(log, claims);
}

static int set_one(struct verify_log *log, const char *policy, struct error *err)
{
    if (!text_equal(policy, "bank=sha256") && !text_equal(policy, "bank=sha384"))
        return verify_log_set(log, policy, err);
    log->replay.type = text_ends(policy, "384") ? DIGEST_SHA384 : DIGEST_SHA256;
    return 0;
}

static int read_reference(const struct verify_input *input, struct verify_log *log,
                          struct error *err)
{
    scoped(verify_file_fini) struct verify_file file = {0};
    struct finding finding;

    if (!input->endorsements)
        return 0;
    if (verify_read(input, "pcrs.json", &file, err) < 0)
        return -1;
    registers_init(&log->reference, REGISTERS_PCR, log->replay.type);
    if (registers_parse(file.data, file.length, &log->reference, &finding) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "pcrs.json: %s", finding.text);
    return 0;
}

static int verify(const struct verify_input *input, struct evidence_verdict *ret, struct js *claims,
                  struct error *err)
{
    struct verify_log log = {.replay = {.type = DIGEST_SHA256, .data = EVENT_REPLAY_DATA_CHECKED}};

    if (input->root.data)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--root means nothing to this type");
    for (size_t i = 0; i < input->policy_count; i++)
        if (set_one(&log, input->policies[i], err) < 0)
            return -1;
    if (read_reference(input, &log, err) < 0)
        return -1;
    verify_log_judge(input, EVENT_LOG_TPM, &log, ret, claims);
    return 0;
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
    .verify = verify,
};
