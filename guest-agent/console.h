/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How a terminal reaches us: the runtime connects to a socket of ours and sends the master end. */

struct console;
struct error;
struct loop;

/* master: owned by the receiver. Once. */
typedef void console_fn(void *user, int master);

/* Listens at path until it is freed. */
int console_open(struct loop *loop, const char *path, console_fn *fn, void *user,
                 struct console **ret, struct error *err) __attribute__((warn_unused_result));
/* The runtime has exited, so the master is on its way or will not come: take it without waiting. */
void console_receive(struct console *console);
const char *console_path(const struct console *console);
void console_close(struct console *console);
/* Columns and rows. */
struct console_size {
    unsigned short width, height;
};
void console_resize(int master, const struct console_size *size);
