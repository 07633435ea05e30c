/* SPDX-License-Identifier: Apache-2.0 */
#include "document.h"

#include <stdbool.h>
#include <string.h>

#include <yaml.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "scalar.h"

struct anchor {
    char *name;
    struct js *value; /* a copy */
    size_t nodes;
};

struct reading {
    yaml_parser_t parser;
    yaml_event_t event; /* the last one; owned here until the next */
    bool has_event;
    struct anchor anchors[DOCUMENT_ANCHORS_MAX];
    size_t anchor_count;
    size_t nodes;
    unsigned depth;
};

static void clear_reading(struct reading *reading)
{
    if (reading->has_event)
        yaml_event_delete(&reading->event);
    yaml_parser_delete(&reading->parser);
    for (size_t i = 0; i < reading->anchor_count; i++) {
        free(reading->anchors[i].name);
        js_free(reading->anchors[i].value);
    }
}

static int fail_at(const struct reading *reading, struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "line %zu: %s",
                     reading->event.start_mark.line + 1, what);
}

static int next(struct reading *reading, struct error *err)
{
    if (reading->has_event)
        yaml_event_delete(&reading->event);
    reading->has_event = false;
    if (!yaml_parser_parse(&reading->parser, &reading->event))
        return error_set(err, STATUS_INVALID_ARGUMENT, "line %zu: %s",
                         reading->parser.problem_mark.line + 1,
                         reading->parser.problem ? reading->parser.problem : "no YAML");
    reading->has_event = true;
    return 0;
}

static int count(struct reading *reading, size_t nodes, struct error *err)
{
    if (nodes > DOCUMENT_NODES_MAX - reading->nodes)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d values", DOCUMENT_NODES_MAX);
    reading->nodes += nodes;
    return 0;
}

static int read_scalar(struct reading *reading, struct js **ret, struct error *err)
{
    const char *text = (const char *) reading->event.data.scalar.value;
    size_t length = reading->event.data.scalar.length;

    if (strlen(text) != length || !text_is_utf8(text, length))
        return fail_at(reading, err, "text with a NUL in it, or not of UTF-8");
    if (reading->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        *ret = js_new_string(text);
        return 0;
    }
    if (scalar_resolve(text, ret, err) < 0)
        return error_wrap(err, "line %zu", reading->event.start_mark.line + 1);
    return 0;
}

static int read_alias(struct reading *reading, struct js **ret, struct error *err)
{
    const char *name = (const char *) reading->event.data.alias.anchor;

    for (size_t i = reading->anchor_count; i-- > 0;) {
        if (!text_equal(reading->anchors[i].name, name))
            continue;
        if (count(reading, reading->anchors[i].nodes, err) < 0)
            return -1;
        *ret = js_copy(reading->anchors[i].value);
        return 0;
    }
    return fail_at(reading, err, "an alias of what is not there, or not yet complete");
}

static int read_value(struct reading *reading, struct js **ret, struct error *err);

static int read_sequence(struct reading *reading, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *list = js_new_array();

    for (;;) {
        struct js *value = NULL;

        if (next(reading, err) < 0)
            return -1;
        if (reading->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        if (read_value(reading, &value, err) < 0)
            return -1;
        js_append(list, value);
    }
    *ret = take_ptr(list);
    return 0;
}

/* The event is a key; the caller frees. */
static int read_key(struct reading *reading, char **ret, struct error *err)
{
    scoped(js_freep) struct js *key = NULL;

    if (reading->event.type != YAML_SCALAR_EVENT)
        return fail_at(reading, err, "a key that is no text");
    if (reading->event.data.scalar.tag || reading->event.data.scalar.anchor)
        return fail_at(reading, err, "a key with a tag or an anchor");
    if (text_equal((const char *) reading->event.data.scalar.value, "<<"))
        return fail_at(reading, err, "merge keys ('<<') are not read here: write the members out");
    if (read_scalar(reading, &key, err) < 0)
        return -1;
    if (js_type(key) != JS_STRING)
        return fail_at(reading, err,
                       "a key that is a boolean, a number or null to Kubernetes: "
                       "write it in quotes");
    *ret = xstrdup(js_string(key));
    return 0;
}

static int read_mapping(struct reading *reading, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *object = js_new_object();

    for (;;) {
        scoped(freep) char *key = NULL;
        struct js *value = NULL;
        size_t before;

        if (next(reading, err) < 0)
            return -1;
        if (reading->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (read_key(reading, &key, err) < 0 || next(reading, err) < 0 ||
            read_value(reading, &value, err) < 0)
            return -1;
        before = js_length(object);
        js_set(object, key, value);
        if (js_length(object) == before) /* js_get() does not see a null */
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "line %zu: the key '%.64s' is there twice",
                             reading->event.start_mark.line + 1, key);
    }
    *ret = take_ptr(object);
    return 0;
}

static int read_by_type(struct reading *reading, struct js **ret, struct error *err)
{
    switch (reading->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reading, ret, err);
    case YAML_SEQUENCE_START_EVENT:
        return read_sequence(reading, ret, err);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(reading, ret, err);
    case YAML_ALIAS_EVENT:
        return read_alias(reading, ret, err);
    default:
        return fail_at(reading, err, "something is missing");
    }
}

/* Of the event's three kinds that can have them. */
static void marks(const yaml_event_t *event, const yaml_char_t **ret_anchor,
                  const yaml_char_t **ret_tag)
{
    *ret_anchor = *ret_tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        *ret_anchor = event->data.scalar.anchor;
        *ret_tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        *ret_anchor = event->data.sequence_start.anchor;
        *ret_tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        *ret_anchor = event->data.mapping_start.anchor;
        *ret_tag = event->data.mapping_start.tag;
    }
}

static int remember(struct reading *reading, char *name, const struct js *value, size_t nodes,
                    struct error *err)
{
    if (reading->anchor_count == DOCUMENT_ANCHORS_MAX) {
        free(name);
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d anchors",
                         DOCUMENT_ANCHORS_MAX);
    }
    reading->anchors[reading->anchor_count++] = (struct anchor){
        .name = name, .value = js_copy(value), .nodes = nodes};
    return 0;
}

/* Each anchor keeps a copy: it counts as one more use. */
static int read_value(struct reading *reading, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *value = NULL;
    scoped(freep) char *name = NULL;
    const yaml_char_t *anchor, *tag;
    size_t before = reading->nodes;

    marks(&reading->event, &anchor, &tag);
    if (tag)
        return fail_at(reading, err, "tags ('!') are not read here");
    name = xstrdup((const char *) anchor);
    if (reading->depth == JS_DEPTH_MAX)
        return fail_at(reading, err, "nested too deep");
    reading->depth++;
    if (count(reading, 1, err) < 0 || read_by_type(reading, &value, err) < 0)
        return -1;
    reading->depth--;
    if (name) {
        size_t nodes = reading->nodes - before;

        if (count(reading, nodes, err) < 0 ||
            remember(reading, take_ptr(name), value, nodes, err) < 0)
            return -1;
    }
    *ret = take_ptr(value);
    return 0;
}

static int expect(struct reading *reading, yaml_event_type_t type, const char *what,
                  struct error *err)
{
    if (next(reading, err) < 0)
        return -1;
    return reading->event.type == type ? 0 : fail_at(reading, err, what);
}

static int read_stream(struct reading *reading, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *value = NULL;

    if (expect(reading, YAML_STREAM_START_EVENT, "no YAML", err) < 0 ||
        expect(reading, YAML_DOCUMENT_START_EVENT, "there is nothing in it", err) < 0 ||
        next(reading, err) < 0 || read_value(reading, &value, err) < 0 ||
        expect(reading, YAML_DOCUMENT_END_EVENT, "more than one value", err) < 0 ||
        expect(reading, YAML_STREAM_END_EVENT, "more than one document: split takes one Pod", err) <
            0)
        return -1;
    *ret = take_ptr(value);
    return 0;
}

static int parse_yaml(const char *text, size_t length, struct js **ret, struct error *err)
{
    scoped(clear_reading) struct reading reading = {0};

    if (!yaml_parser_initialize(&reading.parser))
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "no memory");
    yaml_parser_set_encoding(&reading.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reading.parser, (const unsigned char *) text, length);
    return read_stream(&reading, ret, err);
}

int document_parse(const char *text, size_t length, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    size_t blank = strspn(text, " \t\r\n");

    if (length > DOCUMENT_SIZE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%zu bytes, at most %d are read", length,
                         DOCUMENT_SIZE_MAX);
    if ((blank < length && text[blank] == '{' ? js_parse(text, length, &root, err)
                                              : parse_yaml(text, length, &root, err)) < 0)
        return -1;
    if (js_type(root) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no object");
    *ret = take_ptr(root);
    return 0;
}

int document_read(const char *path, struct js **ret, struct error *err)
{
    scoped(freep) char *text = NULL;
    size_t length;

    if (file_read(text_equal(path, "-") ? "/dev/stdin" : path, DOCUMENT_SIZE_MAX, &text, &length,
                  err) < 0)
        return -1;
    if (document_parse(text, length, ret, err) < 0)
        return error_wrap(err, "%s", path);
    return 0;
}
