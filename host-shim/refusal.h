/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Every call that containerd can make on a host shim, and whether it is served. What is refused
 * says where to ask instead. docs/host-calls.md is this table, and a test compares the two. */
#include <stddef.h>

enum refusal_service { REFUSAL_SANDBOX, REFUSAL_TASK };

struct refusal {
    enum refusal_service service;
    const char *method;
    const char *sentence; /* NULL: the call is served */
};

const struct refusal *refusal_table(size_t *ret_count);
const struct refusal *refusal_find(enum refusal_service service, const char *method);
