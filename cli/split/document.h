/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One object of Kubernetes as somebody wrote it: JSON, or YAML with one document in it. The only
 * adapter of libyaml.
 *
 * Strict where readers differ: a doubled key, a tag, a merge key ("<<") and a key that is no string
 * are errors that say in which line. Anchors and aliases are read, within DOCUMENT_NODES_MAX. */
#include <stddef.h>

struct error;
struct js;

enum { DOCUMENT_SIZE_MAX = 1024 * 1024, DOCUMENT_NODES_MAX = 64 * 1024, DOCUMENT_ANCHORS_MAX = 64 };

int document_parse(const char *text, size_t length, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
/* "-" is standard input. */
int document_read(const char *path, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
