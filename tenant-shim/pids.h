/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Process ids for tasks that have no process on this node. containerd names namespaces by
 * /proc/<pid> and needs distinct ids that resolve there: each is the thread id of a parked thread,
 * which lives as long as its task. */
#include <stdint.h>
#include "base/scoped.h"

struct error;
struct parked;

int parked_new(struct parked **ret, struct error *err) must_check;
uint32_t parked_pid(const struct parked *parked);
void parked_free(struct parked *parked); /* joins the thread */
SCOPED_PTR(struct parked, parked_free)
