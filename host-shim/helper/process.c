/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <dirent.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "watch.h"

enum { CMDLINE_MAX = 256 * 1024, STATUS_MAX = 64 * 1024, PID_FILE_MAX = 32, ATTEMPTS = 8 };
#define PID_FILES "/run/libvirt/qemu"

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

/* swtpm's have "--tpmstate", those of its set-up "--tpm-state", and then a path with the UUID. */
static bool is_tpm(const char *cmdline, size_t length, const char *uuid)
{
    scoped(freep) char *wanted = xformat("/%s/", uuid);
    const char *end = cmdline + length;
    bool after_state = false;

    for (const char *arg = cmdline; arg < end; arg += strlen(arg) + 1) {
        if (after_state && strstr(arg, wanted))
            return true;
        after_state = text_equal(arg, "--tpmstate") || text_equal(arg, "--tpm-state");
    }
    return false;
}

struct kind {
    bool (*has_arguments)(const char *cmdline, size_t length, const char *whose);
    const char *program;  /* its file's name begins so */
    const char *users[5]; /* besides root; as distributions configure libvirt */
};

static const struct kind kinds[] = {
    [PROCESS_MACHINE] = {is_machine, "/qemu-", {"libvirt-qemu", "qemu"}},
    [PROCESS_TPM] = {is_tpm, "/swtpm", {"tss", "swtpm", "libvirt-qemu", "qemu"}},
};

static bool has_arguments(pid_t pid, enum process_kind kind, const char *whose)
{
    scoped(freep) char *cmdline = NULL;
    char path[64];
    struct error err;
    size_t length;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int) pid);
    return file_read(path, CMDLINE_MAX, &cmdline, &length, &err) == 0 &&
           kinds[kind].has_arguments(cmdline, length, whose);
}

/* Only root writes there, so whoever it names is QEMU, under whatever user libvirt runs it. */
static pid_t find_by_pid_file(const char *domain)
{
    scoped(freep) char *path = xformat(PID_FILES "/%s.pid", domain);
    scoped(freep) char *text = NULL;
    struct error err;
    size_t length;
    uint64_t pid;

    if (file_read(path, PID_FILE_MAX, &text, &length, &err) < 0)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return text_to_u64(text, &pid) && pid > 1 && pid <= INT32_MAX &&
                   has_arguments((pid_t) pid, PROCESS_MACHINE, domain)
               ? (pid_t) pid
               : 0;
}

static bool is_user(const struct kind *kind, uid_t uid)
{
    if (uid == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(kind->users) && kind->users[i]; i++) {
        const struct passwd *user = getpwnam(kind->users[i]);

        if (user && user->pw_uid == uid)
            return true;
    }
    return false;
}

/* Any local user can give a program these arguments; it is the real one only as one of its users.
 */
static bool is_real(const struct kind *kind, pid_t pid)
{
    scoped(freep) char *status = NULL;
    char path[64], program[PATH_MAX];
    const char *name, *line;
    struct error err;
    size_t length;
    unsigned uid;
    ssize_t got;

    snprintf(path, sizeof(path), "/proc/%d/exe", (int) pid);
    got = readlink(path, program, sizeof(program) - 1);
    program[got > 0 ? got : 0] = '\0';
    name = strrchr(program, '/');
    snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
    if (!name || !text_starts(name, kind->program) ||
        file_read(path, STATUS_MAX, &status, &length, &err) < 0)
        return false;
    line = strstr(status, "\nUid:");
    return line && sscanf(line, "\nUid: %u", &uid) == 1 && is_user(kind, (uid_t) uid);
}

/* libvirt removes its file when it has given up on a process that does not die, or was cut down
 * itself. */
static pid_t find_by_arguments(enum process_kind kind, const char *whose)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    pid_t found = 0;

    if (!proc)
        return 0;
    while (!found && (entry = readdir(proc))) {
        uint64_t pid;

        if (text_to_u64(entry->d_name, &pid) && pid <= INT32_MAX &&
            has_arguments((pid_t) pid, kind, whose) && is_real(&kinds[kind], (pid_t) pid))
            found = (pid_t) pid;
    }
    closedir(proc);
    return found;
}

pid_t process_find(enum process_kind kind, const char *whose)
{
    pid_t pid = kind == PROCESS_MACHINE ? find_by_pid_file(whose) : 0;

    return pid ? pid : find_by_arguments(kind, whose);
}

int process_kill(enum process_kind kind, const char *whose, struct error *err)
{
    pid_t pid;

    for (int i = 0; i < ATTEMPTS && (pid = process_find(kind, whose)); i++) {
        uint64_t start_time = watch_start_time(pid);

        if (process_find(kind, whose) == pid &&
            watch_kill_now(pid, start_time, PROCESS_KILL_MS, err) < 0)
            return -1;
    }
    if (process_find(kind, whose))
        return error_set(err, STATUS_ABORTED, "processes of '%s' keep appearing", whose);
    return 0;
}
