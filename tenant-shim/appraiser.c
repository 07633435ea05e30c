/* SPDX-License-Identifier: Apache-2.0 */
#include "appraiser.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/log.h"
#include "evidence/reference_values.h"
#include "host_half.h"
#include "pod_config.h"
#include "secure/channel.h"
#include "secure/reference_store.h"
#include "shim/appraisal_record.h"
#include "shim/tenant_conf.h"

enum { NS_PER_S = 1000000000 };

struct appraiser {
    struct appraiser_options options;
    struct reference_store *store; /* NULL: the type has no reference values */
    uint64_t judged;               /* generation of the values by which a guest was accepted */
    uint64_t judging; /* the oldest that a refresh gave out since then; UINT64_MAX: none did */
    char *judged_by;  /* what those of the last refresh are called; NULL: by none */
};

static int64_t now_s(void)
{
    return clock_wall_ns() / NS_PER_S;
}

static uint64_t older(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int appraiser_refresh(void *user, struct evidence_policy *policy, struct error *err)
{
    struct appraiser *appraiser = user;
    const struct pod_config *config = appraiser->options.config;

    policy->allow_insecure = (const char *const *) appraiser->options.conf->allow_insecure;
    policy->time = now_s();
    /* What they pointed to may be gone, whatever comes of this. */
    policy->values = NULL;
    policy->endorsements = (struct evidence_endorsements){0};
    if (!appraiser->store)
        return 0;
    if (reference_store_get(appraiser->store, &policy->values, err) < 0)
        return -1;
    policy->epoch_min = reference_store_epoch_min(appraiser->store, config->pod_namespace,
                                                  config->name);
    policy->endorsements = *reference_store_endorsements(appraiser->store);
    appraiser->judging = older(appraiser->judging, reference_store_generation(appraiser->store));
    free(appraiser->judged_by);
    appraiser->judged_by = xformat("%s, serial %llu", reference_values_id(policy->values),
                                   (unsigned long long) reference_values_serial(policy->values));
    return 0;
}

bool appraiser_is_stale(struct appraiser *appraiser)
{
    const struct reference_values *values;
    struct error err;

    if (!appraiser->store)
        return false;
    if (reference_store_get(appraiser->store, &values, &err) < 0) {
        log_warn("%s; until that is mended nothing can be appraised", err.message);
        return false;
    }
    return reference_store_generation(appraiser->store) != appraiser->judged;
}

int appraiser_new(const struct appraiser_options *options, struct appraiser **ret,
                  struct error *err)
{
    scoped(appraiser_freep) struct appraiser *appraiser = xnew(struct appraiser);
    const struct reference_store_paths paths = {
        .values = options->conf->reference_values,
        .keys = options->conf->reference_keys,
        .endorsements = options->conf->endorsements,
        .roots = options->conf->vendor_roots,
    };
    const char *evidence = options->initdata->content.limits.evidence;
    const struct evidence_type *type = evidence_find_name(evidence);

    appraiser->options = *options;
    appraiser->judging = UINT64_MAX;
    if (!type)
        return error_set(err, STATUS_UNIMPLEMENTED, "evidence type %s is not in this build",
                         evidence);
    if (type->anchor != EVIDENCE_ANCHOR_NONE)
        appraiser->store = reference_store_new(&paths);
    *ret = take_ptr(appraiser);
    return 0;
}

void appraiser_free(struct appraiser *appraiser)
{
    if (!appraiser)
        return;
    reference_store_free(appraiser->store);
    free(appraiser->judged_by);
    free(appraiser);
}

static char *manifest_of(const struct initdata_content *content)
{
    return content->mode == INITDATA_SEALED
               ? hex_text(content->manifest_digest, sizeof(content->manifest_digest))
               : xstrdup("");
}

static void record(const struct appraiser *appraiser, const struct channel_facts *facts)
{
    const struct appraiser_options *options = &appraiser->options;
    scoped(freep) char *directory = xformat("%s/%s", TENANT_DIRECTORY, options->half->sandbox_id);
    scoped(appraisal_record_fini) struct appraisal_record record = {
        .pod_namespace = xstrdup(options->config->pod_namespace),
        .pod_name = xstrdup(options->config->name),
        .cri_sandbox_id = xstrdup(options->half->cri_sandbox_id),
        .sandbox_id = xstrdup(options->half->sandbox_id),
        .evidence = xstrdup(facts->evidence),
        .anchor = xstrdup(facts->anchor),
        .measurement = hex_text(facts->measurement, facts->measurement_size),
        .chip = hex_text(facts->chip, facts->chip_size),
        .reference = xstrdup(appraiser->judged_by ? appraiser->judged_by : ""),
        .manifest = manifest_of(&options->initdata->content),
        .tls_version = facts->tls_version,
        .epoch = (int64_t) options->initdata->content.epoch,
        .number = facts->appraisals,
        .time = now_s(),
    };
    struct error err;

    if (appraisal_record_write(directory, &record, &err) < 0)
        log_warn("the appraisal cannot be recorded for `cleave status`: %s", err.message);
}

/* Several connections may be appraised at a time, and one that was refused says nothing about the
 * others: if in doubt it is the older values that this one was accepted by. */
void appraiser_accepted(struct appraiser *appraiser, const struct channel_facts *facts)
{
    if (appraiser->judging != UINT64_MAX)
        appraiser->judged = appraiser->judging;
    appraiser->judging = UINT64_MAX;
    record(appraiser, facts);
}
