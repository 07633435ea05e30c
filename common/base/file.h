/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whole files, directories, trees. Paths are ours unless a function says otherwise. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

/* Bytes with a NUL behind them; a file larger than limit is an error. The caller frees. */
int file_read(const char *path, size_t limit, char **ret, size_t *ret_length, struct error *err)
    __attribute__((warn_unused_result));
/* Temporary file beside it, fsync, rename, fsync of the directory. */
int file_write_atomic(const char *path, const void *data, size_t length, mode_t mode,
                      struct error *err) __attribute__((warn_unused_result));
int file_make_directories(const char *path, mode_t mode, struct error *err)
    __attribute__((warn_unused_result));
/* rm -rf without following links or crossing mounts; an absent path is no error. */
int file_remove_tree(const char *path, struct error *err) __attribute__((warn_unused_result));
bool file_exists(const char *path);
/* Writes a short value to an existing file (/proc, /sys). */
int file_put(const char *path, const char *value, struct error *err)
    __attribute__((warn_unused_result));
/* An exclusive flock on path (made 0600 if absent), held until the descriptor is closed. */
int file_lock(const char *path, int *ret_fd, struct error *err) __attribute__((warn_unused_result));
