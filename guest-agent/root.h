/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;

/* proc, sysfs, devtmpfs, devpts, cgroup2 and a tmpfs on /run: in a virtual machine only. */
int root_mount_system(struct error *err) __attribute__((warn_unused_result));
/* What firmware and processor say of this machine is read there: securityfs with a TPM, configfs
 * where its module is. */
int root_mount_evidence(struct error *err) __attribute__((warn_unused_result));
/* Loads the modules that the list in the image names, in its order. */
int root_load_modules(const char *list, struct error *err) __attribute__((warn_unused_result));
/* The kernel refuses pivot_root() on the initrd's root file system, and crun pivots: makes the root
 * a mount of its own, read-only, above it. */
int root_leave_initrd(struct error *err) __attribute__((warn_unused_result));
