/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/state_file.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

int state_file_write(const char *path, const struct state_format *format, struct js *state,
                     struct error *err)
{
    js_set_integer(state, "version", format->version);
    js_set_string(state, "kind", format->kind);

    scoped(freep) char *text = js_print(state);

    if (strlen(text) > STATE_FILE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the state for '%s' is too large", path);
    return file_write_atomic(path, text, strlen(text), 0600, err);
}

int state_file_read(const char *path, const struct state_format *format, struct js **ret,
                    struct error *err)
{
    scoped(js_freep) struct js *state = NULL;
    scoped(freep) char *text = NULL;
    size_t length = 0;

    if (file_read(path, STATE_FILE_MAX, &text, &length, err) < 0)
        return -1;
    if (js_parse(text, length, &state, err) < 0)
        return error_wrap(err, "%s", path);
    if (!text_equal(js_get_string(state, "kind"), format->kind))
        return error_set(err, STATUS_FAILED_PRECONDITION, "%s is not a %s file", path,
                         format->kind);
    if (js_get_integer(state, "version", -1) != format->version)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "%s has version %" PRId64 ", this program knows %" PRId64, path,
                         js_get_integer(state, "version", -1), format->version);
    *ret = take_ptr(state);
    return 0;
}
