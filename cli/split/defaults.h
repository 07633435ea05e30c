/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the API server puts where a Pod says nothing: one table, of Kubernetes 1.37. What admission
 * adds besides (a service account's token, tolerations, a priority) is not in it. */

struct js;

#define DEFAULTS_VERSION "1.37"

void defaults_apply(struct js *pod);
