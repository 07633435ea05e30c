/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed_exec.h"

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "sealed/manifest.h"

static bool is_command(const struct js *args, const struct manifest_command *command)
{
    size_t count = 0;

    for (; command->args[count]; count++) {
        if (!text_equal(js_string(js_at(args, count)), command->args[count]))
            return false;
    }
    return js_length(args) == count;
}

static const struct manifest_command *find(const struct manifest_slot *slot, const struct js *args)
{
    for (size_t i = 0; js_type(args) == JS_ARRAY && i < slot->exec_count; i++) {
        if (is_command(args, &slot->execs[i]))
            return &slot->execs[i];
    }
    return NULL;
}

int sealed_exec(const struct manifest_slot *slot, const struct js *own, const struct js *came,
                struct js **ret, struct error *err)
{
    const struct manifest_command *command = find(slot, js_get(came, "args"));
    struct js *args;

    if (!command)
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "the pod is sealed: its manifest has no such command among those that may "
                         "be executed in container '%s'",
                         slot->name);
    args = js_new_array();
    for (const char **word = command->args; *word; word++)
        js_append(args, js_new_string(*word));
    *ret = js_copy(own);
    js_set(*ret, "args", args);
    js_set(*ret, "terminal", js_new_boolean(false));
    js_remove(*ret, "consoleSize");
    return 0;
}
