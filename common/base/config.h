/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A configuration file against a table of keys: an unknown key, a wrong type or a value out of
 * range is an error that names the file and the line. */
#include <stddef.h>
#include <stdint.h>

struct error;

enum config_type {
    CONFIG_STRING,  /* char *, owned */
    CONFIG_INTEGER, /* int64_t, min..max */
    CONFIG_BOOLEAN, /* bool */
    CONFIG_STRINGS, /* char **, NULL-terminated, owned */
    CONFIG_SIZE,    /* uint64_t bytes from "512MiB" or an integer, min..max */
};

struct config_key {
    const char *table; /* "" for the top */
    const char *key;
    enum config_type type;
    size_t offset; /* of the field in the target */
    int64_t min, max;
    const char *initial; /* text of the default, as it would stand in the file; NULL: zero */
};

/* Fills target with the defaults, then with the file. A file that does not exist is an error with
 * STATUS_NOT_FOUND and leaves the defaults in place, so that a caller may go on. */
int config_load(const char *path, const struct config_key *keys, size_t count, void *target,
                struct error *err) __attribute__((warn_unused_result));
int config_parse(const char *name, const char *text, const struct config_key *keys, size_t count,
                 void *target, struct error *err) __attribute__((warn_unused_result));
/* Frees the owned fields and zeroes them. */
void config_clear(const struct config_key *keys, size_t count, void *target);
