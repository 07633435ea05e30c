/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod's volumes as the manifest has them, by their names. */

struct error;
struct js;

int volumes_describe(const struct js *list, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
