/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Remembered answers: a call that comes again under the same key, because its answer was lost with
 * a connection, does nothing twice. Who asked is a waiter; the work itself belongs to the entry. */
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct idempotency;
struct idempotency_entry;
struct idempotency_waiter;

enum {
    IDEMPOTENCY_ENTRIES_MAX = 4096,
    IDEMPOTENCY_KEY_MAX = 64,
    IDEMPOTENCY_DELETIONS_MAX = 256,
};

/* The scope of deletions, which outlive their object: whoever lost the answer to one asks again.
 * The oldest of more than IDEMPOTENCY_DELETIONS_MAX are forgotten. */
#define IDEMPOTENCY_DELETIONS "/"

struct idempotency_request {
    const char *key;         /* 1..64 bytes */
    const char *scope;       /* the object with which it is forgotten: "container" or
                              * "container/exec"; "": none */
    uint8_t fingerprint[32]; /* of method and contents */
};

struct idempotency_answer {
    enum status status;
    const char *message;
    const void *reply;
    size_t length;
};

enum idempotency_verdict {
    IDEMPOTENCY_NEW,     /* do it, then idempotency_finish() */
    IDEMPOTENCY_PENDING, /* it is being done */
    IDEMPOTENCY_DONE,
};

struct idempotency *idempotency_new(void);
void idempotency_free(struct idempotency *table);
/* Fails for a bad key (INVALID_ARGUMENT), for a key that stood for something else
 * (INVALID_ARGUMENT) and when all entries are pending (RESOURCE_EXHAUSTED). */
int idempotency_begin(struct idempotency *table, const struct idempotency_request *request,
                      enum idempotency_verdict *ret_verdict, struct idempotency_entry **ret,
                      struct error *err) __attribute__((warn_unused_result));

typedef void idempotency_fn(void *user, const struct idempotency_answer *answer);
/* Called at once if it is done; then there is no waiter and NULL is returned. */
struct idempotency_waiter *idempotency_wait(struct idempotency_entry *entry, idempotency_fn *fn,
                                            void *user);
void idempotency_unwait(struct idempotency_waiter *waiter);
void idempotency_finish(struct idempotency_entry *entry, const struct idempotency_answer *answer);
/* The object is gone: its finished entries are forgotten, and those of what belonged to it. */
void idempotency_forget(struct idempotency *table, const char *scope);
