/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "compose.h"
#include "compose_private.h"
#include "environment.h"
#include "layout.h"

enum { HOSTNAME_LENGTH_MAX = 63 };

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- args ---------------------------------------------------------------------------------- */

static int expand_all(const struct environment *environment, const struct js *list,
                      const char *what, struct js *out, struct error *err)
{
    scoped(js_freep) struct js *texts = js_new_array();

    if (compose_strings(list, what, texts, err) < 0)
        return -1;
    for (size_t i = 0; i < js_length(texts); i++) {
        scoped(freep) char *text = NULL;

        if (environment_expand(environment, js_string(js_at(texts, i)), &text, err) < 0)
            return error_wrap(err, "%s[%zu]", what, i);
        js_append(out, js_new_string(text));
    }
    return 0;
}

/* An entry point of one empty string is none. */
static bool is_no_entrypoint(const struct js *entrypoint)
{
    return js_length(entrypoint) == 1 && text_equal(js_string(js_at(entrypoint, 0)), "");
}

/* A command replaces the image's entry point and with it the image's arguments. */
static int make_args(const struct compose *compose, const struct environment *environment,
                     struct js *out, struct error *err)
{
    const struct js *command = js_get(compose->container, "command");
    const struct js *args = js_get(compose->container, "args");
    const struct image_process *image = &compose->image->process;

    if (expand_all(environment, command, "command", out, err) < 0)
        return -1;
    if (!js_length(out) && !is_no_entrypoint(image->entrypoint) &&
        compose_strings(image->entrypoint, "Entrypoint", out, err) < 0)
        return -1;
    if (expand_all(environment, args, "args", out, err) < 0)
        return -1;
    if (!js_length(command) && !js_length(args) &&
        compose_strings(image->command, "Cmd", out, err) < 0)
        return -1;
    if (!js_length(out))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "neither the pod nor its image says what to "
                         "run: command");
    return 0;
}

/* ---- env ----------------------------------------------------------------------------------- */

static size_t name_length(const char *assignment)
{
    return strcspn(assignment, "=");
}

static void remove_variable(struct js *list, const char *name, size_t length)
{
    for (size_t i = 0; i < js_length(list); i++) {
        const char *one = js_string(js_at(list, i));

        if (name_length(one) == length && memcmp(one, name, length) == 0) {
            js_remove_at(list, i);
            return;
        }
    }
}

/* A variable of an image's without '=' takes an earlier one away. */
static void put(struct js *list, const char *assignment)
{
    size_t length = name_length(assignment);

    remove_variable(list, assignment, length);
    if (assignment[length])
        js_append(list, js_new_string(assignment));
}

char *compose_hostname(const struct js *pod)
{
    const char *own = js_get_string(js_get(pod, "spec"), "hostname");
    const char *name = own && *own ? own : js_get_string(js_get(pod, "metadata"), "name");
    char *hostname = xstrndup(name, HOSTNAME_LENGTH_MAX);
    size_t length = strlen(hostname);

    /* Cut, it may end where no name may. */
    while (strlen(name) > length && length && strchr("-.", hostname[length - 1]))
        hostname[--length] = '\0';
    return hostname;
}

static void make_env(const struct compose *compose, const struct environment *environment,
                     bool has_terminal, struct js *out)
{
    const struct js *of_image = compose->image->process.environment;
    scoped(freep) char *name = compose_hostname(compose->pod),
                       *hostname = xformat("HOSTNAME=%s", name);

    put(out, DEFAULT_PATH);
    if (has_terminal)
        put(out, "TERM=xterm");
    put(out, hostname);
    for (size_t i = 0; i < js_length(of_image); i++)
        put(out, js_string(js_at(of_image, i)));
    for (size_t i = 0; i < environment->count; i++) {
        const struct variable *variable = &environment->list[i];
        scoped(freep) char *assignment = NULL;

        /* Where no value comes for a hole (an optional key of a secret), the image's stays. */
        if (!variable->value)
            continue;
        assignment = xformat("%s=%s", variable->name, variable->value);
        put(out, assignment);
    }
}

static int make_directory(const struct compose *compose, struct js *process, struct error *err)
{
    const char *directory = js_get_string(compose->container, "workingDir");

    if (!directory || !*directory)
        directory = compose->image->process.directory;
    if (!*directory)
        directory = "/";
    if (*directory != '/')
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the working directory '%.128s' is no absolute path", directory);
    js_set_string(process, "cwd", directory);
    return 0;
}

int compose_process(const struct compose *compose, const struct environment *environment,
                    struct js *process, struct error *err)
{
    struct js *args = js_new_array(), *env = js_new_array();
    bool has_terminal;

    js_set(process, "args", args);
    js_set(process, "env", env);
    if (make_args(compose, environment, args, err) < 0 ||
        compose_boolean(compose->container, "tty", &has_terminal, err) < 0)
        return -1;
    make_env(compose, environment, has_terminal, env);
    if (has_terminal)
        js_set(process, "terminal", js_new_boolean(true));
    return make_directory(compose, process, err);
}
