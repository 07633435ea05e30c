/* SPDX-License-Identifier: Apache-2.0 */
#include "appraiser.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/log.h"
#include "host_half.h"
#include "pod_config.h"
#include "secure/channel.h"
#include "shim/appraisal_record.h"
#include "shim/tenant_conf.h"

enum { NS_PER_S = 1000000000 };

struct appraiser {
    struct appraiser_options options;
};

static int64_t now_s(void)
{
    return clock_wall_ns() / NS_PER_S;
}

int appraiser_refresh(void *user, struct evidence_policy *policy, struct error *err)
{
    struct appraiser *appraiser = user;

    policy->allow_insecure = (const char *const *) appraiser->options.conf->allow_insecure;
    policy->time = now_s();
    return 0;
}

bool appraiser_is_stale(struct appraiser *appraiser)
{
    return false;
}

int appraiser_new(const struct appraiser_options *options, struct appraiser **ret,
                  struct error *err)
{
    scoped(appraiser_freep) struct appraiser *appraiser = xnew(struct appraiser);

    appraiser->options = *options;
    *ret = take_ptr(appraiser);
    return 0;
}

void appraiser_free(struct appraiser *appraiser)
{
    if (!appraiser)
        return;
    free(appraiser);
}

static char *hex_of(const void *data, size_t size)
{
    char *text = xalloc(2 * size + 1);

    hex_encode(data, size, text);
    return text;
}

void appraiser_record(const struct appraiser *appraiser, const struct channel_facts *facts)
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
        .measurement = hex_of(facts->measurement, facts->measurement_size),
        .chip = hex_of(facts->chip, facts->chip_size),
        .reference = xstrdup(""),
        .tls_version = facts->tls_version,
        .epoch = (int64_t) options->initdata->content.epoch,
        .number = facts->appraisals,
        .time = now_s(),
    };
    struct error err;

    if (appraisal_record_write(directory, &record, &err) < 0)
        log_warn("the appraisal cannot be recorded for `cleave status`: %s", err.message);
}
