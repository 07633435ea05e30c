/* SPDX-License-Identifier: Apache-2.0 */
#include "share_opening.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"

/* The thread owns it until `over` is set. */
struct share_opening {
    int root;
    struct share_name *list;
    size_t count;
    share_opened_fn *done;
    void *user;
    pthread_t thread;
    bool started;
    int news;
    struct source *source;
    atomic_bool over;
    bool failed;
    struct error err;
};

static int open_one(int root, struct share_name *one, struct error *err)
{
    const struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    struct stat st;

    one->fd = (int) syscall(SYS_openat2, root, one->text, &how, sizeof(how));
    if (one->fd < 0 && errno == ELOOP)
        return error_set(err, STATUS_PERMISSION_DENIED, "live volume '%s' is a link", one->text);
    if (one->fd < 0 || fstat(one->fd, &st) < 0)
        return error_errno(err, errno, "open live volume '%s'", one->text);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "live volume '%s' is neither a directory nor a regular file", one->text);
    return 0;
}

static void *run(void *user)
{
    struct share_opening *opening = user;
    uint64_t one = 1;

    for (size_t i = 0; i < opening->count && !opening->failed; i++)
        opening->failed = open_one(opening->root, &opening->list[i], &opening->err) < 0;
    atomic_store(&opening->over, true);
    (void) !write(opening->news, &one, sizeof(one));
    return NULL;
}

static void on_news(void *user, uint32_t events)
{
    struct share_opening *opening = user;
    struct error err;

    (void) events;
    if (!atomic_load(&opening->over))
        return;
    source_set_events(opening->source, 0);
    err = opening->err;
    if (opening->done)
        opening->done(opening->user, opening->list, opening->count, opening->failed ? &err : NULL);
}

/* Signals belong to the loop's thread. */
static int start_thread(struct share_opening *opening, struct error *err)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&opening->thread, NULL, run, opening);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_errno(err, rc, "start a thread");
    opening->started = true;
    return 0;
}

int share_opening_new(struct loop *loop, int root, const struct share_name *names, size_t count,
                      struct share_opening **ret, struct error *err)
{
    scoped(share_opening_freep) struct share_opening *opening = xnew(struct share_opening);

    opening->root = root;
    opening->list = xnew_array(struct share_name, count + 1);
    opening->count = count;
    memcpy(opening->list, names, count * sizeof(*names));
    for (size_t i = 0; i < count; i++)
        opening->list[i].fd = -1;
    opening->news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (opening->news < 0)
        return error_errno(err, errno, "eventfd");
    if (loop_watch_fd(loop, opening->news, LOOP_READ, on_news, opening, &opening->source, err) <
            0 ||
        start_thread(opening, err) < 0)
        return -1;
    *ret = take_ptr(opening);
    return 0;
}

void share_opening_on_done(struct share_opening *opening, share_opened_fn *done, void *user)
{
    opening->done = done;
    opening->user = user;
}

void share_opening_free(struct share_opening *opening)
{
    if (!opening)
        return;
    if (opening->started)
        pthread_join(opening->thread, NULL);
    for (size_t i = 0; i < opening->count; i++)
        closep(&opening->list[i].fd);
    source_free(opening->source);
    closep(&opening->news);
    free(opening->list);
    free(opening);
}
