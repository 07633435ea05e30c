/* SPDX-License-Identifier: Apache-2.0 */
/* cleave evidence verify: hardware evidence judged offline, from files, at a time that is given. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/reference_values.h"
#include "verbs.h"
#include "verify.h"

static const struct verify_type *const types[] = {
    &verify_snp, &verify_tdx,      &verify_az_snp_vtpm, &verify_az_tdx_vtpm,
    &verify_tpm, &verify_eventlog, &verify_ccel};

enum output { OUTPUT_TEXT, OUTPUT_JSON };

struct arguments {
    const struct verify_type *type;
    const char *evidence, *root, *report_data, *time;
    enum output output;
    struct verify_policy policy;
    struct reference_values *values; /* of it; NULL: none */
    struct verify_input input;
};

static int usage(FILE *to)
{
    fputs(
        "Usage: cleave evidence verify --type TYPE --evidence FILE [--report-data HEX] [--time "
        "TIME]\n"
        "                              [--endorsements DIR] [--root FILE] [--policy FILE "
        "[--policy-key FILE]]\n"
        "                              [--set KEY=VALUE]... [--json]\n\n"
        "Judges evidence of hardware offline. Nothing is fetched, no clock is asked. Report data "
        "and\n"
        "time are needed, but for types that have no use for them; those refuse report data.\n\n"
        "  --type TYPE         what kind of evidence it is; see below\n"
        "  --evidence FILE     the report, as the hardware wrote it\n"
        "  --endorsements DIR  the certificates that go with it\n"
        "  --report-data HEX   the bytes that the report has to be signed for, all of them\n"
        "  --time TIME         when certificates have to be valid: 2026-11-28T19:45:00Z, or now\n"
        "  --root FILE         PEM: roots that are trusted instead of the vendor's\n"
        "  --policy FILE       reference values instead of the strict default: "
        "docs/reference-values.md\n"
        "  --policy-key FILE   PEM of the keys of which one must have signed them, in FILE.sig of "
        "--policy\n"
        "  --set KEY=VALUE     what is accepted besides the strict default, or asked for; with "
        "--policy only\n"
        "                      what is of one appraisal: host-data, mr-config-id, reset-count\n"
        "  --json              one line of JSON instead of text\n",
        to);
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        fprintf(to, "\nType %s\n%s", types[i]->name, types[i]->help);
    fputs("\nExit code: 0 accepted, 1 rejected, 2 there is no verdict: the command line was wrong "
          "or\n"
          "a file could not be read.\n",
          to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int complain(const char *text)
{
    fprintf(stderr, "cleave evidence: %s; `cleave evidence --help` says more\n", text);
    return EXIT_USAGE;
}

static const struct verify_type *find_type(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (text_equal(types[i]->name, name))
            return types[i];
    return NULL;
}

static int set_type(const char *name, const struct verify_type **ret, struct error *err)
{
    *ret = find_type(name);
    if (*ret)
        return 0;
    return error_set(err, STATUS_UNIMPLEMENTED, "a verifier of type '%s' is not in this build",
                     name);
}

static int set_option(struct arguments *arguments, int option, const char *value, struct error *err)
{
    struct verify_input *input = &arguments->input;

    switch (option) {
    case 't':
        return set_type(value, &arguments->type, err);
    case 'e':
        arguments->evidence = value;
        return 0;
    case 'd':
        input->endorsements = value;
        return 0;
    case 'r':
        arguments->root = value;
        return 0;
    case 'x':
        arguments->report_data = value;
        return 0;
    case 'c':
        arguments->time = value;
        return 0;
    case 'p':
        arguments->policy.file = value;
        return 0;
    case 'k':
        arguments->policy.key = value;
        return 0;
    case 'j':
        arguments->output = OUTPUT_JSON;
        return 0;
    default:
        if (input->policy_count == VERIFY_POLICIES_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "more than %d times --set",
                             VERIFY_POLICIES_MAX);
        input->policies[input->policy_count++] = value;
        return 0;
    }
}

static int parse_report_data(const char *hex, struct verify_input *input, struct error *err)
{
    size_t length = strlen(hex) / 2;

    if (!length || length > VERIFY_REPORT_DATA_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--report-data has 1 to %d bytes",
                         VERIFY_REPORT_DATA_MAX);
    if (hex_decode(hex, input->report_data, length, err) < 0)
        return error_wrap(err, "--report-data");
    input->report_data_length = length;
    return 0;
}

static unsigned unused_by(const struct arguments *arguments)
{
    const struct verify_type *type = arguments->type;

    return !type ? 0 : type->unused | (arguments->input.endorsements ? 0 : type->of_files);
}

/* Report data that nobody would compare is refused, but for none (""); a time is at worst not
 * needed. */
static int check_complete(struct arguments *arguments, struct error *err)
{
    unsigned unused = unused_by(arguments);

    if (!arguments->type || !arguments->evidence)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is missing",
                         arguments->type ? "--evidence" : "--type");
    if (!arguments->report_data && !(unused & VERIFY_REPORT_DATA))
        return error_set(err, STATUS_INVALID_ARGUMENT, "--report-data is missing");
    if (arguments->report_data && *arguments->report_data && unused & VERIFY_REPORT_DATA)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--report-data means nothing to this type%s",
                         arguments->type->of_files ? " without --endorsements" : "");
    if (!arguments->time && !(unused & VERIFY_TIME))
        return error_set(err, STATUS_INVALID_ARGUMENT, "--time is missing");
    if (!arguments->time && arguments->policy.file)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--time is missing: reference values expire");
    if (arguments->policy.file && !arguments->type->choose)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--policy means nothing to this type");
    if (arguments->report_data && !(unused & VERIFY_REPORT_DATA) &&
        parse_report_data(arguments->report_data, &arguments->input, err) < 0)
        return -1;
    if (!arguments->time)
        return 0;
    return verify_parse_time(arguments->time, &arguments->input.time, err);
}

static int read_files(struct arguments *arguments, struct error *err)
{
    struct verify_input *input = &arguments->input;

    if (input->endorsements && !file_exists(input->endorsements))
        return error_set(err, STATUS_NOT_FOUND, "--endorsements: there is no '%s'",
                         input->endorsements);
    if (file_read(arguments->evidence, VERIFY_FILE_MAX, &input->evidence.data,
                  &input->evidence.length, err) < 0)
        return -1;
    if (!arguments->root)
        return 0;
    if (file_read(arguments->root, VERIFY_FILE_MAX, &input->root.data, &input->root.length, err) <
        0)
        return -1;
    /* Empty would mean: the vendor's. */
    if (!input->root.length)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--root: '%s' is empty", arguments->root);
    return 0;
}

static void print_text(const struct verify_type *type, const struct evidence_verdict *verdict,
                       const struct js *claims)
{
    scoped(freep) char *text = js_print(claims);

    if (verdict->failed == APPRAISAL_OK)
        printf("ACCEPTED %s\n", type->name);
    else
        printf("REJECTED %s\n  check: %s\n  field: %s\n  reason: %s\n", type->name,
               appraisal_check_name(verdict->failed), verdict->field ? verdict->field : "-",
               verdict->text);
    printf("  claims: %s\n", text);
}

static void print_json(const struct verify_type *type, const struct evidence_verdict *verdict,
                       const struct js *claims)
{
    scoped(js_freep) struct js *root = js_new_object();
    scoped(freep) char *text = NULL;

    js_set_string(root, "type", type->name);
    js_set(root, "accepted", js_new_boolean(verdict->failed == APPRAISAL_OK));
    if (verdict->failed != APPRAISAL_OK) {
        js_set_string(root, "check", appraisal_check_name(verdict->failed));
        js_set_string(root, "field", verdict->field ? verdict->field : "");
        js_set_string(root, "reason", verdict->text);
    }
    js_set(root, "claims", js_copy(claims));
    text = js_print(root);
    puts(text);
}

static int read_policy(struct arguments *arguments, struct error *err)
{
    if (verify_policy_load(&arguments->policy, &arguments->values, err) < 0)
        return -1;
    arguments->input.reference = arguments->values;
    return 0;
}

/* What the values say of themselves goes before what they say of the evidence. */
static int judge_evidence(struct arguments *arguments, struct evidence_verdict *ret,
                          struct js *claims, struct error *err)
{
    struct verify_input *input = &arguments->input;

    if (input->reference) {
        verify_policy_claim(input->reference, claims);
        if (verify_policy_judge(arguments->type, input, ret) < 0)
            return 0;
    }
    return arguments->type->verify(input, ret, claims, err);
}

static int judge(struct arguments *arguments)
{
    scoped(js_freep) struct js *claims = js_new_object();
    struct evidence_verdict verdict = {.failed = APPRAISAL_FORMAT};
    struct error err = {0};

    if (check_complete(arguments, &err) < 0 || read_files(arguments, &err) < 0 ||
        read_policy(arguments, &err) < 0 || judge_evidence(arguments, &verdict, claims, &err) < 0)
        return complain(err.message);
    (arguments->output == OUTPUT_JSON ? print_json : print_text)(arguments->type, &verdict, claims);
    if (fflush(stdout) != 0)
        return EXIT_USAGE;
    return verdict.failed == APPRAISAL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void arguments_fini(struct arguments *arguments)
{
    verify_file_fini(&arguments->input.evidence);
    verify_file_fini(&arguments->input.root);
    reference_values_free(arguments->values);
}

static int verify(int argc, char *argv[])
{
    static const struct option options[] = {{"type", required_argument, NULL, 't'},
                                            {"evidence", required_argument, NULL, 'e'},
                                            {"endorsements", required_argument, NULL, 'd'},
                                            {"root", required_argument, NULL, 'r'},
                                            {"report-data", required_argument, NULL, 'x'},
                                            {"time", required_argument, NULL, 'c'},
                                            {"policy", required_argument, NULL, 'p'},
                                            {"policy-key", required_argument, NULL, 'k'},
                                            {"set", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    scoped(arguments_fini) struct arguments arguments = {0};
    struct error err = {0};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h')
            return usage(stdout);
        if (option == ':' || option == '?')
            return complain(option == ':' ? "an option lacks its value" : "unknown option");
        if (set_option(&arguments, option, optarg, &err) < 0)
            return complain(err.message);
    }
    if (optind < argc)
        return complain("there are words without an option");
    return judge(&arguments);
}

int verify_read_optional(const struct verify_input *input, const char *name,
                         struct verify_file *ret, struct error *err)
{
    scoped(freep) char *path = xformat("%s/%s", input->endorsements, name);

    if (!file_exists(path)) {
        *ret = (struct verify_file){0};
        return 0;
    }
    return file_read(path, VERIFY_FILE_MAX, &ret->data, &ret->length, err);
}

int verify_read(const struct verify_input *input, const char *name, struct verify_file *ret,
                struct error *err)
{
    scoped(freep) char *path = xformat("%s/%s", input->endorsements, name);

    return file_read(path, VERIFY_FILE_MAX, &ret->data, &ret->length, err);
}

bool verify_has_any(const struct verify_input *input, const char *const *names)
{
    for (; *names; names++) {
        scoped(freep) char *path = xformat("%s/%s", input->endorsements, *names);

        if (file_exists(path))
            return true;
    }
    return false;
}

int evidence_main(int argc, char *argv[])
{
    const char *what = argc > 1 ? argv[1] : "";

    if (text_equal(what, "--help") || text_equal(what, "-h"))
        return usage(stdout);
    if (!*what)
        return usage(stderr);
    if (!text_equal(what, "verify"))
        return complain("what evidence is asked for is `verify`");
    return verify(argc - 1, argv + 1);
}
