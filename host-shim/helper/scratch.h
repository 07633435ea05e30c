/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The sparse file behind a guest's scratch disk. It has a name only until QEMU has opened it: then
 * its blocks are QEMU's alone and go with it. What a helper that was killed in between leaves
 * behind is removed with its sandbox, or by the sweep. */

struct error;
struct host_conf;
struct request;

enum { SCRATCH_PATH_SIZE = 512 };

/* Empty, of the size that host.conf says, and nobody else's. One of an earlier attempt is replaced.
 */
int scratch_make(const struct host_conf *conf, const struct request *request,
                 char ret[SCRATCH_PATH_SIZE], struct error *err)
    __attribute__((warn_unused_result));
/* An absent file is fine. */
int scratch_remove(const struct host_conf *conf, const struct request *request, struct error *err)
    __attribute__((warn_unused_result));
/* Removes what belongs to no sandbox. */
int scratch_sweep(const struct host_conf *conf, struct error *err)
    __attribute__((warn_unused_result));
