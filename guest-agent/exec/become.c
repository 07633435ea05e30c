/* SPDX-License-Identifier: Apache-2.0 */
/* Root's steps come first, the same as crun's and in its order: without no_new_privs a filter can
 * only be set while there is CAP_SYS_ADMIN, so it has to let through what follows; with it the
 * filter comes last. */
#include "become.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lookup.h"
#include "note.h"
#include "plan.h"
#include "terminal.h"

/* Through /proc/self/fd or a directory that was moved one could stand outside of the root. */
static void check_cwd(const char *cwd)
{
    char path[4096];
    long n = syscall(SYS_getcwd, path, sizeof(path));

    if (n < 0 && errno == ERANGE) /* long, so not "(unreachable)/..." of a root of ours */
        return;
    if (n < 0 || path[0] != '/')
        note_fail(0, "chdir `%.100s`: it is outside of the container", cwd);
}

/* False: errno. */
static bool enter_cwd(const struct plan *plan)
{
    if (chdir(plan->cwd) < 0)
        return false;
    check_cwd(plan->cwd);
    return true;
}

static char *find_program(const struct plan *plan)
{
    char *program = lookup_program(plan);

    if (!program && errno == ENOENT)
        note_fail(ENOENT, "executable file `%.100s` not found%s", plan->arguments[0],
                  strchr(plan->arguments[0], '/') ? "" : " in $PATH");
    return program;
}

static void set_rlimits(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->header->rlimit_count; i++) {
        const struct block_rlimit *limit = &plan->rlimits[i];
        struct rlimit value = {.rlim_cur = limit->soft, .rlim_max = limit->hard};

        if (setrlimit((__rlimit_resource_t) limit->resource, &value) < 0)
            note_fail(errno, "setrlimit `%.*s`", BLOCK_NAME_MAX, limit->name);
    }
}

static void set_filter(const struct plan *plan)
{
    struct sock_fprog program = {
        .len = (unsigned short) plan->header->filter_count,
        .filter = (struct sock_filter *) (uintptr_t) plan->filter,
    };
    unsigned flags = plan->header->seccomp_flags;

    if (!(plan->header->flags & BLOCK_SECCOMP))
        return;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0)
        note_fail(errno, "seccomp (SECCOMP_SET_MODE_FILTER)");
}

/* The pipes are this process's alone. What is no pipe belongs to the guest, or was the terminal. */
static void give_streams(const struct plan *plan)
{
    for (int fd = 0; fd < 3; fd++) {
        struct stat status;

        if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
            fchown(fd, plan->header->uid, plan->header->gid) < 0)
            note_fail(errno, "fchown std stream %d", fd);
    }
}

static void drop_bounding(uint64_t keep)
{
    for (int cap = 0; cap < 64; cap++) {
        if (keep & (UINT64_C(1) << cap))
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
            if (errno == EINVAL) /* behind the last that the kernel knows */
                return;
            note_fail(errno, "drop capability %d", cap);
        }
    }
}

static void raise_ambient(uint64_t set)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        note_fail(errno, "clear the ambient capabilities");
    for (int cap = 0; cap < 64; cap++) {
        /* EPERM: it is not permitted and inheritable too, so it cannot be ambient */
        if ((set & (UINT64_C(1) << cap)) &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0 && errno != EPERM &&
            errno != EINVAL)
            note_fail(errno, "raise ambient capability %d", cap);
    }
}

static void set_user(const struct plan *plan)
{
    const struct block_header *header = plan->header;
    const uint64_t *sets = header->capabilities;
    struct __user_cap_header_struct version = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    for (int i = 0; i < 2; i++) {
        data[i].effective = (uint32_t) (sets[BLOCK_EFFECTIVE] >> (32 * i));
        data[i].permitted = (uint32_t) (sets[BLOCK_PERMITTED] >> (32 * i));
        data[i].inheritable = (uint32_t) (sets[BLOCK_INHERITABLE] >> (32 * i));
    }
    drop_bounding(sets[BLOCK_BOUNDING]);
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        note_fail(errno, "keep the capabilities");
    if (setresgid(header->gid, header->gid, header->gid) < 0)
        note_fail(errno, "cannot setresgid to %u", header->gid);
    if (setresuid(header->uid, header->uid, header->uid) < 0)
        note_fail(errno, "cannot setresuid to %u", header->uid);
    if (syscall(SYS_capset, &version, data) < 0)
        note_fail(errno, "capset");
    raise_ambient(sets[BLOCK_AMBIENT]);
    if ((header->flags & BLOCK_NO_NEW_PRIVS) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        note_fail(errno, "no new privs");
}

/* Nothing of the agent's stays open but the socket, and that until the exec. */
static void leave_agent(void)
{
    if (setns(BLOCK_FD_INIT, CLONE_NEWCGROUP) < 0)
        note_fail(errno, "join the container's cgroup namespace");
    if (close_range(BLOCK_FD_SOCKET + 1, ~0u, 0) < 0 ||
        fcntl(BLOCK_FD_SOCKET, F_SETFD, FD_CLOEXEC) < 0)
        note_fail(errno, "close the descriptors");
    if (setsid() < 0)
        note_fail(errno, "setsid");
}

void become(struct plan *plan)
{
    const struct block_header *header = plan->header;
    bool inside;
    char *program;

    leave_agent();
    if (header->flags & BLOCK_TERMINAL)
        terminal_open(plan);
    inside = enter_cwd(plan); /* what root may not, as on a network file system, the user may */
    lookup_home(plan);
    program = find_program(plan);
    note_await_go();
    if ((header->flags & BLOCK_PERSONALITY) && personality(header->personality) < 0)
        note_fail(errno, "set the personality");
    set_rlimits(plan);
    if (!(header->flags & BLOCK_NO_NEW_PRIVS))
        set_filter(plan);
    if (setgroups(header->group_count, plan->groups) < 0)
        note_fail(errno, "setgroups");
    give_streams(plan);
    set_user(plan);
    if (!program && !(program = find_program(plan)))
        note_fail(errno, "open executable `%.100s`", plan->arguments[0]);
    if (!inside && !enter_cwd(plan))
        note_fail(errno, "chdir `%.100s`", plan->cwd);
    if (header->flags & BLOCK_NO_NEW_PRIVS)
        set_filter(plan);
    (void) umask(header->umask);
    (void) execve(program, plan->arguments, plan->environment);
    note_fail(errno, "exec `%.100s`", program);
}
