/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Names of what came to a sealed guest and was not used, for one line of its log. Values are never
 * among them: the log is no place for what a pod is given. */
#include <stddef.h>

enum { DROPPED_TEXT_MAX = 512 };

struct dropped { /* all zero: nothing yet */
    size_t count;
    size_t unnamed; /* those for which there was no room */
    size_t length;
    char text[DROPPED_TEXT_MAX]; /* "variable FOO, mount /bar" */
};

/* What a peer called it is made harmless for a line of a log. */
void dropped_add(struct dropped *dropped, const char *what, const char *name);
/* One line, or none: "sealed: <of whom>: what came differs from the manifest and was dropped: ...".
 */
void dropped_log(const struct dropped *dropped, const char *whose);
