/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Bounded text. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>

struct error;

/* Like snprintf, but a result that does not fit is an error and leaves "" in the buffer. */
int text_format(char *buffer, size_t size, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5), warn_unused_result));
bool text_equal(const char *a, const char *b); /* NULL equals only NULL */
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
/* containerd's identifiers: ^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$, at most 76 characters. */
bool text_is_identifier(const char *text);
/* Whole string is a decimal number in range; no sign but '-', no space. */
bool text_to_u64(const char *text, uint64_t *ret);
bool text_to_i64(const char *text, int64_t *ret);
/* "512MiB", "2GiB", "1073741824": bytes, binary suffixes KiB MiB GiB only. */
int text_to_size(const char *text, uint64_t *ret, struct error *err)
    __attribute__((warn_unused_result));
/* Replaces each byte that is not part of valid UTF-8, in place (Go refuses whole messages). */
void text_make_utf8(char *text);
/* Replaces what a terminal would obey (control characters) by '?', in place. */
void text_make_printable(char *text);
bool text_is_utf8(const char *text, size_t length);
