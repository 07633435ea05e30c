/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Bytes between containerd's FIFOs and the processes in the guest. One stream of frames on the bulk
 * connection carries all processes of the pod; each byte stream has its own offsets and credit, so
 * that one that nobody reads holds up nobody else, and a new connection goes on where the old one
 * stopped. */
#include <stdbool.h>
#include <stdint.h>
#include "base/scoped.h"

struct error;
struct link;
struct loop;
struct stdio;
struct pipes;

int stdio_new(struct loop *loop, struct link *link, struct stdio **ret,
              struct error *err) must_check;
void stdio_free(struct stdio *stdio); /* all pipes have been freed before */
SCOPED_PTR(struct stdio, stdio_free)

struct pipes_options {
    const char *container_id;
    const char *exec_id;                                /* "" for the init */
    const char *stdin_path, *stdout_path, *stderr_path; /* "" or NULL: not wanted */
    /* All outputs have arrived, or a FIFO was closed after that. May free the pipes. */
    void (*changed)(void *user);
    void *user;
};

/* Opens the FIFOs of one process; nothing flows before pipes_start(). */
int pipes_open(struct stdio *stdio, const struct pipes_options *options, struct pipes **ret,
               struct error *err) must_check;
/* The guest has been asked to make the process. */
void pipes_start(struct pipes *pipes);
/* CloseIO: stdin ends when containerd's end is closed too. */
void pipes_close_stdin(struct pipes *pipes);
/* The process is gone: nobody reads its stdin. */
void pipes_exited(struct pipes *pipes);
/* Nothing more comes from the guest: what is here goes out, then the outputs end. */
void pipes_end(struct pipes *pipes);
/* Every byte of every output is here: the guest need not keep it. */
bool pipes_have_arrived(const struct pipes *pipes);
/* And somebody has read them: every output is closed. */
bool pipes_are_drained(const struct pipes *pipes);
/* Closes every FIFO; what had not arrived is lost, and the log says so. */
void pipes_free(struct pipes *pipes);
SCOPED_PTR(struct pipes, pipes_free)
