/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A manifest as a pod's annotation cleave.dev/manifest carries it: gzip, then base64 in one line.
 */
#include <stddef.h>

struct error;

enum { PACKAGE_TEXT_MAX = 128 * 1024 };

/* The caller frees. RESOURCE_EXHAUSTED: the annotation would be longer than PACKAGE_TEXT_MAX. */
int package_make(const char *manifest, size_t length, char **ret, struct error *err)
    __attribute__((warn_unused_result));
/* The document; nothing in it is checked but its size, before there is room for it. */
int package_open(const char *text, char **ret, size_t *ret_length, struct error *err)
    __attribute__((warn_unused_result));
