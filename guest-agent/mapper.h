/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The kernel's device mapper, asked without a library. */
#include <stddef.h>
#include <stdint.h>

struct error;

enum { MAPPER_PATH_SIZE = 32, MAPPER_STATUS_SIZE = 256 };

struct mapper_table { /* one target from end to end */
    const char *name; /* of the device */
    const char *target;
    uint64_t sectors; /* of 512 bytes */
    const char *parameters;
};

/* The device, which lives as long as the machine: "/dev/dm-0". */
int mapper_make(const struct mapper_table *table, char ret[MAPPER_PATH_SIZE], struct error *err)
    __attribute__((warn_unused_result));
/* The same device with another table. */
int mapper_change(const struct mapper_table *table, struct error *err)
    __attribute__((warn_unused_result));
/* What the target says of itself. */
int mapper_status(const char *name, char ret[MAPPER_STATUS_SIZE], struct error *err)
    __attribute__((warn_unused_result));
