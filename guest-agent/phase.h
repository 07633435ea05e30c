/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How far the guest is. Only forwards. */
#include <stdbool.h>

struct error;

enum phase {
    PHASE_BOOTED,   /* nobody has appraised it */
    PHASE_ATTESTED, /* a tenant has */
    PHASE_OPEN,     /* configured: containers may come */
    PHASE_SEALED,   /* the same, and only those of the manifest */
    PHASE_DRAINING, /* containers are being ended, then the power goes off */
    PHASE_COUNT,
};

const char *phase_name(enum phase phase);
bool phase_may_run(enum phase phase); /* containers: OPEN or SEALED */
/* Refuses a step that the table does not have. */
int phase_advance(enum phase *phase, enum phase to, struct error *err)
    __attribute__((warn_unused_result));
