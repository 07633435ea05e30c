/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* MRTD of a TDX quote, foretold: the digest over each page that QEMU and KVM have the TDX module
 * add before the domain runs, in their order. Only the firmware is in it: not the number of
 * processors, not the size of the memory, nothing that is booted. */
#include <stdint.h>

#include "base/digest.h"

struct ovmf_table;
struct tdvf_metadata;

void td_launch_digest(const struct ovmf_table *table, const struct tdvf_metadata *metadata,
                      uint8_t ret[SHA384_SIZE]);
