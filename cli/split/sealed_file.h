/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A manifest from a file: the document itself, or a Pod that carries it as an annotation. */

struct error;
struct js;
struct manifest;

/* "-" is standard input. ret_pod is NULL where the file is the manifest itself. */
int sealed_file_read(const char *path, struct manifest **ret, struct js **ret_pod,
                     struct error *err) __attribute__((warn_unused_result));
