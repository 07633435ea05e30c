/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Hexadecimal and standard base64 (RFC 4648 section 4, with padding, no white space). */
#include <stddef.h>
#include <stdint.h>

struct error;

void hex_encode(const void *data, size_t length, char *to); /* 2 * length + 1 bytes, lower case */
char *hex_text(const void *data, size_t length);            /* the same; the caller frees */
/* Exactly `length` bytes or an error. */
int hex_decode(const char *text, void *to, size_t length, struct error *err)
    __attribute__((warn_unused_result));
char *base64_encode(const void *data, size_t length); /* the caller frees */
/* Refuses more than `limit` decoded bytes before allocating. */
int base64_decode(const char *text, size_t limit, uint8_t **ret, size_t *ret_length,
                  struct error *err) __attribute__((warn_unused_result));
