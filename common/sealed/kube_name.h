/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Names by the rules of Kubernetes. */
#include <stdbool.h>

/* Of a container, a volume, a namespace: lower case, digits and '-' between them, at most 63. */
bool kube_name_is_label(const char *text);
/* Of a pod: labels with '.' between them, at most 253 characters. */
bool kube_name_is_subdomain(const char *text);
/* Of an environment variable: letters, digits, "-._", no digit first. */
bool kube_name_is_variable(const char *text);
/* Of a variable that kubelet makes for each port of a service: REDIS_SERVICE_HOST,
 * REDIS_SERVICE_PORT, REDIS_SERVICE_PORT_DATA, REDIS_PORT, REDIS_PORT_6379_TCP and, behind that,
 * _PROTO, _PORT, _ADDR. */
bool kube_name_is_service_variable(const char *text);
/* Of what may stand in one: an address, a port, a protocol, or tcp://address:port. Nothing that a
 * shell or a list of options would take for more. */
bool kube_name_is_service_value(const char *text);
