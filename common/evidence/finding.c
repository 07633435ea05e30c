/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/finding.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/scoped.h"
#include "base/text.h"

static const struct {
    const char *name;
    enum appraisal_check check;
} codes[FINDING_CODES] = {
    [FINDING_NONE] = {"ok", APPRAISAL_OK},
    [FINDING_LOG_SIZE] = {"log-size", APPRAISAL_FORMAT},
    [FINDING_LOG_LEGACY] = {"log-legacy", APPRAISAL_FORMAT},
    [FINDING_LOG_SPEC_ID] = {"log-spec-id", APPRAISAL_FORMAT},
    [FINDING_LOG_ALGORITHMS] = {"log-algorithms", APPRAISAL_FORMAT},
    [FINDING_LOG_BANK] = {"log-bank", APPRAISAL_FORMAT},
    [FINDING_LOG_TRUNCATED] = {"log-truncated", APPRAISAL_FORMAT},
    [FINDING_LOG_REGISTER] = {"log-register", APPRAISAL_FORMAT},
    [FINDING_LOG_DIGESTS] = {"log-digests", APPRAISAL_FORMAT},
    [FINDING_LOG_EVENT_SIZE] = {"log-event-size", APPRAISAL_FORMAT},
    [FINDING_LOG_SECOND_START] = {"log-second-start", APPRAISAL_FORMAT},
    [FINDING_LOG_LOCALITY] = {"log-locality", APPRAISAL_FORMAT},
    [FINDING_LOG_TAIL] = {"log-tail", APPRAISAL_FORMAT},
    [FINDING_LOG_DATA] = {"log-data", APPRAISAL_MEASUREMENT},
    [FINDING_REFERENCE] = {"reference", APPRAISAL_POLICY},
    [FINDING_REGISTER_VALUE] = {"register-value", APPRAISAL_MEASUREMENT},
    [FINDING_REGISTER_TOUCHED] = {"register-touched", APPRAISAL_MEASUREMENT},
    [FINDING_QUOTE_SIZE] = {"quote-size", APPRAISAL_FORMAT},
    [FINDING_QUOTE_MAGIC] = {"quote-magic", APPRAISAL_FORMAT},
    [FINDING_QUOTE_TYPE] = {"quote-type", APPRAISAL_FORMAT},
    [FINDING_QUOTE_SIGNER] = {"quote-signer", APPRAISAL_FORMAT},
    [FINDING_QUOTE_NONCE] = {"quote-nonce", APPRAISAL_REPORT_DATA},
    [FINDING_QUOTE_CLOCK] = {"quote-clock", APPRAISAL_FORMAT},
    [FINDING_QUOTE_RESET] = {"quote-reset", APPRAISAL_INSTANCE},
    [FINDING_QUOTE_FIRMWARE] = {"quote-firmware", APPRAISAL_TCB},
    [FINDING_QUOTE_BANK] = {"quote-bank", APPRAISAL_FORMAT},
    [FINDING_QUOTE_PCRS] = {"quote-pcrs", APPRAISAL_MEASUREMENT},
    [FINDING_QUOTE_DIGEST] = {"quote-digest", APPRAISAL_MEASUREMENT},
    [FINDING_SIGNATURE_FORMAT] = {"signature-format", APPRAISAL_FORMAT},
    [FINDING_SIGNATURE_SCHEME] = {"signature-scheme", APPRAISAL_SIGNATURE},
    [FINDING_SIGNATURE] = {"signature", APPRAISAL_SIGNATURE},
    [FINDING_KEY_FORMAT] = {"key-format", APPRAISAL_FORMAT},
    [FINDING_KEY_TYPE] = {"key-type", APPRAISAL_SIGNATURE},
    [FINDING_KEY_ATTRIBUTES] = {"key-attributes", APPRAISAL_SIGNATURE},
    [FINDING_KEY_UNKNOWN] = {"key-unknown", APPRAISAL_SIGNATURE},
    [FINDING_EVIDENCE] = {"evidence", APPRAISAL_FORMAT},
    [FINDING_HCL_SIZE] = {"hcl-size", APPRAISAL_FORMAT},
    [FINDING_HCL_HEADER] = {"hcl-header", APPRAISAL_FORMAT},
    [FINDING_HCL_HASH] = {"hcl-hash", APPRAISAL_SIGNATURE},
    [FINDING_HCL_VARIABLE] = {"hcl-variable", APPRAISAL_FORMAT},
    [FINDING_TD_REPORT] = {"td-report", APPRAISAL_FORMAT},
};

int finding_set(struct finding *finding, enum finding_code code, const char *fmt, ...)
{
    va_list args;

    finding->code = code;
    va_start(args, fmt);
    (void) vsnprintf(finding->text, sizeof(finding->text), fmt, args);
    va_end(args);
    text_make_utf8(finding->text);
    return -1;
}

const char *finding_name(enum finding_code code)
{
    return (size_t) code < ARRAY_LENGTH(codes) ? codes[code].name : "unknown";
}

enum appraisal_check finding_check(enum finding_code code)
{
    return (size_t) code < ARRAY_LENGTH(codes) ? codes[code].check : APPRAISAL_FORMAT;
}
