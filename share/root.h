/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The directory that is served: read-only, with one entry for each share and nothing else. */
#include <stdbool.h>

struct error;

struct root {
    int places; /* the same directory by a mount that can be written to and is nowhere attached */
    int directory; /* O_PATH; -1 until it is entered */
};

/* Makes it, empty, in the mount namespace of the caller, which is its own. */
int root_make(struct root *ret, struct error *err);
void root_close(struct root *root);
/* Makes it the root of that namespace; all else that was mounted there is gone. */
int root_enter(struct root *root, struct error *err);
/* Attaches a tree (source.h): before it is entered, or afterwards. */
int root_attach(const struct root *root, int tree, const char *name, struct error *err);
/* Files of it that are held keep what they are. */
int root_detach(const struct root *root, const char *name, struct error *err);
