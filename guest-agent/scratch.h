/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The scratch disk: layers, writable roots and empty volumes are on it if the host has given one.
 * The host can read and write its blocks, so they are encrypted with a key that is made here at
 * each boot, is nowhere but in the kernel afterwards, and ends with the machine.
 *
 * It is made ready by a process of its own while the guest goes on booting: nobody waits for it
 * before a tenant has come. */

struct error;
struct loop;
struct scratch;

#define SCRATCH_DIRECTORY "/run/cleave-scratch" /* where it is mounted */

/* Forks: before there are threads. device: of the host's disk. */
int scratch_begin(const char *device, struct scratch **ret, struct error *err)
    __attribute__((warn_unused_result));
void scratch_free(struct scratch *scratch);
static inline void scratch_freep(struct scratch **p)
{
    if (*p)
        scratch_free(*p);
}

/* err NULL: the disk is there. Runs once, on the loop; at once if that is known already. */
typedef void scratch_fn(void *user, const struct error *err);
int scratch_wait(struct scratch *scratch, struct loop *loop, scratch_fn *fn, void *user,
                 struct error *err) __attribute__((warn_unused_result));
