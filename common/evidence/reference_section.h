/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Of reference_*.c alone: one reader for each section of a file. The target is zeroed. */
#include "evidence/reference_member.h"
#include "evidence/reference_values.h"

int reference_snp_read(const struct js *section, struct reference_arena *arena,
                       struct snp_policy *ret, struct error *err) must_check;
/* A reference_read_fn of a struct snp_policy. */
int reference_tcb_read(const struct reference_target *target, const struct js *value,
                       struct error *err) must_check;
int reference_tdx_read(const struct js *section, struct reference_arena *arena,
                       struct tdx_policy *ret, struct error *err) must_check;
int reference_tpm_read(const struct js *section, struct reference_arena *arena,
                       struct reference_tpm *ret, struct error *err) must_check;
int reference_azure_read_snp(const struct js *section, struct reference_arena *arena,
                             struct reference_azure *ret, struct error *err) must_check;
int reference_azure_read_tdx(const struct js *section, struct reference_arena *arena,
                             struct reference_azure *ret, struct error *err) must_check;
