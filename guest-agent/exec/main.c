/* SPDX-License-Identifier: Apache-2.0 */
/* cleave-exec: starts one process in a container that runs. The agent cannot: it has threads, and
 * between fork and exec of such a process nothing may happen.
 *
 * It is the agent's child, joins the container and makes a sibling of itself, which is in the
 * container's PID namespace and the agent's child too. The sibling tells the agent what it failed
 * at, or becomes the program. From setns on it is not alone: it cannot be traced or read
 * (PR_SET_DUMPABLE), it holds nothing of the guest's root, and its image lies on a read-only mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "become.h"
#include "note.h"
#include "plan.h"

/* In the guest's own /proc, so before the container's is there. */
static void set_oom_score(const struct plan *plan)
{
    char text[16];
    int fd;

    if (!(plan->header->flags & BLOCK_OOM_SCORE))
        return;
    (void) snprintf(text, sizeof(text), "%d", plan->header->oom_score);
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        note_fail(errno, "set the OOM score to %s", text);
    (void) close(fd);
}

/* Version 1; into a group of version 2 the sibling is born. */
static void join_cgroups(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->header->cgroup_count; i++) {
        if (write(BLOCK_FD_CGROUP + (int) i, "0", 1) != 1)
            note_fail(errno, "join the container's cgroup");
    }
}

/* All but the cgroup namespace: from within it the kernel would not see where the sibling comes
 * from (nsdelegate), so that one is the sibling's own first step. */
static void join_namespaces(void)
{
    const int all = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET;

    if (setns(BLOCK_FD_INIT, all) < 0)
        note_fail(errno, "join the container's namespaces");
}

static pid_t make_sibling(const struct plan *plan)
{
    struct clone_args args = {.flags = CLONE_PARENT};

    if (plan->header->flags & BLOCK_CGROUP_V2) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = BLOCK_FD_CGROUP;
    }
    return (pid_t) syscall(SYS_clone3, &args, sizeof(args));
}

int main(void)
{
    struct plan plan;
    pid_t pid;

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        note_fail(errno, "prctl (PR_SET_DUMPABLE)");
    plan_open(&plan, BLOCK_FD_BLOCK);
    set_oom_score(&plan);
    if (!(plan.header->flags & BLOCK_CGROUP_V2))
        join_cgroups(&plan);
    join_namespaces();
    pid = make_sibling(&plan);
    if (pid < 0)
        note_fail(errno, "fork");
    if (pid == 0)
        become(&plan);
    note_send(BLOCK_STARTED, pid, "");
    return 0;
}
