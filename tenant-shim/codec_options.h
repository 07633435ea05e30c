/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The options table of the runtime in containerd's configuration. */
#include <stddef.h>
#include <stdint.h>
#include "base/scoped.h"

struct error;

/* ConfigPath replaces *ret (freed); options of another type, or without it, leave it alone. */
int codec_options_conf_path(const char *type_url, const uint8_t *value, size_t length, char **ret,
                            struct error *err) must_check;
