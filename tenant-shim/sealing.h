/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The manifest on its way into the guest, part by part, before anything else is asked of it. Where
 * a connection breaks the link sends the part that was under way again. */
#include "base/scoped.h"

struct error;
struct link;
struct manifest;
struct sealing;

/* Once: the guest has taken the whole, or err. Never from inside; may free. */
typedef void sealing_done_fn(void *user, const struct error *err);

/* Sends at once. The manifest is borrowed and outlives it. */
struct sealing *sealing_new(struct link *link, const struct manifest *manifest,
                            sealing_done_fn *done, void *user);
/* done does not run any more. */
void sealing_free(struct sealing *sealing);
SCOPED_PTR(struct sealing, sealing_free)
