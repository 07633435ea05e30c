/* SPDX-License-Identifier: Apache-2.0 */
/* The agent of the releases before live shares: it does not know the call, and says what it says
 * about any that it does not know. */
#include <stdlib.h>

#include "base/error.h"
#include "secure/channel.h"
#include "share.h"

int share_new(struct loop *loop, const struct share_options *options, struct share **ret,
              struct error *err)
{
    (void) loop;
    (void) options;
    (void) ret;
    return error_set(err, STATUS_UNIMPLEMENTED,
                     "there is no method '/agent.Control/OpenShare' on a control connection");
}

void share_free(struct share *share)
{
    (void) share;
}

int share_carry(struct share *share, struct channel *channel, struct error *err)
{
    (void) share;
    channel_free(channel);
    return error_set(err, STATUS_UNIMPLEMENTED, "there is no share");
}

void share_end_waiting(struct share *share)
{
    (void) share;
}

int share_check(const struct share *share, struct error *err)
{
    (void) share;
    return error_set(err, STATUS_UNIMPLEMENTED, "there is no share");
}

int share_open(struct share *share, const struct share_wish *wish, share_opened_fn *done,
               void *user, struct error *err)
{
    (void) share;
    (void) wish;
    (void) done;
    free(user);
    return error_set(err, STATUS_UNIMPLEMENTED, "there is no share");
}

bool share_withdraw(struct share *share, const char *container)
{
    (void) share;
    (void) container;
    return false;
}
