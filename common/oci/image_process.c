/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image_process.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "oci/image.h"

static const char *const members[] = {"Entrypoint", "Cmd", "Env", "Volumes", "User", "WorkingDir"};

static int check_case(void *user, const char *key, struct js *value, struct error *err)
{
    (void) user;
    (void) value;
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        if (strcasecmp(key, members[i]) == 0 && strcmp(key, members[i]) != 0)
            return error_set(err, STATUS_INVALID_ARGUMENT, "'%.32s' for '%s'", key, members[i]);
    }
    return 0;
}

static int read_list(const struct js *config, const char *name, const struct js **ret,
                     struct error *err)
{
    const struct js *list = js_get(config, name);

    if (list && js_type(list) != JS_ARRAY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is no array", name);
    for (size_t i = 0; i < js_length(list); i++) {
        if (!js_string(js_at(list, i)))
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s[%zu] is no string", name, i);
    }
    *ret = list;
    return 0;
}

static int read_text(const struct js *config, const char *name, const char **ret, struct error *err)
{
    const struct js *text = js_get(config, name);

    if (text && !js_string(text))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is no string", name);
    *ret = text ? js_string(text) : "";
    return 0;
}

static int read_process(const struct js *config, struct image_process *ret, struct error *err)
{
    if (config && js_type(config) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "config is no object");
    if (config && js_each(config, check_case, NULL, err) < 0)
        return -1;
    ret->volumes = js_get(config, "Volumes");
    if (ret->volumes && js_type(ret->volumes) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "Volumes is no object");
    if (read_list(config, "Entrypoint", &ret->entrypoint, err) < 0 ||
        read_list(config, "Cmd", &ret->command, err) < 0 ||
        read_list(config, "Env", &ret->environment, err) < 0 ||
        read_text(config, "User", &ret->user, err) < 0)
        return -1;
    return read_text(config, "WorkingDir", &ret->directory, err);
}

int image_process_parse(const char *text, size_t length, struct image_process *ret,
                        struct error *err)
{
    scoped(image_process_clear) struct image_process process = {0};

    if (length > IMAGE_DOCUMENT_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "image config: %zu bytes, limit %d",
                         length, IMAGE_DOCUMENT_MAX);
    if (js_parse(text, length, &process.root, err) < 0 ||
        read_process(js_get(process.root, "config"), &process, err) < 0)
        return error_wrap(err, "image config");
    *ret = process;
    process.root = NULL;
    return 0;
}

void image_process_clear(struct image_process *process)
{
    js_free(process->root);
    *process = (struct image_process){0};
}
