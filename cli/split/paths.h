/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Paths that say where they lead: no empty component, no ".", no "..", no slash at the end. */
#include <stdbool.h>

bool paths_is_absolute(const char *path); /* NULL is none */
bool paths_is_relative(const char *path);
