/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The mounts of a container's spec, by their sources: kernel filesystems are kept, the pod's own
 * files and the pod's volumes become names that the agent knows, a file that kubelet made for /etc
 * is copied in. Other directories and files of this node are shared live. */
#include "base/scoped.h"

struct error;
struct guest_spec;
struct js;
struct spec_context;

/* Appends what each mount becomes to out; copied files and the termination log go into result. */
int mounts_rewrite(const struct js *mounts, const struct spec_context *context,
                   struct guest_spec *result, struct js *out, struct error *err) must_check;
/* What every container has, made by the agent, unless a mount of the spec names it: hosts,
 * resolv.conf, hostname, the pod's /dev/shm. In Sandbox API mode containerd has none of these files
 * and leaves the mounts out. */
enum mounts_flags { MOUNTS_READ_ONLY = 1 };
void mounts_complete(struct js *mounts, enum mounts_flags flags);
