/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where two JSON documents differ. */
#include <stddef.h>

struct js;

/* a or b is NULL where the other one alone has something. */
typedef void difference_fn(void *user, const char *path, const struct js *a, const struct js *b);

/* Calls fn for each difference, in the order of a, then for what b has besides. path is
 * "spec.containers[0].image". Elements of lists are compared in their order; those that are objects
 * with a name, by name, and then the order, if only that differs. Answers how many there are. */
size_t difference_find(const struct js *a, const struct js *b, difference_fn *fn, void *user);

struct difference_side {
    const char *name; /* "A" */
    const struct js *value;
};

/* A line: "containers[web].stdin: A has false, B has true". Long values are cut. */
void difference_print(const char *path, const struct difference_side *a,
                      const struct difference_side *b);
