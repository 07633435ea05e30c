/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Of reference_*.c alone: objects of which every member is in a table, and lists of digests. An
 * error names the way to the member: "snp: tcb_min: Milan: microcode: ...". */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"

struct error;
struct js;

enum { REFERENCE_LIST_MAX = 256 };

/* What the values point to; freed all at once. */
struct reference_arena {
    void **blocks;
    size_t count;
};

void *reference_keep(struct reference_arena *arena, size_t size); /* zeroed */
void reference_arena_fini(struct reference_arena *arena);

struct reference_target {
    struct reference_arena *arena;
    void *to; /* what the readers of one object fill */
};

typedef int reference_read_fn(const struct reference_target *target, const struct js *value,
                              struct error *err);

struct reference_member {
    const char *name;
    reference_read_fn *read;
    bool needed;
};

struct reference_members {
    const struct reference_member *list;
    size_t count;
};

int reference_read_members(const struct js *object, const struct reference_members *members,
                           const struct reference_target *target, struct error *err) must_check;

/* Whether "0" stands for a digest of zeros. */
enum reference_zero { REFERENCE_NO_ZERO, REFERENCE_ZERO };

/* 1 to REFERENCE_LIST_MAX digests of this many bytes. */
struct reference_list {
    size_t size;
    enum reference_zero zero;
    const uint8_t *values;
    size_t count;
};

int reference_read_list(const struct js *array, struct reference_arena *arena,
                        struct reference_list *list, struct error *err) must_check;
int reference_read_number(const struct js *value, uint64_t max, uint64_t *ret,
                          struct error *err) must_check;
int reference_read_hex(const struct js *value, void *to, size_t size, struct error *err) must_check;
int reference_read_text(const struct js *value, const char **ret, struct error *err) must_check;
/* One of two words: the index. */
int reference_read_word(const struct js *value, const char *const words[2], unsigned *ret,
                        struct error *err) must_check;
int reference_error(struct error *err, const char *wanted); /* "... is wanted", -1 */
