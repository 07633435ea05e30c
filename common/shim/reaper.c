/* SPDX-License-Identifier: Apache-2.0 */
/* The detached process behind tombstone_reap(): one process for each tombstone, so that one host
 * that hangs does not hold up another's work. It ends by itself after a day; a later start of a
 * shim begins anew. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "shim/tombstone.h"

enum { LIFE_MS = 24 * 3600 * 1000, SWEEP_MAX = 64 };

struct sweep {
    const char *directory;
    unsigned started;
};

extern char **environ;

bool tombstone_is_reaper(int argc, char *argv[])
{
    return argc == 4 && text_equal(argv[1], "reap");
}

/* Only calls that are safe between fork and exec of a program with threads. */
static void detach_and_exec(char *argv[])
{
    (void) setsid();

    pid_t pid = fork();

    if (pid != 0)
        _exit(pid < 0 ? 1 : 0);

    int null = open("/dev/null", O_RDWR);
    sigset_t none;

    for (int fd = 0; null >= 0 && fd < 3; fd++)
        (void) dup2(null, fd);
    (void) syscall(SYS_close_range, 3u, ~0u, 0u);
    (void) sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);
    if (chdir("/") == 0)
        (void) execve("/proc/self/exe", argv, environ);
    _exit(127);
}

static int start_reaper(const char *directory, const char *id, struct error *err)
{
    char *argv[] = {(char *) "cleave-reaper", (char *) "reap", (char *) directory, (char *) id,
                    NULL};
    pid_t pid = fork();
    int status;

    if (pid < 0)
        return error_errno(err, errno, "fork");
    if (pid == 0)
        detach_and_exec(argv);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return 0;
}

/* By another reaper, or by who wrote it and is at work. */
static bool is_held(const char *directory, const char *id)
{
    scoped(closep) int fd = -1;
    struct error err;

    return tombstone_hold(directory, id, &fd, &err) < 0 && err.status == STATUS_ABORTED;
}

static void start_next(void *user, const char *id)
{
    struct sweep *sweep = user;
    struct error err;

    if (sweep->started < SWEEP_MAX && !tombstone_is_attended(sweep->directory, id) &&
        !is_held(sweep->directory, id) && start_reaper(sweep->directory, id, &err) == 0)
        sweep->started++;
}

int tombstone_reap(const char *directory, const char *id, struct error *err)
{
    struct sweep sweep = {.directory = directory};

    if (id)
        return start_reaper(directory, id, err);
    tombstone_each(directory, start_next, &sweep);
    return 0;
}

static void pause_ms(uint64_t ms)
{
    struct timespec pause = {.tv_sec = (time_t) (ms / 1000),
                             .tv_nsec = (long) (ms % 1000) * 1000000};

    (void) nanosleep(&pause, NULL);
}

static int reap_one(const char *directory, const char *id)
{
    uint64_t end = clock_monotonic_ms() + LIFE_MS;
    struct error err;
    uint64_t delay;

    while (clock_monotonic_ms() < end) {
        if (tombstone_attempt(directory, id, &delay, &err) < 0)
            return err.status == STATUS_ABORTED ? EXIT_SUCCESS : EXIT_FAILURE;
        if (delay == 0)
            return EXIT_SUCCESS;
        pause_ms(delay);
    }
    return EXIT_FAILURE;
}

int tombstone_main(int argc, char *argv[])
{
    (void) prctl(PR_SET_NAME, "cleave-reaper");
    return text_is_identifier(argv[3]) ? reap_one(argv[2], argv[3]) : EXIT_FAILURE;
}
