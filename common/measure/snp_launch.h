/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* MEASUREMENT of an SEV-SNP report, foretold: the digest over each page that QEMU and KVM have the
 * hardware add before the guest runs, in their order (AMD's SEV-SNP firmware ABI, 8.17.2). The
 * firmware, the hashes of what it boots, the number and kind of processors and SEV_FEATURES are in
 * it; the policy, HOSTDATA and the size of the memory are not. */
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct error;
struct kernel_hashes;

enum { SNP_LAUNCH_VCPUS_MAX = 4096 };

struct snp_launch { /* borrowed */
    const uint8_t *firmware;
    size_t firmware_size;
    const struct kernel_hashes *kernel; /* NULL: kernel-hashes=off, nothing about the kernel */
    uint32_t vcpus;
    uint32_t vcpu_signature; /* vcpu_type.h */
    uint64_t features;       /* SEV_FEATURES, with VMSA_FEATURE_SNP */
};

int snp_launch_digest(const struct snp_launch *launch, uint8_t ret[SHA384_SIZE], struct error *err)
    __attribute__((warn_unused_result));
