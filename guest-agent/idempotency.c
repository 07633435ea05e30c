/* SPDX-License-Identifier: Apache-2.0 */
#include "idempotency.h"

#include <assert.h>
#include <stdbool.h>

#include "base/scoped.h"
#include "base/text.h"

struct idempotency_waiter {
    struct idempotency_entry *entry;
    struct idempotency_waiter *next;
    idempotency_fn *fn;
    void *user;
};

struct idempotency_entry {
    struct idempotency *table;
    struct idempotency_entry *next; /* younger */
    char *key;
    char *scope;
    uint8_t fingerprint[32];
    bool done;
    struct idempotency_answer answer; /* owns its text and bytes */
    struct idempotency_waiter *waiters;
};

struct idempotency {
    struct idempotency_entry *oldest;
    struct idempotency_entry **youngest; /* where the next one goes */
    size_t count;
};

struct idempotency *idempotency_new(void)
{
    struct idempotency *table = xnew(struct idempotency);

    table->youngest = &table->oldest;
    return table;
}

static void entry_free(struct idempotency_entry *entry)
{
    while (entry->waiters)
        idempotency_unwait(entry->waiters);
    free(entry->key);
    free(entry->scope);
    free((void *) (uintptr_t) entry->answer.message);
    free((void *) (uintptr_t) entry->answer.reply);
    free(entry);
}

/* Unlinks what *link points to. */
static void drop(struct idempotency *table, struct idempotency_entry **link)
{
    struct idempotency_entry *entry = *link;

    *link = entry->next;
    if (table->youngest == &entry->next)
        table->youngest = link;
    table->count--;
    entry_free(entry);
}

void idempotency_free(struct idempotency *table)
{
    if (!table)
        return;
    while (table->oldest)
        drop(table, &table->oldest);
    free(table);
}

static struct idempotency_entry *find(struct idempotency *table, const char *key)
{
    for (struct idempotency_entry *entry = table->oldest; entry; entry = entry->next) {
        if (text_equal(entry->key, key))
            return entry;
    }
    return NULL;
}

static bool make_room(struct idempotency *table)
{
    if (table->count < IDEMPOTENCY_ENTRIES_MAX)
        return true;
    for (struct idempotency_entry **link = &table->oldest; *link; link = &(*link)->next) {
        if ((*link)->done) {
            drop(table, link);
            return true;
        }
    }
    return false;
}

static void limit_deletions(struct idempotency *table)
{
    struct idempotency_entry **oldest = NULL;
    size_t count = 0;

    for (struct idempotency_entry **link = &table->oldest; *link; link = &(*link)->next) {
        if (!(*link)->done || !text_equal((*link)->scope, IDEMPOTENCY_DELETIONS))
            continue;
        oldest = oldest ? oldest : link;
        count++;
    }
    if (count >= IDEMPOTENCY_DELETIONS_MAX)
        drop(table, oldest);
}

int idempotency_begin(struct idempotency *table, const struct idempotency_request *request,
                      enum idempotency_verdict *ret_verdict, struct idempotency_entry **ret,
                      struct error *err)
{
    struct idempotency_entry *entry;
    size_t length = strlen(request->key);

    if (length < 1 || length > IDEMPOTENCY_KEY_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "an idempotency key has 1 to %d bytes, not %zu", IDEMPOTENCY_KEY_MAX,
                         length);
    entry = find(table, request->key);
    if (entry && memcmp(entry->fingerprint, request->fingerprint, 32) != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the idempotency key '%s' stood for another call", request->key);
    if (entry) {
        *ret_verdict = entry->done ? IDEMPOTENCY_DONE : IDEMPOTENCY_PENDING;
        *ret = entry;
        return 0;
    }
    if (text_equal(request->scope, IDEMPOTENCY_DELETIONS))
        limit_deletions(table);
    if (!make_room(table))
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%d calls are in progress",
                         IDEMPOTENCY_ENTRIES_MAX);
    entry = xnew(struct idempotency_entry);
    entry->table = table;
    entry->key = xstrdup(request->key);
    entry->scope = xstrdup(request->scope);
    memcpy(entry->fingerprint, request->fingerprint, 32);
    *table->youngest = entry;
    table->youngest = &entry->next;
    table->count++;
    *ret_verdict = IDEMPOTENCY_NEW;
    *ret = entry;
    return 0;
}

struct idempotency_waiter *idempotency_wait(struct idempotency_entry *entry, idempotency_fn *fn,
                                            void *user)
{
    struct idempotency_waiter *waiter;

    if (entry->done) {
        fn(user, &entry->answer);
        return NULL;
    }
    waiter = xnew(struct idempotency_waiter);
    waiter->entry = entry;
    waiter->fn = fn;
    waiter->user = user;
    waiter->next = entry->waiters;
    entry->waiters = waiter;
    return waiter;
}

void idempotency_unwait(struct idempotency_waiter *waiter)
{
    struct idempotency_waiter **link = &waiter->entry->waiters;

    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    free(waiter);
}

void idempotency_finish(struct idempotency_entry *entry, const struct idempotency_answer *answer)
{
    assert(!entry->done);
    entry->done = true;
    entry->answer.status = answer->status;
    entry->answer.message = xstrdup(answer->message ? answer->message : "");
    entry->answer.reply = answer->length ? xmemdup(answer->reply, answer->length) : NULL;
    entry->answer.length = answer->length;
    while (entry->waiters) {
        struct idempotency_waiter *waiter = entry->waiters;
        idempotency_fn *fn = waiter->fn;
        void *user = waiter->user;

        entry->waiters = waiter->next;
        free(waiter);
        fn(user, &entry->answer);
    }
}

static bool is_within(const char *inner, const char *scope)
{
    size_t length = strlen(scope);

    return text_starts(inner, scope) && (inner[length] == '\0' || inner[length] == '/');
}

void idempotency_forget(struct idempotency *table, const char *scope)
{
    struct idempotency_entry **link = &table->oldest;

    while (*link) {
        if ((*link)->done && is_within((*link)->scope, scope))
            drop(table, link);
        else
            link = &(*link)->next;
    }
}
