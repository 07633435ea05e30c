/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What has to be looked up inside the container. */
#include <stdint.h>

struct plan;

/* The program's path. NULL: errno says why not, ENOENT if it is nowhere. */
char *lookup_program(const struct plan *plan);
/* Adds HOME to the environment if it is not there: the user's of /etc/passwd, else "/". */
void lookup_home(struct plan *plan);
