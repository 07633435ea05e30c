/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/evidence.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/sample.h"

static const struct evidence_type snp = {
    .code = EVIDENCE_SNP,
    .name = "snp",
    .anchor = EVIDENCE_ANCHOR_HARDWARE,
    .digest = digest_sha512,
};

static const struct evidence_type tdx = {
    .code = EVIDENCE_TDX,
    .name = "tdx",
    .anchor = EVIDENCE_ANCHOR_HARDWARE,
    .digest = digest_sha512,
};

static const struct evidence_type tpm = {
    .code = EVIDENCE_TPM,
    .name = "tpm",
    .anchor = EVIDENCE_ANCHOR_HOST_VTPM,
    .digest = digest_sha256,
};

static const struct evidence_type *const types[] = {&snp, &tdx, &tpm, &evidence_sample};

static const char *const anchor_names[] = {
    [EVIDENCE_ANCHOR_NONE] = "none",
    [EVIDENCE_ANCHOR_HOST_VTPM] = "host-vtpm",
    [EVIDENCE_ANCHOR_HARDWARE] = "hardware",
};

static const char *const check_names[] = {
    [APPRAISAL_OK] = "ok",
    [APPRAISAL_POLICY] = "policy",
    [APPRAISAL_TYPE] = "evidence-type",
    [APPRAISAL_FORMAT] = "format",
    [APPRAISAL_INITDATA] = "initdata",
    [APPRAISAL_SIGNATURE] = "signature",
    [APPRAISAL_HARDWARE] = "hardware",
    [APPRAISAL_TCB] = "tcb",
    [APPRAISAL_ATTRIBUTES] = "attributes",
    [APPRAISAL_MEASUREMENT] = "measurement",
    [APPRAISAL_HARDWARE_INITDATA] = "hardware-initdata",
    [APPRAISAL_REPORT_DATA] = "report-data",
    [APPRAISAL_INSTANCE] = "instance",
    [APPRAISAL_NUMBER] = "number",
};

const struct evidence_type *evidence_find(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (types[i]->code == code)
            return types[i];
    return NULL;
}

const struct evidence_type *evidence_find_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (text_equal(types[i]->name, name))
            return types[i];
    return NULL;
}

bool evidence_allowed(const struct evidence_type *type, const struct evidence_policy *policy)
{
    const char *const *name = policy->allow_insecure;

    if (!type->insecure)
        return true;
    for (; name && *name; name++)
        if (text_equal(*name, type->name))
            return true;
    return false;
}

const char *evidence_anchor_name(enum evidence_anchor anchor)
{
    return anchor_names[anchor];
}

const char *appraisal_check_name(enum appraisal_check check)
{
    return (size_t) check < ARRAY_LENGTH(check_names) ? check_names[check] : "unknown";
}

void evidence_output_fini(struct evidence_output *output)
{
    writer_fini(&output->evidence);
    writer_fini(&output->endorsements);
    writer_fini(&output->event_log);
}

static void fail(struct evidence_verdict *verdict, enum appraisal_check check, const char *fmt,
                 va_list args)
{
    verdict->failed = check;
    (void) vsnprintf(verdict->text, sizeof(verdict->text), fmt, args);
    text_make_utf8(verdict->text);
}

void evidence_fail(struct evidence_verdict *verdict, enum appraisal_check check, const char *fmt,
                   ...)
{
    va_list args;

    verdict->field = NULL;
    va_start(args, fmt);
    fail(verdict, check, fmt, args);
    va_end(args);
}

int evidence_fail_field(struct evidence_verdict *verdict, enum appraisal_check check,
                        const char *field, const char *fmt, ...)
{
    va_list args;

    verdict->field = field;
    va_start(args, fmt);
    fail(verdict, check, fmt, args);
    va_end(args);
    return -1;
}
