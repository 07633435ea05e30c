/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* By what this pod's guest is judged: the keys of tenant.conf, and the reference values and
 * endorsements that they name, read again before each appraisal when they have changed. */
#include <stdbool.h>

#include "base/scoped.h"
#include "evidence/evidence.h"

struct appraiser;
struct channel_facts;
struct error;
struct host_half;
struct initdata;
struct pod_config;
struct tenant_conf;

/* All are borrowed and outlive it. */
struct appraiser_options {
    const struct tenant_conf *conf;
    const struct pod_config *config;
    const struct initdata *initdata;
    const struct host_half *half;
};

/* Reads them: what is wrong with them is said before anything is dialled. */
int appraiser_new(const struct appraiser_options *options, struct appraiser **ret,
                  struct error *err) must_check;
void appraiser_free(struct appraiser *appraiser);
SCOPED_PTR(struct appraiser, appraiser_free)

/* A channel_policy_fn. What the policy points to stays until the next call. */
int appraiser_refresh(void *appraiser, struct evidence_policy *policy,
                      struct error *err) must_check;
/* Other values hold than those by which the guest was accepted last. Values that cannot be read are
 * no change: the next appraisal says so. */
bool appraiser_is_stale(struct appraiser *appraiser);
/* By what the last refresh gave out. Writes down for `cleave status` what it has shown; a failure
 * of that is only logged. */
void appraiser_accepted(struct appraiser *appraiser, const struct channel_facts *facts);
