/* SPDX-License-Identifier: Apache-2.0 */
#include "share_fixture.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

enum { BUFFER_SIZE = 1024 * 1024 + 4096 };

static void make_directories(const struct share_fixture *fixture)
{
    static const char *const names[] = {"rw", "ro", "slave", "secret", "mnt", "local"};
    char path[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) snprintf(path, sizeof(path), "%s/%s", fixture->base, names[i]);
        ck_assert_int_eq(mkdir(path, 0755), 0);
    }
}

static void prepare_server(int peer)
{
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* The leak checker needs a /proc, which the server does not have: test_share_server looks. */
    (void) setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    (void) fcntl(peer, F_SETFD, 0);
}

static void serve(const struct share_fixture *fixture, int peer, int control)
{
    char number[16], rw[128], ro[128], slave[128];

    prepare_server(peer);
    (void) snprintf(number, sizeof(number), "%d", peer);
    (void) snprintf(rw, sizeof(rw), "rw:rw:%s/rw", fixture->base);
    (void) snprintf(ro, sizeof(ro), "ro:ro:%s/ro", fixture->base);
    (void) snprintf(slave, sizeof(slave), "slave:rw,slave:%s/slave", fixture->base);
    execl(SHARE_PROGRAM, SHARE_PROGRAM, number, rw, ro, slave, (char *) NULL);
    _exit(127);
}

static void serve_kept(const struct share_fixture *fixture, int peer, int control)
{
    char number[16], other[16];

    prepare_server(peer);
    (void) fcntl(control, F_SETFD, 0);
    (void) snprintf(number, sizeof(number), "%d", peer);
    (void) snprintf(other, sizeof(other), "%d", control);
    execl(SHARE_PROGRAM, SHARE_PROGRAM, number, other, (char *) NULL);
    _exit(127);
}

static void start(struct share_fixture *fixture,
                  void (*program)(const struct share_fixture *fixture, int peer, int control))
{
    int pair[2], control[2];

    *fixture = (struct share_fixture){.base = "/tmp/cleave-share-XXXXXX", .peer = -1};
    ck_assert_ptr_nonnull(mkdtemp(fixture->base));
    ck_assert_int_eq(chmod(fixture->base, 0755), 0);
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount(fixture->base, fixture->base, NULL, MS_BIND, NULL), 0);
    ck_assert_int_eq(mount(NULL, fixture->base, NULL, MS_SHARED, NULL), 0);
    make_directories(fixture);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    fixture->server = fork();
    ck_assert_int_ge(fixture->server, 0);
    if (fixture->server == 0)
        program(fixture, pair[1], control[1]);
    close(pair[1]);
    close(control[1]);
    fixture->peer = pair[0];
    fixture->control = control[0];
}

void share_fixture_start(struct share_fixture *fixture)
{
    start(fixture, serve);
    close(fixture->control);
    fixture->control = -1;
}

void share_fixture_start_keeper(struct share_fixture *fixture)
{
    start(fixture, serve_kept);
}

static void write_full(int fd, const uint8_t *bytes, size_t size)
{
    for (ssize_t done = 0; size > 0; bytes += done, size -= (size_t) done) {
        done = write(fd, bytes, size);
        if (done <= 0)
            _exit(0);
    }
}

static pid_t others[2]; /* of who carries replies */

/* The server is gone: nobody is to wait for it for ever, which is until the device is closed. */
static void give_up(void)
{
    for (int i = 0; i < 2; i++)
        (void) kill(others[i], SIGKILL);
    _exit(0);
}

static void read_full(int fd, uint8_t *bytes, size_t size)
{
    for (ssize_t done = 0; size > 0; bytes += done, size -= (size_t) done) {
        done = read(fd, bytes, size);
        if (done <= 0)
            give_up();
    }
}

static void carry_requests(int device, int peer)
{
    static uint8_t buffer[BUFFER_SIZE];

    for (;;) {
        ssize_t got = read(device, buffer, sizeof(buffer));

        if (got < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
            continue;   /* ENOENT: it was interrupted before it was read */
        if (got <= 0) { /* unmounted: what is on its way is still answered */
            (void) shutdown(peer, SHUT_WR);
            _exit(0);
        }
        write_full(peer, buffer, (size_t) got);
    }
}

/* A packet is a notice. */
static void carry_notices(int device, int notices)
{
    static uint8_t buffer[BUFFER_SIZE];
    ssize_t got;

    while ((got = recv(notices, buffer, sizeof(buffer), 0)) > 0)
        (void) !write(device, buffer, (size_t) got); /* what it names may be gone by now */
}

static int notices[2];

static void carry_replies(int device, int peer)
{
    static uint8_t buffer[BUFFER_SIZE];
    struct fuse_out_header header;
    uint32_t length;

    for (;;) {
        read_full(peer, buffer, sizeof(length));
        memcpy(&length, buffer, sizeof(length));
        if (length < 16 || length > sizeof(buffer))
            _exit(1);
        read_full(peer, buffer + sizeof(length), length - sizeof(length));
        memcpy(&header, buffer, sizeof(header));
        if (header.unique == 0) /* dropped if there are too many: never waited for */
            (void) !send(notices[1], buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        else if (write(device, buffer, length) < 0 && errno != ENOENT)
            _exit(1); /* ENOENT: nobody waits for it */
    }
}

/* The end of the control is heard only if nobody else has it. */
static pid_t carrier(const struct share_fixture *fixture, void (*carry)(int, int), int device,
                     int peer)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fixture->control >= 0)
        close(fixture->control);
    carry(device, peer);
    _exit(0);
}

void share_fixture_mount(struct share_fixture *fixture)
{
    char options[128], path[128];
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    ck_assert_int_ge(device, 0);
    (void) snprintf(options, sizeof(options),
                    "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
                    device);
    (void) snprintf(path, sizeof(path), "%s/mnt", fixture->base);
    ck_assert_int_eq(mount("share", path, "fuse", MS_NODEV | MS_NOSUID, options), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, notices), 0);
    fixture->carriers[2] = carrier(fixture, carry_notices, device, notices[0]);
    fixture->carriers[0] = carrier(fixture, carry_requests, device, fixture->peer);
    others[0] = fixture->carriers[0];
    others[1] = fixture->carriers[2];
    fixture->carriers[1] = carrier(fixture, carry_replies, device, fixture->peer);
    close(device);
    close(fixture->peer);
    fixture->peer = -1;
}

static void end(pid_t pid)
{
    if (pid <= 0)
        return;
    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);
}

int share_fixture_wait(struct share_fixture *fixture)
{
    int status = 0;

    ck_assert_int_eq(waitpid(fixture->server, &status, 0), fixture->server);
    fixture->server = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void share_fixture_stop(struct share_fixture *fixture)
{
    char path[128];
    struct error err;

    (void) snprintf(path, sizeof(path), "%s/mnt", fixture->base);
    if (fixture->carriers[0] > 0) /* where nobody answers any more, nobody is asked */
        ck_assert_int_eq(umount2(path, fixture->server > 0 ? 0 : MNT_FORCE | MNT_DETACH), 0);
    if (fixture->peer >= 0)
        close(fixture->peer);
    if (fixture->control >= 0)
        close(fixture->control);
    if (fixture->server > 0)
        ck_assert_int_eq(share_fixture_wait(fixture), 0);
    for (int i = 0; i < 3; i++)
        end(fixture->carriers[i]);
    (void) umount2(fixture->base, MNT_DETACH);
    ck_assert_int_eq(file_remove_tree(fixture->base, &err), 0);
}
