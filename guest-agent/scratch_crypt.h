/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A disk of the host under authenticated encryption. */
#include "mapper.h"

struct error;

/* A device on which what was written is read, or an error: what the host has made of it meanwhile,
 * or what was never written. Its key is new, and nobody has it any more when this returns. */
int scratch_crypt_make(const char *device, char ret[MAPPER_PATH_SIZE], struct error *err)
    __attribute__((warn_unused_result));
