/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The manifest of a sealed pod (docs/sealed-pods.md) on the tenant's node: read from the pod's
 * annotation cleave.dev/manifest, which is passed to nobody and logged nowhere. The guest enforces
 * it; what is checked here is checked for the sentence, which comes earlier and says more. */
#include "base/scoped.h"

struct error;
struct guest_spec;
struct js;
struct manifest;
struct manifest_slot;
struct pod_config;

/* Of the pod that config describes so far; by its name, namespace, uid and hostname it must be this
 * one. */
int pod_manifest_read(const char *annotation, const struct pod_config *config,
                      struct manifest **ret, struct error *err) must_check;
/* Which slot a container is, by the annotations that containerd or CRI-O gave it. NULL: none, which
 * debug allows; else that is an error. */
int pod_manifest_slot(const struct manifest *manifest, const struct js *annotations,
                      const struct manifest_slot **ret, struct error *err) must_check;
/* Live shares only where the slot has some. */
int pod_manifest_check_shares(const struct manifest_slot *slot, const struct guest_spec *spec,
                              struct error *err) must_check;
