/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Views of the node's kernel (/proc, /sys, cgroups, ...), of this very process among others
 * (/proc/self/mem): a path that happens to contain them does not share them. */

/* 0, -EACCES if the file is in one, or another negative errno. */
int kernel_view_check(int fd);
