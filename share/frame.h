/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Messages on a stream. A message of <linux/fuse.h> begins with its own length, in the byte order
 * of the guest, which is ours: that is the frame. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct error;

struct frame_reader {
    uint8_t *buffer; /* MESSAGE_MAX bytes, aligned */
    size_t filled;
    size_t complete; /* of these: the message that was returned last */
    bool drained;    /* the last read() got all that there was */
};

enum frame_result {
    FRAME_COMPLETE, /* buffer holds one of `*ret_size` bytes, at its beginning */
    FRAME_PARTIAL,  /* nothing more to read now */
    FRAME_END,      /* the peer closed, between two messages */
};

void frame_reader_init(struct frame_reader *reader);
void frame_reader_fini(struct frame_reader *reader);
/* The buffer's memory goes back to the kernel, if nothing is in it. */
void frame_reader_rest(struct frame_reader *reader);
void frame_give_back(void *buffer, size_t size); /* of whole pages: they are zero afterwards */
/* What was complete before is gone with this call. A length that no message has is an error, and so
 * is an end inside of one. */
int frame_read(struct frame_reader *reader, int fd, enum frame_result *ret, size_t *ret_size,
               struct error *err);

/* What the peer has not taken yet. A peer that does not read is not read from either (FULL): so
 * this stays below FRAME_QUEUE_FULL and one message. */
enum { FRAME_QUEUE_FULL = 4 * 1024 * 1024 };

struct frame_queue {
    uint8_t *data;
    size_t start;
    size_t end;
    size_t capacity;
};

void frame_queue_fini(struct frame_queue *queue);
bool frame_queue_empty(const struct frame_queue *queue);
bool frame_queue_full(const struct frame_queue *queue);
/* Sends at once what goes at once. */
int frame_send(struct frame_queue *queue, int fd, const void *message, size_t size,
               struct error *err);
int frame_flush(struct frame_queue *queue, int fd, struct error *err);
