/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The specification of a container of a sealed pod: the manifest's, with what came where the
 * manifest has holes. Nothing is compared in order to be let through: what is not in a hole is not
 * used, whatever it is. */

struct dropped;
struct error;
struct js;
struct manifest;
struct manifest_slot;
struct sealed_volumes;

struct sealed_composition {
    const struct manifest *manifest;
    const struct manifest_slot *slot;
    struct sealed_volumes *volumes; /* binds them */
    const struct js *came;          /* the spec of the request */
};

/* What came and differs from the result is named in dropped. */
int sealed_compose(const struct sealed_composition *composition, struct js **ret,
                   struct dropped *ret_dropped, struct error *err)
    __attribute__((warn_unused_result));
