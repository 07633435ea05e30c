/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a bind mount of this node shows, by the kernel's list of mounts. */

struct error;

/* The mount at `point` shows something beneath the directory `below`: its path there, "" for the
 * directory itself. list: NULL is /proc/self/mountinfo. The caller frees. */
int mountinfo_origin(const char *list, const char *point, const char *below, char **ret,
                     struct error *err) __attribute__((warn_unused_result));
