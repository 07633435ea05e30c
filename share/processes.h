/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who does what: the server alone, or beside a keeper that started it. */
#include <stddef.h>

#include "export.h"

enum { PROCESSES_EXPORTS_MAX = 64 };

struct processes_options {
    int peer;
    int control; /* -1: no keeper */
    struct export exports[PROCESSES_EXPORTS_MAX];
    size_t count;
};

/* Until the peer or the control closes. Takes both. */
int processes_run(const struct processes_options *options, struct error *err);
/* All of it for which the kernel, or who confines this process, may not give leave: up to where a
 * server would serve. There is no way back. */
int processes_try(struct error *err);
