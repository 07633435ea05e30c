/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/json.h"
#include "evidence/evidence.h"
#include "evidence/event_replay.h"
#include "evidence/finding.h"
#include "evidence/reference_values.h"
#include "verify_quote.h"

/* PCR 10 is the kernel's own (IMA); 17 to 22 belong to a dynamic launch and start with ones. No
 * log of firmware has them. */
static const uint32_t without_log = BIT(10) | 0x7e0000;

struct settings {
    struct verify_quote quote;
    uint8_t enrolled[1][TPM_KEY_SPKI_DIGEST_SIZE];
    struct verify_file log;
};

static void settings_fini(struct settings *settings)
{
    verify_file_fini(&settings->log);
}

static int set_one(struct settings *settings, const char *policy, struct error *err)
{
    int rc = verify_quote_set(&settings->quote, policy, err);

    if (rc == 0)
        rc = error_set(err, STATUS_INVALID_ARGUMENT, "--set %s: type tpm has no such key", policy);
    return rc < 0 ? -1 : 0;
}

/* Without a file no key is enrolled, and the verdict says so. */
static int read_key(const struct verify_input *input, struct settings *settings, struct error *err)
{
    scoped(verify_file_fini) struct verify_file pem = {0}, public = {0};
    scoped(tpm_key_freep) struct tpm_key *key = NULL;
    struct finding finding;
    int rc;

    if (!input->endorsements)
        return 0;
    if (verify_read_optional(input, "ak.pem", &pem, err) < 0 ||
        verify_read_optional(input, "ak.pub", &public, err) < 0)
        return -1;
    if (!pem.data && !public.data)
        return 0;
    if (pem.data && public.data)
        return error_set(err, STATUS_INVALID_ARGUMENT, "there is ak.pem and ak.pub in '%s'",
                         input->endorsements);
    rc = pem.data ? tpm_key_parse_spki(pem.data, pem.length, &key, &finding)
                  : tpm_key_parse_public(public.data, public.length, &key, &finding);
    if (rc < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the key that is enrolled: %s",
                         finding.text);
    memcpy(settings->enrolled[0], tpm_key_spki_digest(key), TPM_KEY_SPKI_DIGEST_SIZE);
    settings->quote.policy.enrolled = (const uint8_t(*)[TPM_KEY_SPKI_DIGEST_SIZE])
                                          settings->enrolled;
    settings->quote.policy.enrolled_count = 1;
    return 0;
}

static int read_settings(const struct verify_input *input, struct settings *ret, struct error *err)
{
    if (input->root.data)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--root means nothing to this type");
    if (verify_quote_init(&ret->quote, input, err) < 0)
        return -1;
    for (size_t i = 0; i < input->policy_count; i++)
        if (verify_policy_allows(input, input->policies[i], "reset-count=", err) < 0 ||
            set_one(ret, input->policies[i], err) < 0)
            return -1;
    if (!input->tpm && read_key(input, ret, err) < 0)
        return -1;
    if (!input->endorsements)
        return 0;
    return verify_read_optional(input, "eventlog.bin", &ret->log, err);
}

/* What is quoted must be what the log replays to, but for what no log has. */
static int check_log(const struct settings *settings, const struct registers *quoted,
                     struct finding *finding)
{
    struct event_replay replay = {.type = DIGEST_SHA256, .data = EVENT_REPLAY_DATA_CHECKED};
    struct event_log log;

    if (event_log_open(&log, EVENT_LOG_TPM, settings->log.data, settings->log.length, finding) <
            0 ||
        event_replay_run(&replay, &log, finding) < 0)
        return -1;
    return registers_prove(quoted, &replay.registers, without_log, finding);
}

static void claim_skipped(const struct settings *settings, struct js *claims)
{
    struct js *list = js_new_array();

    if (!settings->quote.policy.reference && !settings->quote.policy.lists)
        js_append(list, js_new_string("pcrs"));
    if (!settings->log.data)
        js_append(list, js_new_string("eventlog"));
    if (!settings->quote.policy.reset_count)
        js_append(list, js_new_string("reset-count"));
    js_set(claims, "not_judged", list);
}

static int verify(const struct verify_input *input, struct evidence_verdict *ret, struct js *claims,
                  struct error *err)
{
    scoped(settings_fini) struct settings settings = {0};
    scoped(tpm_evidence_fini) struct tpm_evidence evidence = {0};
    struct finding finding = {0};
    struct registers quoted;

    if (read_settings(input, &settings, err) < 0)
        return -1;
    if (tpm_evidence_parse(input->evidence.data, input->evidence.length, &evidence, &finding) ==
        0) {
        quoted = evidence.pcrs;
        quoted.set = settings.quote.policy.selection;
        if (tpm_evidence_check(&evidence, &settings.quote.policy, &finding) == 0 &&
            settings.log.data)
            (void) check_log(&settings, &quoted, &finding);
        verify_quote_claim(&settings.quote, &evidence, claims);
    }
    claim_skipped(&settings, claims);
    verify_set_finding(ret, &finding);
    if (finding.code == FINDING_NONE)
        verify_quote_judge(&settings.quote, input, &evidence, ret);
    return 0;
}

static bool choose(struct verify_input *input)
{
    input->tpm = reference_values_tpm(input->reference);
    return input->tpm;
}

const struct verify_type verify_tpm = {
    .name = "tpm",
    .choose = choose,
    .unused = VERIFY_TIME,
    .help = "  JSON as Trustee's attester writes it: {\"tpm_quote\": {\"message\", \"signature\", "
            "\"pcrs\"},\n"
            "  \"ak_public\"}. --report-data is extraData, all of it. Whoever runs a software TPM "
            "can have it\n"
            "  say anything. Files in DIR: ak.pem or ak.pub, the key that is enrolled (PEM, or a "
            "TPM2B_PUBLIC,\n"
            "  of which the attributes are checked); pcr_selection.txt, 0,4,7 or sha256:0,4,7: "
            "what must be\n"
            "  quoted, exactly; pcrs.json, {\"sha256\": {\"0\": HEX, ...}}, each of which must be "
            "quoted;\n"
            "  eventlog.bin, which must replay to what is quoted, but for PCR 10 and 17 to 22.\n"
            "  Policy keys:\n"
            "    pcrs=0,4,7           instead of pcr_selection.txt; without either all 24\n"
            "    reset-count=N        the boot that is known; any if not given\n",
    .verify = verify,
};
