/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "compose.h"
#include "compose_private.h"
#include "environment.h"

static bool is_in(const struct js *execs, const struct js *args)
{
    scoped(freep) char *wanted = js_print(args);

    for (size_t i = 0; i < js_length(execs); i++) {
        scoped(freep) char *one = js_print(js_at(execs, i));

        if (text_equal(one, wanted))
            return true;
    }
    return false;
}

/* `environment`: what the command is expanded by; NULL: it is not. */
static int add(const struct js *handler, const struct environment *environment, struct js *execs,
               struct error *err)
{
    scoped(js_freep) struct js *texts = js_new_array(), *args = js_new_array();
    const struct js *action = js_get(handler, "exec");

    if (!action)
        return 0;
    if (compose_strings(js_get(action, "command"), "exec.command", texts, err) < 0)
        return -1;
    for (size_t i = 0; i < js_length(texts); i++) {
        const char *text = js_string(js_at(texts, i));
        scoped(freep) char *expanded = environment ? environment_expand_raw(environment, text)
                                                   : xstrdup(text);

        js_append(args, js_new_string(expanded));
    }
    if (!js_length(args))
        return error_set(err, STATUS_INVALID_ARGUMENT, "exec.command: nothing");
    if (!is_in(execs, args))
        js_append(execs, take_ptr(args));
    return 0;
}

/* kubelet expands a probe's command by the values as the pod has them, and a hook's not at all. */
int compose_execs(const struct compose *compose, const struct environment *environment,
                  struct js *execs, struct error *err)
{
    static const char *const probes[] = {"startupProbe", "livenessProbe", "readinessProbe"};
    static const char *const hooks[] = {"postStart", "preStop"};

    for (size_t i = 0; i < ARRAY_LENGTH(probes); i++) {
        if (add(js_get(compose->container, probes[i]), environment, execs, err) < 0)
            return error_wrap(err, "%s", probes[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(hooks); i++) {
        if (add(js_path(compose->container, "lifecycle", hooks[i]), NULL, execs, err) < 0)
            return error_wrap(err, "lifecycle.%s", hooks[i]);
    }
    return 0;
}
