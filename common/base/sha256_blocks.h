/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* SHA-256 by the processor's own instructions, where it has them: an order of magnitude faster than
 * any program, and every byte that a container writes is hashed twice. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BLOCK = 64 };

bool sha256_blocks_possible(void);
/* Takes count whole blocks into the state. Only where it is possible. */
void sha256_blocks(uint32_t state[8], const uint8_t *data, size_t count);
