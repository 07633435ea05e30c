/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How a disk of the host becomes a file system of the guest's. */

struct error;

/* Blocks until it is mounted; takes a moment. Nothing that is on the device is looked at. */
int scratch_disk_make(const char *device, const char *directory, struct error *err)
    __attribute__((warn_unused_result));
