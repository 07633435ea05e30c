/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Attaches and detaches shares while the server serves them, for whoever holds the other end of the
 * control socket (SOCK_SEQPACKET). It is a process of its own: it may mount, and never sees a byte
 * of the guest's; the server sees every byte of those and may mount nothing.
 *
 *   add OPTIONS:/PATH  ->  ok NAME         what of the node the guest finds by NAME; the same name
 *                                          again for what is the same, with the same options
 *   remove NAME        ->  ok              once for each time that it was added
 *                      ->  no STATUS WORDS (a status of base/error.h)
 *
 * Answers come in order. The end of the socket is the end of both processes. */
#include <sys/types.h>

struct error;
struct root;

enum { KEEPER_SHARES_MAX = 256 };

struct keeper_files {
    int control;
    int here; /* our own mount namespace, */
    int node; /* the one in which the paths are, */
    int proc; /* and O_PATH of its /proc */
    int told; /* where the server hears of removals (server.h); never waited for */
};

/* Until the control socket closes, when the server is ended (0), or the server is gone (0 if it
 * said so with its exit code). */
int keeper_run(const struct keeper_files *files, const struct root *root, pid_t server,
               struct error *err);
