/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Keeps one connection of a class joined to the link's control: another is tried each second while
 * there is none, and before the one that is used is due for replacement or its control is left. */
#include "base/scoped.h"
#include "secure/channel.h"

struct error;
struct joiner;
struct link;
struct loop;

/* Takes an open channel, also on failure; it takes the place of the one before. */
typedef int joiner_adopt_fn(void *user, struct channel *channel, struct error *err);

struct joiner_options {
    struct loop *loop;
    struct link *link; /* outlives it */
    enum channel_class class;
    joiner_adopt_fn *adopt;
    void *user;
};

/* It begins at once. What was adopted is its taker's, who says when it is lost. */
int joiner_new(const struct joiner_options *options, struct joiner **ret,
               struct error *err) must_check;
void joiner_free(struct joiner *joiner);
SCOPED_PTR(struct joiner, joiner_free)
/* What was adopted has ended. */
void joiner_lost(struct joiner *joiner);
