/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A pod's manifest (docs/sealed-pods.md), made of the Pod and its images. */

struct error;
struct js;
struct layouts;

enum describe_flags { DESCRIBE_DEBUG = 1 };

struct describe {
    const struct js *pod; /* with the API server's defaults */
    const struct layouts *layouts;
    const struct js *seccomp; /* may be NULL */
    const char *salt;         /* 64 hexadecimal digits */
    enum describe_flags flags;
};

/* Not a Pod, without a name, ...: says what it is instead. Before defaults are put in. */
int describe_check(const struct js *pod, struct error *err) __attribute__((warn_unused_result));
int describe_pod(const struct describe *describe, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
