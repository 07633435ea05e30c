/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_size.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "quantity.h"

static const struct {
    const char *name;
    enum quantity_unit unit;
} resources[POD_RESOURCES] = {
    [POD_CPU] = {"cpu", QUANTITY_MILLIS},
    [POD_MEMORY] = {"memory", QUANTITY_ONES},
};

enum side { LIMITS, REQUESTS, SIDES };

static const char *const side_names[SIDES] = {[LIMITS] = "limits", [REQUESTS] = "requests"};

/* What stands on the one side counts on the other, too: the API server makes requests of limits,
 * and pod_size.h says why limits are made of requests. */
static int read_one(const struct js *container, enum side side, enum pod_resource resource,
                    int64_t *ret, struct error *err)
{
    const char *name = resources[resource].name;
    const struct js *all = js_get(container, "resources");
    const struct js *value = js_path(all, side_names[side], name)
                                 ?: js_path(all, side_names[SIDES - 1 - side], name);

    if (quantity_read(value, resources[resource].unit, ret, err) < 0)
        return error_wrap(err, "%s of container '%.64s'", name,
                          js_get_string(container, "name") ?: "");
    return 0;
}

static int add(int64_t *to, int64_t value, struct error *err)
{
    if (__builtin_add_overflow(*to, value, to))
        return error_set(err, STATUS_OUT_OF_RANGE,
                         "the containers' resources together are more than there can be");
    return 0;
}

/* The largest moment before the app containers begin; *sidecars is what runs on beside them. */
static int read_begin(const struct js *list, enum side side, enum pod_resource resource,
                      int64_t *sidecars, int64_t *ret, struct error *err)
{
    int64_t most = 0;

    *sidecars = 0;
    for (size_t i = 0; i < js_length(list); i++) {
        const struct js *container = js_at(list, i);
        bool stays = text_equal(js_get_string(container, "restartPolicy"), "Always");
        int64_t own, now = *sidecars;

        if (read_one(container, side, resource, &own, err) < 0 || add(&now, own, err) < 0)
            return -1;
        if (stays)
            *sidecars = now;
        most = now > most ? now : most;
    }
    *ret = most;
    return 0;
}

static int read_side(const struct js *spec, enum side side, enum pod_resource resource,
                     int64_t *ret, struct error *err)
{
    const struct js *apps = js_get(spec, "containers");
    int64_t begin, sum;

    if (read_begin(js_get(spec, "initContainers"), side, resource, &sum, &begin, err) < 0)
        return -1;
    for (size_t i = 0; i < js_length(apps); i++) {
        int64_t own;

        if (read_one(js_at(apps, i), side, resource, &own, err) < 0 || add(&sum, own, err) < 0)
            return -1;
    }
    *ret = begin > sum ? begin : sum;
    return 0;
}

int pod_size_read(const struct js *pod, struct pod_size *ret, struct error *err)
{
    const struct js *spec = js_get(pod, "spec");
    struct pod_size size;

    for (enum pod_resource resource = 0; resource < POD_RESOURCES; resource++)
        if (read_side(spec, LIMITS, resource, &size.limits[resource], err) < 0 ||
            read_side(spec, REQUESTS, resource, &size.requests[resource], err) < 0)
            return -1;
    *ret = size;
    return 0;
}

static char *print_cpu(int64_t millis)
{
    return millis % 1000 ? xformat("%" PRId64 "m", millis) : xformat("%" PRId64, millis / 1000);
}

static char *print_bytes(int64_t bytes)
{
    static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi"};
    size_t unit = 0;

    for (; unit + 1 < ARRAY_LENGTH(units) && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    return xformat("%" PRId64 "%s", bytes, units[unit]);
}

static struct js *print_side(const int64_t values[POD_RESOURCES])
{
    struct js *object = js_new_object();

    for (enum pod_resource resource = 0; resource < POD_RESOURCES; resource++) {
        scoped(freep) char *text = NULL;

        if (!values[resource])
            continue;
        text = resource == POD_CPU ? print_cpu(values[resource]) : print_bytes(values[resource]);
        js_set_string(object, resources[resource].name, text);
    }
    return object;
}

struct js *pod_size_print(const struct pod_size *size)
{
    struct js *object = js_new_object();

    js_set(object, side_names[LIMITS], print_side(size->limits));
    js_set(object, side_names[REQUESTS], print_side(size->requests));
    return object;
}
