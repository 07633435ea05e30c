/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The tenant's end of Stdio: collects what processes write, sends what they read. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bed.h"

enum { PIPE_STREAMS_MAX = 16 };

/* One stream, by name. */
struct pipe_stream {
    const char *container_id, *exec_id;
    unsigned fd;
    /* output */
    uint64_t received;
    struct digest *digest;
    char *text;            /* the first bytes */
    bool discard, stalled; /* stalled: no credit is given */
    bool final;
    bool owes_credit;
    /* input */
    const uint8_t *data;
    uint64_t length, sent, consumed;
    bool attached, closed;
    char *error;
};

struct pipe {
    struct bed *bed;
    struct rpc_call *call;
    struct pipe_stream streams[PIPE_STREAMS_MAX];
    size_t count;
    size_t turn;
    bool ended;
};

void pipe_open(struct pipe *pipe, struct bed *bed);
void pipe_close(struct pipe *pipe); /* the connection; the streams stay */
void pipe_reopen(struct pipe *pipe);
void pipe_fini(struct pipe *pipe);
struct pipe_stream *pipe_output(struct pipe *pipe, const char *container_id, const char *exec_id,
                                unsigned fd);
struct pipe_stream *pipe_input(struct pipe *pipe, const char *container_id, const char *exec_id,
                               const void *data, size_t length);
void pipe_pump(struct pipe *pipe);
