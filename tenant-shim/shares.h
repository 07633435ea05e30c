/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The directories and files of this node that the pod's containers see live. A container's are
 * added before it is created and removed when it has gone; cleave-share and the guest's mount begin
 * with the first one. If either ends, containers get I/O errors, no other one can be created with a
 * share, and the pod lives on. */
#include <stddef.h>
#include "base/scoped.h"

struct error;
struct loop;
struct pod_share;
struct share_request;
struct shares;
struct spec_share;

/* The pod's share in the guest: borrowed, freed after this and before anything else happens. */
int shares_new(struct loop *loop, struct pod_share *share, struct shares **ret,
               struct error *err) must_check;
void shares_free(struct shares *shares); /* who still waits is not told */
SCOPED_PTR(struct shares, shares_free)

/* Once: each has its name, and the guest can mount it; or err. Never from inside; may free. */
typedef void shares_done_fn(void *user, const struct error *err);

/* The list is the caller's and stays until the request is freed. */
int shares_add(struct shares *shares, struct spec_share *list, size_t count, shares_done_fn *done,
               void *user, struct share_request **ret, struct error *err) must_check;
/* Before the shares are freed. What was added stays: its names are in the list; what cleave-share
 * is at is removed again when it is there, and the rest not asked for. */
void share_request_free(struct share_request *request);
void shares_remove(struct shares *shares, const char *name);
