/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod's live share: carries FUSE messages between cleave-share on this node and the mount in
 * the guest. A connection of class `share` is joined to the link's control, again each second while
 * there is none; what the other end has not got by then is sent again, so that neither notices.
 *
 * There is one for each pod, started with the first container that needs it. It ends for good, and
 * whoever uses a file of it gets I/O errors, when cleave-share or the guest's mount does, or when
 * there was no connection for longer than the guest waits. */
#include <stdbool.h>
#include "base/scoped.h"

struct error;
struct link;
struct loop;
struct pod_share;

/* Once, after it was started: it is over, and cleave-share has seen the end of its stream. */
typedef void pod_share_ended_fn(void *user, const struct error *err);

/* Of a pod that is configured; nothing is asked for yet. The link outlives it. */
int pod_share_new(struct loop *loop, struct link *link, struct pod_share **ret,
                  struct error *err) must_check;
/* The stream is closed; what waits for `started` is not told. */
void pod_share_free(struct pod_share *share);
SCOPED_PTR(struct pod_share, pod_share_free)
void pod_share_on_ended(struct pod_share *share, pod_share_ended_fn *fn, void *user);

/* Once: the guest has mounted it, so that a container's mount may have its source there
 * (POD_SHARE_SOURCE); or why not. An agent that has no share is told from others by
 * STATUS_UNIMPLEMENTED, and the sentence says what to do. */
typedef void pod_share_started_fn(void *user, const struct error *err);

/* stream: our end of a SOCK_STREAM socket pair, cleave-share has the other one; taken, also on
 * failure. `started` never comes from inside. Not again unless it could not be started:
 * FAILED_PRECONDITION. */
int pod_share_start(struct pod_share *share, int stream, pod_share_started_fn *started, void *user,
                    struct error *err) must_check;
/* The guest may not speak for the pod any more, or has nothing to say: the stream is closed now,
 * and `ended` follows if it was started. */
void pod_share_stop(struct pod_share *share);
/* pod_share_start() was called and it has not ended. */
bool pod_share_runs(const struct pod_share *share);

/* The source of a bind mount in the guest's spec: "cleave:share:NAME", where NAME is an export of
 * cleave-share (share/export.h), added before the container is created. The agent resolves it
 * beneath the mount, follows no link, and has the container wait for it as long as it takes. */
#define POD_SHARE_SOURCE "cleave:share:"
