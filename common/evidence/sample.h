/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Evidence that proves nothing: signed by a key that is published in sample.c. It exists so that
 * every check runs where there is no hardware. Insecure; refused unless both sides name it. */
#include "evidence/evidence.h"

enum { SAMPLE_SIZE = 8 + 1 + 64 + 48 + 48 + 64 };

extern const struct evidence_type evidence_sample;
void sample_judge(const struct evidence_bundle *bundle, const struct evidence_request *expected,
                  const struct evidence_policy *policy, struct evidence_verdict *ret);
