/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Work in another network namespace, by this very thread, which is back when it is done. */
struct error;

typedef int netns_fn(void *user, struct error *err);

int netns_open(const char *path, int *ret_fd, struct error *err)
    __attribute__((warn_unused_result));
/* What fn opens there (sockets, devices, /proc/sys/net) stays of that namespace. netns_fd -1: the
 * thread's own. */
int netns_run(int netns_fd, netns_fn *fn, void *user, struct error *err)
    __attribute__((warn_unused_result));
