/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A small versioned JSON object in a file: {"version": N, "kind": "...", ...}. */
#include <stdint.h>

struct error;
struct js;

enum { STATE_FILE_MAX = 1024 * 1024 };

struct state_format {
    const char *kind;
    int64_t version;
};

/* Atomic, 0600. Sets "version" and "kind" in the object. */
int state_file_write(const char *path, const struct state_format *format, struct js *state,
                     struct error *err) __attribute__((warn_unused_result));
/* An absent file is STATUS_NOT_FOUND; another kind or version is STATUS_FAILED_PRECONDITION: never
 * guess what another program meant. */
int state_file_read(const char *path, const struct state_format *format, struct js **ret,
                    struct error *err) __attribute__((warn_unused_result));
