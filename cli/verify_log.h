/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the logs of a TPM and of a TD share. */
#include "evidence/event_replay.h"
#include "verify.h"

struct verify_log {
    struct event_replay replay;
    struct registers reference; /* .set 0: there is none */
};

/* "data=ignored", or there is no such key. */
int verify_log_set(struct verify_log *log, const char *policy, struct error *err) must_check;
/* Replays the evidence and compares it with the reference; fills the verdict, and claims, among
 * them "not_judged". */
void verify_log_judge(const struct verify_input *input, enum event_log_kind kind,
                      struct verify_log *log, struct evidence_verdict *ret, struct js *claims);
