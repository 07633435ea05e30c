/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A tolerant reader of other programs' TOML. Its owner judges the file; here a line that is not
 * understood is remembered and passed over. A key is a path: "plugins/io.containerd.cri.v1.images/
 * discard_unpacked_layers", whichever way it was written ([tables], dotted keys, inline tables). */
#include <stddef.h>

enum toml_scan_type { TOML_SCAN_TABLE, TOML_SCAN_TEXT, TOML_SCAN_STRINGS };

struct toml_scan_entry {
    char *path;
    enum toml_scan_type type;
    char *text;     /* a string's content; any other scalar as it stands */
    char **strings; /* of an array, NULL-terminated; its other members are left out */
};

struct toml_scan {
    struct toml_scan_entry *entries;
    size_t count;
    unsigned bad_line; /* the first that was not understood; 0: none */
};

/* Appends to what is there; in the caller's storage, zeroed at first. */
void toml_scan_read(struct toml_scan *scan, const char *text);
void toml_scan_fini(struct toml_scan *scan);
/* The last one with this path, or NULL. */
const struct toml_scan_entry *toml_scan_find(const struct toml_scan *scan, const char *path);
