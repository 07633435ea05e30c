/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Paths inside a directory that somebody else writes to: they are resolved by the kernel so that no
 * link and no race leads out of it, and what was found is held by a descriptor. */

struct error;

/* O_PATH; "" is the directory itself. Links are followed as long as they stay inside. */
int beneath_open(int directory, const char *path, int *ret, struct error *err)
    __attribute__((warn_unused_result));
/* Makes directories that are missing, which look like the one that they are made in. */
int beneath_make(int directory, const char *path, int *ret, struct error *err)
    __attribute__((warn_unused_result));
/* As a process sees it whose root this directory is: absolute links lead back into it. */
int beneath_make_in_root(int root, const char *path, int *ret, struct error *err)
    __attribute__((warn_unused_result));
/* Where a plain path leads in that root, once its links are followed as far as there is something;
 * absolute there, "" is the root itself. The caller frees. */
int beneath_real(int root, const char *path, char **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Shows what fd stands for, a directory or a file, at path, which does not exist yet. */
int beneath_bind(int fd, const char *path, struct error *err) __attribute__((warn_unused_result));
