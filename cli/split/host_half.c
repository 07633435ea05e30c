/* SPDX-License-Identifier: Apache-2.0 */
#include "host_half.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/random.h"
#include "base/scoped.h"
#include "base/text.h"
#include "difference.h"
#include "owners.h"
#include "pod_size.h"

enum { GRACE_DEFAULT = 30 }; /* the API server's */

void host_half_new_link(char ret[LINK_SIZE + 1])
{
    uint8_t raw[LINK_SIZE / 2];

    random_bytes(raw, sizeof(raw));
    hex_encode(raw, sizeof(raw), ret);
}

static int make_labels(const struct js *pod, const struct host_half_options *options,
                       struct js *metadata, struct error *err)
{
    const struct js *all = js_path(pod, "metadata", "labels");
    struct js *labels;

    if (options->label_count == 0)
        return 0;
    js_set(metadata, "labels", labels = js_new_object());
    for (size_t i = 0; i < options->label_count; i++) {
        const struct js *value = js_get(all, options->labels[i]);

        if (!value)
            return error_set(err, STATUS_NOT_FOUND, "the pod has no label '%.128s'",
                             options->labels[i]);
        js_set(labels, options->labels[i], js_copy(value));
    }
    return 0;
}

static int make_metadata(const struct js *pod, const struct host_half_options *options,
                         struct js *half, struct error *err)
{
    scoped(freep) char *name = xformat("pod-%s", options->link);
    struct js *metadata = js_new_object(), *annotations = js_new_object();

    js_set(half, "metadata", metadata);
    js_set_string(metadata, "name", name);
    js_set_string(metadata, "namespace", HOST_HALF_NAMESPACE);
    js_set(metadata, "annotations", annotations);
    js_set_string(annotations, LINK_ANNOTATION, options->link);
    return make_labels(pod, options, metadata, err);
}

static int add_guest(int64_t *memory, int64_t guest, struct error *err)
{
    if (*memory && __builtin_add_overflow(*memory, guest, memory))
        return error_set(err, STATUS_OUT_OF_RANGE, "more memory than there can be");
    return 0;
}

static int make_container(const struct js *pod, const struct host_half_options *options,
                          struct js *spec, struct error *err)
{
    struct js *containers = js_new_array(), *container = js_new_object();
    struct pod_size size;

    js_set(spec, "containers", containers);
    js_append(containers, container);
    js_set_string(container, "name", HOST_HALF_CONTAINER);
    js_set_string(container, "image", options->anchor_image);
    if (pod_size_read(pod, &size, err) < 0 ||
        add_guest(&size.limits[POD_MEMORY], options->guest_memory, err) < 0 ||
        add_guest(&size.requests[POD_MEMORY], options->guest_memory, err) < 0)
        return -1;
    js_set(container, "resources", pod_size_print(&size));
    return 0;
}

static int read_seconds(const struct js *spec, const char *name, int64_t otherwise, int64_t *ret,
                        struct error *err)
{
    if (!js_get(spec, name)) {
        *ret = otherwise;
        return 0;
    }
    if (js_need_integer(spec, name, 0, INT32_MAX, ret, err) < 0)
        return error_wrap(err, "spec");
    return 0;
}

/* The tenant's kubelet ends the pod; the host's must not be earlier. */
static int make_times(const struct js *pod, struct js *spec, struct error *err)
{
    const struct js *from = js_get(pod, "spec");
    int64_t grace, deadline;

    if (read_seconds(from, "terminationGracePeriodSeconds", GRACE_DEFAULT, &grace, err) < 0 ||
        read_seconds(from, "activeDeadlineSeconds", 0, &deadline, err) < 0)
        return -1;
    js_set_integer(spec, "terminationGracePeriodSeconds", grace);
    if (deadline)
        js_set_integer(spec, "activeDeadlineSeconds", deadline + grace);
    return 0;
}

int host_half_make(const struct js *pod, const struct host_half_options *options, struct js **ret,
                   struct error *err)
{
    scoped(js_freep) struct js *half = js_new_object();
    struct js *spec = js_new_object();

    js_set_string(half, "apiVersion", "v1");
    js_set_string(half, "kind", "Pod");
    js_set(half, "spec", spec);
    js_set_string(spec, "runtimeClassName", HOST_HALF_CLASS);
    js_set_string(spec, "restartPolicy", "Never");
    js_set(spec, "automountServiceAccountToken", js_new_boolean(false));
    js_set(spec, "enableServiceLinks", js_new_boolean(false));
    if (make_metadata(pod, options, half, err) < 0 || make_container(pod, options, spec, err) < 0 ||
        make_times(pod, spec, err) < 0 || owners_take(pod, BIT(OWNER_HOST), half, err) < 0)
        return -1;
    *ret = take_ptr(half);
    return 0;
}

static int take_label(void *user, const char *key, struct js *value, struct error *err)
{
    struct host_half_options *options = user;

    (void) value;
    if (options->label_count == HOST_HALF_LABELS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d labels",
                         HOST_HALF_LABELS_MAX);
    options->labels[options->label_count++] = key;
    return 0;
}

/* With what options it was made; what they cannot explain then differs. */
static int guess_options(const struct js *half, const struct js *pod, struct host_half_options *ret,
                         struct error *err)
{
    const struct js *metadata = js_get(half, "metadata");
    const char *link = js_get_string(js_get(metadata, "annotations"), LINK_ANNOTATION);
    struct pod_size is, own;

    if (!link || strlen(link) != LINK_SIZE)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "it has no link (annotation " LINK_ANNOTATION "): it is no host half");
    memcpy(ret->link, link, sizeof(ret->link));
    ret->anchor_image = js_get_string(js_at(js_path(half, "spec", "containers"), 0), "image") ?: "";
    if (pod_size_read(half, &is, err) < 0 || pod_size_read(pod, &own, err) < 0)
        return -1;
    ret->guest_memory = is.limits[POD_MEMORY] - own.limits[POD_MEMORY];
    if (ret->guest_memory < 0)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "it has less memory than the pod's containers may use");
    return js_each(js_get(metadata, "labels"), take_label, ret, err);
}

struct first {
    char path[256];
};

static void keep_first(void *user, const char *path, const struct js *a, const struct js *b)
{
    struct first *first = user;
    struct error err;

    (void) a;
    (void) b;
    if (!first->path[0] && text_format(first->path, sizeof(first->path), &err, "%s", path) < 0)
        memcpy(first->path, "?", sizeof("?"));
}

int host_half_check(const struct js *half, const struct js *pod, struct error *err)
{
    struct host_half_options options = {0};
    scoped(js_freep) struct js *expected = NULL;
    struct first first = {0};

    if (guess_options(half, pod, &options, err) < 0 ||
        host_half_make(pod, &options, &expected, err) < 0)
        return -1;
    if (difference_find(half, expected, keep_first, &first))
        return error_set(err, STATUS_FAILED_PRECONDITION, "'%s' is not what the pod's would be",
                         first.path);
    return 0;
}
