/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A Pod in two, and in one again. For each pod p that is not refused
 * halves_join(split of p) == halves_normalise(p). */

#include <stdbool.h>

struct error;
struct host_half_options;
struct js;
struct owner_leaf;

#define MANIFEST_ANNOTATION "cleave.dev/manifest"
#define TENANT_HALF_CLASS   "cleave" /* if it names none: deploy/runtimeclass.yaml */

/* Of a leaf that is refused: it is left out instead. */
bool halves_asks_nothing(const struct owner_leaf *leaf);
/* The pod with what splitting keeps of it: without null, what is empty, what a cluster writes, and
 * what is refused but asks for nothing; in a runtime class. An error: a field that is
 * refused or that nobody knows, something else than a Pod, or a half of one. */
int halves_normalise(const struct js *pod, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Of a normalised pod. */
int halves_split(const struct js *pod, const struct host_half_options *options,
                 struct js **ret_host, struct js **ret_tenant, struct error *err)
    __attribute__((warn_unused_result));
/* Takes the link and the manifest from a tenant half. */
void halves_strip(struct js *tenant);
/* The normalised pod. The halves must be of one pod: their links, and what the host half has of the
 * tenant's. The tenant half may have its manifest. */
int halves_join(const struct js *host, const struct js *tenant, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
