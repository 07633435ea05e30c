/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What containerd's configuration says of its runtimes, under the names of version 2 files
 * (io.containerd.grpc.v1.cri) and of version 3 ones (io.containerd.cri.v1.*). Files named by
 * `imports` are read too; as in containerd the later value of a key counts. */
#include <stdbool.h>

struct error;
struct containerd_conf;

/* root: "" or the directory below which absolute paths in `imports` are looked up; path is taken as
 * it is. An absent file is STATUS_NOT_FOUND. */
int containerd_conf_load(const char *root, const char *path, struct containerd_conf **ret,
                         struct error *err) __attribute__((warn_unused_result));
/* For tests: text in place of a file; imports are not followed. */
struct containerd_conf *containerd_conf_parse(const char *text);
void containerd_conf_free(struct containerd_conf *conf);
static inline void containerd_conf_freep(struct containerd_conf **p)
{
    if (*p)
        containerd_conf_free(*p);
}

/* The first line that this reader did not understand, as "file: line N"; NULL: none. */
const char *containerd_conf_doubt(const struct containerd_conf *conf);
/* The table of a handler whose runtime_type contains `word`, as a path; the last part of it is the
 * handler's name. NULL: none. The caller frees. */
char *containerd_conf_runtime(const struct containerd_conf *conf, const char *word);
/* The same among tables that containerd ignores: old names in a file that is not of version 2. */
char *containerd_conf_ignored_runtime(const struct containerd_conf *conf, const char *word);

/* Keys of such a table. A scalar as text, or NULL; an array of strings, or NULL. */
const char *containerd_conf_text(const struct containerd_conf *conf, const char *runtime,
                                 const char *key);
const char *const *containerd_conf_strings(const struct containerd_conf *conf, const char *runtime,
                                           const char *key);
/* Is there a table of this name in it, be it empty? */
bool containerd_conf_has_table(const struct containerd_conf *conf, const char *runtime,
                               const char *name);
bool containerd_conf_discards_layers(const struct containerd_conf *conf);
