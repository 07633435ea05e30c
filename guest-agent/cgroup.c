/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <linux/magic.h>
#include <signal.h>
#include <sys/vfs.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"

enum { FILE_MAX = 256 * 1024, KILL_PASSES = 8 };

const struct cgroup_version *cgroup_detect(void)
{
    struct statfs fs;

    if (statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
        return &cgroup_v2;
    return &cgroup_v1;
}

static char *read_text(const char *format, const char *path)
{
    char *text = NULL;
    char name[512];
    size_t length;
    struct error ignored;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (text_format(name, sizeof(name), &ignored, format, path) < 0)
        return NULL;
#pragma GCC diagnostic pop
    if (file_read(name, FILE_MAX, &text, &length, &ignored) < 0)
        return NULL;
    return text;
}

uint64_t cgroup_number(uint64_t otherwise, const char *format, const char *path)
{
    scoped(freep) char *text = read_text(format, path);
    uint64_t value;

    if (!text)
        return otherwise;
    text[strcspn(text, "\n")] = '\0';
    return text_to_u64(text, &value) ? value : otherwise;
}

void cgroup_fields(const char *format, const char *path, const struct cgroup_field *fields,
                   size_t count)
{
    scoped(freep) char *text = read_text(format, path);
    char *position = NULL;

    if (!text)
        return;
    for (char *line = strtok_r(text, "\n", &position); line;
         line = strtok_r(NULL, "\n", &position)) {
        char *space = strchr(line, ' ');

        if (!space)
            continue;
        *space = '\0';
        for (size_t i = 0; i < count; i++) {
            if (text_equal(fields[i].key, line))
                (void) text_to_u64(space + 1, fields[i].to);
        }
    }
}

int cgroup_pids(const struct cgroup_version *version, const char *path, pid_t **ret,
                size_t *ret_count, struct error *err)
{
    scoped(freep) char *text = read_text(version->processes, path);
    scoped(freep) pid_t *pids = NULL;
    char *position = NULL;
    size_t count = 0;

    for (char *line = text ? strtok_r(text, "\n", &position) : NULL; line;
         line = strtok_r(NULL, "\n", &position)) {
        uint64_t pid;

        if (!text_to_u64(line, &pid) || pid == 0 || pid > INT32_MAX)
            continue;
        if (count == CGROUP_PIDS_MAX)
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d processes",
                             CGROUP_PIDS_MAX);
        if (count % 64 == 0)
            pids = xrealloc(pids, (count + 64) * sizeof(*pids));
        pids[count++] = (pid_t) pid;
    }
    *ret = take_ptr(pids);
    *ret_count = count;
    return 0;
}

/* The number of processes that it was sent to. */
static size_t signal_once(const struct cgroup_version *version, const char *path,
                          const struct cgroup_signal *signal)
{
    scoped(freep) pid_t *pids = NULL;
    struct error ignored;
    size_t count, sent = 0;

    if (cgroup_pids(version, path, &pids, &count, &ignored) < 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        sent += pids[i] != signal->except && kill(pids[i], signal->signum) == 0;
    return sent;
}

void cgroup_signal(const struct cgroup_version *version, const char *path,
                   const struct cgroup_signal *signal)
{
    struct error ignored;
    size_t sent;

    if (signal->signum == SIGKILL && signal->except == 0 && version->kill &&
        version->kill(path, &ignored) == 0)
        return;
    sent = signal_once(version, path, signal);
    /* The list was a picture: what was forked behind it is in the next one. */
    for (int pass = 1; signal->signum == SIGKILL && sent > 0 && pass < KILL_PASSES; pass++)
        sent = signal_once(version, path, signal);
}
