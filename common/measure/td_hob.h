/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The list by which QEMU (machine q35) tells a trust domain its memory. The firmware measures it
 * first of all into RTMR0: the host chooses it, so another size of memory is another RTMR0. */
#include <stdint.h>

#include "base/digest.h"

struct error;
struct tdvf_metadata;

/* Of the list without its end, as the firmware measures it. */
int td_hob_digest(const struct tdvf_metadata *metadata, uint64_t memory, uint8_t ret[SHA384_SIZE],
                  struct error *err) __attribute__((warn_unused_result));
