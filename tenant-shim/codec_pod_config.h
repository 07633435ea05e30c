/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod's configuration out of CRI's PodSandboxConfig (Sandbox API mode). Nothing of the pod is
 * on this node then but what the message says. */
#include "base/scoped.h"

struct ProtobufCBinaryData;
struct error;
struct pod_config;
struct tenant_conf;

/* Refused by name: hostNetwork, user namespaces. */
int codec_pod_config(const struct ProtobufCBinaryData *message, const struct tenant_conf *conf,
                     struct pod_config **ret, struct error *err) must_check;
