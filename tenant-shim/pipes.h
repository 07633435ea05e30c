/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The byte streams of one process: windows on the side of the wire, FIFOs on the side of
 * containerd. stdio.c moves frames between them and the connection. */
#include "fifo.h"
#include "io/loop.h"
#include "pod_stdio.h"
#include "window.h"

struct stdio_frame;

struct output {
    struct pipes *pipes;
    uint32_t fd;
    struct fifo fifo;
    struct source *source; /* watches the FIFO for space; NULL when closed or not wanted */
    struct receive_window window;
    bool open;
    bool arrived;          /* nothing more comes from the guest, or is wanted from there */
    bool ending;           /* likewise, but what is in the window still goes out */
    struct source *linger; /* while somebody may still read what is in the FIFO */
    uint64_t linger_ms;
    bool statement_due; /* of what was consumed */
    uint64_t stated;
};

struct input {
    struct pipes *pipes;
    struct fifo fifo;
    struct source *source;
    struct send_window window;
    bool open;
};

struct pipes {
    struct pipes *next;
    struct stdio *stdio;
    char *container_id, *exec_id;
    bool started;
    struct input in;
    struct output out[2];   /* stdout, stderr */
    struct source *settled; /* tells `changed` outside of whatever made it so */
    void (*changed)(void *user);
    void *user;
};

/* A frame of the guest for one of these streams. */
void pipes_receive(struct pipes *pipes, const struct stdio_frame *frame);
/* A new connection: state what was consumed, and wait for the guest's statement. */
void pipes_restart(struct pipes *pipes);
/* The next frame to send, if any; the window counts it as sent. hash is the caller's space. */
bool pipes_next_frame(struct pipes *pipes, struct stdio_frame *ret, uint8_t hash[32]);
