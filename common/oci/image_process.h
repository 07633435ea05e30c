/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What an image's configuration says of the process: its `config` object. The caller has checked
 * the digest of the bytes. */
#include <stddef.h>

struct error;
struct js;

struct image_process {
    /* Arrays of strings, or NULL. */
    const struct js *entrypoint, *command, *environment;
    const struct js *volumes; /* an object whose keys are paths, or NULL */
    const char *user;         /* "", "1000", "1000:1000", "name" */
    const char *directory;    /* "" */
    struct js *root;          /* what the pointers above lead into */
};

/* A member that differs from a known one by case alone is refused: other readers take it. */
int image_process_parse(const char *text, size_t length, struct image_process *ret,
                        struct error *err) __attribute__((warn_unused_result));
void image_process_clear(struct image_process *process);
