/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What may be executed in a container of a sealed pod: the commands that its manifest lists for
 * probes and hooks, as processes like the container's own. */

struct error;
struct js;
struct manifest_slot;

/* own: the container's process, composed. Of the one that came only the arguments are looked at:
 * they are one of the slot's lists, word by word, or it is PERMISSION_DENIED. */
int sealed_exec(const struct manifest_slot *slot, const struct js *own, const struct js *came,
                struct js **ret, struct error *err) __attribute__((warn_unused_result));
