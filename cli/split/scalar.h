/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a plain scalar of YAML is to Kubernetes, whose readers (sigs.k8s.io/yaml) follow YAML 1.1:
 * `yes`, `on` and `n` are booleans, 0644 is octal. What two readers could take for two things is
 * refused; quotes make it a string. */
#include <stddef.h>

struct error;
struct js;

int scalar_resolve(const char *text, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
