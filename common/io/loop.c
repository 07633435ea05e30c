/* SPDX-License-Identifier: Apache-2.0 */
/* The adapter over libevent_core. Signals are signalfds and children pidfds, so libevent sees only
 * descriptors and timers. A trampoline copies what it needs and touches nothing after the call: the
 * callback may free any source, its own too, and libevent takes deleted events out of its queue. */
#include "io/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/slice.h"
#include "io/fd.h"

enum { DELAY_MAX_MS = 1000000000 };

struct post {
    struct post *next;
    loop_fn *fn;
    void *user;
};

struct source {
    struct loop *loop;
    struct source *previous, *next;
    struct event *event;
    int fd;     /* watched */
    int own_fd; /* closed with the source; -1 if the caller's */
    uint32_t events;
    loop_fn *fn;
    loop_fd_fn *fd_fn;
    void *user;
};

struct loop {
    struct event_base *base;
    struct source *sources;
    bool quitting;
    struct source *wakeup;
    int wakeup_fd;
    pthread_mutex_t lock; /* of the queue of posts */
    struct post *first;
    struct post **last;
};

static void run_posts(void *user, uint32_t events)
{
    struct loop *loop = user;
    struct post *batch;
    uint64_t count;

    (void) !read(loop->wakeup_fd, &count, sizeof count);
    (void) pthread_mutex_lock(&loop->lock);
    batch = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    (void) pthread_mutex_unlock(&loop->lock);

    while (batch) {
        struct post *post = batch;

        batch = post->next;
        post->fn(post->user);
        free(post);
    }
}

/* What libevent has to say is also in the error that the caller gets. */
static void on_libevent_message(int severity, const char *message)
{
    log_debug("libevent: %s", message);
}

static int new_base(struct event_base **ret, struct error *err)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    event_set_log_callback(on_libevent_message);
    if (config) {
        /* Without the cache a delay counts from now, not from the start of the turn. */
        (void) event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
                                                 EVENT_BASE_FLAG_NO_CACHE_TIME);
        base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (!base)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "cannot make an event loop");
    *ret = base;
    return 0;
}

int loop_new(struct loop **ret, struct error *err)
{
    scoped(loop_freep) struct loop *loop = xnew(struct loop);

    loop->last = &loop->first;
    (void) pthread_mutex_init(&loop->lock, NULL);
    loop->wakeup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wakeup_fd < 0)
        return error_errno(err, errno, "eventfd");
    if (new_base(&loop->base, err) < 0)
        return -1;
    (void) signal(SIGPIPE, SIG_IGN);
    slice_shorten();
    if (loop_watch_fd(loop, loop->wakeup_fd, LOOP_READ, run_posts, loop, &loop->wakeup, err) < 0)
        return -1;
    *ret = take_ptr(loop);
    return 0;
}

static void detach(struct source *source)
{
    if (!source->loop)
        return;
    if (source->event)
        event_free(source->event);
    source->event = NULL;
    if (source->previous)
        source->previous->next = source->next;
    else
        source->loop->sources = source->next;
    if (source->next)
        source->next->previous = source->previous;
    source->loop = NULL;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    source_free(loop->wakeup);
    /* A source may outlive its loop; it is then dead, and its owner still frees it. */
    while (loop->sources)
        detach(loop->sources);
    while (loop->first) {
        struct post *post = loop->first;

        loop->first = post->next;
        free(post);
    }
    if (loop->base)
        event_base_free(loop->base);
    closep(&loop->wakeup_fd);
    (void) pthread_mutex_destroy(&loop->lock);
    free(loop);
}

int loop_run(struct loop *loop, struct error *err)
{
    while (!loop->quitting)
        if (event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
            return error_errno(err, errno, "event loop");
    loop->quitting = false;
    return 0;
}

void loop_quit(struct loop *loop)
{
    loop->quitting = true;
    (void) event_base_loopbreak(loop->base);
}

static void nothing(void *user) {}

int loop_turn(struct loop *loop, uint64_t timeout_ms, struct error *err)
{
    scoped(source_freep) struct source *limit = NULL;
    int flags = EVLOOP_ONCE;

    if (timeout_ms == 0)
        flags = EVLOOP_NONBLOCK;
    else if (loop_after(loop, timeout_ms, nothing, NULL, &limit, err) < 0)
        return -1;
    if (event_base_loop(loop->base, flags) < 0)
        return error_errno(err, errno, "event loop");
    return 0;
}

static struct source *new_source(struct loop *loop, void *user)
{
    struct source *source = xnew(struct source);

    source->loop = loop;
    source->fd = source->own_fd = -1;
    source->user = user;
    source->next = loop->sources;
    if (source->next)
        source->next->previous = source;
    loop->sources = source;
    return source;
}

static void on_fd(evutil_socket_t fd, short what, void *user)
{
    struct source *source = user;

    source->fd_fn(source->user,
                  (what & EV_READ ? LOOP_READ : 0u) | (what & EV_WRITE ? LOOP_WRITE : 0u));
}

static void on_plain(evutil_socket_t fd, short what, void *user)
{
    struct source *source = user;

    source->fn(source->user);
}

static void on_signal(evutil_socket_t fd, short what, void *user)
{
    struct source *source = user;
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof info) == sizeof info)
        source->fn(source->user);
}

static int arm(struct source *source, short what, event_callback_fn fn, struct error *err)
{
    source->event = event_new(source->loop->base, source->fd, what, fn, source);
    if (!source->event)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "cannot make an event");
    if (event_add(source->event, NULL) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "descriptor %d cannot be watched",
                         source->fd);
    return 0;
}

static short mask(uint32_t events)
{
    return (short) (EV_PERSIST | (events & LOOP_READ ? EV_READ : 0) |
                    (events & LOOP_WRITE ? EV_WRITE : 0));
}

int loop_watch_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *user,
                  struct source **ret, struct error *err)
{
    scoped(source_freep) struct source *source = new_source(loop, user);

    source->fd = fd;
    source->fd_fn = fn;
    source->events = events;
    /* Nothing to watch yet: an event that is never added keeps the descriptor out of epoll. */
    if (events == 0) {
        source->event = event_new(loop->base, fd, EV_PERSIST, on_fd, source);
        if (!source->event)
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "cannot make an event");
    } else if (arm(source, mask(events), on_fd, err) < 0) {
        return -1;
    }
    *ret = take_ptr(source);
    return 0;
}

void source_set_events(struct source *source, uint32_t events)
{
    if (!source->event || source->events == events)
        return;
    source->events = events;
    (void) event_del(source->event);
    if (events == 0)
        return;
    if (event_assign(source->event, source->loop->base, source->fd, mask(events), on_fd, source) <
            0 ||
        event_add(source->event, NULL) < 0)
        abort();
}

int loop_watch_child(struct loop *loop, pid_t pid, loop_fn *fn, void *user, struct source **ret,
                     struct error *err)
{
    scoped(source_freep) struct source *source = new_source(loop, user);

    source->fn = fn;
    if (fd_pidfd(pid, &source->own_fd, err) < 0)
        return -1;
    source->fd = source->own_fd;
    if (arm(source, EV_READ, on_plain, err) < 0)
        return -1;
    *ret = take_ptr(source);
    return 0;
}

int loop_watch_signal(struct loop *loop, int signum, loop_fn *fn, void *user, struct source **ret,
                      struct error *err)
{
    scoped(source_freep) struct source *source = new_source(loop, user);
    sigset_t set;

    source->fn = fn;
    (void) sigemptyset(&set);
    if (sigaddset(&set, signum) < 0)
        return error_errno(err, errno, "signal %d", signum);
    if ((errno = pthread_sigmask(SIG_BLOCK, &set, NULL)) != 0)
        return error_errno(err, errno, "block signal %d", signum);
    source->own_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (source->own_fd < 0)
        return error_errno(err, errno, "signalfd");
    source->fd = source->own_fd;
    if (arm(source, EV_READ | EV_PERSIST, on_signal, err) < 0)
        return -1;
    *ret = take_ptr(source);
    return 0;
}

int loop_after(struct loop *loop, uint64_t delay_ms, loop_fn *fn, void *user, struct source **ret,
               struct error *err)
{
    struct source *source = new_source(loop, user);

    source->fn = fn;
    source->event = event_new(loop->base, -1, 0, on_plain, source);
    if (!source->event) {
        source_free(source);
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "cannot make a timer");
    }
    source_rearm(source, delay_ms);
    *ret = source;
    return 0;
}

void source_rearm(struct source *source, uint64_t delay_ms)
{
    struct timeval delay;

    if (!source->event)
        return;
    if (delay_ms == LOOP_NEVER) {
        (void) event_del(source->event);
        return;
    }
    if (delay_ms > DELAY_MAX_MS)
        delay_ms = DELAY_MAX_MS;
    delay.tv_sec = (time_t) (delay_ms / 1000);
    delay.tv_usec = (suseconds_t) (delay_ms % 1000 * 1000);
    if (event_add(source->event, &delay) < 0)
        abort();
}

void source_free(struct source *source)
{
    if (!source)
        return;
    detach(source);
    closep(&source->own_fd);
    free(source);
}

void loop_post(struct loop *loop, loop_fn *fn, void *user)
{
    struct post *post = xnew(struct post);
    const uint64_t one = 1;
    bool was_empty;

    post->fn = fn;
    post->user = user;
    (void) pthread_mutex_lock(&loop->lock);
    was_empty = !loop->first;
    *loop->last = post;
    loop->last = &post->next;
    /* Written under the lock: the loop cannot be past reading it and yet miss this post. */
    if (was_empty)
        (void) !write(loop->wakeup_fd, &one, sizeof one);
    (void) pthread_mutex_unlock(&loop->lock);
}
