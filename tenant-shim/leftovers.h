/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Names in the guest that must go although nobody waits for it any more: a container whose creation
 * was given up, an exec whose start was cut off, a Delete that the guest refused or could not hear.
 * Each is killed and deleted, again and again, until the guest says that there is no such thing. */
#include <stdbool.h>
#include "base/scoped.h"

struct leftovers;
struct link;
struct loop;

struct leftovers *leftovers_new(struct loop *loop);
void leftovers_free(struct leftovers *leftovers);
SCOPED_PTR(struct leftovers, leftovers_free)

enum leftover_kind {
    LEFTOVER_THERE,
    LEFTOVER_ON_ITS_WAY, /* what makes it was sent and may arrive after our first question */
};

/* exec_id "": the container with all that belongs to it. Twice is no error. */
void leftovers_add(struct leftovers *leftovers, struct link *link, const char *container_id,
                   const char *exec_id, enum leftover_kind kind);
/* Then the name must not be used again yet. */
bool leftovers_has(const struct leftovers *leftovers, const char *container_id,
                   const char *exec_id);
/* The guest is no more, and the link goes. */
void leftovers_clear(struct leftovers *leftovers);
