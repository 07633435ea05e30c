/* SPDX-License-Identifier: Apache-2.0 */
/* When a guest has to be appraised again: the store of reference values is a test's. */
#include "appraiser.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "evidence/reference_values.h"
#include "host_half.h"
#include "pod_config.h"
#include "secure/channel.h"
#include "secure/reference_store.h"
#include "shim/appraisal_record.h"
#include "shim/tenant_conf.h"
#include "suite.h"

/* ---- the store ---- */

static uint64_t generation; /* 0: nothing holds */
static unsigned records;
static const struct evidence_endorsements endorsements;

struct reference_store *reference_store_new(const struct reference_store_paths *paths)
{
    return (struct reference_store *) &generation;
}

void reference_store_free(struct reference_store *store) {}

int reference_store_get(struct reference_store *store, const struct reference_values **ret,
                        struct error *err)
{
    if (!generation)
        return error_set(err, STATUS_NOT_FOUND, "no values");
    *ret = (const struct reference_values *) &generation;
    return 0;
}

uint64_t reference_store_generation(const struct reference_store *store)
{
    return generation;
}

const struct evidence_endorsements *reference_store_endorsements(
    const struct reference_store *store)
{
    return &endorsements;
}

uint64_t reference_store_epoch_min(const struct reference_store *store, const char *pod_namespace,
                                   const char *pod_name)
{
    return 0;
}

const char *reference_values_id(const struct reference_values *values)
{
    return "test";
}

uint64_t reference_values_serial(const struct reference_values *values)
{
    return generation;
}

int appraisal_record_write(const char *directory, const struct appraisal_record *record,
                           struct error *err)
{
    records++;
    return 0;
}

void appraisal_record_fini(struct appraisal_record *record)
{
    free(record->pod_namespace);
    free(record->pod_name);
    free(record->cri_sandbox_id);
    free(record->sandbox_id);
    free(record->evidence);
    free(record->anchor);
    free(record->measurement);
    free(record->chip);
    free(record->reference);
    free(record->manifest);
}

/* ---- a pod ---- */

static struct tenant_conf conf;
static char text[] = "x";
static struct pod_config config = {.pod_namespace = text, .name = text};
static struct host_half half = {.cri_sandbox_id = text, .sandbox_id = text};
static struct initdata initdata;
static const struct channel_facts facts = {.evidence = "tpm", .anchor = "host-vtpm"};
static struct appraiser *appraiser;

static void setup(void)
{
    const struct appraiser_options options = {&conf, &config, &initdata, &half};
    struct error err;

    strcpy(initdata.content.limits.evidence, "tpm");
    generation = 1;
    records = 0;
    ck_assert_int_eq(appraiser_new(&options, &appraiser, &err), 0);
}

static void teardown(void)
{
    appraiser_free(appraiser);
}

/* The refresh that goes before an appraisal. */
static void judge(void)
{
    struct evidence_policy policy = {0};
    struct error err;

    ck_assert_int_eq(appraiser_refresh(appraiser, &policy, &err), 0);
}

START_TEST(a_guest_is_stale_once_other_values_hold)
{
    judge();
    appraiser_accepted(appraiser, &facts);
    ck_assert_uint_eq(records, 1);
    ck_assert(!appraiser_is_stale(appraiser));
    generation = 2;
    ck_assert(appraiser_is_stale(appraiser));
    judge();
    appraiser_accepted(appraiser, &facts);
    ck_assert(!appraiser_is_stale(appraiser));
}
END_TEST

/* A connection that is to replace the one that stands is judged first, and refused: by those values
 * the guest of the standing one has not been accepted. */
START_TEST(a_refused_replacement_leaves_the_guest_stale)
{
    judge();
    appraiser_accepted(appraiser, &facts);
    generation = 2;
    judge();
    ck_assert(appraiser_is_stale(appraiser));
    judge();
    appraiser_accepted(appraiser, &facts);
    ck_assert(!appraiser_is_stale(appraiser));
}
END_TEST

/* It was judged before they changed, and opens behind another's refusal. */
START_TEST(one_that_was_judged_by_older_values_stays_stale)
{
    judge();
    generation = 2;
    judge();
    appraiser_accepted(appraiser, &facts);
    ck_assert(appraiser_is_stale(appraiser));
    judge();
    appraiser_accepted(appraiser, &facts);
    ck_assert(!appraiser_is_stale(appraiser));
}
END_TEST

START_TEST(values_that_cannot_be_read_are_no_change)
{
    struct evidence_policy policy = {
        .values = (const struct reference_values *) &generation,
        .endorsements.leaf = {(const uint8_t *) text, 1},
    };
    struct error err;

    judge();
    appraiser_accepted(appraiser, &facts);
    generation = 0;
    ck_assert(!appraiser_is_stale(appraiser));
    ck_assert(appraiser_refresh(appraiser, &policy, &err) < 0);
    ck_assert_ptr_null(policy.values); /* what had been read is gone */
    ck_assert_ptr_null(policy.endorsements.leaf.data);
    generation = 2;
    ck_assert(appraiser_is_stale(appraiser));
}
END_TEST

int main(void)
{
    const struct suite suite = {.name = "appraiser", .setup = setup, .teardown = teardown};

    return suite_run_with(&suite,
                          (const TTest *[]){a_guest_is_stale_once_other_values_hold,
                                            a_refused_replacement_leaves_the_guest_stale,
                                            one_that_was_judged_by_older_values_stays_stale,
                                            values_that_cannot_be_read_are_no_change, NULL});
}
