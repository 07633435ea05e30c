/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* `cleave evidence verify`: one file for each type of evidence, behind this seam. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"

struct error;
struct evidence_verdict;
struct finding;
struct js;
struct reference_tpm;
struct reference_values;
struct registers;
struct snp_policy;
struct tdx_policy;

enum { VERIFY_POLICIES_MAX = 64, VERIFY_REPORT_DATA_MAX = 64, VERIFY_FILE_MAX = 1024 * 1024 };

struct verify_file {
    char *data; /* NULL: there is none */
    size_t length;
};

struct verify_input {
    struct verify_file evidence, root;
    struct verify_file leaf;  /* that came inside of other evidence; NULL: it is in endorsements */
    const char *endorsements; /* directory; NULL: none was named */
    uint8_t report_data[VERIFY_REPORT_DATA_MAX];
    size_t report_data_length;
    int64_t time;                              /* unix seconds */
    const char *policies[VERIFY_POLICIES_MAX]; /* "KEY=VALUE", in order */
    size_t policy_count;
    const struct reference_values *reference; /* of --policy; NULL: the strict default */
    /* What of it the type has chosen. */
    const struct snp_policy *snp;
    const struct tdx_policy *tdx;
    const struct reference_tpm *tpm;
};

/* Options that some types have no use for. */
enum { VERIFY_REPORT_DATA = 1 << 0, VERIFY_TIME = 1 << 1 };

struct verify_type {
    const char *name;
    unsigned unused;   /* VERIFY_ bits: need not be there; report data must not */
    unsigned of_files; /* the same without --endorsements */
    const char *help;  /* of its files and its keys of --set; whole lines */
    /* The sections of input->reference; false: it has none. NULL: this type takes no --policy. */
    bool (*choose)(struct verify_input *input);
    /* The verdict is filled; what the evidence says goes into claims. -1: there is no verdict,
     * because the input is incomplete. */
    int (*verify)(const struct verify_input *input, struct evidence_verdict *ret, struct js *claims,
                  struct error *err);
};

extern const struct verify_type verify_snp, verify_tdx, verify_eventlog, verify_ccel, verify_tpm,
    verify_az_snp_vtpm, verify_az_tdx_vtpm;

/* The files of Intel's collateral, NULL-terminated. */
extern const char *const verify_tdx_collateral[];

/* --policy and --policy-key; NULL: not given. */
struct verify_policy {
    const char *file, *key;
};

/* Without a file there are no values, which is no error. */
int verify_policy_load(const struct verify_policy *policy, struct reference_values **ret,
                       struct error *err) must_check;
void verify_policy_claim(const struct reference_values *values, struct js *claims);
/* Whether the values are of this time and of this type; then the sections are chosen. */
int verify_policy_judge(const struct verify_type *type, struct verify_input *input,
                        struct evidence_verdict *ret) must_check;
/* Beside values, only the settings that begin with `own` are taken. */
int verify_policy_allows(const struct verify_input *input, const char *setting, const char *own,
                         struct error *err) must_check;

/* DIR/NAME; absent: an empty file. */
int verify_read_optional(const struct verify_input *input, const char *name,
                         struct verify_file *ret, struct error *err) must_check;
int verify_read(const struct verify_input *input, const char *name, struct verify_file *ret,
                struct error *err) must_check;
/* Of a NULL-terminated list, in DIR. */
bool verify_has_any(const struct verify_input *input, const char *const *names);
static inline void verify_file_fini(struct verify_file *file)
{
    free(file->data);
}
void verify_set_finding(struct evidence_verdict *verdict, const struct finding *finding);
/* data NULL: the evidence has none, nothing is said. */
void verify_claim_hex(struct js *claims, const char *key, const void *data, size_t length);
void verify_claim_number(struct js *claims, const char *key, uint64_t value); /* as "0x..." */
/* Those of .set, as "pcrs" or "rtmrs". */
void verify_claim_registers(const struct registers *registers, struct js *claims);
/* "2026-11-28T19:45:00Z", "...+01:00", or "now". */
int verify_parse_time(const char *text, int64_t *ret, struct error *err) must_check;
