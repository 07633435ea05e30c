/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A connected stream socket (or pipe end) on the loop, buffered in both directions, with
 * back-pressure. Callbacks may free the stream. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct loop;
struct stream;

struct stream_events {
    /* Called with everything buffered so far; returns how many bytes were used. */
    size_t (*on_data)(void *user, const uint8_t *data, size_t length);
    /* The peer is gone (err NULL: orderly end) or the stream broke. Called once. */
    void (*on_end)(void *user, const struct error *err);
    /* The queue of writes fell below the limit again; may be NULL. */
    void (*on_drained)(void *user);
};

struct stream_limits {
    size_t input;  /* on_data that uses nothing while this much is buffered is an error */
    size_t output; /* stream_write() beyond this fails */
};

/* Takes fd (non-blocking). Reading starts at once. */
int stream_new(struct loop *loop, int fd, const struct stream_events *events, void *user,
               const struct stream_limits *limits, struct stream **ret, struct error *err)
    __attribute__((warn_unused_result));
void stream_free(struct stream *stream); /* closes fd */
/* Queues all or nothing. */
int stream_write(struct stream *stream, const void *data, size_t length, struct error *err)
    __attribute__((warn_unused_result));
size_t stream_pending(const struct stream *stream); /* bytes not yet written */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);
