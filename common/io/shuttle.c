/* SPDX-License-Identifier: Apache-2.0 */
#include "io/shuttle.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "io/loop.h"
#include "io/replay.h"

enum {
    REST_MS = 1000,
    LINGER_MS = 2000, /* for the last word to a peer that does not read */
};

/* The carrier owns all of it but what is atomic and, once `over` is set, outcome and err. */
struct shuttle {
    struct shuttle_options options;
    struct shuttle_state *state;
    int news;
    struct source *source;
    bool end_blocks; /* what is to go there has to wait */
    atomic_bool over;
    bool told;
    enum shuttle_outcome outcome;
    bool failed; /* with err */
    struct error err;
};

/* Only the first counts: what follows from it says less. */
static void settle(struct shuttle *shuttle, enum shuttle_outcome outcome)
{
    uint64_t one = 1;

    if (atomic_load(&shuttle->over))
        return;
    shuttle->outcome = outcome;
    atomic_store(&shuttle->over, true);
    (void) !write(shuttle->news, &one, sizeof(one));
}

/* The end of this machine is over; the peer is told. */
static void end_own(struct shuttle *shuttle, enum shuttle_result result)
{
    if (result != SHUTTLE_ENDED && result != SHUTTLE_FAILED)
        return;
    shuttle->failed = result == SHUTTLE_FAILED;
    replay_end(shuttle->state->replay);
}

/* ---- the end of this machine ----------------------------------------------------------------- */

static void read_end(struct shuttle *shuttle)
{
    struct shuttle_state *state = shuttle->state;
    uint8_t *room = replay_room(state->replay);
    enum shuttle_result result;

    if (!room)
        return;
    result = state->end->read(state->user, room, &state->filled, &shuttle->err);
    if (result == SHUTTLE_DONE) {
        if (replay_add(state->replay, state->filled, &shuttle->err) < 0)
            result = SHUTTLE_FAILED;
        state->filled = 0;
    }
    if (state->filled == 0)
        replay_leave(state->replay);
    end_own(shuttle, result);
}

static void write_end(struct shuttle *shuttle)
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
    end_own(shuttle, result);
}

/* ---- the loop -------------------------------------------------------------------------------- */

bool shuttle_tell(struct shuttle *shuttle)
{
    struct error err;

    if (shuttle->told || !atomic_load(&shuttle->over))
        return false;
    shuttle->told = true;
    source_set_events(shuttle->source, 0);
    err = shuttle->err;
    shuttle->options.over(shuttle->options.user, shuttle->outcome, shuttle->failed ? &err : NULL);
    return true;
}

static void on_news(void *user, uint32_t events)
{
    (void) events;
    (void) shuttle_tell(user);
}

int shuttle_new(const struct shuttle_options *options, struct shuttle **ret, struct error *err)
{
    scoped(shuttle_freep) struct shuttle *shuttle = xnew(struct shuttle);

    shuttle->options = *options;
    shuttle->state = options->state;
    replay_begin(shuttle->state->replay);
    shuttle->news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (shuttle->news < 0)
        return error_errno(err, errno, "eventfd");
    if (loop_watch_fd(options->loop, shuttle->news, LOOP_READ, on_news, shuttle, &shuttle->source,
                      err) < 0)
        return -1;
    *ret = take_ptr(shuttle);
    return 0;
}

void shuttle_free(struct shuttle *shuttle)
{
    if (!shuttle)
        return;
    source_free(shuttle->source);
    closep(&shuttle->news);
    free(shuttle);
}

/* ---- the carrier ----------------------------------------------------------------------------- */

enum shuttle_output shuttle_output(struct shuttle *shuttle, const uint8_t **ret, size_t *ret_length)
{
    struct replay *replay = shuttle->state->replay;

    if (atomic_load(&shuttle->over))
        return SHUTTLE_OVER;
    *ret = replay_output(replay, ret_length);
    if (*ret_length == 0) {
        read_end(shuttle);
        *ret = replay_output(replay, ret_length);
    }
    if (*ret_length > 0)
        return SHUTTLE_BYTES;
    if (!replay_has_ended(replay))
        return SHUTTLE_NOTHING;
    settle(shuttle, SHUTTLE_OWN_ENDED);
    return SHUTTLE_FINISHED;
}

void shuttle_sent(struct shuttle *shuttle, size_t length)
{
    replay_sent(shuttle->state->replay, length);
}

/* There always is some: a peer that sends more than it may has broken the rules. */
uint8_t *shuttle_space(struct shuttle *shuttle, size_t *ret_length)
{
    if (shuttle->end_blocks)
        write_end(shuttle);
    return replay_space(shuttle->state->replay, ret_length);
}

int shuttle_received(struct shuttle *shuttle, size_t length)
{
    struct replay *replay = shuttle->state->replay;

    if (atomic_load(&shuttle->over)) /* of no use behind the last word */
        return 0;
    if (replay_received(replay, length, &shuttle->err) < 0) {
        shuttle->failed = true;
        settle(shuttle, SHUTTLE_PEER_BROKE);
        return -1;
    }
    if (replay_peer_has_ended(replay)) {
        settle(shuttle, SHUTTLE_PEER_ENDED);
        return -1;
    }
    write_end(shuttle);
    return 0;
}

int shuttle_fd(const struct shuttle *shuttle)
{
    return shuttle->state->fd;
}

uint32_t shuttle_events(const struct shuttle *shuttle)
{
    const struct replay *replay = shuttle->state->replay;

    if (replay_has_ended(replay))
        return 0;
    return (replay_may_add(replay) ? LOOP_READ : 0) | (shuttle->end_blocks ? LOOP_WRITE : 0);
}

uint64_t shuttle_patience_ms(const struct shuttle *shuttle)
{
    const struct replay *replay = shuttle->state->replay;

    if (atomic_load(&shuttle->over))
        return 0;
    if (replay_has_ended(replay))
        return LINGER_MS;
    return replay_is_restless(replay) ? REST_MS : 0;
}

void shuttle_rest(struct shuttle *shuttle)
{
    if (replay_has_ended(shuttle->state->replay))
        settle(shuttle, SHUTTLE_LOST);
    else
        replay_rest(shuttle->state->replay);
}
