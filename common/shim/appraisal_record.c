/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/appraisal_record.h"

#include <stddef.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "shim/state_file.h"

static const struct state_format format = {.kind = "appraisal", .version = 1};

static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    {"namespace", offsetof(struct appraisal_record, pod_namespace)},
    {"name", offsetof(struct appraisal_record, pod_name)},
    {"cri_sandbox", offsetof(struct appraisal_record, cri_sandbox_id)},
    {"sandbox", offsetof(struct appraisal_record, sandbox_id)},
    {"type", offsetof(struct appraisal_record, evidence)},
    {"anchor", offsetof(struct appraisal_record, anchor)},
    {"measurement", offsetof(struct appraisal_record, measurement)},
    {"chip", offsetof(struct appraisal_record, chip)},
    {"reference_values", offsetof(struct appraisal_record, reference)},
    {"manifest_digest", offsetof(struct appraisal_record, manifest)},
};

static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"tls_version", offsetof(struct appraisal_record, tls_version)},
    {"epoch", offsetof(struct appraisal_record, epoch)},
    {"appraisal", offsetof(struct appraisal_record, number)},
    {"appraised_at", offsetof(struct appraisal_record, time)},
};

/* A record that a running shim of an older release wrote lacks it. */
static bool is_newer(const char *name)
{
    return text_equal(name, "manifest_digest");
}

static char **text_at(const struct appraisal_record *record, size_t i)
{
    return (char **) ((char *) record + texts[i].offset);
}

static int64_t *number_at(const struct appraisal_record *record, size_t i)
{
    return (int64_t *) ((char *) record + numbers[i].offset);
}

struct js *appraisal_record_json(const struct appraisal_record *record)
{
    struct js *root = js_new_object();

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        js_set_string(root, texts[i].name, *text_at(record, i));
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        js_set_integer(root, numbers[i].name, *number_at(record, i));
    return root;
}

static char *path_in(const char *directory)
{
    return xformat("%s/appraisal.json", directory);
}

int appraisal_record_write(const char *directory, const struct appraisal_record *record,
                           struct error *err)
{
    scoped(js_freep) struct js *root = appraisal_record_json(record);
    scoped(freep) char *path = path_in(directory);

    return state_file_write(path, &format, root, err);
}

int appraisal_record_read(const char *directory, struct appraisal_record *ret, struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    scoped(freep) char *path = path_in(directory);
    scoped(appraisal_record_fini) struct appraisal_record record = {0};
    const char *text;

    if (state_file_read(path, &format, &root, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (is_newer(texts[i].name) && !js_get(root, texts[i].name))
            text = "";
        else if (js_need_string(root, texts[i].name, &text, err) < 0)
            return error_wrap(err, "'%s'", path);
        *text_at(&record, i) = xstrdup(text);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        if (js_need_integer(root, numbers[i].name, 0, INT64_MAX, number_at(&record, i), err) < 0)
            return error_wrap(err, "'%s'", path);
    *ret = record;
    record = (struct appraisal_record){0};
    return 0;
}

void appraisal_record_fini(struct appraisal_record *record)
{
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        free(*text_at(record, i));
    *record = (struct appraisal_record){0};
}
