/* SPDX-License-Identifier: Apache-2.0 */
#include "anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "io/loop.h"

/* containerd's reader may open its end late; without one an open for writing is ENXIO. */
enum { OPEN_TRIES = 200, OPEN_PAUSE_MS = 50 };

/* The output of one anchor. An end of file is owed on both streams: containerd waits for it before
 * it deletes the task. */
struct output {
    struct source *timer;
    char *paths[2]; /* freed and NULL when done */
    unsigned tries;
};

static bool write_line(const char *path, const char *line)
{
    scoped(closep) int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;

    if (fd < 0)
        return errno != ENXIO; /* anything else will not get better */
    if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && write(fd, line, strlen(line)) < 0)
        log_debug("anchor output: %s", strerror(errno));
    return true;
}

static void write_output(void *user)
{
    struct output *output = user;
    const char *const lines[] = {ANCHOR_LINE, ""};
    bool left = false;

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        if (output->paths[i] && write_line(output->paths[i], lines[i])) {
            free(output->paths[i]);
            output->paths[i] = NULL;
        }
        left = left || output->paths[i];
    }
    if (left && output->tries++ < OPEN_TRIES)
        source_rearm(output->timer, OPEN_PAUSE_MS);
}

static void output_free(struct output *output)
{
    if (!output)
        return;
    source_free(output->timer);
    free(output->paths[0]);
    free(output->paths[1]);
    free(output);
}

static char *path_or_null(const char *path)
{
    return path && path[0] == '/' ? xstrdup(path) : NULL;
}

int anchor_create(struct anchors *anchors, const struct anchor_options *options,
                  struct task_entry **ret, struct error *err)
{
    struct task_entry *entry;

    if (anchors->table.count >= ANCHORS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "a host half has at most %d containers",
                         ANCHORS_MAX);
    if (task_table_add(&anchors->table, options->id, &entry, err) < 0)
        return -1;
    entry->bundle = xstrdup(options->bundle);
    entry->stdin_path = xstrdup(options->stdin_path);
    entry->stdout_path = xstrdup(options->stdout_path);
    entry->stderr_path = xstrdup(options->stderr_path);
    entry->terminal = options->terminal;
    entry->pid = (uint32_t) getpid(); /* exists as long as anybody can ask for it */
    task_set_state(entry, TASK_CREATED);
    *ret = entry;
    return 0;
}

int anchor_start(struct anchors *anchors, struct task_entry *anchor, struct error *err)
{
    struct output *output;

    if (task_allow(anchor, TASK_OP_START, err) < 0)
        return -1;
    output = xnew(struct output);
    output->paths[0] = path_or_null(anchor->stdout_path);
    output->paths[1] = path_or_null(anchor->stderr_path);
    if (loop_after(anchors->loop, 0, write_output, output, &output->timer, err) < 0) {
        output_free(output);
        return -1;
    }
    anchor->user = output;
    task_set_state(anchor, TASK_RUNNING);
    return 0;
}

void anchor_delete(struct anchors *anchors, struct task_entry *anchor)
{
    output_free(anchor->user);
    anchor->user = NULL;
    task_table_remove(&anchors->table, anchor);
}

/* A containerd that was restarted has opened its ends anew and waits for a writer: open and close
 * tells it that nothing comes any more. */
static void end_output(const struct task_entry *anchor)
{
    scoped(freep) char *out = path_or_null(anchor->stdout_path);
    scoped(freep) char *error_output = path_or_null(anchor->stderr_path);

    if (out)
        (void) write_line(out, "");
    if (error_output)
        (void) write_line(error_output, "");
}

void anchors_exited(struct anchors *anchors, uint32_t exit_status, int64_t exited_at_ns)
{
    for (struct task_entry *entry = anchors->table.first; entry; entry = entry->next)
        if (task_exited(entry, exit_status, exited_at_ns))
            end_output(entry);
}

void anchors_clear(struct anchors *anchors)
{
    while (anchors->table.first)
        anchor_delete(anchors, anchors->table.first);
}

enum anchor_signal anchor_signal(uint32_t signal)
{
    switch (signal) {
    case SIGKILL:
        return ANCHOR_DESTROY;
    case 0:
    case SIGCHLD:
    case SIGCONT:
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case SIGURG:
    case SIGWINCH:
        return ANCHOR_IGNORE;
    default:
        return ANCHOR_POWER;
    }
}
