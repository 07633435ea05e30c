/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* {"NAME":{...},"signature":"<128 hex digits>"}: what Intel signs is the text of the inner object
 * as it was sent, so that text is cut out, never printed anew. What is parsed is that same text. */
#include <stddef.h>
#include <stdint.h>

struct error;
struct js;

enum { SIGNED_JSON_MAX = 256 * 1024, SIGNED_JSON_SIGNATURE_SIZE = 64 };

struct signed_json {
    const char *text; /* of the inner object; points into what was split */
    size_t length;
    uint8_t signature[SIGNED_JSON_SIGNATURE_SIZE]; /* r, s big-endian */
};

/* Both members and no other, each once. Nothing is verified. */
int signed_json_split(const void *data, size_t size, const char *name, struct signed_json *ret,
                      struct error *err) __attribute__((warn_unused_result));
/* The inner object; the caller owns it. */
int signed_json_parse(const struct signed_json *json, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
