/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The guest's end of a live share: a FUSE mount, and the device on which its kernel asks. Whoever
 * uses a file of it waits, and cannot be killed, until there is an answer or the mount is aborted.
 */
#include "io/shuttle.h"

struct error;
struct share_device;

/* Mounts it at a directory that is made. */
int share_device_new(const char *place, struct share_device **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Aborts and unmounts; who has the mount open, or mounted elsewhere, gets errors. */
void share_device_free(struct share_device *device);
static inline void share_device_freep(struct share_device **p)
{
    if (*p)
        share_device_free(*p);
}
/* Every request, of now and later, fails: nobody waits any more. Again is nothing. */
void share_device_abort(struct share_device *device);
int share_device_fd(const struct share_device *device);   /* for the shuttle */
int share_device_root(const struct share_device *device); /* O_PATH; to use it may take long */

/* user: the device. */
extern const struct shuttle_end share_device_end;
