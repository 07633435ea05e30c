/* SPDX-License-Identifier: Apache-2.0 */
#include "io/frames_relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"

enum {
    BUFFER_SIZE = FRAMES_PENDING_MAX + FRAMES_PACKET_MAX,
    READS_PER_TURN = 32, /* of one device: the others get their turn */
};

struct buffer {
    uint8_t *data; /* BUFFER_SIZE */
    size_t start, end;
};

/* The thread owns all of it but what is atomic and, once `ended` is set, err. It holds the lock
 * while it moves packets: that of the mode, which is the loop's to set. */
struct frames_relay {
    struct frames_relay_options options;
    frames_ended_fn *fn;
    void *user;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of options.mode */
    int word, news;
    atomic_bool stop;
    struct source *source;
    struct buffer up, down; /* to the stream, from it */
    atomic_bool ended;
    bool failed; /* with err */
    struct error err;
    atomic_uint_fast64_t in, out, refused;
};

static size_t pending(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* One more packet fits behind what is pending, which is at most FRAMES_PENDING_MAX. */
static void make_room(struct buffer *buffer)
{
    if (BUFFER_SIZE - buffer->end >= FRAMES_PACKET_MAX)
        return;
    memmove(buffer->data, buffer->data + buffer->start, pending(buffer));
    buffer->end -= buffer->start;
    buffer->start = 0;
}

static void used(struct buffer *buffer, size_t length)
{
    buffer->start += length;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

static bool is_full(const struct buffer *buffer)
{
    return pending(buffer) >= FRAMES_PENDING_MAX;
}

/* ---- to the stream --------------------------------------------------------------------------- */

static int read_device(struct frames_relay *relay, enum frames_queue queue, struct error *err)
{
    struct buffer *up = &relay->up;

    for (int i = 0; i < READS_PER_TURN && !is_full(up); i++) {
        make_room(up);
        uint8_t *head = up->data + up->end;
        ssize_t n = read(relay->options.taps[queue], head + FRAMES_HEAD_SIZE, FRAMES_LENGTH_MAX);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n <= 0)
            return error_errno(err, n < 0 ? errno : ENODEV, "read the network device");
        if (n <= FRAMES_VNET_SIZE)
            continue;
        frames_put_head(head, queue, (size_t) n);
        up->end += FRAMES_HEAD_SIZE + (size_t) n;
        atomic_fetch_add_explicit(&relay->out, 1, memory_order_relaxed);
    }
    return 0;
}

/* 1: the stream is over. */
static int flush(struct frames_relay *relay, struct error *err)
{
    struct buffer *up = &relay->up;

    while (pending(up)) {
        ssize_t n = send(relay->options.stream, up->data + up->start, pending(up), MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n < 0)
            return errno == EPIPE || errno == ECONNRESET ? 1
                                                         : error_errno(err, errno, "send frames");
        used(up, (size_t) n);
    }
    return 0;
}

/* ---- from the stream ------------------------------------------------------------------------- */

/* A device whose queue is full, or that is down, drops it: as a wire does. */
static void deliver(struct frames_relay *relay, const struct frame *frame)
{
    unsigned offloads = frame->queue == FRAMES_NETWORK ? relay->options.offloads : 0;
    struct error ignored;

    if (relay->options.mode == FRAMES_SILENT || frames_check(frame, offloads, &ignored) < 0) {
        atomic_fetch_add_explicit(&relay->refused, 1, memory_order_relaxed);
        return;
    }
    if (relay->options.taps[frame->queue] >= 0 &&
        write(relay->options.taps[frame->queue], frame->data, frame->length) > 0)
        atomic_fetch_add_explicit(&relay->in, 1, memory_order_relaxed);
}

static int deliver_all(struct frames_relay *relay, struct error *err)
{
    struct buffer *down = &relay->down;
    struct frame frame;
    int r;

    while ((r = frames_next(down->data + down->start, pending(down), &frame, err)) == 1) {
        deliver(relay, &frame);
        used(down, FRAMES_HEAD_SIZE + frame.length);
    }
    return r;
}

/* 1: the stream is over. */
static int receive(struct frames_relay *relay, struct error *err)
{
    struct buffer *down = &relay->down;

    make_room(down);
    ssize_t n = recv(relay->options.stream, down->data + down->end, BUFFER_SIZE - down->end, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return n == 0 || errno == ECONNRESET ? 1 : error_errno(err, errno, "receive frames");
    down->end += (size_t) n;
    return deliver_all(relay, err);
}

/* ---- the thread ------------------------------------------------------------------------------ */

enum { FD_WORD, FD_STREAM, FD_TAPS, FD_COUNT = FD_TAPS + FRAMES_QUEUES };

/* 1: over. */
static int move(struct frames_relay *relay, const struct pollfd *fds, struct error *err)
{
    if (fds[FD_STREAM].revents & ~POLLOUT) {
        int r = receive(relay, err);
        if (r != 0)
            return r;
    }
    for (int queue = 0; queue < FRAMES_QUEUES && relay->options.mode == FRAMES_FLOW; queue++)
        if (fds[FD_TAPS + queue].revents && read_device(relay, (enum frames_queue) queue, err) < 0)
            return -1;
    return flush(relay, err);
}

static void tell(int fd)
{
    uint64_t one = 1;

    (void) !write(fd, &one, sizeof(one));
}

static void wait_for(struct frames_relay *relay, struct pollfd fds[FD_COUNT])
{
    pthread_mutex_lock(&relay->lock);
    bool deaf = is_full(&relay->up) || relay->options.mode == FRAMES_SILENT;
    pthread_mutex_unlock(&relay->lock);
    fds[FD_WORD] = (struct pollfd){relay->word, POLLIN, 0};
    fds[FD_STREAM] = (struct pollfd){relay->options.stream,
                                     (short) (POLLIN | (pending(&relay->up) ? POLLOUT : 0)), 0};
    for (int queue = 0; queue < FRAMES_QUEUES; queue++)
        fds[FD_TAPS + queue] = (struct pollfd){deaf ? -1 : relay->options.taps[queue], POLLIN, 0};
    while (poll(fds, FD_COUNT, -1) < 0)
        continue;
}

static int turn(struct frames_relay *relay, struct error *err)
{
    struct pollfd fds[FD_COUNT];
    uint64_t word;
    int r;

    wait_for(relay, fds);
    if (fds[FD_WORD].revents)
        (void) !read(relay->word, &word, sizeof(word));
    if (atomic_load(&relay->stop))
        return 1;
    pthread_mutex_lock(&relay->lock);
    r = move(relay, fds, err);
    pthread_mutex_unlock(&relay->lock);
    return r;
}

static void *run(void *user)
{
    struct frames_relay *relay = user;
    int r = 0;

    while (r == 0)
        r = turn(relay, &relay->err);
    relay->failed = r < 0;
    atomic_store(&relay->ended, true);
    tell(relay->news);
    return NULL;
}

static void on_news(void *user, uint32_t events)
{
    struct frames_relay *relay = user;
    struct error err;

    (void) events;
    if (!atomic_load(&relay->ended))
        return;
    source_set_events(relay->source, 0);
    err = relay->err;
    relay->fn(relay->user, relay->failed ? &err : NULL); /* it may be gone */
}

/* Signals belong to the loop's thread. */
static int start_thread(struct frames_relay *relay, struct error *err)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&relay->thread, NULL, run, relay);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_errno(err, rc, "start a thread");
    relay->started = true;
    return 0;
}

int frames_relay_new(struct loop *loop, const struct frames_relay_options *options,
                     frames_ended_fn *ended, void *user, struct frames_relay **ret,
                     struct error *err)
{
    scoped(frames_relay_freep) struct frames_relay *relay = xnew(struct frames_relay);

    relay->options = *options;
    (void) pthread_mutex_init(&relay->lock, NULL);
    relay->fn = ended;
    relay->user = user;
    relay->up.data = xnew_array(uint8_t, BUFFER_SIZE);
    relay->down.data = xnew_array(uint8_t, BUFFER_SIZE);
    relay->word = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    relay->news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (relay->word < 0 || relay->news < 0)
        return error_errno(err, errno, "eventfd");
    if (loop_watch_fd(loop, relay->news, LOOP_READ, on_news, relay, &relay->source, err) < 0 ||
        start_thread(relay, err) < 0)
        return -1;
    *ret = take_ptr(relay);
    return 0;
}

void frames_relay_free(struct frames_relay *relay)
{
    if (!relay)
        return;
    if (relay->started) {
        atomic_store(&relay->stop, true);
        tell(relay->word);
        pthread_join(relay->thread, NULL);
    }
    (void) pthread_mutex_destroy(&relay->lock);
    source_free(relay->source);
    closep(&relay->word);
    closep(&relay->news);
    closep(&relay->options.stream);
    free(relay->up.data);
    free(relay->down.data);
    free(relay);
}

void frames_relay_set_mode(struct frames_relay *relay, enum frames_mode mode)
{
    pthread_mutex_lock(&relay->lock);
    relay->options.mode = mode;
    pthread_mutex_unlock(&relay->lock);
    tell(relay->word);
}

struct frames_counts frames_relay_counts(const struct frames_relay *relay)
{
    return (struct frames_counts){
        .in = atomic_load_explicit(&relay->in, memory_order_relaxed),
        .out = atomic_load_explicit(&relay->out, memory_order_relaxed),
        .refused = atomic_load_explicit(&relay->refused, memory_order_relaxed),
    };
}
