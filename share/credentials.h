/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is made on behalf of the guest's user belongs to that user. Only the calling thread's file
 * system ids change; its capabilities do not (confine.c sees to that where it can), because the
 * guest's kernel has decided already, with supplementary groups that are not known here. */
#include <sys/types.h>

/* 0, or a negative errno: then nothing has changed. Id -1 is refused: for the kernel it means
 * "leave it", which here would be root. */
int credentials_assume(uid_t uid, gid_t gid);
void credentials_restore(void);
/* What the guest's process takes from the mode of a new file, unless its directory has a default
 * access list: our kernel knows. It stays until the next call. */
void credentials_mask(mode_t mask);
