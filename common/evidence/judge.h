/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Judges evidence of a type of the channel by a policy. Bytes in, verdict out; linked only by those
 * who verify. */
#include "evidence/evidence.h"

/* Every check of the type in its order; the first that fails is the verdict, with the field. A type
 * for which the policy has no reference values is refused. */
void evidence_judge(const struct evidence_type *type, const struct evidence_bundle *bundle,
                    const struct evidence_request *expected, const struct evidence_policy *policy,
                    struct evidence_verdict *ret);
