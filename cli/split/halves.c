/* SPDX-License-Identifier: Apache-2.0 */
#include "halves.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "host_half.h"
#include "owners.h"

static bool says_nothing(const struct js *value)
{
    switch (js_type(value)) {
    case JS_NULL:
        return true;
    case JS_BOOLEAN:
        return !js_boolean(value, true);
    case JS_INTEGER:
        return js_integer(value, 1) == 0;
    case JS_STRING:
        return !*js_string(value);
    case JS_ARRAY:
    case JS_OBJECT:
        return js_length(value) == 0;
    case JS_DOUBLE:
        break;
    }
    return false;
}

bool halves_asks_nothing(const struct owner_leaf *leaf)
{
    const char *harmless = owner_harmless(leaf->row);
    scoped(freep) char *text = js_print(leaf->value);

    /* With a harmless value of its own, what is otherwise nothing may say something: hostUsers. */
    return harmless ? text_equal(text, harmless) : says_nothing(leaf->value);
}

static int keep(void *user, const struct owner_leaf *leaf, struct error *err)
{
    (void) user;
    switch (leaf->row->owner) {
    case OWNER_NEITHER:
        return LEAF_DROP;
    case OWNER_REFUSED:
        if (halves_asks_nothing(leaf))
            return LEAF_DROP;
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is refused: %s", leaf->name,
                         leaf->row->reason);
    default:
        return LEAF_KEEP;
    }
}

/* What splitting or a provisioner adds must not be there before. */
static int check_annotations(const struct js *pod, struct error *err)
{
    static const char *const ours[] = {MANIFEST_ANNOTATION, LINK_ANNOTATION, "cleave.dev/initdata",
                                       "cleave.dev/id", "cleave.dev/dial-out"};
    const struct js *annotations = js_path(pod, "metadata", "annotations");

    for (size_t i = 0; i < ARRAY_LENGTH(ours); i++)
        if (js_get(annotations, ours[i]))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the pod has the annotation %s: it is a half already", ours[i]);
    return 0;
}

int halves_normalise(const struct js *pod, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *copy = NULL;

    if (!text_equal(js_get_string(pod, "apiVersion"), "v1") ||
        !text_equal(js_get_string(pod, "kind"), "Pod"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a Pod (v1) is wanted, not %.64s: of what makes pods, take the Pod of its "
                         "template, with a name",
                         js_get_string(pod, "kind") ?: "this");
    if (check_annotations(pod, err) < 0 || owners_project(pod, keep, NULL, &copy, err) < 0)
        return -1;
    if (!js_get(copy, "spec"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the pod has no spec");
    if (!js_path(copy, "spec", "runtimeClassName"))
        js_set_string(js_get(copy, "spec"), "runtimeClassName", TENANT_HALF_CLASS);
    *ret = take_ptr(copy);
    return 0;
}

static struct js *object_in(struct js *parent, const char *name)
{
    if (js_type(js_get(parent, name)) != JS_OBJECT)
        js_set(parent, name, js_new_object());
    return js_get(parent, name);
}

int halves_split(const struct js *pod, const struct host_half_options *options,
                 struct js **ret_host, struct js **ret_tenant, struct error *err)
{
    scoped(js_freep) struct js *host = NULL, *tenant = js_new_object();
    struct js *annotations;

    if (host_half_make(pod, options, &host, err) < 0 ||
        owners_take(pod, BIT(OWNER_TENANT) | BIT(OWNER_BOTH), tenant, err) < 0)
        return -1;
    annotations = object_in(object_in(tenant, "metadata"), "annotations");
    js_set_string(annotations, LINK_ANNOTATION, options->link);
    *ret_host = take_ptr(host);
    *ret_tenant = take_ptr(tenant);
    return 0;
}

static int same_link(const struct js *host, const struct js *tenant, struct error *err)
{
    const struct js *of_host = js_get(js_path(host, "metadata", "annotations"), LINK_ANNOTATION);
    const struct js *of_tenant = js_get(js_path(tenant, "metadata", "annotations"),
                                        LINK_ANNOTATION);

    if (!js_string(of_tenant))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the tenant half has no link (annotation " LINK_ANNOTATION ")");
    if (!text_equal(js_string(of_host), js_string(of_tenant)))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "these are not halves of one pod: their links differ");
    return 0;
}

static int lacks_what_is_the_hosts(const struct js *pod, struct error *err)
{
    scoped(js_freep) struct js *found = js_new_object();

    if (owners_take(pod, BIT(OWNER_HOST), found, err) < 0)
        return -1;
    if (js_length(found) == 0)
        return 0;
    scoped(freep) char *text = js_print(found);
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "the tenant half has what is the host's (join takes the files that split "
                     "wrote, not what a cluster made of them): %.256s",
                     text);
}

void halves_strip(struct js *tenant)
{
    struct js *annotations = js_path(tenant, "metadata", "annotations");

    js_remove(annotations, LINK_ANNOTATION);
    js_remove(annotations, MANIFEST_ANNOTATION);
}

int halves_join(const struct js *host, const struct js *tenant, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *bare = js_copy(tenant), *pod = NULL;

    if (same_link(host, tenant, err) < 0)
        return -1;
    halves_strip(bare);
    if (halves_normalise(bare, &pod, err) < 0 || lacks_what_is_the_hosts(pod, err) < 0)
        return error_wrap(err, "the tenant half");
    if (owners_take(host, BIT(OWNER_HOST), pod, err) < 0 || host_half_check(host, pod, err) < 0)
        return error_wrap(err, "the host half");
    *ret = take_ptr(pod);
    return 0;
}
