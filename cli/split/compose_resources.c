/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "compose.h"
#include "compose_private.h"
#include "quantity.h"

enum {
    SHARES_MIN = 2,
    SHARES_MAX = 262144,
    PERIOD = 100000,  /* us */
    QUOTA_MIN = 1000, /* us */
    OOM_GUARANTEED = -997,
    OOM_BEST_EFFORT = 1000,
    OOM_BURSTABLE_MIN = 3,
    OOM_BURSTABLE_MAX = 999,
};

enum quality { QUALITY_BEST_EFFORT, QUALITY_BURSTABLE, QUALITY_GUARANTEED };

static int read_one(const struct js *container, const char *list, const char *name, int64_t *ret,
                    struct error *err)
{
    enum quantity_unit unit = text_equal(name, "cpu") ? QUANTITY_MILLIS : QUANTITY_ONES;
    const struct js *value = js_get(js_path(container, "resources", list), name);

    if (quantity_read(value, unit, ret, err) < 0)
        return error_wrap(err, "resources.%s.%s", list, name);
    return 0;
}

/* ---- cpu, memory --------------------------------------------------------------------------- */

static int64_t clamp(int64_t value, int64_t min, int64_t max)
{
    return value < min ? min : value > max ? max : value;
}

static int make_limits(const struct compose *compose, struct js *resources, struct error *err)
{
    struct js *cpu = js_new_object(), *memory = js_new_object();
    int64_t request, limit, bytes;

    js_set(resources, "cpu", cpu);
    js_set(resources, "memory", memory);
    if (read_one(compose->container, "requests", "cpu", &request, err) < 0 ||
        read_one(compose->container, "limits", "cpu", &limit, err) < 0 ||
        read_one(compose->container, "limits", "memory", &bytes, err) < 0)
        return -1;
    if (request > INT64_MAX / PERIOD || limit > INT64_MAX / PERIOD)
        return error_set(err, STATUS_INVALID_ARGUMENT, "resources: more processors than there are");
    js_set_integer(cpu, "shares", clamp(request * 1024 / 1000, SHARES_MIN, SHARES_MAX));
    js_set_integer(cpu, "period", PERIOD);
    if (limit)
        js_set_integer(cpu, "quota", clamp(limit * PERIOD / 1000, QUOTA_MIN, INT64_MAX));
    if (bytes)
        js_set_integer(memory, "limit", bytes);
    return 0;
}

static int no_huge_pages(void *user, const char *name, struct js *value, struct error *err)
{
    int64_t amount;

    (void) user;
    if (!text_starts(name, "hugepages-"))
        return 0;
    if (quantity_read(value, QUANTITY_ONES, &amount, err) < 0)
        return -1;
    return amount ? error_set(err, STATUS_INVALID_ARGUMENT,
                              "resources: the guest has no huge pages ('%.64s')", name)
                  : 0;
}

/* The guest gets no devices of the node's, not even by way of a plug-in. */
static struct js *no_devices(void)
{
    struct js *list = js_new_array(), *rule = js_new_object();

    js_set(rule, "allow", js_new_boolean(false));
    js_set_string(rule, "access", "rwm");
    js_append(list, rule);
    return list;
}

/* ---- the quality of service ---------------------------------------------------------------- */

static int quality_of_container(const struct js *container, enum quality *ret, struct error *err)
{
    static const char *const names[] = {"cpu", "memory"};
    bool any = false, whole = true;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        int64_t request, limit;

        if (read_one(container, "requests", names[i], &request, err) < 0 ||
            read_one(container, "limits", names[i], &limit, err) < 0)
            return -1;
        any = any || request || limit;
        whole = whole && request && request == limit;
    }
    *ret = whole ? QUALITY_GUARANTEED : any ? QUALITY_BURSTABLE : QUALITY_BEST_EFFORT;
    return 0;
}

struct sums {
    size_t count[3];   /* of containers, by quality */
    int64_t requests;  /* memory of all */
    int64_t least_app; /* memory of the container that asks for the least; -1 */
};

static int add(const struct js *container, const char *list, struct sums *sums, struct error *err)
{
    enum quality quality;
    int64_t request;

    if (quality_of_container(container, &quality, err) < 0 ||
        read_one(container, "requests", "memory", &request, err) < 0)
        return -1;
    sums->count[quality]++;
    if (request > INT64_MAX / 1000 - sums->requests)
        return error_set(err, STATUS_INVALID_ARGUMENT, "resources: more memory than there is");
    sums->requests += request;
    if (text_equal(list, "containers") && (sums->least_app < 0 || request < sums->least_app))
        sums->least_app = request;
    return 0;
}

static int sum_up(const struct js *pod, struct sums *ret, struct error *err)
{
    static const char *const lists[] = {"initContainers", "containers"};

    *ret = (struct sums){.least_app = -1};
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        const struct js *list = js_path(pod, "spec", lists[i]);

        for (size_t j = 0; j < js_length(list); j++) {
            if (add(js_at(list, j), lists[i], ret, err) < 0)
                return error_wrap(err, "%s[%zu]", lists[i], j);
        }
    }
    return 0;
}

static enum quality quality_of_pod(const struct sums *sums)
{
    if (sums->count[QUALITY_BURSTABLE] ||
        (sums->count[QUALITY_BEST_EFFORT] && sums->count[QUALITY_GUARANTEED]))
        return QUALITY_BURSTABLE;
    return sums->count[QUALITY_GUARANTEED] ? QUALITY_GUARANTEED : QUALITY_BEST_EFFORT;
}

/* Of a burstable pod kubelet takes the node's memory for the whole. The guest is no larger than
 * what the pod asks for, and only an order among its own containers means something there. */
static int64_t burstable(const struct compose *compose, const struct sums *sums, int64_t request)
{
    int64_t whole = sums->requests ? sums->requests : 1;
    int64_t score = 1000 - 1000 * request / whole, least = 1000 - 1000 * sums->least_app / whole;

    if (text_equal(compose->kind, "sidecar") && score > least)
        score = least;
    return clamp(score, OOM_BURSTABLE_MIN, OOM_BURSTABLE_MAX);
}

static int make_score(const struct compose *compose, struct js *process, struct error *err)
{
    struct sums sums;
    int64_t request, score = OOM_BEST_EFFORT;

    if (sum_up(compose->pod, &sums, err) < 0 ||
        read_one(compose->container, "requests", "memory", &request, err) < 0)
        return -1;
    if (quality_of_pod(&sums) == QUALITY_GUARANTEED)
        score = OOM_GUARANTEED;
    else if (quality_of_pod(&sums) == QUALITY_BURSTABLE)
        score = burstable(compose, &sums, request);
    js_set_integer(process, "oomScoreAdj", score);
    return 0;
}

int compose_resources(const struct compose *compose, struct js *spec, struct error *err)
{
    const struct js *limits = js_path(compose->container, "resources", "limits");
    struct js *resources = js_new_object();

    js_set(js_get(spec, "linux"), "resources", resources);
    js_set(resources, "devices", no_devices());
    if (limits && js_each(limits, no_huge_pages, NULL, err) < 0)
        return -1;
    if (make_limits(compose, resources, err) < 0)
        return -1;
    return make_score(compose, js_get(spec, "process"), err);
}
