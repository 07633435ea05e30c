/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What RuntimeDefault and Localhost mean: a LinuxSeccomp object of the OCI specification, in a file
 * of its own, because it is the tenant's node that has them. */

struct error;
struct js;

/* Without a path there is none: NULL. */
int seccomp_profile_read(const char *path, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
