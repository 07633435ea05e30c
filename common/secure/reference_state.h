/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node has seen of reference values: the highest serial of each id, and the highest floor of
 * each pod's epoch. It only grows. One file, written whole under a lock and synced; one that is
 * damaged is an error, never a new start: that would take an old file again. */
#include <stdint.h>

#include "base/digest.h"

struct error;
struct js;
struct reference_values;

struct reference_state_file {
    const struct reference_values *values;
    uint8_t digest[SHA256_SIZE]; /* of its text: a serial stands for one content */
};

/* Below this directory, which is made. */
char *reference_state_path(const char *directory); /* the caller frees */
/* Takes in what the file says, or refuses it as older than one that was seen. The state after it is
 * the caller's. */
int reference_state_admit(const char *directory, const struct reference_state_file *file,
                          struct js **ret, struct error *err) __attribute__((warn_unused_result));
/* 0: none. */
uint64_t reference_state_epoch_min(const struct js *state, const char *pod_namespace,
                                   const char *pod_name);
