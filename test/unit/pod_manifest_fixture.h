/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The manifest of pod test/golden, and as an annotation. */
#include "base/error.h"
#include "base/scoped.h"
#include "sealed/package.h"
#include "suite.h"

#define SEALED_HEX "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"

static inline char *sealed_document(const char *uid, const char *debug)
{
    return xformat(
        "{\"containers\":[{\"config\":\"sha256:" SEALED_HEX
        "\",\"environment\":[],\"exec\":[],\"kind\":\"app\",\"layers\":[\"sha256:" SEALED_HEX
        "\"],\"mounts\":[{\"destination\":\"/data\",\"path\":\"\",\"read_only\":false,"
        "\"volume\":\"data\"},{\"destination\":\"/tmp\",\"path\":\"\",\"read_only\":false,"
        "\"volume\":\"tmp\"}],\"name\":\"one\",\"spec\":{\"ociVersion\":\"1.0.2\","
        "\"process\":{\"args\":[\"true\"]}},\"stdin\":false}],\"debug\":%s,\"pod\":{"
        "\"hostname\":\"golden\",\"name\":\"golden\",\"namespace\":\"test\","
        "\"sysctls\":{},\"uid\":\"%s\"},\"restart_policy\":\"Always\",\"salt\":\"" SEALED_HEX
        "\",\"service_environment\":false,\"version\":1,\"volumes\":{\"data\":{"
        "\"kind\":\"share\"},\"tmp\":{\"kind\":\"empty\",\"memory\":false,\"size\":0}}}",
        debug, uid);
}

static inline char *sealed_annotation(const char *uid, const char *debug)
{
    scoped(freep) char *document = sealed_document(uid, debug);
    struct error err;
    char *text = NULL;

    ck_assert_msg(package_make(document, strlen(document), &text, &err) == 0, "%s", err.message);
    return text;
}
