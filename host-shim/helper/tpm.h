/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The TPM in software of a machine: a swtpm that libvirt starts, and its state on disk. libvirt
 * removes both with the domain; here is what holds when libvirt was cut down meanwhile. It is this
 * host's own program: what it says protects nobody from this host. */
#include <stdint.h>

struct error;

/* Kills the process, whatever it was doing, and those that were making its state. */
int tpm_kill(const char *uuid, struct error *err) __attribute__((warn_unused_result));
/* As above, then removes the state, which holds the TPM's seeds. Nothing there is fine. */
int tpm_remove(const char *uuid, struct error *err) __attribute__((warn_unused_result));
/* Removes what belongs to this node and to no sandbox, and adds to *count. */
int tpm_sweep(const char *node, int64_t *count, struct error *err)
    __attribute__((warn_unused_result));
