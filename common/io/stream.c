/* SPDX-License-Identifier: Apache-2.0 */
#include "io/stream.h"

#include <assert.h>
#include <errno.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"

/* What one read asks for: little, until one was full. */
enum { CHUNK_SMALL = 4 * 1024, CHUNK = 64 * 1024 };

struct buffer {
    uint8_t *data;
    size_t start, end, capacity;
};

struct stream {
    int fd;
    struct source *source;
    struct source *redeliver; /* runs on_data again after a resume */
    struct stream_events events;
    struct stream_limits limits;
    void *user;
    struct buffer input, output;
    size_t chunk; /* of the next read */
    bool paused, ended, throttled, freed;
    unsigned busy; /* callbacks on the stack; the memory stays until none is */
};

static size_t held(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static void reserve(struct buffer *buffer, size_t length)
{
    if (buffer->capacity - buffer->end >= length)
        return;
    if (buffer->start > 0) {
        memmove(buffer->data, buffer->data + buffer->start, held(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->capacity - buffer->end >= length)
        return;
    buffer->capacity = buffer->end + length;
    buffer->data = xrealloc(buffer->data, buffer->capacity);
}

static void consume(struct buffer *buffer, size_t length)
{
    buffer->start += length;
    if (buffer->start != buffer->end)
        return;
    buffer->start = buffer->end = 0;
    /* An idle connection keeps no large buffer. */
    if (buffer->capacity > CHUNK_SMALL) {
        free(buffer->data);
        buffer->data = NULL;
        buffer->capacity = 0;
    }
}

static void update_events(struct stream *stream)
{
    if (stream->source)
        source_set_events(stream->source, (stream->paused ? 0u : LOOP_READ) |
                                              (held(&stream->output) ? LOOP_WRITE : 0u));
}

static void release(struct stream *stream)
{
    free(stream->input.data);
    free(stream->output.data);
    free(stream);
}

static void leave(struct stream *stream)
{
    if (--stream->busy == 0 && stream->freed)
        release(stream);
}

static void end(struct stream *stream, const struct error *err)
{
    if (stream->ended || stream->freed)
        return;
    stream->ended = true;
    source_free(take_ptr(stream->source));
    source_free(take_ptr(stream->redeliver));
    stream->events.on_end(stream->user, err);
}

static bool alive(const struct stream *stream)
{
    return !stream->ended && !stream->freed;
}

static void deliver(struct stream *stream)
{
    while (alive(stream) && !stream->paused && held(&stream->input) > 0) {
        size_t length = held(&stream->input);
        size_t used = stream->events.on_data(stream->user, stream->input.data + stream->input.start,
                                             length);

        assert(used <= length);
        if (stream->freed)
            return;
        consume(&stream->input, used);
        if (used > 0)
            continue;
        if (length >= stream->limits.input && !stream->paused) {
            struct error err;

            (void) error_set(&err, STATUS_RESOURCE_EXHAUSTED,
                             "the peer sent more than %zu bytes in one piece",
                             stream->limits.input);
            end(stream, &err);
        }
        return;
    }
}

static void read_some(struct stream *stream)
{
    size_t room = stream->limits.input - held(&stream->input);
    struct error err;
    ssize_t got;

    if (room == 0) {
        deliver(stream);
        return;
    }
    if (room > stream->chunk)
        room = stream->chunk;
    reserve(&stream->input, room);
    got = read(stream->fd, stream->input.data + stream->input.end, room);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    stream->chunk = got == (ssize_t) room ? CHUNK : CHUNK_SMALL;
    if (got < 0) {
        (void) error_errno(&err, errno, "read");
        end(stream, &err);
    } else if (got == 0) {
        end(stream, NULL);
    } else {
        stream->input.end += (size_t) got;
        deliver(stream);
    }
}

static void write_some(struct stream *stream)
{
    struct error err;
    ssize_t put = write(stream->fd, stream->output.data + stream->output.start,
                        held(&stream->output));

    if (put < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (put < 0) {
        (void) error_errno(&err, errno, "write");
        end(stream, &err);
        return;
    }
    consume(&stream->output, (size_t) put);
    update_events(stream);
    if (stream->throttled && held(&stream->output) <= stream->limits.output / 2) {
        stream->throttled = false;
        if (stream->events.on_drained)
            stream->events.on_drained(stream->user);
    }
}

static void on_ready(void *user, uint32_t events)
{
    struct stream *stream = user;

    stream->busy++;
    if (events & LOOP_WRITE && held(&stream->output) > 0)
        write_some(stream);
    if (events & LOOP_READ && alive(stream) && !stream->paused)
        read_some(stream);
    leave(stream);
}

static void on_redeliver(void *user)
{
    struct stream *stream = user;

    stream->busy++;
    deliver(stream);
    leave(stream);
}

int stream_new(struct loop *loop, int fd, const struct stream_events *events, void *user,
               const struct stream_limits *limits, struct stream **ret, struct error *err)
{
    struct stream *stream = xnew(struct stream);

    assert(limits->input > 0);
    stream->fd = fd;
    stream->events = *events;
    stream->limits = *limits;
    stream->user = user;
    stream->chunk = CHUNK_SMALL;
    /* With an immediate first run, which finds nothing to deliver. */
    if (loop_watch_fd(loop, fd, LOOP_READ, on_ready, stream, &stream->source, err) < 0 ||
        loop_after(loop, 0, on_redeliver, stream, &stream->redeliver, err) < 0) {
        stream_free(stream);
        return -1;
    }
    *ret = stream;
    return 0;
}

void stream_free(struct stream *stream)
{
    if (!stream || stream->freed)
        return;
    source_free(take_ptr(stream->source));
    source_free(take_ptr(stream->redeliver));
    closep(&stream->fd);
    stream->freed = true;
    if (stream->busy == 0)
        release(stream);
}

int stream_write(struct stream *stream, const void *data, size_t length, struct error *err)
{
    size_t pending = held(&stream->output);
    ssize_t put = 0;

    if (!alive(stream))
        return error_set(err, STATUS_UNAVAILABLE, "the peer is gone");
    if (length > stream->limits.output || pending > stream->limits.output - length) {
        stream->throttled = true;
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%zu bytes wait already, limit %zu",
                         pending, stream->limits.output);
    }
    if (length == 0)
        return 0;
    /* A real failure shows again on the loop, where on_end can be called. */
    if (pending == 0)
        put = write(stream->fd, data, length);
    if (put < 0)
        put = 0;
    if ((size_t) put < length) {
        reserve(&stream->output, length - (size_t) put);
        memcpy(stream->output.data + stream->output.end, (const uint8_t *) data + put,
               length - (size_t) put);
        stream->output.end += length - (size_t) put;
    }
    if (held(&stream->output) > stream->limits.output / 2)
        stream->throttled = true;
    update_events(stream);
    return 0;
}

size_t stream_pending(const struct stream *stream)
{
    return held(&stream->output);
}

void stream_pause(struct stream *stream)
{
    stream->paused = true;
    update_events(stream);
}

void stream_resume(struct stream *stream)
{
    if (!stream->paused)
        return;
    stream->paused = false;
    update_events(stream);
    if (stream->redeliver && held(&stream->input) > 0)
        source_rearm(stream->redeliver, 0);
}
