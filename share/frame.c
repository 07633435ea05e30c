/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/scoped.h"
#include "message.h"

enum { AHEAD = 16 * 1024 };

void frame_reader_init(struct frame_reader *reader)
{
    *reader = (struct frame_reader){.buffer = xalloc(MESSAGE_MAX)};
}

void frame_reader_fini(struct frame_reader *reader)
{
    free(reader->buffer);
    reader->buffer = NULL;
}

void frame_give_back(void *buffer, size_t size)
{
    uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE), start = (uintptr_t) buffer;
    uintptr_t first = (start + page - 1) & ~(page - 1), end = (start + size) & ~(page - 1);

    if (end > first)
        (void) madvise((void *) first, end - first, MADV_DONTNEED);
}

void frame_reader_rest(struct frame_reader *reader)
{
    if (reader->filled == reader->complete)
        frame_give_back(reader->buffer, MESSAGE_MAX);
}

static size_t length_of(const struct frame_reader *reader)
{
    uint32_t length;

    if (reader->filled < MESSAGE_HEADER_SIZE)
        return MESSAGE_HEADER_SIZE;
    memcpy(&length, reader->buffer, sizeof(length));
    return length;
}

/* Each message is to lie at the beginning of the buffer. */
static void drop_complete(struct frame_reader *reader)
{
    if (reader->complete == 0)
        return;
    reader->filled -= reader->complete;
    if (reader->filled > 0)
        memmove(reader->buffer, reader->buffer + reader->complete, reader->filled);
    reader->complete = 0;
}

static int end(const struct frame_reader *reader, enum frame_result *ret, struct error *err)
{
    if (reader->filled > 0)
        return error_set(err, STATUS_DATA_LOSS, "the peer ended inside of a message");
    *ret = FRAME_END;
    return 0;
}

static enum frame_result complete(struct frame_reader *reader, size_t length, size_t *ret_size)
{
    reader->complete = length;
    *ret_size = length;
    return FRAME_COMPLETE;
}

/* After a read() that got all that there was the next one is left out: poll() will tell. Once. */
static bool take_drained(struct frame_reader *reader)
{
    bool drained = reader->drained;

    reader->drained = false;
    return drained;
}

/* More than one message is asked for while they are small: most are, and each call costs. */
int frame_read(struct frame_reader *reader, int fd, enum frame_result *ret, size_t *ret_size,
               struct error *err)
{
    drop_complete(reader);
    for (;;) {
        size_t length = length_of(reader), wanted;
        ssize_t got;

        if (length < MESSAGE_HEADER_SIZE || length > MESSAGE_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "the peer announces %zu bytes", length);
        if (reader->filled >= length) {
            *ret = complete(reader, length, ret_size);
            return 0;
        }
        *ret = FRAME_PARTIAL;
        if (take_drained(reader))
            return 0;
        wanted = (length > AHEAD ? length : AHEAD) - reader->filled;
        got = read(fd, reader->buffer + reader->filled, wanted);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK
                       ? 0
                       : error_errno(err, errno, "read from the peer");
        if (got == 0)
            return end(reader, ret, err);
        reader->filled += (size_t) got;
        reader->drained = (size_t) got < wanted;
    }
}

void frame_queue_fini(struct frame_queue *queue)
{
    free(queue->data);
    *queue = (struct frame_queue){0};
}

bool frame_queue_empty(const struct frame_queue *queue)
{
    return queue->start == queue->end;
}

bool frame_queue_full(const struct frame_queue *queue)
{
    return queue->end - queue->start >= FRAME_QUEUE_FULL;
}

/* What waits is moved only if at least as much has gone, so that each byte is moved once or so. */
static void make_room(struct frame_queue *queue, size_t size)
{
    size_t waiting = queue->end - queue->start;
    uint8_t *data;

    if (queue->end + size <= queue->capacity)
        return;
    if (waiting + size <= queue->capacity && queue->start >= waiting) {
        memmove(queue->data, queue->data + queue->start, waiting);
    } else {
        queue->capacity = 2 * (waiting + size);
        data = xalloc(queue->capacity);
        if (waiting > 0)
            memcpy(data, queue->data + queue->start, waiting);
        free(queue->data);
        queue->data = data;
    }
    queue->start = 0;
    queue->end = waiting;
}

static void enqueue(struct frame_queue *queue, const uint8_t *bytes, size_t size)
{
    make_room(queue, size);
    memcpy(queue->data + queue->end, bytes, size);
    queue->end += size;
}

/* How much went; 0 if nothing goes now. */
static int send_some(int fd, const uint8_t *bytes, size_t size, size_t *ret, struct error *err)
{
    ssize_t sent;

    do {
        sent = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        return error_errno(err, errno, "write to the peer");
    *ret = sent < 0 ? 0 : (size_t) sent;
    return 0;
}

int frame_send(struct frame_queue *queue, int fd, const void *message, size_t size,
               struct error *err)
{
    size_t sent = 0;

    if (frame_queue_empty(queue) && send_some(fd, message, size, &sent, err) < 0)
        return -1;
    if (sent < size)
        enqueue(queue, (const uint8_t *) message + sent, size - sent);
    return 0;
}

int frame_flush(struct frame_queue *queue, int fd, struct error *err)
{
    size_t sent = 0;

    while (!frame_queue_empty(queue)) {
        if (send_some(fd, queue->data + queue->start, queue->end - queue->start, &sent, err) < 0)
            return -1;
        if (sent == 0)
            return 0;
        queue->start += sent;
    }
    frame_queue_fini(queue); /* a burst is over: its memory is not kept */
    return 0;
}
