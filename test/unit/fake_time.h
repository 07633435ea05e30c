/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The timers of io/loop, for what needs nothing else of a loop: time passes when a test says so. */
#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "io/loop.h"

struct source {
    struct source *next;
    uint64_t due_ms;
    loop_fn *fn;
    void *user;
};

static struct source *sources;
static uint64_t now_ms;

int loop_after(struct loop *loop, uint64_t delay_ms, loop_fn *fn, void *user, struct source **ret,
               struct error *err)
{
    struct source *source = xnew(struct source);

    source->fn = fn;
    source->user = user;
    source->next = sources;
    sources = source;
    source_rearm(source, delay_ms);
    *ret = source;
    return 0;
}

void source_rearm(struct source *source, uint64_t delay_ms)
{
    source->due_ms = delay_ms == LOOP_NEVER ? LOOP_NEVER : now_ms + delay_ms;
}

void source_free(struct source *source)
{
    struct source **p = &sources;

    if (!source)
        return;
    while (*p != source)
        p = &(*p)->next;
    *p = source->next;
    free(source);
}

static void pass(uint64_t ms)
{
    now_ms += ms;
    for (struct source *source = sources; source;) {
        bool due = source->due_ms <= now_ms;

        if (due) {
            source->due_ms = LOOP_NEVER;
            source->fn(source->user);
        }
        source = due ? sources : source->next;
    }
}
