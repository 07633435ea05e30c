/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* QEMU's models of AMD processors. */
#include <stdbool.h>
#include <stdint.h>

/* CPUID 1 EAX of a model of that name ("EPYC-Milan", with or without "-v2"); false: unknown. */
bool vcpu_type_signature(const char *name, uint32_t *ret);
/* The n-th name, NULL behind the last. */
const char *vcpu_type_name(unsigned n);
