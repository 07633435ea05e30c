/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Ending what earlier shims left behind. */
#include <stdint.h>

struct error;
struct machine_process;

/* For the verb `delete`: kills the machine of a sandbox and has a reaper remove everything of it,
 * which is waited for until end_ms (monotonic). Nothing to do is success. *ret_machine: whose end
 * it was, pid 0 if there was none. */
int sweep_sandbox(const char *id, uint64_t end_ms, struct machine_process *ret_machine,
                  struct error *err) __attribute__((warn_unused_result));
/* At the start of a shim: reapers for tombstones that lost theirs, state directories whose shim is
 * dead, old logs, and once a boot libvirt's own list. Cheap when there is nothing; never fails its
 * caller. */
void sweep_stale(void);
