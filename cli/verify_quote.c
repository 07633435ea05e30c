/* SPDX-License-Identifier: Apache-2.0 */
#include "verify_quote.h"

#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/finding.h"
#include "evidence/reference_values.h"
#include "evidence/tpm_quote.h"

static const uint32_t all_pcrs = 0xffffff;

static const char selection_file[] = "pcr_selection.txt", reference_file[] = "pcrs.json";

/* "0,4,7" */
static int set_pcrs(struct verify_quote *quote, const char *value, struct error *err)
{
    scoped(freep) char *list = xstrdup(value);
    char *rest = list;
    const char *word;

    quote->policy.selection = 0;
    while ((word = strsep(&rest, ","))) {
        uint64_t index;

        if (!text_to_u64(word, &index) || index >= REGISTERS_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "there is no PCR '%s'", word);
        quote->policy.selection |= BIT(index);
    }
    return 0;
}

static int set_reset_count(struct verify_quote *quote, const char *value, struct error *err)
{
    uint64_t number;

    if (!text_to_u64(value, &number) || number > UINT32_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not a number of 32 bits", value);
    quote->reset_count = (uint32_t) number;
    quote->policy.reset_count = &quote->reset_count;
    return 0;
}

static void drop_blanks(char *text)
{
    char *to = text;

    for (; *text; text++)
        if (*text != ' ' && *text != '\t')
            *to++ = *text;
    *to = '\0';
}

/* One line, as tpm2-tools writes a selection ("sha256:0,4,7") or without its bank. */
static int read_selection(struct verify_quote *quote, const struct verify_input *input,
                          struct error *err)
{
    scoped(verify_file_fini) struct verify_file file = {0};
    static const char bank[] = "sha256:";
    const char *list;

    if (verify_read_optional(input, selection_file, &file, err) < 0)
        return -1;
    if (!file.data)
        return 0;
    file.data[strcspn(file.data, "\r\n")] = '\0';
    drop_blanks(file.data);
    list = text_starts(file.data, bank) ? file.data + strlen(bank) : file.data;
    if (set_pcrs(quote, list, err) < 0)
        return error_wrap(err, "%s", selection_file);
    return 0;
}

static int read_reference(struct verify_quote *quote, const struct verify_input *input,
                          struct error *err)
{
    scoped(verify_file_fini) struct verify_file file = {0};
    struct finding finding;

    if (verify_read_optional(input, reference_file, &file, err) < 0)
        return -1;
    if (!file.data)
        return 0;
    registers_init(&quote->reference, REGISTERS_PCR, DIGEST_SHA256);
    if (registers_parse(file.data, file.length, &quote->reference, &finding) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: %s", reference_file, finding.text);
    quote->policy.reference = &quote->reference;
    return 0;
}

static void use_values(struct verify_quote *quote, const struct reference_tpm *values)
{
    quote->policy.selection = values->selection;
    quote->policy.lists = &values->pcrs;
    quote->policy.enrolled = values->enrolled;
    quote->policy.enrolled_count = values->enrolled_count;
    if (values->keys == REFERENCE_KEYS_ANY)
        quote->policy.skip = TPM_SKIP_ENROLMENT;
}

int verify_quote_init(struct verify_quote *quote, const struct verify_input *input,
                      struct error *err)
{
    *quote = (struct verify_quote){.policy = {.nonce = input->report_data,
                                              .nonce_size = input->report_data_length,
                                              .selection = all_pcrs}};
    if (input->tpm)
        use_values(quote, input->tpm);
    if (!input->endorsements)
        return 0;
    if (!input->tpm && read_selection(quote, input, err) < 0)
        return -1;
    return read_reference(quote, input, err);
}

void verify_quote_judge(const struct verify_quote *quote, const struct verify_input *input,
                        const struct tpm_evidence *evidence, struct evidence_verdict *ret)
{
    struct registers quoted = evidence->pcrs;

    quoted.set = quote->policy.selection;
    if (ret->failed == APPRAISAL_OK && input->reference)
        (void) !reference_values_judge_pcrs(input->reference, &quoted, ret);
}

int verify_quote_set(struct verify_quote *quote, const char *policy, struct error *err)
{
    int rc;

    if (text_starts(policy, "pcrs=") && quote->policy.lists)
        rc = error_set(err, STATUS_INVALID_ARGUMENT, "with --policy the file says it");
    else if (text_starts(policy, "pcrs="))
        rc = set_pcrs(quote, policy + strlen("pcrs="), err);
    else if (text_starts(policy, "reset-count="))
        rc = set_reset_count(quote, policy + strlen("reset-count="), err);
    else
        return 0;
    return rc < 0 ? error_wrap(err, "--set %s", policy) : 1;
}

void verify_quote_claim(const struct verify_quote *quote, const struct tpm_evidence *evidence,
                        struct js *claims)
{
    struct registers quoted = evidence->pcrs;
    char firmware[2 * sizeof(uint64_t) + 3];
    struct finding finding;
    struct tpm_quote parsed;

    verify_claim_hex(claims, "ak_spki_sha256", tpm_key_spki_digest(evidence->key),
                     TPM_KEY_SPKI_DIGEST_SIZE);
    if (tpm_quote_parse(evidence->message, evidence->message_size, &parsed, &finding) == 0) {
        js_set_integer(claims, "clock", (int64_t) parsed.clock);
        js_set_integer(claims, "reset_count", parsed.reset_count);
        js_set_integer(claims, "restart_count", parsed.restart_count);
        snprintf(firmware, sizeof(firmware), "0x%016llx", (unsigned long long) parsed.firmware);
        js_set_string(claims, "firmware", firmware);
    }
    quoted.set = quote->policy.selection;
    verify_claim_registers(&quoted, claims);
}
