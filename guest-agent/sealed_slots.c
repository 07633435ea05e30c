/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed_slots.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/scoped.h"
#include "sealed/manifest.h"

enum { KINDS = MANIFEST_APP + 1, POLICIES = MANIFEST_ALWAYS + 1 };

enum life { NOBODY, CREATED, STARTED };

struct slot_state {
    enum life life;
    unsigned attempts; /* that were started */
    bool has_ended;    /* one of them; the last that has, with */
    unsigned exit_status;
    bool was_told; /* the attempt that is, or was: to end, it may be */
};

struct sealed_slots {
    const struct manifest *manifest;
    struct slot_state states[MANIFEST_SLOTS_MAX];
};

/* When one that has ended may come again. */
static const enum manifest_restart again[KINDS][POLICIES] = {
    [MANIFEST_INIT] = {[MANIFEST_NEVER] = MANIFEST_NEVER,
                       [MANIFEST_ON_FAILURE] = MANIFEST_ON_FAILURE,
                       [MANIFEST_ALWAYS] = MANIFEST_ON_FAILURE},
    [MANIFEST_SIDECAR] = {[MANIFEST_NEVER] = MANIFEST_ALWAYS,
                          [MANIFEST_ON_FAILURE] = MANIFEST_ALWAYS,
                          [MANIFEST_ALWAYS] = MANIFEST_ALWAYS},
    [MANIFEST_APP] = {[MANIFEST_NEVER] = MANIFEST_NEVER,
                      [MANIFEST_ON_FAILURE] = MANIFEST_ON_FAILURE,
                      [MANIFEST_ALWAYS] = MANIFEST_ALWAYS},
};

struct sealed_slots *sealed_slots_new(const struct manifest *manifest)
{
    struct sealed_slots *slots = xnew(struct sealed_slots);

    slots->manifest = manifest;
    return slots;
}

void sealed_slots_free(struct sealed_slots *slots)
{
    free(slots);
}

static size_t index_of(const struct sealed_slots *slots, const struct manifest_slot *slot)
{
    return (size_t) (slot - slots->manifest->slots);
}

/* Many a program ends with 0 when it is asked to end, and whoever may ask could so have its work
 * left undone. */
static bool has_done_its_work(const struct slot_state *state)
{
    return state->has_ended && state->exit_status == 0 && !state->was_told;
}

/* What stands before it: an init container has done its work, a sidecar has begun. */
static int check_order(const struct sealed_slots *slots, size_t index, struct error *err)
{
    const struct manifest_slot *list = slots->manifest->slots;

    for (size_t i = 0; i < index; i++) {
        const struct slot_state *state = &slots->states[i];

        if (list[i].kind == MANIFEST_INIT && !has_done_its_work(state))
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "container '%s' begins when the init container '%s' has ended with 0, "
                             "and not by a signal that was sent to it",
                             list[index].name, list[i].name);
        if (list[i].kind == MANIFEST_SIDECAR && state->attempts == 0)
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "container '%s' begins when the sidecar '%s' was started",
                             list[index].name, list[i].name);
    }
    return 0;
}

static int check_restart(const struct sealed_slots *slots, const struct manifest_slot *slot,
                         const struct slot_state *state, struct error *err)
{
    enum manifest_restart policy = slots->manifest->restart;
    enum manifest_restart may = again[slot->kind][policy];
    bool failed = slot->kind == MANIFEST_INIT ? !has_done_its_work(state) : state->exit_status != 0;

    if (!state->has_ended || may == MANIFEST_ALWAYS || (may == MANIFEST_ON_FAILURE && failed))
        return 0;
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "container '%s' (%s) has ended with %u, and does not come again: the "
                     "manifest's restart policy is %s",
                     slot->name, manifest_kind_name(slot->kind), state->exit_status,
                     manifest_restart_name(policy));
}

int sealed_slots_check(const struct sealed_slots *slots, const struct manifest_slot *slot,
                       struct error *err)
{
    size_t index = index_of(slots, slot);
    const struct slot_state *state = &slots->states[index];

    if (state->life != NOBODY)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "container '%s' of the manifest lives: there is one at a time",
                         slot->name);
    if (check_order(slots, index, err) < 0)
        return -1;
    return check_restart(slots, slot, state, err);
}

int sealed_slots_take(struct sealed_slots *slots, const struct manifest_slot *slot,
                      struct error *err)
{
    if (sealed_slots_check(slots, slot, err) < 0)
        return -1;
    slots->states[index_of(slots, slot)].life = CREATED;
    return 0;
}

void sealed_slots_started(struct sealed_slots *slots, const struct manifest_slot *slot)
{
    struct slot_state *state = &slots->states[index_of(slots, slot)];

    state->life = STARTED;
    state->attempts++;
    state->was_told = false;
}

void sealed_slots_told(struct sealed_slots *slots, const struct manifest_slot *slot)
{
    slots->states[index_of(slots, slot)].was_told = true;
}

void sealed_slots_ended(struct sealed_slots *slots, const struct manifest_slot *slot,
                        unsigned exit_status)
{
    struct slot_state *state = &slots->states[index_of(slots, slot)];

    if (state->life == STARTED) {
        state->has_ended = true;
        state->exit_status = exit_status;
    }
    state->life = NOBODY;
}
