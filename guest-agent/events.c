/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <assert.h>

#include "base/scoped.h"
#include "base/text.h"

struct events_watcher {
    struct events *events;
    struct events_watcher *next;
    void (*fn)(void *user);
    void *user;
};

struct events {
    struct event *first; /* by serial */
    uint64_t serial;
    struct events_watcher *watchers;
};

void exit_record_copy(struct exit_record *to, const struct exit_record *from)
{
    *to = *from;
    to->container_id = xstrdup(from->container_id);
    to->exec_id = xstrdup(from->exec_id);
    to->message = from->message_length ? xmemdup(from->message, from->message_length) : NULL;
}

void exit_record_fini(struct exit_record *record)
{
    free((void *) (uintptr_t) record->container_id);
    free((void *) (uintptr_t) record->exec_id);
    free((void *) (uintptr_t) record->message);
    *record = (struct exit_record){0};
}

struct events *events_new(void)
{
    return xnew(struct events);
}

static void drop(struct event **link)
{
    struct event *event = *link;

    *link = event->next;
    exit_record_fini(&event->exit);
    free(event);
}

void events_free(struct events *events)
{
    if (!events)
        return;
    assert(!events->watchers);
    while (events->first)
        drop(&events->first);
    free(events);
}

static void add(struct events *events, enum event_kind kind, const struct exit_record *record)
{
    struct event *event = xnew(struct event);
    struct event **link = &events->first;
    struct events_watcher *next;

    event->serial = ++events->serial;
    event->kind = kind;
    exit_record_copy(&event->exit, record);
    while (*link)
        link = &(*link)->next;
    *link = event;
    for (struct events_watcher *watcher = events->watchers; watcher; watcher = next) {
        next = watcher->next;
        watcher->fn(watcher->user);
    }
}

void events_add_exit(struct events *events, const struct exit_record *record)
{
    add(events, EVENT_EXIT, record);
}

static bool is_oom_of(const struct event *event, const char *container_id)
{
    return event->kind == EVENT_OOM && text_equal(event->exit.container_id, container_id);
}

/* A container that is killed for memory again and again must not fill ours. */
static void limit_ooms(struct events *events, const char *container_id)
{
    size_t count = 0;

    for (const struct event *event = events->first; event; event = event->next)
        count += is_oom_of(event, container_id);
    for (struct event **link = &events->first; *link && count >= EVENTS_OOM_MAX;) {
        if (is_oom_of(*link, container_id)) {
            drop(link);
            count--;
        } else {
            link = &(*link)->next;
        }
    }
}

void events_add_oom(struct events *events, const char *container_id)
{
    struct exit_record record = {.container_id = container_id};

    limit_ooms(events, container_id);
    add(events, EVENT_OOM, &record);
}

const struct event *events_after(const struct events *events, uint64_t serial)
{
    const struct event *event = events->first;

    while (event && event->serial <= serial)
        event = event->next;
    return event;
}

static void drop_matching(struct events *events, const char *container_id, const char *exec_id,
                          unsigned kinds)
{
    struct event **link = &events->first;

    while (*link) {
        const struct event *event = *link;
        bool same = text_equal(event->exit.container_id, container_id) &&
                    (!exec_id || text_equal(event->exit.exec_id, exec_id));

        if (same && (kinds & BIT(event->kind)))
            drop(link);
        else
            link = &(*link)->next;
    }
}

void events_acknowledge(struct events *events, const char *container_id, const char *exec_id)
{
    drop_matching(events, container_id, exec_id, BIT(EVENT_EXIT));
}

void events_forget(struct events *events, const char *container_id, const char *exec_id)
{
    drop_matching(events, container_id, exec_id, BIT(EVENT_EXIT) | BIT(EVENT_OOM));
}

size_t events_unacknowledged(const struct events *events)
{
    size_t count = 0;

    for (const struct event *event = events->first; event; event = event->next)
        count += event->kind == EVENT_EXIT;
    return count;
}

struct events_watcher *events_watch(struct events *events, void (*fn)(void *user), void *user)
{
    struct events_watcher *watcher = xnew(struct events_watcher);

    watcher->events = events;
    watcher->fn = fn;
    watcher->user = user;
    watcher->next = events->watchers;
    events->watchers = watcher;
    return watcher;
}

void events_unwatch(struct events_watcher *watcher)
{
    struct events_watcher **link = &watcher->events->watchers;

    while (*link != watcher)
        link = &(*link)->next;
    *link = watcher->next;
    free(watcher);
}
