/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Create of a sealed guest: whether it may be now, and the specification that takes the place of
 * the one that came. */
#include <stddef.h>

struct container_options;
struct error;
struct js;
struct pod;

/* Names what becomes of a request before there is anything of it. */
struct sealed_creation {
    const char *slot;                        /* its name in the manifest, or "" */
    const struct js *came;                   /* the spec */
    const struct container_options *options; /* the rest of what came */
};

/* The specification to use, as text, which the caller frees; NULL, where the one that came is to be
 * taken: the guest is open, or its manifest allows containers that are not in it. */
int sealed_create(struct pod *pod, const struct sealed_creation *creation, char **ret,
                  struct error *err) __attribute__((warn_unused_result));
