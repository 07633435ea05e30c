/* SPDX-License-Identifier: Apache-2.0 */
/* The table of owners is complete, exact, and what docs/spec-split.md says. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "owners.h"
#include "suite.h"

enum { LINE_SIZE = 640, FILE_SIZE_MAX = 256 * 1024, FIELDS_MAX = 1024 };

static struct js *parse(const char *text)
{
    struct js *value = NULL;
    struct error err;

    ck_assert_msg(js_parse(text, strlen(text), &value, &err) == 0, "%s: %s", text, err.message);
    return value;
}

static char *load(const char *path)
{
    char *text = NULL;
    struct error err;
    size_t length;

    ck_assert_msg(file_read(path, FILE_SIZE_MAX, &text, &length, &err) == 0, "%s", err.message);
    return text;
}

/* Every field of the API's types, made from their definitions. */
struct fields {
    char *text;
    const char *paths[FIELDS_MAX];
    size_t count;
};

static void fields_free(struct fields *fields)
{
    free(fields->text);
}

static void fields_load(struct fields *fields)
{
    fields->text = load("test/unit/golden/pod-" OWNERS_KUBERNETES "-fields.txt");
    for (char *rest = fields->text, *line; (line = strsep(&rest, "\n"));) {
        if (!*line || *line == '#')
            continue;
        ck_assert_uint_lt(fields->count, FIELDS_MAX);
        fields->paths[fields->count++] = line;
    }
}

static bool is_beneath(const char *path, const char *above)
{
    size_t length = strlen(above);

    return strncmp(path, above, length) == 0 && path[length] && strchr(".[", path[length]);
}

START_TEST(the_table_has_every_field_of_a_pod)
{
    scoped(fields_free) struct fields fields = {0};

    fields_load(&fields);
    ck_assert_uint_gt(fields.count, 700);
    for (size_t i = 0; i < fields.count; i++) {
        const struct owner_row *row = owners_find(fields.paths[i]);

        ck_assert_msg(row != NULL, "'%s' has no row", fields.paths[i]);
        ck_assert(row->owner != OWNER_LIKE);
    }
}
END_TEST

static bool names_a_field(const struct fields *fields, const char *path)
{
    const char *above = strrchr(path, '.'); /* a named key stands for a free one: limits.cpu */
    scoped(freep) char *any = xformat("%.*s.*", above ? (int) (above - path) : 0, path);

    for (size_t i = 0; i < fields->count; i++)
        if (text_equal(fields->paths[i], path) || is_beneath(fields->paths[i], path) ||
            text_equal(fields->paths[i], any))
            return true;
    return false;
}

/* Also with what LIKE stands for: nothing that is no field has an owner by a detour. */
static void check_expanded(const struct fields *fields, const char *path, const char *like)
{
    size_t count;
    const struct owner_row *rows = owners_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (!is_beneath(rows[i].path, like))
            continue;
        scoped(freep) char *expanded = xformat("%s%s", path, rows[i].path + strlen(like));

        ck_assert_msg(names_a_field(fields, expanded), "'%s' is no field", expanded);
        if (rows[i].owner == OWNER_LIKE)
            check_expanded(fields, expanded, rows[i].reason);
    }
}

START_TEST(the_table_has_nothing_that_is_no_field)
{
    scoped(fields_free) struct fields fields = {0};
    size_t count;
    const struct owner_row *rows = owners_table(&count);

    fields_load(&fields);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(names_a_field(&fields, rows[i].path), "'%s' is no field", rows[i].path);
        if (rows[i].owner != OWNER_LIKE)
            continue;
        ck_assert_msg(names_a_field(&fields, rows[i].reason), "'%s' is no field", rows[i].reason);
        check_expanded(&fields, rows[i].path, rows[i].reason);
    }
}
END_TEST

/* What owners.c relies on: rows beneath a path are neighbours and come behind the path's own; what
 * is taken whole has none. */
START_TEST(rows_beneath_a_path_stand_together)
{
    size_t count;
    const struct owner_row *rows = owners_table(&count);

    for (size_t i = 0; i < count; i++) {
        for (const char *p = rows[i].path; *p; p++) {
            if (*p != '.' && *p != '[')
                continue;
            scoped(freep) char *above = xstrndup(rows[i].path, (size_t) (p - rows[i].path));

            for (size_t j = i + 1; j < count; j++)
                ck_assert_msg(!is_beneath(rows[j].path, above) ||
                                  is_beneath(rows[j - 1].path, above) ||
                                  text_equal(rows[j - 1].path, above),
                              "'%s' is apart from '%s'", rows[j].path, rows[i].path);
        }
        for (size_t j = 0; j < count; j++) {
            if (j == i)
                continue;
            ck_assert_str_ne(rows[i].path, rows[j].path);
            if (!is_beneath(rows[j].path, rows[i].path))
                continue;
            ck_assert_uint_gt(j, i);
            ck_assert(rows[i].owner != OWNER_NEITHER && rows[i].owner != OWNER_REFUSED);
        }
    }
}
END_TEST

/* Or a half could not leave out a part of it without moving the rest. */
START_TEST(a_list_belongs_to_one_realm)
{
    size_t count;
    const struct owner_row *rows = owners_table(&count);

    for (size_t i = 0; i < count; i++) {
        const char *end = strstr(rows[i].path, "[]");

        if (!end)
            continue;
        scoped(freep) char *list = xstrndup(rows[i].path, (size_t) (end - rows[i].path));

        for (size_t j = 0; j < count; j++)
            if (is_beneath(rows[j].path, list) && rows[j].owner != OWNER_LIKE &&
                rows[i].owner != OWNER_LIKE)
                ck_assert_msg((rows[i].owner == OWNER_HOST) == (rows[j].owner == OWNER_HOST),
                              "'%s' and '%s'", rows[i].path, rows[j].path);
    }
}
END_TEST

static void row_text(const struct owner_row *row, char *ret)
{
    if (row->owner == OWNER_LIKE)
        snprintf(ret, LINE_SIZE, "| `%s` | like | `%s` |", row->path, row->reason);
    else if (owner_harmless(row))
        snprintf(ret, LINE_SIZE, "| `%s` | %s, but for `%s` | %s |", row->path,
                 owner_name(row->owner), owner_harmless(row), row->reason);
    else
        snprintf(ret, LINE_SIZE, "| `%s` | %s | %s |", row->path, owner_name(row->owner),
                 row->reason);
}

START_TEST(the_documents_table_is_the_codes)
{
    scoped(freep) char *text = load("docs/spec-split.md");
    scoped(freep) char *version = xformat(
        "version %d of the table, for the fields of Kubernetes " OWNERS_KUBERNETES, OWNERS_VERSION);
    size_t count, at = 0;
    const struct owner_row *rows = owners_table(&count);
    char expected[LINE_SIZE];

    ck_assert_msg(strstr(text, version), "the document lacks '%s'", version);
    char *table = strstr(text, "## The table");
    ck_assert_ptr_nonnull(table);
    for (char *rest = table, *line; (line = strsep(&rest, "\n"));) {
        if (!text_starts(line, "| `"))
            continue;
        ck_assert_msg(at < count, "docs/spec-split.md has a row too many: %s", line);
        row_text(&rows[at++], expected);
        ck_assert_str_eq(line, expected);
    }
    ck_assert_uint_eq(at, count);
}
END_TEST

static int keep(void *user, const struct owner_leaf *leaf, struct error *err)
{
    char *seen = user;
    size_t used = strlen(seen);

    (void) err;
    ck_assert(leaf->row && leaf->row->owner != OWNER_LIKE);
    snprintf(seen + used, LINE_SIZE - used, "%s %s\n", leaf->name, owner_name(leaf->row->owner));
    return leaf->row->owner == OWNER_HOST ? LEAF_DROP : LEAF_KEEP;
}

static void expect(const char *pod, const char *seen, const char *copy)
{
    scoped(js_freep) struct js *in = parse(pod), *out = NULL;
    char leaves[LINE_SIZE] = "";
    struct error err;

    ck_assert_msg(owners_project(in, keep, leaves, &out, &err) == 0, "%s: %s", pod, err.message);
    scoped(freep) char *text = js_print(out);
    ck_assert_str_eq(leaves, seen);
    ck_assert_str_eq(text, copy);
}

static void refuse(const char *pod, const char *words)
{
    scoped(js_freep) struct js *in = parse(pod), *out = NULL;
    char leaves[LINE_SIZE] = "";
    struct error err = {0};

    ck_assert_msg(owners_project(in, keep, leaves, &out, &err) < 0, "%s passed", pod);
    ck_assert_msg(strstr(err.message, words), "%s: '%s' lacks '%s'", pod, err.message, words);
    ck_assert_ptr_null(out);
}

START_TEST(each_value_is_named_with_its_owner)
{
    expect(
        "{\"kind\":\"Pod\",\"spec\":{\"nodeName\":\"n\",\"initContainers\":[{\"name\":\"a\","
        "\"startupProbe\":{\"exec\":{\"command\":[\"x\",\"y\"]}},\"restartPolicy\":\"Always\"}]}}",
        "kind both\nspec.nodeName host\nspec.initContainers[0].name tenant\n"
        "spec.initContainers[0].startupProbe.exec.command[0] tenant\n"
        "spec.initContainers[0].startupProbe.exec.command[1] tenant\n"
        "spec.initContainers[0].restartPolicy both\n",
        "{\"kind\":\"Pod\",\"spec\":{\"initContainers\":[{\"name\":\"a\",\"startupProbe\":{"
        "\"exec\":"
        "{\"command\":[\"x\",\"y\"]}},\"restartPolicy\":\"Always\"}]}}");
    /* Rows of their own come before what LIKE stands for. */
    ck_assert_str_ne(owners_find("spec.initContainers[].restartPolicy")->reason,
                     owners_find("spec.containers[].restartPolicy")->reason);
    ck_assert_ptr_eq(
        owners_find("spec.initContainers[].lifecycle.preStop.httpGet.httpHeaders[].name"),
        owners_find("spec.containers[].livenessProbe.httpGet.httpHeaders[].name"));
}
END_TEST

START_TEST(keys_that_look_like_paths_are_only_keys)
{
    expect("{\"metadata\":{\"annotations\":{\"a.b/"
           "c[]\":\"1\",\"*\":\"2\",\"name\":\"3\",\"\":\"4\"}}}",
           "metadata.annotations.a.b/c[] tenant\nmetadata.annotations.* tenant\n"
           "metadata.annotations.name tenant\nmetadata.annotations. tenant\n",
           "{\"metadata\":{\"annotations\":{\"a.b/"
           "c[]\":\"1\",\"*\":\"2\",\"name\":\"3\",\"\":\"4\"}}}");
    refuse("{\"metadata.name\":\"x\"}", "'metadata.name' is no field");
    refuse("{\"spec\":{\"containers[]\":{\"name\":\"x\"}}}", "'spec.containers[]' is no field");
    refuse("{\"metadata\":{\"*\":1}}", "'metadata.*' is no field");
    refuse("{\"\":1}", "'' is no field");
}
END_TEST

START_TEST(what_says_nothing_is_left_out)
{
    expect(
        "{\"spec\":{\"nodeSelector\":{},\"tolerations\":[],\"hostname\":null,\"securityContext\":"
        "{\"sysctls\":[]},\"affinity\":{\"podAffinity\":{}}}}",
        "", "{}");
    /* Where an empty object means something it is a value. */
    expect("{\"spec\":{\"volumes\":[{\"emptyDir\":{},\"name\":\"v\"}]}}",
           "spec.volumes[0].emptyDir tenant\nspec.volumes[0].name tenant\n",
           "{\"spec\":{\"volumes\":[{\"emptyDir\":{},\"name\":\"v\"}]}}");
    expect("{\"spec\":{\"topologySpreadConstraints\":[{\"labelSelector\":{}}]}}",
           "spec.topologySpreadConstraints[0].labelSelector tenant\n",
           "{\"spec\":{\"topologySpreadConstraints\":[{\"labelSelector\":{}}]}}");
    refuse("{\"spec\":{\"tolerations\":[{\"key\":\"a\"},{}]}}", "'spec.tolerations[1]' is empty");
    refuse("{\"spec\":{\"containers\":[null]}}", "'spec.containers[0]' is");
}
END_TEST

START_TEST(what_nobody_knows_is_named)
{
    refuse("{\"colour\":1}", "'colour' is no field");
    refuse("{\"spec\":{\"colour\":1}}", "'spec.colour' is no field");
    refuse("{\"spec\":{\"initContainers\":[{\"name\":\"a\"},{\"lifecycle\":{\"preStop\":{\"exec\":"
           "{\"colour\":{}}}}}]}}",
           "'spec.initContainers[1].lifecycle.preStop.exec.colour' is no field");
    refuse("{\"spec\":{\"volumes\":[{\"projected\":{\"sources\":[{\"secret\":{\"defaultMode\":1}}]}"
           "}]}}",
           "'spec.volumes[0].projected.sources[0].secret.defaultMode' is no field");
    refuse("{\"spec\":{\"containers\":{}}}", "'spec.containers' is not a list");
    refuse("{\"spec\":{\"containers\":[[]]}}", "'spec.containers[0]' is not an object");
    refuse("{\"spec\":[]}", "'spec' is not an object");
    refuse("{\"spec\":{\"hostname\":{}}}", "'spec.hostname' is not a single value");
    refuse("{\"spec\":{\"nodeSelector\":{\"a\":[]}}}",
           "'spec.nodeSelector.a' is not a single value");
    refuse("[]", "a Pod is an object");
}
END_TEST

int main(void)
{
    return suite_run("owners",
                     (const TTest *[]){
                         the_table_has_every_field_of_a_pod, the_table_has_nothing_that_is_no_field,
                         rows_beneath_a_path_stand_together, a_list_belongs_to_one_realm,
                         the_documents_table_is_the_codes, each_value_is_named_with_its_owner,
                         keys_that_look_like_paths_are_only_keys, what_says_nothing_is_left_out,
                         what_nobody_knows_is_named, NULL});
}
