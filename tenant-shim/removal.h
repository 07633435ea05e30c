/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The removal of a pod's host half, and with it of the guest's machine: by the provisioner, again
 * and again for a while, then by a reaper. The lease is revoked first, so nobody speaks to that
 * guest any more. */
#include "base/scoped.h"

struct error;
struct host_half;
struct loop;
struct removal;

/* Once: the host half is gone, or somebody else sees to it. From the loop. */
typedef void removal_done_fn(void *user);

/* half is borrowed and outlives it. */
int removal_new(struct loop *loop, struct host_half *half, removal_done_fn *done, void *user,
                struct removal **ret, struct error *err) must_check;
/* One that was reserved and has not come to its end is left to a reaper. */
void removal_free(struct removal *removal);
SCOPED_PTR(struct removal, removal_free)
/* No verb `delete` follows (CRI-O): the tombstone from the first day. Again when the half has
 * changed. */
int removal_reserve(struct removal *removal, struct error *err) must_check;
/* If it was reserved: nobody else comes, a reaper removes the half. Without `done`. */
void removal_abandon(struct removal *removal);

/* Each of these leads to `done`. The last two also cut the first one short; none does anything
 * after the end. */
void removal_begin(struct removal *removal);
void removal_bury(struct removal *removal);   /* leaves it to a reaper */
void removal_finish(struct removal *removal); /* the host half is gone already */
