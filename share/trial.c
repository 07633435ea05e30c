/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scoped.h"
#include "processes.h"

/* Each refuses such arguments before it does anything. */
static const struct kernel_call {
    long number;
    const char *name, *since;
} calls[] = {
    {SYS_open_tree, "open_tree", "5.2"},          {SYS_move_mount, "move_mount", "5.2"},
    {SYS_pidfd_open, "pidfd_open", "5.3"},        {SYS_openat2, "openat2", "5.6"},
    {SYS_mount_setattr, "mount_setattr", "5.12"},
};

static int check_calls(struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(calls); i++)
        if (syscall(calls[i].number, -1, NULL, -1, NULL, -1) < 0 && errno == ENOSYS)
            return error_set(err, STATUS_UNIMPLEMENTED, "this kernel has no %s (Linux %s has it)",
                             calls[i].name, calls[i].since);
    return 0;
}

int trial_run(struct error *err)
{
    if (check_calls(err) < 0)
        return -1;
    return processes_try(err);
}
