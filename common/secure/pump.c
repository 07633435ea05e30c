/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/pump.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/error.h"
#include "io/loop.h"
#include "secure/tls.h"

/* Rounds per step: one busy connection must not keep the loop from the others. */
enum { ROUNDS_MAX = 8, LAST_RECORDS_MAX = 1024, WASTE = 16 * 1024 };

enum moved { MOVED_FAILED = -1, MOVED_NOTHING = 0, MOVED_BYTES = 1, MOVED_LEFT = 2 };

static enum moved blocked(struct pump_wants *wants, enum tls_result result)
{
    if (result == TLS_FAILED)
        return MOVED_FAILED;
    wants->socket |= result == TLS_WANT_WRITE ? LOOP_WRITE : LOOP_READ;
    return MOVED_NOTHING;
}

/* mbedTLS wants the same bytes again after it could not write: they are kept until they went. */
static enum moved move_up(struct pump *pump, struct pump_wants *wants, struct error *err)
{
    const struct pump_plain *plain = &pump->options.plain;
    enum pump_plain_output output = PUMP_PLAIN_NOTHING;
    enum tls_result result;
    size_t written;

    if (!pump->up_length && !pump->plain_ended)
        output = plain->ops->output(plain->user, &pump->up, &pump->up_length);
    if (output == PUMP_PLAIN_OVER)
        return MOVED_LEFT;
    pump->plain_ended |= output == PUMP_PLAIN_ENDED;
    if (!pump->up_length)
        return MOVED_NOTHING;
    result = tls_write(pump->options.tls, pump->up, pump->up_length, &written, err);
    if (result != TLS_OK)
        return blocked(wants, result);
    pump->up += written;
    pump->up_length -= written;
    plain->ops->sent(plain->user, written);
    return MOVED_BYTES;
}

/* *ret_taken: what came before the peer's end was handed on as well. */
static enum moved move_down(struct pump *pump, struct pump_wants *wants, bool *ret_taken,
                            struct error *err)
{
    const struct pump_plain *plain = &pump->options.plain;
    size_t room, length;
    uint8_t *space = plain->ops->space(plain->user, &room);
    enum tls_result result;

    *ret_taken = space != NULL;
    if (!space || pump->tls_ended)
        return MOVED_NOTHING;
    result = tls_read(pump->options.tls, space, room, &length, err);
    if (result == TLS_END) {
        pump->tls_ended = true;
        return MOVED_NOTHING;
    }
    if (result != TLS_OK)
        return blocked(wants, result);
    return plain->ops->received(plain->user, length) < 0 ? MOVED_LEFT : MOVED_BYTES;
}

/* What the peer had said before its connection took no more is still to be read, and it may be that
 * nothing follows. */
static enum moved hear_out(struct pump *pump, struct pump_wants *wants)
{
    enum moved down = MOVED_BYTES;
    struct error ignored;
    bool taken;

    for (int i = 0; i < LAST_RECORDS_MAX && down == MOVED_BYTES; i++)
        down = move_down(pump, wants, &taken, &ignored);
    return down;
}

static int check_records(const struct pump *pump, struct error *err)
{
    struct tls_records records = tls_records(pump->options.tls);
    uint64_t most = 2 * pump->options.records_max;

    if (records.in <= most && records.out <= most)
        return 0;
    return error_set(err, STATUS_RESOURCE_EXHAUSTED, "too many records on one connection");
}

static void want_plain(const struct pump *pump, struct pump_wants *wants)
{
    const struct pump_plain *plain = &pump->options.plain;
    struct pump_plain_wants found = plain->ops->wants(plain->user);

    wants->plain = pump->up_length || pump->plain_ended ? found.events & ~(uint32_t) LOOP_READ
                                                        : found.events;
    wants->timeout_ms = found.patience_ms;
}

static enum pump_result step_run(struct pump *pump, struct pump_wants *wants, struct error *err)
{
    bool taken = false;
    enum moved up = move_up(pump, wants, err), down = up;

    if (pump->plain_ended && !pump->up_length && up != MOVED_FAILED) {
        pump->stage = PUMP_CLOSE;
        return PUMP_AGAIN;
    }
    if (up == MOVED_BYTES || up == MOVED_NOTHING)
        down = move_down(pump, wants, &taken, err);
    else if (up == MOVED_FAILED && hear_out(pump, wants) == MOVED_LEFT)
        down = MOVED_LEFT;
    if (down == MOVED_LEFT)
        return PUMP_LEFT;
    if (down == MOVED_FAILED || check_records(pump, err) < 0)
        return PUMP_FAILED;
    if (pump->tls_ended && taken) {
        struct error ignored;

        (void) tls_close(pump->options.tls, &ignored);
        return PUMP_DONE;
    }
    want_plain(pump, wants);
    return up == MOVED_BYTES || down == MOVED_BYTES ? PUMP_AGAIN : PUMP_WAIT;
}

static enum pump_result step_close(struct pump *pump, struct pump_wants *wants, struct error *err)
{
    enum tls_result result = tls_close(pump->options.tls, err);

    if (result == TLS_WANT_WRITE || result == TLS_WANT_READ) {
        (void) blocked(wants, result);
        return PUMP_WAIT;
    }
    if (result != TLS_OK)
        return PUMP_FAILED;
    (void) shutdown(pump->options.socket, SHUT_WR);
    pump->linger_until = clock_monotonic_ms() + PUMP_LINGER_MS;
    pump->stage = PUMP_LINGER;
    return PUMP_AGAIN;
}

/* Closing a socket with unread bytes resets the connection and may take back what the peer has not
 * read yet: wait for its end, throwing away what comes. */
static enum pump_result step_linger(struct pump *pump, struct pump_wants *wants)
{
    uint64_t now = clock_monotonic_ms();

    if (now >= pump->linger_until)
        return PUMP_DONE;
    uint8_t waste[WASTE];
    ssize_t n = recv(pump->options.socket, waste, sizeof(waste), 0);
    if (n > 0)
        return PUMP_AGAIN;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        return PUMP_DONE;
    wants->socket = LOOP_READ;
    wants->timeout_ms = pump->linger_until - now;
    return PUMP_WAIT;
}

enum pump_result pump_step(struct pump *pump, struct pump_wants *wants, struct error *err)
{
    enum pump_result result = PUMP_AGAIN;

    for (int round = 0; round < ROUNDS_MAX && result == PUMP_AGAIN; round++) {
        *wants = (struct pump_wants){0};
        switch (pump->stage) {
        case PUMP_RUN:
            result = step_run(pump, wants, err);
            break;
        case PUMP_CLOSE:
            result = step_close(pump, wants, err);
            break;
        case PUMP_LINGER:
            result = step_linger(pump, wants);
            break;
        }
    }
    return result;
}

bool pump_due(const struct pump *pump)
{
    struct tls_records records = tls_records(pump->options.tls);

    return records.in >= pump->options.records_max || records.out >= pump->options.records_max;
}

void pump_rest(struct pump *pump)
{
    if (pump->stage == PUMP_RUN)
        pump->options.plain.ops->rest(pump->options.plain.user);
}
