/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The namespaces of a container's spec: paths of this node become names that the agent knows
 * (agent.proto, CreateRequest). */
#include "base/scoped.h"

struct error;
struct js;
struct spec_context;

enum namespaces_flags { NAMESPACES_PRIVILEGED = 1 };

/* Appends what each entry becomes to out. */
int namespaces_rewrite(const struct js *list, const struct spec_context *context, struct js *out,
                       struct error *err) must_check;
/* What containerd left out: the pod's for those that CRI calls NODE (the pod is alone on its
 * machine), a cgroup namespace unless privileged (a cgroup v1 node never asks for one). A missing
 * network namespace is hostNetwork: refused. */
int namespaces_complete(struct js *namespaces, enum namespaces_flags flags,
                        struct error *err) must_check;
