/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is left to the server: a mount namespace in which there is nothing but the shares, and the
 * capabilities that a file server needs. Both hold for the calling process; neither can be undone.
 */
#include <stddef.h>

struct export;
struct error;

enum { CONFINE_EXPORTS_MAX = 64 };

/* Makes the tree: a read-only directory with one entry for each share. Afterwards it is the root.
 */
int confine_mounts(const struct export *exports, size_t count, struct error *err);
int confine_privileges(struct error *err);
