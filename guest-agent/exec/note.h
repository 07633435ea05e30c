/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Words to the agent. */
#include "block.h"

void note_send(enum block_note note, int32_t value, const char *text);
/* A descriptor; it stays open here. */
void note_send_fd(int fd);
/* The sentence, and the name of the error if there is one; ends this process. */
void note_fail(int errnum, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
/* Until the agent says so. If it has lost interest, this process ends. */
void note_await_go(void);
