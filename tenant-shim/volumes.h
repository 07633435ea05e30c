/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod's volumes in the guest: brought before the container that mounts them is created, and the
 * live ones again whenever kubelet changes them on this node, for as long as the pod lives. A
 * content that was cut off is sent again; the guest keeps the one before until the new one is
 * complete. */
#include <stddef.h>
#include "base/scoped.h"

struct bring;
struct error;
struct link;
struct loop;
struct spec_volume;
struct volumes;

int volumes_new(struct loop *loop, struct link *link, struct volumes **ret,
                struct error *err) must_check;
void volumes_free(struct volumes *volumes); /* who still waits is not told */
SCOPED_PTR(struct volumes, volumes_free)

/* Once: all are in the guest, or err. Never from inside; may free. */
typedef void volumes_done_fn(void *user, const struct error *err);

int volumes_bring(struct volumes *volumes, const struct spec_volume *list, size_t count,
                  volumes_done_fn *done, void *user, struct bring **ret,
                  struct error *err) must_check;
void bring_free(struct bring *bring); /* gives up waiting; before the volumes are freed */
