/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The OCI runtime specification in a bundle (config.json): reading, writing, finding things. The
 * helpers take NULL and objects of the wrong shape and find nothing in them. */
#include <stddef.h>

struct error;
struct js;

enum { SPEC_SIZE_MAX = 4 * 1024 * 1024 };

/* The root is an object and "ociVersion" is a string; nothing else is checked. */
int spec_parse(const char *text, size_t length, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
int spec_read(const char *bundle, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Atomic, 0600: the environment in it may hold secrets. */
int spec_write(const char *bundle, const struct js *spec, struct error *err)
    __attribute__((warn_unused_result));

const char *spec_annotation(const struct js *spec, const char *key);
/* process.args[0], or NULL. */
const char *spec_program(const struct js *spec);
/* The value behind "NAME=" in process.env; the last one counts. */
const char *spec_environment(const struct js *spec, const char *name);
/* The last mount on just this destination. */
struct js *spec_mount(const struct js *spec, const char *destination);
/* The member of linux.namespaces with this type. */
struct js *spec_namespace(const struct js *spec, const char *type);
/* An object of the root ("linux", "annotations"), made if it is missing. */
struct js *spec_section(struct js *spec, const char *name);
