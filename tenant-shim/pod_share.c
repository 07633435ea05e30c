/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_share.h"

#include "base/error.h"

struct pod_share {
    pod_share_ended_fn *ended;
    void *user;
};

int pod_share_new(struct loop *loop, struct link *link, struct pod_share **ret, struct error *err)
{
    (void) loop;
    (void) link;
    (void) err;
    *ret = xnew(struct pod_share);
    return 0;
}

void pod_share_free(struct pod_share *share)
{
    free(share);
}

void pod_share_on_ended(struct pod_share *share, pod_share_ended_fn *fn, void *user)
{
    share->ended = fn;
    share->user = user;
}

int pod_share_start(struct pod_share *share, int stream, pod_share_started_fn *started, void *user,
                    struct error *err)
{
    (void) share;
    (void) started;
    (void) user;
    closep(&stream);
    return error_set(err, STATUS_UNIMPLEMENTED,
                     "live shares of the node's directories are not available yet");
}

bool pod_share_runs(const struct pod_share *share)
{
    (void) share;
    return false;
}
