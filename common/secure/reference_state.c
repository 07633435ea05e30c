/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/reference_state.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/reference_values.h"

enum { STATE_MAX = 4 * 1024 * 1024 };

/* Then the SHA-256 of what follows, a line feed, and JSON. */
static const char magic[] = "cleave-reference-state/1 ";

enum { HEAD_SIZE = sizeof(magic) - 1 + 2 * SHA256_SIZE + 1 };

static void head_of(const char *body, char ret[HEAD_SIZE + 1])
{
    uint8_t digest[SHA256_SIZE];

    digest_sha256(body, strlen(body), digest);
    memcpy(ret, magic, sizeof(magic) - 1);
    hex_encode(digest, sizeof(digest), ret + sizeof(magic) - 1);
    ret[HEAD_SIZE - 1] = '\n';
    ret[HEAD_SIZE] = '\0';
}

static bool is_object(const struct js *state, const char *key)
{
    return js_type(js_get(state, key)) == JS_OBJECT;
}

static int parse(const char *text, size_t length, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *state = NULL;
    char head[HEAD_SIZE + 1];

    if (length <= HEAD_SIZE || strlen(text) != length)
        return error_set(err, STATUS_DATA_LOSS, "it is cut");
    head_of(text + HEAD_SIZE, head);
    if (memcmp(text, head, HEAD_SIZE) != 0)
        return error_set(err, STATUS_DATA_LOSS, "its digest is another one");
    if (js_parse(text + HEAD_SIZE, length - HEAD_SIZE, &state, err) < 0)
        return -1;
    if (!is_object(state, "serials") || !is_object(state, "epochs"))
        return error_set(err, STATUS_DATA_LOSS, "it has neither serials nor epochs");
    *ret = take_ptr(state);
    return 0;
}

static struct js *new_state(void)
{
    struct js *state = js_new_object();

    js_set(state, "serials", js_new_object());
    js_set(state, "epochs", js_new_object());
    return state;
}

static int load(const char *path, struct js **ret, struct error *err)
{
    scoped(freep) char *text = NULL;
    struct error cause = {0};
    size_t length;

    if (file_read(path, STATE_MAX, &text, &length, err) < 0) {
        if (err->status != STATUS_NOT_FOUND)
            return error_wrap(err, "reference state");
        *ret = new_state();
        return 0;
    }
    if (parse(text, length, ret, &cause) == 0)
        return 0;
    return error_set(
        err, STATUS_DATA_LOSS,
        "reference state '%s' is damaged (%.100s): bring it back from a backup; whoever "
        "removes it takes any older file of reference values again",
        path, cause.message);
}

static int save(const char *path, const struct js *state, struct error *err)
{
    scoped(freep) char *body = js_print_canonical(state);
    scoped(freep) char *text = NULL;
    char head[HEAD_SIZE + 1];

    if (strlen(body) > STATE_MAX - HEAD_SIZE)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "reference state '%s' is full", path);
    head_of(body, head);
    text = xformat("%s%s", head, body);
    return file_write_atomic(path, text, strlen(text), 0600, err);
}

/* 1: it is news, 0: it was seen, -1. */
static int admit_serial(struct js *serials, const struct reference_state_file *file,
                        struct error *err)
{
    const char *id = reference_values_id(file->values);
    int64_t serial = (int64_t) reference_values_serial(file->values);
    struct js *seen = js_get(serials, id);
    int64_t highest = js_get_integer(seen, "serial", -1);
    char digest[2 * SHA256_SIZE + 1];

    hex_encode(file->digest, sizeof(file->digest), digest);
    if (serial < highest)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "rollback: serial %lld of '%s' was seen on this node, this file has %lld: "
                         "install the newer one",
                         (long long) highest, id, (long long) serial);
    if (serial == highest) {
        if (text_equal(js_get_string(seen, "digest"), digest))
            return 0;
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "serial %lld of '%s' was seen on this node with another content: raise "
                         "the serial",
                         (long long) serial, id);
    }
    seen = js_new_object();
    js_set_integer(seen, "serial", serial);
    js_set_string(seen, "digest", digest);
    js_set(serials, id, seen);
    return 1;
}

static bool raise_epochs(struct js *epochs, const struct reference_values *values)
{
    bool raised = false;
    const char *pod;
    uint64_t min = 0;

    for (size_t i = 0; (pod = reference_values_epoch_at(values, i, &min)); i++) {
        if ((int64_t) min <= js_get_integer(epochs, pod, 0))
            continue;
        js_set_integer(epochs, pod, (int64_t) min);
        raised = true;
    }
    return raised;
}

char *reference_state_path(const char *directory)
{
    return xformat("%s/state", directory);
}

int reference_state_admit(const char *directory, const struct reference_state_file *file,
                          struct js **ret, struct error *err)
{
    scoped(freep) char *path = reference_state_path(directory);
    scoped(freep) char *lock_path = xformat("%s/lock", directory);
    scoped(js_freep) struct js *state = NULL;
    scoped(closep) int lock = -1;
    int news;

    if (file_make_directories(directory, 0700, err) < 0 || file_lock(lock_path, &lock, err) < 0 ||
        load(path, &state, err) < 0)
        return -1;
    news = admit_serial(js_get(state, "serials"), file, err);
    if (news < 0)
        return -1;
    news |= raise_epochs(js_get(state, "epochs"), file->values);
    if (news && save(path, state, err) < 0)
        return -1;
    *ret = take_ptr(state);
    return 0;
}

uint64_t reference_state_epoch_min(const struct js *state, const char *pod_namespace,
                                   const char *pod_name)
{
    scoped(freep) char *pod = xformat("%s/%s", pod_namespace, pod_name);

    return (uint64_t) js_get_integer(js_get(state, "epochs"), pod, 0);
}
