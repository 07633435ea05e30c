/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node keeps of the vendors' certificates and lists: a directory with the file names of
 * `cleave evidence verify`. Whoever writes there is not believed; what is there is verified. */
#include "evidence/evidence.h"

struct error;

enum { ENDORSEMENTS_FILES = 8 };

struct endorsements {
    struct evidence_endorsements bytes; /* points to what follows; roots are not among it */
    char *data[ENDORSEMENTS_FILES];
};

/* A directory that is not there is empty. vcek.der goes before vlek.der; of Intel's collateral all
 * files are there or none. */
int endorsements_load(const char *directory, struct endorsements *ret, struct error *err)
    __attribute__((warn_unused_result));
void endorsements_fini(struct endorsements *endorsements);
/* The names, NULL-terminated: whoever wants to know whether one has changed. */
extern const char *const endorsements_names[];
