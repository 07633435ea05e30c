/* SPDX-License-Identifier: Apache-2.0 */
/* cleave-attest: asks this machine's hardware for one thing and ends. A process of its own because
 * it may wait long in a driver, because libtss2 would cost the agent memory for good, and because
 * it takes apart what a TPM or a quoting service says, which may be the host's: here are no keys
 * and no secrets, nor what it would take to get at them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "event_log_file.h"
#include "evidence/evidence.h"
#include "io/fd.h"
#include "lessen.h"
#include "td_device.h"
#include "tpm.h"
#include "tsm.h"
#include "wire.h"

enum { INPUT_MAX = 16 * 1024 };

static const char usage[] = "usage: cleave-attest report snp|tdx|tpm DEVICE LOG <REPORT-DATA\n"
                            "       cleave-attest bind tsm|tpm DEVICE TD-DEVICE <INITDATA\n"
                            "The agent of a cleave guest runs it.\n";

struct question {
    const char *type, *device, *other;
    uint8_t input[INPUT_MAX + 1];
    size_t length;
};

static int read_input(struct question *question, struct error *err)
{
    size_t got;

    question->length = fread(question->input, 1, sizeof(question->input), stdin);
    got = question->length;
    if (ferror(stdin) || got == 0 || got > INPUT_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "standard input has to have 1 to %d bytes",
                         INPUT_MAX);
    return 0;
}

static void output_init(struct evidence_output *output)
{
    writer_init(&output->evidence, ATTEST_EVIDENCE_MAX);
    writer_init(&output->endorsements, ATTEST_ENDORSEMENTS_MAX);
    writer_init(&output->event_log, ATTEST_LOG_MAX);
}

static int read_log(const struct question *question, enum event_log_kind kind,
                    struct evidence_output *output, struct error *err)
{
    if (text_equal(question->other, ATTEST_NONE))
        return 0;
    return event_log_file_read(question->other, kind, &output->event_log, err);
}

/* ---- reports --------------------------------------------------------------------------------- */

static int report_tsm(const struct question *question, enum tsm_provider provider,
                      struct evidence_output *output, struct error *err)
{
    const struct tsm_request request = {question->device, provider, question->input};

    return lessen_to(question->device, err) < 0 ? -1 : tsm_report(&request, output, err);
}

static int report_snp(const struct question *question, struct evidence_output *output,
                      struct error *err)
{
    return report_tsm(question, TSM_SNP, output, err);
}

static int report_tdx(const struct question *question, struct evidence_output *output,
                      struct error *err)
{
    if (report_tsm(question, TSM_TDX, output, err) < 0)
        return -1;
    return read_log(question, EVENT_LOG_CCEL, output, err);
}

static int report_tpm(const struct question *question, struct evidence_output *output,
                      struct error *err)
{
    scoped(tpm_freep) struct tpm *tpm = NULL;

    if (read_log(question, EVENT_LOG_TPM, output, err) < 0 ||
        tpm_open(question->device, &tpm, err) < 0 || lessen_user(err) < 0)
        return -1;
    return tpm_attest(tpm, question->input, output, err);
}

static const struct {
    const char *type;
    size_t input;
    int (*report)(const struct question *question, struct evidence_output *output,
                  struct error *err);
} reports[] = {
    {ATTEST_SNP, TSM_REPORT_DATA_SIZE, report_snp},
    {ATTEST_TDX, TSM_REPORT_DATA_SIZE, report_tdx},
    {ATTEST_TPM, TPM_NONCE_SIZE, report_tpm},
};

static int say(const void *data, size_t length, struct error *err)
{
    return length ? fd_write_full(STDOUT_FILENO, data, length, err) : 0;
}

static int say_report(const struct evidence_output *output, struct error *err)
{
    const struct writer *parts[] = {&output->evidence, &output->endorsements, &output->event_log};

    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        const uint32_t size = (uint32_t) parts[i]->size;
        const uint8_t length[4] = {(uint8_t) (size >> 24), (uint8_t) (size >> 16),
                                   (uint8_t) (size >> 8), (uint8_t) size};

        if (parts[i]->failed)
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the report is larger than %zu bytes",
                             parts[i]->limit);
        if (say(length, sizeof(length), err) < 0 || say(parts[i]->data, size, err) < 0)
            return -1;
    }
    return 0;
}

static int report(const struct question *question, struct error *err)
{
    scoped(evidence_output_fini) struct evidence_output output;

    output_init(&output);
    for (size_t i = 0; i < ARRAY_LENGTH(reports); i++) {
        if (!text_equal(question->type, reports[i].type))
            continue;
        if (question->length != reports[i].input)
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s takes %zu bytes of report data",
                             question->type, reports[i].input);
        if (reports[i].report(question, &output, err) < 0)
            return -1;
        return say_report(&output, err);
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "there are no reports of type '%s'",
                     question->type);
}

/* ---- initdata -------------------------------------------------------------------------------- */

/* The report is about nothing: what a statement hashes to is never zero. It goes nowhere. */
static int check_snp(const struct question *question, struct error *err)
{
    static const uint8_t nothing[TSM_REPORT_DATA_SIZE];
    const struct tsm_request request = {question->device, TSM_SNP, nothing};
    scoped(evidence_output_fini) struct evidence_output output;

    output_init(&output);
    if (lessen_to(question->device, err) < 0 || tsm_report(&request, &output, err) < 0)
        return -1;
    return tsm_check_host_data(&output, question->input, question->length, err);
}

static int bind_tsm(const struct question *question, const char **ret_name, struct error *err)
{
    enum tsm_provider provider = TSM_PROVIDERS;

    if (tsm_find(question->device, &provider, err) < 0) /* the kernel's word, not the host's */
        return -1;
    *ret_name = tsm_provider_name(provider);
    if (provider == TSM_SNP)
        return check_snp(question, err);
    if (lessen_capabilities(err) < 0)
        return -1;
    return td_device_check_initdata(question->other, question->input, question->length, err);
}

static int bind_tpm(const struct question *question, const char **ret_name, struct error *err)
{
    scoped(tpm_freep) struct tpm *tpm = NULL;

    if (tpm_open(question->device, &tpm, err) < 0 || lessen_user(err) < 0)
        return -1;
    *ret_name = ATTEST_TPM;
    return tpm_extend_initdata(tpm, question->input, question->length, err);
}

static int bind_initdata(const struct question *question, struct error *err)
{
    const char *name = "";
    int rc;

    if (text_equal(question->type, ATTEST_ANY_TSM))
        rc = bind_tsm(question, &name, err);
    else if (text_equal(question->type, ATTEST_TPM))
        rc = bind_tpm(question, &name, err);
    else
        rc = error_set(err, STATUS_INVALID_ARGUMENT, "initdata is bound to no '%s'",
                       question->type);
    return rc < 0 ? -1 : say(name, strlen(name), err);
}

int main(int argc, char *argv[])
{
    static struct question question;
    struct error err;
    bool reports_it = argc == 5 && text_equal(argv[1], ATTEST_REPORT);

    if (argc != 5 || (!reports_it && !text_equal(argv[1], ATTEST_BIND)))
        return fputs(usage, stderr), 2;
    (void) setenv("TSS2_LOG", "all+none", 1); /* our sentence is the last one on stderr */
    question.type = argv[2];
    question.device = argv[3];
    question.other = argv[4];
    if (read_input(&question, &err) < 0 ||
        (reports_it ? report(&question, &err) : bind_initdata(&question, &err)) < 0) {
        (void) fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
