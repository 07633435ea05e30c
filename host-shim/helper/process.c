/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "watch.h"

enum { CMDLINE_MAX = 256 * 1024, ATTEMPTS = 8 };

/* QEMU's arguments have "-name" and then "guest=<domain>,...". */
static bool is_machine(const char *cmdline, size_t length, const char *domain)
{
    char wanted[128];
    const char *end = cmdline + length;
    bool after_name = false;

    snprintf(wanted, sizeof(wanted), "guest=%s,", domain);
    for (const char *arg = cmdline; arg < end; arg += strlen(arg) + 1) {
        if (after_name && text_starts(arg, wanted))
            return true;
        after_name = text_equal(arg, "-name");
    }
    return false;
}

pid_t process_find(const char *domain)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    pid_t found = 0;

    if (!proc)
        return 0;
    while (!found && (entry = readdir(proc))) {
        scoped(freep) char *cmdline = NULL;
        char path[64];
        struct error err;
        uint64_t pid;
        size_t length;

        if (!text_to_u64(entry->d_name, &pid) || pid > INT32_MAX)
            continue;
        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int) pid);
        if (file_read(path, CMDLINE_MAX, &cmdline, &length, &err) == 0 &&
            is_machine(cmdline, length, domain))
            found = (pid_t) pid;
    }
    closedir(proc);
    return found;
}

int process_kill(const char *domain, struct error *err)
{
    pid_t pid;

    for (int i = 0; i < ATTEMPTS && (pid = process_find(domain)); i++) {
        uint64_t start_time = watch_start_time(pid);

        if (process_find(domain) == pid &&
            watch_kill_now(pid, start_time, PROCESS_KILL_MS, err) < 0)
            return -1;
    }
    if (process_find(domain))
        return error_set(err, STATUS_ABORTED, "processes of '%s' keep appearing", domain);
    return 0;
}
