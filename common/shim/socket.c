/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"

/* A directory can be locked too, and nothing is left behind. */
static int lock_directory(const char *path, int *ret, struct error *err)
{
    scoped(freep) char *directory = xstrndup(path, (size_t) (strrchr(path, '/') - path));

    if (file_make_directories(directory, 0711, err) < 0)
        return -1;

    scoped(closep) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(err, errno, "open %s", directory);
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return error_errno(err, errno, "lock %s", directory);
    }
    *ret = take_fd(fd);
    return 0;
}

int shim_socket_claim(const char *path, enum shim_socket *ret, int *ret_fd, struct error *err)
{
    scoped(closep) int lock = -1;

    if (lock_directory(path, &lock, err) < 0)
        return -1;
    if (fd_listen_unix(path, ret_fd, err) == 0) {
        *ret = SHIM_SOCKET_MADE;
        return 0;
    }
    if (err->status != STATUS_ALREADY_EXISTS)
        return -1;
    *ret = SHIM_SOCKET_LIVE;
    return 0;
}

/* Where a process's program lies, or lay: an upgrade replaces the file under a running shim. */
static bool program_of(const char *link, char ret[PATH_MAX])
{
    static const char gone[] = " (deleted)";
    ssize_t length = readlink(link, ret, PATH_MAX - 1);

    if (length <= 0)
        return false;
    ret[length] = '\0';
    if (text_ends(ret, gone))
        ret[(size_t) length - strlen(gone)] = '\0';
    return true;
}

/* A pid that was used again must not be hit. */
static bool is_our_program(pid_t pid)
{
    char link[64], theirs[PATH_MAX], ours[PATH_MAX];
    struct error ignored;

    return text_format(link, sizeof(link), &ignored, "/proc/%d/exe", (int) pid) == 0 &&
           program_of(link, theirs) && program_of("/proc/self/exe", ours) &&
           text_equal(theirs, ours);
}

static void wait_or_kill(pid_t pid, unsigned wait_ms)
{
    scoped(closep) int pidfd = pidfd_open(pid, 0);
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

    /* Waiting harms no stranger, and a process that is ending has no program to be known by. */
    if (pidfd < 0 || poll(&poll_fd, 1, (int) wait_ms) != 0 || !is_our_program(pid))
        return;
    (void) pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    (void) poll(&poll_fd, 1, 1000);
}

void shim_socket_retire(const char *path, unsigned wait_ms)
{
    scoped(closep) int lock = -1;
    struct error error;
    int fd;

    if (!file_exists(path))
        return;
    if (fd_connect_unix(path, &fd, &error) == 0) {
        scoped(closep) int peer = fd;
        pid_t pid = 0;
        uid_t uid;
        gid_t gid;

        if (fd_peer(peer, &pid, &uid, &gid, &error) == 0 && pid > 1 && pid != getpid())
            wait_or_kill(pid, wait_ms);
    }
    if (lock_directory(path, &lock, &error) < 0 || fd_remove_dead_unix(path, &error) < 0)
        log_warn("a socket stays behind: %s", error.message);
}
