/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A bundle directory of containerd, CRI-O or the sandbox controller. */
#include <stdbool.h>

struct error;
struct js;

enum bundle_role { BUNDLE_ALONE, BUNDLE_SANDBOX, BUNDLE_CONTAINER };

struct bundle {
    char *path;
    struct js *spec; /* config.json; NULL if there is none (a sandbox bundle made by CRI) */
    enum bundle_role role;
    char *sandbox_id; /* whose pod this is; NULL for BUNDLE_ALONE */
};

enum { BUNDLE_SPEC_MAX = 4 * 1024 * 1024 };

/* An absent config.json is no error; an unreadable or malformed one is. */
int bundle_open(const char *path, struct bundle **ret, struct error *err)
    __attribute__((warn_unused_result));
void bundle_free(struct bundle *bundle);
static inline void bundle_freep(struct bundle **p)
{
    if (*p)
        bundle_free(*p);
}
const char *bundle_annotation(const struct bundle *bundle, const char *key); /* borrowed or NULL */
/* The key under which containers of a pod share one shim: id itself if the bundle names no group.
 */
const char *bundle_group(const struct bundle *bundle, const char *id);
/* The socket that `start` wrote down for this bundle; NULL if it wrote none. The caller frees. */
char *bundle_socket(const char *path);
/* Is this path inside the sandbox controller's state? Then it speaks version 3. */
bool bundle_is_sandbox_controller(const char *path);
