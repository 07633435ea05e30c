/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The tenant's part of the lease, by hand. */
#include "bed.h"

/* As if the tenant's clock were so much further on than it is: the guest's stood still. */
enum status lease_renew(struct bed *bed, uint64_t seq, uint64_t ahead_ms, uint32_t ttl_ms,
                        Agent__RenewResponse **ret);
void lease_must_renew(struct bed *bed, uint64_t seq, uint64_t ahead_ms, uint32_t ttl_ms,
                      bool frozen);
/* The evidence of this number is found good. */
void lease_appraise(struct bed *bed, uint32_t number);
