/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Looking names up in a live share: each look-up waits for the tenant's node, so a thread does it.
 */
#include "share.h"

struct share_opening;

/* root outlives it. */
int share_opening_new(struct loop *loop, int root, const struct share_name *names, size_t count,
                      struct share_opening **ret, struct error *err)
    __attribute__((warn_unused_result));
/* It may free the opening. */
void share_opening_on_done(struct share_opening *opening, share_opened_fn *done, void *user);
/* Waits for the thread: after the share was aborted, or when it is done. */
void share_opening_free(struct share_opening *opening);
static inline void share_opening_freep(struct share_opening **p)
{
    if (*p)
        share_opening_free(*p);
}
