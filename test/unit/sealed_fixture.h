/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Manifests for tests, written loosely. */
#include <check.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "sealed/manifest.h"

#define FIXTURE_DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* What is not said of a pod. */
#define FIXTURE_HEAD                                                                               \
    "\"version\":1,\"salt\":"                                                                      \
    "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","                        \
    "\"pod\":{\"name\":\"one\",\"namespace\":\"ns\",\"uid\":\"\",\"hostname\":\"pod-one\","        \
    "\"sysctls\":{}}"

/* Any spelling: it is made canonical. */
static inline char *fixture_canonical(const char *loose)
{
    scoped(js_freep) struct js *json = NULL;
    struct error err;

    ck_assert_msg(js_parse(loose, strlen(loose), &json, &err) == 0, "%s: %s", err.message, loose);
    return js_print_canonical(json);
}

static inline struct manifest *fixture_manifest(const char *loose)
{
    scoped(freep) char *text = fixture_canonical(loose);
    struct manifest *manifest = NULL;
    struct error err;

    ck_assert_msg(manifest_parse(text, strlen(text), &manifest, &err) == 0, "%s: %s", err.message,
                  text);
    return manifest;
}
