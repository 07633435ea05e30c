/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The standard streams of one process: pipes or a terminal on one side, lanes of the mux on the
 * other. A full lane stops the reading, and then the process blocks in its write. */
#include <stdbool.h>
#include <stdint.h>

struct console_size;
struct error;
struct loop;
struct mux;
struct streams;

enum streams_wanted {
    STREAMS_STDIN = 1,
    STREAMS_STDOUT = 2,
    STREAMS_STDERR = 4,
    STREAMS_TERMINAL = 8, /* stdout carries both */
};

struct streams_options {
    const char *container_id; /* borrowed: they outlive the streams */
    const char *exec_id;
    unsigned wanted; /* enum streams_wanted */
};

int streams_new(struct loop *loop, struct mux *mux, const struct streams_options *options,
                struct streams **ret, struct error *err) __attribute__((warn_unused_result));
void streams_free(struct streams *streams);
/* The process's ends, -1 where there is none; borrowed until streams_started(). */
void streams_child_fds(const struct streams *streams, int ret[3]);
/* The process has its ends: drop ours of them. */
void streams_started(struct streams *streams);
/* Takes the terminal's master. */
void streams_set_master(struct streams *streams, int master);
void streams_resize(struct streams *streams, const struct console_size *size);
/* End of file comes after this byte. */
int streams_close_stdin(struct streams *streams, uint64_t offset, struct error *err)
    __attribute__((warn_unused_result));
/* The process has ended: takes in what its pipes still hold (as far as there is room), drops its
 * input. Who else holds a pipe may go on writing. */
void streams_process_ended(struct streams *streams);
/* Bytes written to fd 1 or 2, with those that still wait in the pipe. */
uint64_t streams_total(const struct streams *streams, unsigned fd);
