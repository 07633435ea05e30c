/* SPDX-License-Identifier: Apache-2.0 */
#include "environment.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "sealed/kube_name.h"

void environment_clear(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++) {
        free(environment->list[i].name);
        free(environment->list[i].value);
    }
    free(environment->list);
    *environment = (struct environment){0};
}

static struct variable *find(const struct environment *environment, const char *name)
{
    for (size_t i = 0; i < environment->count; i++) {
        if (text_equal(environment->list[i].name, name))
            return &environment->list[i];
    }
    return NULL;
}

const struct variable *environment_find(const struct environment *environment, const char *name)
{
    return find(environment, name);
}

/* ---- $(NAME) ------------------------------------------------------------------------------- */

/* The value; NULL: it stands as it is written. */
typedef int lookup_fn(const struct environment *environment, const char *name, const char **ret,
                      struct error *err);

/* After the '$': what it is worth goes into `to`; answers what follows. */
static int expand_one(const struct environment *environment, lookup_fn *lookup, const char **text,
                      FILE *to, struct error *err)
{
    const char *end = **text == '(' ? strchr(*text, ')') : NULL, *value = NULL;
    scoped(freep) char *name = NULL;

    if (!end) {
        /* "$$" is one '$'; any other stands for itself, with what comes behind it. */
        (void) fputc('$', to);
        *text += **text == '$';
        return 0;
    }
    name = xstrndup(*text + 1, (size_t) (end - *text - 1));
    if (lookup(environment, name, &value, err) < 0)
        return -1;
    if (value)
        (void) fputs(value, to);
    else
        (void) fprintf(to, "$(%s)", name);
    *text = end + 1;
    return 0;
}

static int expand(const struct environment *environment, lookup_fn *lookup, const char *text,
                  char **ret, struct error *err)
{
    scoped(freep) char *out = NULL;
    size_t length;
    FILE *to = open_memstream(&out, &length);
    int r = 0;

    if (!to)
        abort();
    while (r == 0 && *text) {
        if (*text == '$' && text[1]) {
            text++;
            r = expand_one(environment, lookup, &text, to, err);
        } else {
            (void) fputc(*text++, to);
        }
    }
    if (fclose(to) != 0)
        abort();
    if (r == 0)
        *ret = take_ptr(out);
    return r;
}

static int known_value(const struct environment *environment, const char *name, const char **ret,
                       struct error *err)
{
    const struct variable *variable = find(environment, name);

    if (variable && !variable->value)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "$(%.64s) stands for a value that only the tenant's node will know: let "
                         "the program read the variable itself",
                         name);
    if (!variable && kube_name_is_service_variable(name))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "$(%.64s) would be a variable of a service, whose value is not known yet: "
                         "let the program read the variable itself",
                         name);
    *ret = variable ? variable->value : NULL;
    return 0;
}

static int raw_value(const struct environment *environment, const char *name, const char **ret,
                     struct error *err)
{
    const struct variable *variable = find(environment, name);

    (void) err;
    *ret = variable ? (variable->raw ? variable->raw : "") : NULL;
    return 0;
}

int environment_expand(const struct environment *environment, const char *text, char **ret,
                       struct error *err)
{
    return expand(environment, known_value, text, ret, err);
}

char *environment_expand_raw(const struct environment *environment, const char *text)
{
    struct error err;
    char *out = NULL;

    return expand(environment, raw_value, text, &out, &err) < 0 ? NULL : out;
}

/* ---- env ----------------------------------------------------------------------------------- */

/* metadata.labels['x'] of the map at `field`; NULL: the path is another. */
static const char *of_map(const struct js *pod, const char *path, const char *field)
{
    size_t length = strlen(field);
    scoped(freep) char *prefix = xformat("metadata.%s['", field), *key = NULL;
    const char *value;

    if (!text_starts(path, prefix) || !text_ends(path, "']"))
        return NULL;
    key = xstrndup(path + length + 11, strlen(path) - length - 13);
    value = js_get_string(js_path(pod, "metadata", field), key);
    return value ? value : "";
}

/* Of a fieldRef; NULL: not known before the pod is there. */
static const char *field_value(const struct js *pod, const char *path)
{
    const char *value = NULL;

    if (text_equal(path, "metadata.name"))
        return js_get_string(js_get(pod, "metadata"), "name");
    if (text_equal(path, "metadata.namespace"))
        return js_get_string(js_get(pod, "metadata"), "namespace");
    if (text_equal(path, "spec.serviceAccountName"))
        return js_get_string(js_get(pod, "spec"), "serviceAccountName");
    value = of_map(pod, path, "labels");
    return value ? value : of_map(pod, path, "annotations");
}

static int value_from(const struct js *pod, const struct js *from, const char **ret,
                      struct error *err)
{
    static const char *const holes[] = {"configMapKeyRef", "secretKeyRef", "resourceFieldRef",
                                        "fileKeyRef"};
    const char *path;

    *ret = NULL;
    if (js_length(from) != 1)
        return error_set(err, STATUS_INVALID_ARGUMENT, "valueFrom: not just one source");
    for (size_t i = 0; i < ARRAY_LENGTH(holes); i++) {
        if (js_get(from, holes[i]))
            return 0;
    }
    if (js_need_string(js_get(from, "fieldRef"), "fieldPath", &path, err) < 0)
        return error_wrap(err, "valueFrom.fieldRef");
    *ret = field_value(pod, path);
    return 0;
}

static void set(struct environment *environment, const char *name, char *value, const char *raw)
{
    struct variable *variable = find(environment, name);

    if (!variable) {
        environment->list = xrealloc(environment->list,
                                     sizeof(struct variable) * (environment->count + 1));
        variable = &environment->list[environment->count++];
        *variable = (struct variable){.name = xstrdup(name)};
    }
    free(variable->value);
    variable->value = value;
    variable->raw = raw;
}

static int read_variable(const struct js *pod, const struct js *one,
                         struct environment *environment, struct error *err)
{
    const char *name, *raw = js_get_string(one, "value"), *known = NULL;
    char *value = NULL;

    if (js_need_string(one, "name", &name, err) < 0)
        return -1;
    if (!*name || strchr(name, '='))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is no name of a variable", name);
    if (js_get(one, "value") && !raw)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%.64s': the value is no string: write it in quotes", name);
    if (raw && *raw) {
        if (environment_expand(environment, raw, &value, err) < 0)
            return error_wrap(err, "'%.64s'", name);
    } else if (js_get(one, "valueFrom")) {
        if (value_from(pod, js_get(one, "valueFrom"), &known, err) < 0)
            return error_wrap(err, "'%.64s'", name);
        value = xstrdup(known);
    } else {
        value = xstrdup("");
    }
    set(environment, name, value, raw);
    return 0;
}

int environment_read(const struct js *pod, const struct js *container, struct environment *ret,
                     struct error *err)
{
    scoped(environment_clear) struct environment environment = {0};
    const struct js *list = js_get(container, "env");

    if (js_length(js_get(container, "envFrom")))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "envFrom: which variables it brings is not known before the pod is there: "
                         "name each one in env, with valueFrom");
    if (js_length(list) > ENVIRONMENT_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d variables", ENVIRONMENT_MAX);
    for (size_t i = 0; i < js_length(list); i++) {
        if (read_variable(pod, js_at(list, i), &environment, err) < 0)
            return error_wrap(err, "env[%zu]", i);
    }
    *ret = environment;
    environment = (struct environment){0};
    return 0;
}
