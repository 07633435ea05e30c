/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "scratch_disk.h"

enum { WAITERS_MAX = 16 };

struct waiter {
    scratch_fn *fn;
    void *user;
};

struct scratch {
    int fd; /* what the maker says: an error, which begins with a byte that is not zero, or success
             */
    struct source *source;
    bool known;
    bool failed;
    struct error err;
    struct waiter waiters[WAITERS_MAX];
    size_t count;
};

/* In the child. Its last words are one write to a pipe, which is not cut. Behind everybody else:
 * the boot goes on meanwhile. */
static __attribute__((noreturn)) void make(const char *device, int report)
{
    struct error err = {0};

    (void) setpriority(PRIO_PROCESS, 0, 19);
    if (scratch_disk_make(device, SCRATCH_DIRECTORY, &err) == 0)
        err.status = STATUS_OK;
    _exit(write(report, &err, sizeof(err)) == (ssize_t) sizeof(err) ? EXIT_SUCCESS : EXIT_FAILURE);
}

int scratch_begin(const char *device, struct scratch **ret, struct error *err)
{
    int report[2];
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) < 0)
        return error_errno(err, errno, "make a pipe");
    pid = fork();
    if (pid == 0)
        make(device, report[1]);
    (void) close(report[1]);
    if (pid < 0) {
        (void) close(report[0]);
        return error_errno(err, errno, "fork");
    }
    *ret = xnew(struct scratch);
    (*ret)->fd = report[0];
    return 0;
}

void scratch_free(struct scratch *scratch)
{
    if (!scratch)
        return;
    source_free(scratch->source);
    closep(&scratch->fd);
    free(scratch);
}

static void told(void *user, uint32_t events)
{
    struct scratch *scratch = user;
    struct error err;
    ssize_t length = read(scratch->fd, &err, sizeof(err));

    if (length != (ssize_t) sizeof(err))
        error_set(&err, STATUS_INTERNAL, "what was to make it has ended without a word");
    source_free(take_ptr(scratch->source));
    scratch->known = true;
    scratch->failed = err.status != STATUS_OK;
    if (scratch->failed) {
        scratch->err = err;
        error_wrap(&scratch->err, "the scratch disk");
        log_error("%s", scratch->err.message);
    }
    for (size_t i = 0; i < scratch->count; i++)
        scratch->waiters[i].fn(scratch->waiters[i].user, scratch->failed ? &scratch->err : NULL);
    scratch->count = 0;
}

int scratch_wait(struct scratch *scratch, struct loop *loop, scratch_fn *fn, void *user,
                 struct error *err)
{
    if (scratch->known) {
        fn(user, scratch->failed ? &scratch->err : NULL);
        return 0;
    }
    if (scratch->count == WAITERS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "too many wait for the scratch disk");
    if (!scratch->source &&
        loop_watch_fd(loop, scratch->fd, LOOP_READ, told, scratch, &scratch->source, err) < 0)
        return -1;
    scratch->waiters[scratch->count++] = (struct waiter){fn, user};
    return 0;
}
