/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

static const char file_name[] = "config.json";

int spec_parse(const char *text, size_t length, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *spec = NULL;
    const char *version;

    if (length > SPEC_SIZE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "spec of %zu bytes, limit %d", length,
                         SPEC_SIZE_MAX);
    if (js_parse(text, length, &spec, err) < 0)
        return error_wrap(err, "spec");
    if (js_type(spec) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: not an object");
    if (js_need_string(spec, "ociVersion", &version, err) < 0)
        return error_wrap(err, "spec");
    *ret = take_ptr(spec);
    return 0;
}

int spec_read(const char *bundle, struct js **ret, struct error *err)
{
    scoped(freep) char *path = xformat("%s/%s", bundle, file_name);
    scoped(freep) char *text = NULL;
    size_t length;

    if (file_read(path, SPEC_SIZE_MAX, &text, &length, err) < 0)
        return -1;
    return spec_parse(text, length, ret, err);
}

int spec_write(const char *bundle, const struct js *spec, struct error *err)
{
    scoped(freep) char *path = xformat("%s/%s", bundle, file_name);
    scoped(freep) char *text = js_print(spec);

    return file_write_atomic(path, text, strlen(text), 0600, err);
}

const char *spec_annotation(const struct js *spec, const char *key)
{
    return js_string(js_path(spec, "annotations", key));
}

const char *spec_program(const struct js *spec)
{
    return js_string(js_at(js_path(spec, "process", "args"), 0));
}

const char *spec_environment(const struct js *spec, const char *name)
{
    const struct js *environment = js_path(spec, "process", "env");
    size_t length = strlen(name);

    for (size_t i = js_length(environment); i-- > 0;) {
        const char *entry = js_string(js_at(environment, i));

        if (entry && text_starts(entry, name) && entry[length] == '=')
            return entry + length + 1;
    }
    return NULL;
}

/* The last member of an array whose key has this value. */
static struct js *find_last(const struct js *array, const char *key, const char *value)
{
    for (size_t i = js_length(array); i-- > 0;)
        if (text_equal(js_get_string(js_at(array, i), key), value))
            return js_at(array, i);
    return NULL;
}

struct js *spec_mount(const struct js *spec, const char *destination)
{
    return find_last(js_get(spec, "mounts"), "destination", destination);
}

struct js *spec_namespace(const struct js *spec, const char *type)
{
    return find_last(js_path(spec, "linux", "namespaces"), "type", type);
}

struct js *spec_section(struct js *spec, const char *name)
{
    struct js *section = js_get(spec, name);

    if (js_type(section) == JS_OBJECT)
        return section;
    section = js_new_object();
    js_set(spec, name, section);
    return section;
}
