/* SPDX-License-Identifier: Apache-2.0 */
#include "io/replay.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"

enum {
    STAGE = 16 * 1024, /* of what comes: many small messages with one call */
    /* Bytes that were handed on without a word about it. A write's are not worth one: its answer
     * has it, and comes before the writer can go on. */
    ACK_AFTER = REPLAY_WINDOW / 2,
};

/* Messages count from 0. Of those that go out, the ring has [acked, added); of those that come in,
 * [taken, expected). */
struct out {
    struct replay_ring ring;
    uint64_t added, acked;
    uint64_t sent; /* whole, on whatever connection: more the peer cannot have */
    /* of this connection: */
    uint64_t next; /* number of the one at */
    uint8_t *at;   /* NULL: all are on their way */
    size_t done;   /* bytes of it that went */
    uint8_t word[REPLAY_HEAD];
    size_t word_done; /* REPLAY_HEAD: there is none on its way */
    bool is_greeted;  /* the peer has said RESUME: messages may go */
    bool said_resume, said_end;
};

struct in {
    struct replay_ring ring;
    uint64_t expected, taken;
    uint64_t told; /* of taken, what the peer was told */
    size_t untold; /* bytes */
    bool has_ended;
    /* of this connection: */
    uint8_t stage[STAGE];
    size_t stage_length;
    uint8_t *body; /* of a message that is coming in, behind its head; NULL: none */
    size_t body_length, body_done;
};

struct replay {
    struct out out;
    struct in in;
    bool has_ended;
    bool ack_wanted;
};

/* ---- heads ----------------------------------------------------------------------------------- */

static void put64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t) (value >> (56 - 8 * i));
}

static uint64_t get64(const uint8_t *from)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | from[i];
    return value;
}

void replay_head_put(uint8_t bytes[REPLAY_HEAD], const struct replay_head *head)
{
    bytes[0] = (uint8_t) head->type;
    bytes[1] = (uint8_t) (head->length >> 16);
    bytes[2] = (uint8_t) (head->length >> 8);
    bytes[3] = (uint8_t) head->length;
    put64(bytes + 4, head->number);
    put64(bytes + 12, head->taken);
}

static size_t length_of(const uint8_t *record)
{
    return (size_t) record[1] << 16 | (size_t) record[2] << 8 | record[3];
}

int replay_head_parse(const uint8_t bytes[REPLAY_HEAD], struct replay_head *ret, struct error *err)
{
    struct replay_head head = {.type = (enum replay_type) bytes[0],
                               .length = length_of(bytes),
                               .number = get64(bytes + 4),
                               .taken = get64(bytes + 12)};

    if (bytes[0] < REPLAY_RESUME || bytes[0] > REPLAY_END)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a record of type %u", bytes[0]);
    if (head.type == REPLAY_MESSAGE
            ? head.length < REPLAY_MESSAGE_MIN || head.length > REPLAY_MESSAGE_MAX
            : head.length != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a record of type %u with %zu bytes",
                         bytes[0], head.length);
    *ret = head;
    return 0;
}

static size_t record_size(const uint8_t *record)
{
    return REPLAY_HEAD + length_of(record);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct replay *replay_new(void)
{
    struct replay *replay = xnew(struct replay);

    replay_ring_init(&replay->out.ring);
    replay_ring_init(&replay->in.ring);
    replay->out.word_done = REPLAY_HEAD;
    return replay;
}

void replay_free(struct replay *replay)
{
    if (!replay)
        return;
    replay_ring_fini(&replay->out.ring);
    replay_ring_fini(&replay->in.ring);
    free(replay);
}

/* ---- what is to go to the other end ---------------------------------------------------------- */

uint8_t *replay_room(struct replay *replay)
{
    return replay_may_add(replay) ? replay_ring_room(&replay->out.ring) + REPLAY_HEAD : NULL;
}

bool replay_may_add(const struct replay *replay)
{
    return !replay->has_ended && !replay_ring_is_full(&replay->out.ring);
}

void replay_leave(struct replay *replay)
{
    replay_ring_leave(&replay->out.ring);
}

int replay_add(struct replay *replay, size_t length, struct error *err)
{
    struct out *out = &replay->out;
    uint8_t *record = replay_ring_room(&out->ring);

    if (length < REPLAY_MESSAGE_MIN || length > REPLAY_MESSAGE_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a message of %zu bytes", length);
    replay_head_put(record, &(struct replay_head){
                                .type = REPLAY_MESSAGE, .length = length, .number = out->added});
    replay_ring_put(&out->ring, REPLAY_HEAD + length);
    out->added++;
    if (!out->at)
        out->at = record;
    return 0;
}

void replay_end(struct replay *replay)
{
    replay->has_ended = true;
}

bool replay_has_ended(const struct replay *replay)
{
    return replay->has_ended;
}

/* ---- what has come from it ------------------------------------------------------------------- */

const uint8_t *replay_first(const struct replay *replay, size_t *ret_length)
{
    const uint8_t *record = replay_ring_first(&replay->in.ring);

    if (!record)
        return NULL;
    *ret_length = length_of(record);
    return record + REPLAY_HEAD;
}

void replay_taken(struct replay *replay)
{
    struct in *in = &replay->in;
    size_t size = record_size(replay_ring_first(&in->ring));

    replay_ring_drop(&in->ring, size);
    in->taken++;
    in->untold += size;
    if (in->untold >= ACK_AFTER)
        replay->ack_wanted = true;
}

bool replay_peer_has_ended(const struct replay *replay)
{
    return replay->in.has_ended;
}

/* ---- the connection: out --------------------------------------------------------------------- */

void replay_begin(struct replay *replay)
{
    struct out *out = &replay->out;
    struct in *in = &replay->in;

    out->is_greeted = out->said_resume = out->said_end = false;
    out->word_done = REPLAY_HEAD;
    out->at = NULL;
    out->done = 0;
    in->stage_length = 0;
    if (in->body)
        replay_ring_leave(&in->ring);
    in->body = NULL;
    replay->ack_wanted = false;
}

static void told(struct replay *replay)
{
    replay->in.told = replay->in.taken;
    replay->in.untold = 0;
    replay->ack_wanted = false;
}

static void say(struct replay *replay, enum replay_type type)
{
    const struct in *in = &replay->in;

    replay_head_put(replay->out.word,
                    &(struct replay_head){.type = type,
                                          .number = type == REPLAY_RESUME ? in->expected : 0,
                                          .taken = in->taken});
    replay->out.word_done = 0;
    told(replay);
}

/* Between two messages; false: there is nothing to say. */
static bool say_next(struct replay *replay)
{
    struct out *out = &replay->out;

    if (!out->said_resume) {
        out->said_resume = true;
        say(replay, REPLAY_RESUME);
        return true;
    }
    if (replay->has_ended && !out->said_end) {
        out->said_end = true;
        say(replay, REPLAY_END);
        return true;
    }
    if (replay->has_ended || !replay->ack_wanted)
        return false;
    say(replay, REPLAY_ACK);
    return true;
}

const uint8_t *replay_output(struct replay *replay, size_t *ret_length)
{
    struct out *out = &replay->out;

    if (out->word_done < REPLAY_HEAD || (out->done == 0 && say_next(replay))) {
        *ret_length = REPLAY_HEAD - out->word_done;
        return out->word + out->word_done;
    }
    *ret_length = 0;
    if (!out->is_greeted || !out->at || (replay->has_ended && out->done == 0))
        return NULL;
    if (out->done == 0) { /* what is known now: it may be another time that this one is sent */
        put64(out->at + 12, replay->in.taken);
        told(replay);
    }
    *ret_length = record_size(out->at) - out->done;
    return out->at + out->done;
}

void replay_sent(struct replay *replay, size_t length)
{
    struct out *out = &replay->out;

    if (out->word_done < REPLAY_HEAD) {
        out->word_done += length;
        return;
    }
    out->done += length;
    if (out->done < record_size(out->at))
        return;
    out->at = replay_ring_next(&out->ring, out->at, record_size(out->at));
    out->done = 0;
    out->next++;
    if (out->next > out->sent)
        out->sent = out->next;
}

/* ---- the connection: in ---------------------------------------------------------------------- */

/* What the other end has handed on is not needed any more. */
static int acknowledge(struct replay *replay, uint64_t taken, struct error *err)
{
    struct out *out = &replay->out;

    if (taken < out->acked || taken > out->sent)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%" PRIu64 " messages acknowledged after %" PRIu64 ", of %" PRIu64 " sent",
                         taken, out->acked, out->sent);
    /* Also what was sent before: RESUME has said that it was not had, and it may be going out now.
     */
    if (out->is_greeted && taken > out->next)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "message %" PRIu64 " is acknowledged before it was sent again", out->next);
    for (; out->acked < taken; out->acked++)
        replay_ring_drop(&out->ring, record_size(replay_ring_first(&out->ring)));
    return 0;
}

static int resume(struct replay *replay, const struct replay_head *head, struct error *err)
{
    struct out *out = &replay->out;

    if (head->number < head->taken || head->number > out->sent)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "message %" PRIu64 " is expected, after %" PRIu64 " of %" PRIu64,
                         head->number, head->taken, out->sent);
    if (acknowledge(replay, head->taken, err) < 0)
        return -1;
    out->at = replay_ring_first(&out->ring);
    for (out->next = out->acked; out->next < head->number; out->next++)
        out->at = replay_ring_next(&out->ring, out->at, record_size(out->at));
    out->is_greeted = true;
    return 0;
}

static int begin_message(struct replay *replay, const struct replay_head *head, struct error *err)
{
    struct in *in = &replay->in;
    uint8_t *record;

    if (head->number != in->expected)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "message %" PRIu64 " came instead of %" PRIu64, head->number,
                         in->expected);
    if (replay_ring_is_full(&in->ring))
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "more than %d bytes came that were not acknowledged", REPLAY_WINDOW);
    record = replay_ring_room(&in->ring);
    replay_head_put(record, head);
    in->body = record + REPLAY_HEAD;
    in->body_length = head->length;
    in->body_done = 0;
    return 0;
}

static int begin_record(struct replay *replay, const uint8_t *bytes, struct error *err)
{
    struct replay_head head = {0};

    if (replay_head_parse(bytes, &head, err) < 0)
        return -1;
    if (replay->in.has_ended)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a record came after the end");
    if (replay->out.is_greeted == (head.type == REPLAY_RESUME))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a record of type %d %s", (int) head.type,
                         replay->out.is_greeted ? "in the middle" : "at the beginning");
    if (head.type == REPLAY_RESUME)
        return resume(replay, &head, err);
    if (acknowledge(replay, head.taken, err) < 0)
        return -1;
    if (head.type == REPLAY_MESSAGE)
        return begin_message(replay, &head, err);
    if (head.number != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a record of type %d with a number",
                         (int) head.type);
    replay->in.has_ended = head.type == REPLAY_END;
    return 0;
}

static void end_message(struct in *in)
{
    replay_ring_put(&in->ring, REPLAY_HEAD + in->body_length);
    in->body = NULL;
    in->expected++;
}

uint8_t *replay_space(struct replay *replay, size_t *ret_length)
{
    struct in *in = &replay->in;

    if (in->body && in->body_length - in->body_done >= STAGE) {
        *ret_length = in->body_length - in->body_done;
        return in->body + in->body_done;
    }
    *ret_length = STAGE - in->stage_length;
    return in->stage + in->stage_length;
}

static size_t fill_body(struct in *in, const uint8_t *bytes, size_t length)
{
    size_t wanted = in->body_length - in->body_done;

    if (length > wanted)
        length = wanted;
    memcpy(in->body + in->body_done, bytes, length);
    in->body_done += length;
    if (in->body_done == in->body_length)
        end_message(in);
    return length;
}

int replay_received(struct replay *replay, size_t length, struct error *err)
{
    struct in *in = &replay->in;
    size_t at = 0;

    if (in->body && in->body_length - in->body_done >= STAGE) {
        in->body_done += length;
        if (in->body_done == in->body_length)
            end_message(in);
        return 0;
    }
    in->stage_length += length;
    while (at < in->stage_length) {
        if (in->body) {
            at += fill_body(in, in->stage + at, in->stage_length - at);
            continue;
        }
        if (in->stage_length - at < REPLAY_HEAD)
            break;
        if (begin_record(replay, in->stage + at, err) < 0)
            return -1;
        at += REPLAY_HEAD;
    }
    memmove(in->stage, in->stage + at, in->stage_length - at);
    in->stage_length -= at;
    return 0;
}

/* ---- rest ------------------------------------------------------------------------------------ */

static bool owes_word(const struct replay *replay)
{
    return replay->in.told != replay->in.taken && replay->out.is_greeted && !replay->has_ended;
}

bool replay_is_restless(const struct replay *replay)
{
    return owes_word(replay) || replay_ring_is_bloated(&replay->out.ring) ||
           replay_ring_is_bloated(&replay->in.ring);
}

void replay_rest(struct replay *replay)
{
    if (owes_word(replay))
        replay->ack_wanted = true;
    replay_ring_rest(&replay->out.ring);
    replay_ring_rest(&replay->in.ring);
}
