/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which containers of the manifest live, have lived and may come next: in their order, one at a
 * time of each, again only as the restart policy has it. What counts is the agent's own record of
 * each end. */

struct error;
struct manifest;
struct manifest_slot;
struct sealed_slots;

/* The manifest is borrowed, and every slot is one of its own. */
struct sealed_slots *sealed_slots_new(const struct manifest *manifest);
void sealed_slots_free(struct sealed_slots *slots);
static inline void sealed_slots_freep(struct sealed_slots **p)
{
    if (*p)
        sealed_slots_free(*p);
}
/* Whether its container may be created now. */
int sealed_slots_check(const struct sealed_slots *slots, const struct manifest_slot *slot,
                       struct error *err) __attribute__((warn_unused_result));
/* The same, and from here on it lives. */
int sealed_slots_take(struct sealed_slots *slots, const struct manifest_slot *slot,
                      struct error *err) __attribute__((warn_unused_result));
/* Its program may run: this attempt counts. */
void sealed_slots_started(struct sealed_slots *slots, const struct manifest_slot *slot);
/* Its program was sent a signal: how it ends from here on says nothing of its work. */
void sealed_slots_told(struct sealed_slots *slots, const struct manifest_slot *slot);
/* Its first process has ended; of one that was not started, nothing stays. */
void sealed_slots_ended(struct sealed_slots *slots, const struct manifest_slot *slot,
                        unsigned exit_status);
