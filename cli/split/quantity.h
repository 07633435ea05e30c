/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Kubernetes' quantities: "500m", "1.5Gi", 2, "1e3". */
#include <stdint.h>

struct error;
struct js;

enum quantity_unit { QUANTITY_ONES, QUANTITY_MILLIS };

/* Rounded up, as Kubernetes does; not negative. NULL is 0. */
int quantity_read(const struct js *value, enum quantity_unit unit, int64_t *ret, struct error *err)
    __attribute__((warn_unused_result));
