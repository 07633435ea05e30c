/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the programs are that the shim starts. */
#include <stdbool.h>

/* Beside the shim itself, else in PATH; NULL: nowhere. The caller frees. */
char *program_find(const char *file);
char *program_in_path(const char *file);
bool program_is(const char *path);
