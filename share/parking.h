/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A file without a descriptor: by the handle that its file system gives for it, which never leads
 * to another file, even if the inode's number is used again. Ours only; the guest sees none. */
#include <stdbool.h>

struct parking;

/* `mount` is a directory of the same mount. Fails where the file system has no handles, or none
 * that lead back. 0, or a negative errno. */
int parking_new(int fd, int mount, struct parking **ret);
void parking_free(struct parking *parking);
/* An O_PATH descriptor, or a negative errno: -ESTALE if the file is gone. */
int parking_open(const struct parking *parking, int mount);
bool parking_is_of(const struct parking *parking, int fd);
