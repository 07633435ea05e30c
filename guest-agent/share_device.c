/* SPDX-License-Identifier: Apache-2.0 */
#include "share_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/replay.h"

enum { NOTICE_MAX = 4096, PATH_SIZE = 256 };

struct share_device {
    char *place;
    bool mounted;
    int device, root;
    int abort; /* the file of fusectl */
    int notices[2];
    pthread_t notifier;
    bool notifies;
};

/* ---- notices --------------------------------------------------------------------------------- */

/* "Forget the name N in the directory P": the kernel locks the directory for that, and who holds it
 * may wait for an answer. So whoever carries answers does not write notices. */
static void *write_notices(void *user)
{
    const struct share_device *device = user;
    uint8_t notice[NOTICE_MAX];
    ssize_t length;

    while ((length = recv(device->notices[0], notice, sizeof(notice), 0)) > 0)
        (void) !write(device->device, notice, (size_t) length); /* what it names may be gone */
    return NULL;
}

/* Signals belong to the loop's thread. */
static int start_notifier(struct share_device *device, struct error *err)
{
    sigset_t all, old;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, device->notices) < 0)
        return error_errno(err, errno, "make a pair of sockets");
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&device->notifier, NULL, write_notices, device);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_errno(err, rc, "start a thread");
    device->notifies = true;
    return 0;
}

/* ---- the shuttle's end ----------------------------------------------------------------------- */

static enum shuttle_result read_request(void *user, uint8_t *data, size_t *filled,
                                        struct error *err)
{
    const struct share_device *device = user;
    ssize_t length;

    do
        length = read(device->device, data, REPLAY_MESSAGE_MAX);
    while (length < 0 && (errno == EINTR || errno == ENOENT)); /* ENOENT: withdrawn meanwhile */
    if (length < 0 && errno == EAGAIN)
        return SHUTTLE_LATER;
    if (length < 0 && errno == ENODEV)
        return SHUTTLE_ENDED;
    if (length < 0) {
        error_errno(err, errno, "read from the FUSE device");
        return SHUTTLE_FAILED;
    }
    *filled = (size_t) length;
    return SHUTTLE_DONE;
}

static enum shuttle_result write_reply(void *user, const uint8_t *data, size_t length,
                                       size_t *written, struct error *err)
{
    const struct share_device *device = user;
    struct fuse_out_header header;

    (void) written;
    memcpy(&header, data, sizeof(header));
    if (header.unique == 0) { /* dropped if there are too many: never waited for */
        if (length <= NOTICE_MAX)
            (void) !send(device->notices[1], data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        return SHUTTLE_DONE;
    }
    if (write(device->device, data, length) >= 0 || errno == ENOENT)
        return SHUTTLE_DONE; /* ENOENT: nobody waits for it any more */
    if (errno == ENODEV || errno == EPERM)
        return SHUTTLE_ENDED;
    error_errno(err, errno, "an answer of the share's server is none");
    return SHUTTLE_FAILED;
}

const struct shuttle_end share_device_end = {.read = read_request, .write = write_reply};

/* ---- the mount ------------------------------------------------------------------------------- */

static int open_abort(const struct share_device *device, const char *control, int *ret,
                      struct error *err)
{
    char path[PATH_SIZE];
    struct statx stat;

    /* Never asked of the server, which may not be there yet. */
    if (statx(device->root, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stat) < 0)
        return error_errno(err, errno, "look at the share's root");
    if (text_format(path, sizeof(path), err, "%s/%u/abort", control, stat.stx_dev_minor) < 0)
        return -1;
    *ret = open(path, O_WRONLY | O_CLOEXEC);
    return *ret < 0 ? error_errno(err, errno, "open the share's abort file") : 0;
}

/* The file outlives fusectl's mount, which nobody else shall see. */
static int find_abort(struct share_device *device, struct error *err)
{
    scoped(freep) char *control = xformat("%s.control", device->place);
    int r;

    if (mkdir(control, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make '%s'", control);
    if (mount("fusectl", control, "fusectl", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return error_errno(err, errno, "mount fusectl");
    r = open_abort(device, control, &device->abort, err);
    (void) umount2(control, MNT_DETACH);
    (void) rmdir(control);
    return r;
}

static int mount_it(struct share_device *device, struct error *err)
{
    char options[128];

    device->device = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device->device < 0)
        return error_errno(err, errno, "open '/dev/fuse'");
    if (text_format(options, sizeof(options), err,
                    "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
                    device->device) < 0)
        return -1;
    if (mkdir(device->place, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make '%s'", device->place);
    if (mount("share", device->place, "fuse", MS_NODEV | MS_NOSUID, options) < 0)
        return error_errno(err, errno, "mount the share");
    device->mounted = true;
    device->root = open(device->place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return device->root < 0 ? error_errno(err, errno, "open the share's root") : 0;
}

int share_device_new(const char *place, struct share_device **ret, struct error *err)
{
    scoped(share_device_freep) struct share_device *device = xnew(struct share_device);

    device->place = xstrdup(place);
    device->device = device->root = device->abort = -1;
    device->notices[0] = device->notices[1] = -1;
    if (mount_it(device, err) < 0 || find_abort(device, err) < 0 || start_notifier(device, err) < 0)
        return error_wrap(err, "the pod's share");
    *ret = take_ptr(device);
    return 0;
}

void share_device_abort(struct share_device *device)
{
    if (device->abort >= 0 && write(device->abort, "1", 1) < 0)
        log_error("the pod's share cannot be aborted: %s", strerror(errno));
}

/* First of all nobody waits: neither for a lock that the notifier wants, nor in an unmount. */
void share_device_free(struct share_device *device)
{
    if (!device)
        return;
    share_device_abort(device);
    if (device->notifies) {
        (void) shutdown(device->notices[1], SHUT_RDWR);
        pthread_join(device->notifier, NULL);
    }
    closep(&device->notices[0]);
    closep(&device->notices[1]);
    closep(&device->root);
    closep(&device->abort);
    closep(&device->device);
    if (device->mounted && umount2(device->place, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        log_warn("the pod's share cannot be unmounted: %s", strerror(errno));
    (void) rmdir(device->place);
    free(device->place);
    free(device);
}

int share_device_fd(const struct share_device *device)
{
    return device->device;
}

int share_device_root(const struct share_device *device)
{
    return device->root;
}
