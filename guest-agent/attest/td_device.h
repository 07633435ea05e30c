/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the TDX module says to this trust domain itself: a TDREPORT. Unlike a quote it does not come
 * by way of the host. */
#include <stddef.h>

struct error;

/* -1 unless MRCONFIGID is the digest of these bytes. */
int td_device_check_initdata(const char *device, const void *initdata, size_t length,
                             struct error *err) __attribute__((warn_unused_result));
