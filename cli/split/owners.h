/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which half of a split pod gets which field: one table (docs/spec-split.md repeats it), one row
 * for each field of a Pod. A field without a row is an error that names it, so that nothing of the
 * tenant's reaches the host, or gets lost, by accident. */
#include <stdbool.h>
#include <stddef.h>

struct error;
struct js;

#define OWNERS_KUBERNETES "1.34" /* whose fields the table has */
enum { OWNERS_VERSION = 1 };     /* of the table: rises when a row says something else */

enum owner {
    OWNER_HOST,    /* moves to the host half */
    OWNER_TENANT,  /* stays in the tenant half; the host half has nothing of it */
    OWNER_BOTH,    /* stays in the tenant half, and the host half has it or what follows from it */
    OWNER_NEITHER, /* what a cluster writes into its own objects: left out */
    OWNER_REFUSED, /* the pod is not split, unless it asks for nothing there */
    OWNER_LIKE,    /* what is beneath has the rows of what `reason` names, or rows of its own */
};

struct owner_row {
    const char *path; /* "spec.containers[].env[].name"; "*" is any key */
    enum owner owner;
    const char *reason; /* why; of LIKE: the other path */
};

const struct owner_row *owners_table(size_t *ret_count);
const char *owner_name(enum owner owner); /* "host" */
/* Of a REFUSED row: the value, as JSON, that asks for nothing besides false, 0, "", [] and {}.
 * NULL: there is none. */
const char *owner_harmless(const struct owner_row *row);
/* The row of a path as the table writes it, also of one that LIKE stands for. What is beneath a row
 * that is NEITHER or REFUSED belongs to it. NULL: no such field. */
const struct owner_row *owners_find(const char *path);

/* A value of a pod that has a row: a scalar, what is not looked into because its row says so, or an
 * empty object that means something (emptyDir). */
struct owner_leaf {
    const char *name; /* "spec.containers[0].env[1].name" */
    const struct owner_row *row;
    const struct js *value;
};

enum { LEAF_DROP, LEAF_KEEP }; /* or -1 and an error */
typedef int owner_leaf_fn(void *user, const struct owner_leaf *leaf, struct error *err);

/* Walks a pod in its own order. ret is a copy with the leaves that fn kept; objects and lists that
 * hold nothing then are not in it. Errors: a field without a row, a value that cannot stand there,
 * an element that is empty or of which nothing was kept while something of its neighbours was. */
int owners_project(const struct js *pod, owner_leaf_fn *fn, void *user, struct js **ret,
                   struct error *err) __attribute__((warn_unused_result));
/* Puts the leaves of these owners (BIT(OWNER_HOST) | ...) into an object, beside what is there. */
int owners_take(const struct js *pod, unsigned owners, struct js *to, struct error *err)
    __attribute__((warn_unused_result));
