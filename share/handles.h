/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Open files and directories. As with nodes an id is an index and a generation. */
#include <stdint.h>

enum { HANDLES_MAX = 4096 };

enum handle_kind { HANDLE_FILE, HANDLE_DIRECTORY };

struct handles;

struct handles *handles_new(void);
void handles_free(struct handles *handles);

/* Takes fd in any case. 0, or a negative errno. */
int handles_hold(struct handles *handles, enum handle_kind kind, int fd, uint64_t *ret_id);
/* The borrowed descriptor, or -EBADF if there is none of that kind. */
int handles_find(const struct handles *handles, enum handle_kind kind, uint64_t id);
/* 0, or -EBADF. */
int handles_close(struct handles *handles, enum handle_kind kind, uint64_t id);
