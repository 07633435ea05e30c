/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A container of a pod as a slot of the manifest: with the OCI specification that the tenant shim
 * would make of what kubelet and containerd 2.1 make of it, and without what nobody can know before
 * the pod is there (docs/sealed-pods.md, "Making one"). */

struct error;
struct js;
struct layout_image;
struct layouts;

struct compose {
    const struct js *pod;       /* with the API server's defaults */
    const struct js *container; /* of the pod */
    const char *kind;           /* "init", "sidecar", "app" */
    const struct layout_image *image;
    const struct layouts *layouts; /* where the image is from */
    const struct js *seccomp;      /* LinuxSeccomp for RuntimeDefault and Localhost; may be NULL */
    const struct js *volumes;      /* the manifest's */
};

int compose_slot(const struct compose *compose, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
/* The pod's, as kubelet shortens it; the caller frees. */
char *compose_hostname(const struct js *pod);
