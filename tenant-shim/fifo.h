/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The FIFOs that containerd makes for a process. Ours to open so that a restart of containerd,
 * which closes its ends, is neither an end of file nor an error to us. */
#include "base/scoped.h"

struct error;

/* Both ends of one FIFO: the one that is used, and one that keeps it alive. */
struct fifo {
    int fd;   /* output: we write; input: we read. Non-blocking. -1: closed */
    int hold; /* the other end, of our own */
};

#define FIFO_CLOSED                                                                                \
    {                                                                                              \
        -1, -1                                                                                     \
    }

enum fifo_direction { FIFO_OUTPUT, FIFO_INPUT };

/* A path or "fifo://path". Other schemes, and what is no FIFO, are INVALID_ARGUMENT. */
int fifo_open(const char *uri, enum fifo_direction direction, struct fifo *ret,
              struct error *err) must_check;
/* Drops our own other end: an input then ends when its writer does. */
void fifo_release(struct fifo *fifo);
void fifo_close(struct fifo *fifo);
