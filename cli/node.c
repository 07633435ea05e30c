/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "checks.h"
#include "containerd_conf.h"
#include "io/child.h"
#include "io/fd.h"
#include "io/loop.h"

enum { FILE_MAX = 16 * 1024 * 1024, VERSION_MS = 3000, HELPER_MS = 30000 };

void node_fini(struct node *node)
{
    host_conf_fini(&node->host);
    tenant_conf_fini(&node->tenant);
    containerd_conf_free(node->containerd);
    free(node->runtime);
}

char *node_path(const struct node *node, const char *path)
{
    return xformat("%s%s", node->root, path);
}

bool node_is_program(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

char *node_find_program(const struct node *node, const char *name)
{
    const char *path = getenv("PATH");
    scoped(freep) char *copy = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *rest = name[0] == '/' ? NULL : copy, *directory;
    scoped(freep) char *candidate = node_path(node, name);

    if (name[0] == '/')
        return node_is_program(candidate) ? take_ptr(candidate) : NULL;
    while ((directory = strsep(&rest, ":"))) {
        free(candidate);
        candidate = xformat("%s%s/%s", node->root, directory, name);
        if (directory[0] == '/' && node_is_program(candidate))
            return take_ptr(candidate);
    }
    return NULL;
}

bool node_has_device(const struct node *node, const char *path)
{
    scoped(freep) char *there = node_path(node, path);
    struct stat info;

    return stat(there, &info) == 0 && S_ISCHR(info.st_mode);
}

char *node_read(const struct node *node, const char *path)
{
    scoped(freep) char *there = node_path(node, path);
    struct error err;
    char *text;

    return file_read(there, FILE_MAX, &text, NULL, &err) < 0 ? NULL : text;
}

int node_connect(const struct node *node, const char *path, struct error *err)
{
    scoped(freep) char *there = node_path(node, path);
    scoped(closep) int fd = -1;

    return fd_connect_unix(there, &fd, err);
}

struct answer {
    struct loop *loop;
    char *text;   /* NULL: it failed */
    bool refused; /* it ended by itself, with a code that is not 0 */
    char reason[256];
};

static void on_end(void *user, const struct child_result *result)
{
    struct answer *answer = user;

    answer->refused = !result->timed_out && WIFEXITED(result->wait_status) &&
                      WEXITSTATUS(result->wait_status) != 0;
    if (!result->timed_out && WIFEXITED(result->wait_status))
        answer->text = xstrdup(result->output);
    child_explain(result, answer->reason, sizeof(answer->reason));
    loop_quit(answer->loop);
}

/* The caller frees the text, if there is one. */
static int run(const struct child_options *options, struct answer *ret, struct error *err)
{
    scoped(loop_freep) struct loop *loop = NULL;
    scoped(child_freep) struct child *child = NULL;

    *ret = (struct answer){0};
    if (loop_new(&loop, err) < 0)
        return -1;
    ret->loop = loop;
    if (child_start(loop, options, on_end, ret, &child, err) < 0 || loop_run(loop, err) < 0)
        return -1;
    ret->loop = NULL;
    return 0;
}

int node_program_version(const char *program, char **ret, struct error *err)
{
    const char *const argv[] = {program, "--version", NULL};
    const struct child_options options = {.argv = argv, .deadline_ms = VERSION_MS};
    scoped(freep) char *text = NULL;
    struct answer answer;

    if (run(&options, &answer, err) < 0)
        return -1;
    text = answer.text;
    if (!text || answer.refused)
        return error_set(err, STATUS_INTERNAL, "'%s --version': %s", program, answer.reason);
    *ret = take_ptr(text);
    return 0;
}

int node_ask_program(const char *program, const char *verb, struct error *err)
{
    const char *const argv[] = {program, verb, NULL};
    const struct child_options options = {.argv = argv, .deadline_ms = HELPER_MS};
    scoped(freep) char *text = NULL;
    scoped(js_freep) struct js *reply = NULL;
    struct answer answer;
    struct error parse;
    const char *message;

    if (run(&options, &answer, err) < 0)
        return -1;
    text = answer.text;
    if (text && !answer.refused)
        return 0;
    if (text && js_parse(text, strlen(text), &reply, &parse) == 0 &&
        (message = js_get_string(reply, "message")))
        return error_set(err, STATUS_FAILED_PRECONDITION, "%s", message);
    return error_set(err, STATUS_INTERNAL, "'%s %s': %s", program, verb, answer.reason);
}
