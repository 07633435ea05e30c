/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/pump.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/error.h"
#include "io/loop.h"
#include "secure/tls.h"

/* Rounds per step: one busy connection must not keep the loop from the others. */
enum { ROUNDS_MAX = 16 };

enum moved { MOVED_FAILED = -1, MOVED_NOTHING = 0, MOVED_BYTES = 1 };

static enum moved blocked(struct pump_wants *wants, enum tls_result result)
{
    if (result == TLS_FAILED)
        return MOVED_FAILED;
    wants->socket |= result == TLS_WANT_WRITE ? LOOP_WRITE : LOOP_READ;
    return MOVED_NOTHING;
}

static void fill_from_plain(struct pump *pump, struct pump_wants *wants)
{
    ssize_t n = recv(pump->options.plain, pump->up.data, sizeof(pump->up.data), 0);

    if (n > 0) {
        pump->up.offset = 0;
        pump->up.length = (size_t) n;
    } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        wants->plain |= LOOP_READ;
    } else {
        pump->plain_ended = true;
    }
}

static enum moved move_up(struct pump *pump, struct pump_wants *wants, struct error *err)
{
    size_t written;

    if (!pump->up.length && !pump->plain_ended)
        fill_from_plain(pump, wants);
    if (!pump->up.length)
        return MOVED_NOTHING;
    enum tls_result result = tls_write(pump->options.tls, pump->up.data + pump->up.offset,
                                       pump->up.length, &written, err);
    if (result != TLS_OK)
        return blocked(wants, result);
    pump->up.offset += written;
    pump->up.length -= written;
    return MOVED_BYTES;
}

static enum moved fill_from_tls(struct pump *pump, struct pump_wants *wants, struct error *err)
{
    size_t length;
    enum tls_result result = tls_read(pump->options.tls, pump->down.data, sizeof(pump->down.data),
                                      &length, err);

    if (result == TLS_END) {
        pump->tls_ended = true;
        return MOVED_NOTHING;
    }
    if (result != TLS_OK)
        return blocked(wants, result);
    pump->down.offset = 0;
    pump->down.length = pump->plain_broken ? 0 : length;
    return MOVED_BYTES;
}

static enum moved move_down(struct pump *pump, struct pump_wants *wants, struct error *err)
{
    if (!pump->down.length)
        return pump->tls_ended ? MOVED_NOTHING : fill_from_tls(pump, wants, err);
    ssize_t n = send(pump->options.plain, pump->down.data + pump->down.offset, pump->down.length,
                     MSG_NOSIGNAL);
    if (n >= 0) {
        pump->down.offset += (size_t) n;
        pump->down.length -= (size_t) n;
        return MOVED_BYTES;
    }
    if (errno == EAGAIN || errno == EINTR) {
        wants->plain |= LOOP_WRITE;
        return MOVED_NOTHING;
    }
    /* The reader is gone; what it wrote before that still goes out. */
    pump->plain_broken = true;
    pump->down.length = 0;
    return MOVED_BYTES;
}

static enum pump_result step_run(struct pump *pump, struct pump_wants *wants, struct error *err)
{
    enum moved up = move_up(pump, wants, err);

    if (up == MOVED_FAILED)
        return PUMP_FAILED;
    enum moved down = move_down(pump, wants, err);
    if (down == MOVED_FAILED)
        return PUMP_FAILED;
    struct tls_records records = tls_records(pump->options.tls);
    if (records.in > 2 * pump->options.records_max || records.out > 2 * pump->options.records_max) {
        error_set(err, STATUS_RESOURCE_EXHAUSTED, "too many records on one connection");
        return PUMP_FAILED;
    }
    if (pump->tls_ended && !pump->down.length) {
        struct error ignored;

        (void) tls_close(pump->options.tls, &ignored);
        return PUMP_DONE;
    }
    if (pump->plain_ended && !pump->up.length) {
        pump->stage = PUMP_CLOSE;
        return PUMP_AGAIN;
    }
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
    ssize_t n = recv(pump->options.socket, pump->down.data, sizeof(pump->down.data), 0);
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
