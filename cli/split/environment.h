/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The variables that a container's specification names, as kubelet makes them; some are holes,
 * whose values the tenant's node gives. */
#include <stdbool.h>
#include <stddef.h>
#include "base/scoped.h"

struct error;
struct js;

enum { ENVIRONMENT_MAX = 4096 };

struct variable {
    char *name;
    char *value;     /* NULL: a hole */
    const char *raw; /* as the pod has it, for what kubelet expands without the rest; or NULL */
};

struct environment {
    struct variable *list;
    size_t count;
};

void environment_clear(struct environment *environment);
/* What the container's `env` says; holes where it names what nobody knows yet. `pod` gives the
 * fields of fieldRef. envFrom is refused. */
int environment_read(const struct js *pod, const struct js *container, struct environment *ret,
                     struct error *err) must_check;
const struct variable *environment_find(const struct environment *environment, const char *name);
/* $(NAME) and $$, as kubelet expands commands and values. A reference to a hole, or to what could
 * be a variable of a service, is refused: its value is not known. The caller frees. */
int environment_expand(const struct environment *environment, const char *text, char **ret,
                       struct error *err) must_check;
/* The same for a probe's command, which kubelet expands by the values as they are written. */
char *environment_expand_raw(const struct environment *environment, const char *text);
