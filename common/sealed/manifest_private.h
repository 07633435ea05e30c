/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the manifest share. */
#include "base/json.h"
#include "sealed/manifest.h"

/* A member that has to be there, of this type. */
int manifest_need(const struct js *object, const char *key, enum js_type type, struct js **ret,
                  struct error *err) __attribute__((warn_unused_result));
int manifest_need_boolean(const struct js *object, const char *key, bool *ret, struct error *err)
    __attribute__((warn_unused_result));
/* One of the names: which. */
int manifest_need_one_of(const struct js *object, const char *key, const char *const *names,
                         size_t count, unsigned *ret, struct error *err)
    __attribute__((warn_unused_result));
/* Digits of lower case, just so many. */
bool manifest_is_hex(const char *text, size_t digits);

/* The volumes are read before. What was read is in the slot even when it fails. */
int manifest_read_slot(const struct manifest *manifest, const struct js *node,
                       struct manifest_slot *slot, struct error *err)
    __attribute__((warn_unused_result));
void manifest_clear_slot(struct manifest_slot *slot);

/* The parts of an OCI specification that the manifest has rules about. */
int manifest_check_spec(const struct js *spec, struct error *err)
    __attribute__((warn_unused_result));
/* "/a/b": not "/", and no component is "", "." or "..". */
bool manifest_is_destination(const char *path);
/* "a/b": relative, and likewise. */
bool manifest_is_plain(const char *path);
/* A member of process.env with this name. */
bool manifest_spec_sets(const struct js *spec, const char *variable);
