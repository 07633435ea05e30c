/* SPDX-License-Identifier: Apache-2.0 */
#include "io/shuttle.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/error.h"
#include "io/loop.h"
#include "io/replay.h"

enum {
    MESSAGES_PER_TURN = 32, /* the other direction gets its turn */
    REST_MS = 1000,
    LINGER_MS = 2000, /* for the last word to a peer that does not read */
};

/* The thread owns all of it but what is atomic and, once `over` is set, outcome and err. */
struct shuttle {
    struct shuttle_options options;
    struct shuttle_state *state;
    pthread_t thread;
    bool started;
    int stop, news;
    struct source *source;
    bool stream_blocks, end_blocks; /* what is to go there has to wait */
    atomic_bool over;
    enum shuttle_outcome outcome;
    bool failed; /* with err */
    struct error err;
};

/* How far the thread is: one of these, or it goes on. */
enum { GOES_ON = -1 };

static int fail(struct shuttle *shuttle, enum shuttle_outcome outcome)
{
    shuttle->failed = true;
    return (int) outcome;
}

/* The end of this machine is over; GOES_ON until the peer has been told. */
static int end_own(struct shuttle *shuttle, enum shuttle_result result)
{
    shuttle->failed = result == SHUTTLE_FAILED;
    replay_end(shuttle->state->replay);
    return GOES_ON;
}

/* ---- the end of this machine ----------------------------------------------------------------- */

static int read_end(struct shuttle *shuttle)
{
    struct shuttle_state *state = shuttle->state;
    enum shuttle_result result = SHUTTLE_DONE;
    uint8_t *room;

    for (int i = 0; i < MESSAGES_PER_TURN && (room = replay_room(state->replay)); i++) {
        result = state->end->read(state->user, room, &state->filled, &shuttle->err);
        if (result != SHUTTLE_DONE)
            break;
        if (replay_add(state->replay, state->filled, &shuttle->err) < 0)
            result = SHUTTLE_FAILED;
        state->filled = 0;
    }
    if (state->filled == 0)
        replay_leave(state->replay);
    return result == SHUTTLE_ENDED || result == SHUTTLE_FAILED ? end_own(shuttle, result) : GOES_ON;
}

static int write_end(struct shuttle *shuttle)
{
    struct shuttle_state *state = shuttle->state;
    enum shuttle_result result = SHUTTLE_DONE;
    const uint8_t *message;
    size_t length;

    while (!replay_has_ended(state->replay) &&
           (message = replay_first(state->replay, &length)) != NULL) {
        result = state->end->write(state->user, message, length, &state->written, &shuttle->err);
        if (result != SHUTTLE_DONE)
            break;
        state->written = 0;
        replay_taken(state->replay);
    }
    shuttle->end_blocks = result == SHUTTLE_LATER;
    return result == SHUTTLE_ENDED || result == SHUTTLE_FAILED ? end_own(shuttle, result) : GOES_ON;
}

/* ---- the connection -------------------------------------------------------------------------- */

static bool is_gone(int errnum)
{
    return errnum == EPIPE || errnum == ECONNRESET;
}

static int receive(struct shuttle *shuttle)
{
    struct replay *replay = shuttle->state->replay;
    size_t length;
    uint8_t *space = replay_space(replay, &length);
    ssize_t n = recv(shuttle->options.stream, space, length, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return GOES_ON;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return SHUTTLE_LOST;
    if (n < 0) {
        error_errno(&shuttle->err, errno, "receive from the peer");
        return fail(shuttle, SHUTTLE_LOST);
    }
    if (replay_received(replay, (size_t) n, &shuttle->err) < 0)
        return fail(shuttle, SHUTTLE_PEER_BROKE);
    return replay_peer_has_ended(replay) ? SHUTTLE_PEER_ENDED : GOES_ON;
}

/* What the peer had said before it closed is still to be read, and it may be that it has ended. */
static int last_words(struct shuttle *shuttle)
{
    struct pollfd stream = {shuttle->options.stream, POLLIN, 0};
    int over = GOES_ON;

    while (over == GOES_ON && poll(&stream, 1, 0) == 1)
        over = receive(shuttle);
    return over == GOES_ON ? SHUTTLE_LOST : over;
}

static int flush(struct shuttle *shuttle)
{
    struct replay *replay = shuttle->state->replay;
    const uint8_t *data;
    size_t length;

    shuttle->stream_blocks = false;
    while ((data = replay_output(replay, &length)) != NULL && length > 0) {
        ssize_t n = send(shuttle->options.stream, data, length, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            shuttle->stream_blocks = true;
            return GOES_ON;
        }
        if (n < 0) {
            if (is_gone(errno))
                return last_words(shuttle);
            error_errno(&shuttle->err, errno, "send to the peer");
            return fail(shuttle, SHUTTLE_LOST);
        }
        replay_sent(replay, (size_t) n);
    }
    return replay_has_ended(replay) ? SHUTTLE_OWN_ENDED : GOES_ON;
}

/* ---- the thread ------------------------------------------------------------------------------ */

enum { FD_STOP, FD_STREAM, FD_END, FD_COUNT };

static int turn(struct shuttle *shuttle, const struct pollfd *fds)
{
    int over = GOES_ON;

    if (fds[FD_STREAM].revents & ~POLLOUT)
        over = receive(shuttle);
    if (over == GOES_ON && !replay_has_ended(shuttle->state->replay))
        over = write_end(shuttle);
    if (over == GOES_ON && (fds[FD_END].revents & ~POLLOUT))
        over = read_end(shuttle);
    return over == GOES_ON ? flush(shuttle) : over;
}

static void describe(const struct shuttle *shuttle, struct pollfd fds[FD_COUNT])
{
    struct replay *replay = shuttle->state->replay;
    bool ended = replay_has_ended(replay);
    bool reads = !ended && replay_may_add(replay);
    short wanted = (short) ((reads ? POLLIN : 0) | (shuttle->end_blocks ? POLLOUT : 0));

    fds[FD_STOP] = (struct pollfd){shuttle->stop, POLLIN, 0};
    fds[FD_STREAM] = (struct pollfd){shuttle->options.stream,
                                     (short) (POLLIN | (shuttle->stream_blocks ? POLLOUT : 0)), 0};
    fds[FD_END] = (struct pollfd){ended || !wanted ? -1 : shuttle->state->fd, wanted, 0};
}

static int wait_and_turn(struct shuttle *shuttle)
{
    struct replay *replay = shuttle->state->replay;
    bool ended = replay_has_ended(replay);
    struct pollfd fds[FD_COUNT];
    int count;

    describe(shuttle, fds);
    count = poll(fds, FD_COUNT, ended ? LINGER_MS : replay_is_restless(replay) ? REST_MS : -1);
    if (count < 0)
        return GOES_ON;
    if (fds[FD_STOP].revents || (count == 0 && ended))
        return SHUTTLE_LOST;
    if (count == 0)
        replay_rest(replay);
    return turn(shuttle, fds);
}

static void tell(int fd)
{
    uint64_t one = 1;

    (void) !write(fd, &one, sizeof(one));
}

static void *run(void *user)
{
    struct shuttle *shuttle = user;
    int over = flush(shuttle);

    while (over == GOES_ON)
        over = wait_and_turn(shuttle);
    shuttle->outcome = (enum shuttle_outcome) over;
    atomic_store(&shuttle->over, true);
    tell(shuttle->news);
    return NULL;
}

static void on_news(void *user, uint32_t events)
{
    struct shuttle *shuttle = user;
    struct error err;

    (void) events;
    if (!atomic_load(&shuttle->over))
        return;
    source_set_events(shuttle->source, 0);
    err = shuttle->err;
    shuttle->options.over(shuttle->options.user, shuttle->outcome, shuttle->failed ? &err : NULL);
}

/* Signals belong to the loop's thread. */
static int start_thread(struct shuttle *shuttle, struct error *err)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&shuttle->thread, NULL, run, shuttle);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_errno(err, rc, "start a thread");
    shuttle->started = true;
    return 0;
}

int shuttle_new(const struct shuttle_options *options, struct shuttle **ret, struct error *err)
{
    scoped(shuttle_freep) struct shuttle *shuttle = xnew(struct shuttle);

    shuttle->options = *options;
    shuttle->state = options->state;
    replay_begin(shuttle->state->replay);
    shuttle->stop = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    shuttle->news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (shuttle->stop < 0 || shuttle->news < 0)
        return error_errno(err, errno, "eventfd");
    if (loop_watch_fd(options->loop, shuttle->news, LOOP_READ, on_news, shuttle, &shuttle->source,
                      err) < 0 ||
        start_thread(shuttle, err) < 0)
        return -1;
    *ret = take_ptr(shuttle);
    return 0;
}

void shuttle_free(struct shuttle *shuttle)
{
    if (!shuttle)
        return;
    if (shuttle->started) {
        tell(shuttle->stop);
        pthread_join(shuttle->thread, NULL);
    }
    source_free(shuttle->source);
    closep(&shuttle->stop);
    closep(&shuttle->news);
    closep(&shuttle->options.stream);
    free(shuttle);
}
