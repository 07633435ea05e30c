/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Manifests for tests: a small one that is valid, as a tree that a test changes and then prints. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "sealed/manifest.h"

#define FIXTURE_SALT   "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
#define FIXTURE_CONFIG "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define FIXTURE_LAYER  "sha256:1111111111111111111111111111111111111111111111111111111111111111"

/* One slot; it runs "/bin/NAME", may be asked "/bin/probe -v", and `DB_HOST` is its hole. */
static inline struct js *fixture_container(const char *name, const char *kind)
{
    char text[2048];
    struct js *container;
    struct error err;
    int length = snprintf(
        text, sizeof(text),
        "{\"config\":\"" FIXTURE_CONFIG "\",\"environment\":[\"DB_HOST\"],"
        "\"exec\":[[\"/bin/probe\",\"-v\"]],\"kind\":\"%s\",\"layers\":[\"" FIXTURE_LAYER "\"],"
        "\"mounts\":[],\"name\":\"%s\",\"spec\":{\"linux\":{},\"mounts\":[{\"destination\":\"/"
        "proc\","
        "\"source\":\"proc\",\"type\":\"proc\"},{\"destination\":\"/etc/"
        "hosts\",\"options\":[\"rbind\","
        "\"rw\"],\"source\":\"cleave:hosts\",\"type\":\"bind\"}],\"ociVersion\":\"1.0.2\","
        "\"process\":{\"args\":[\"/bin/%s\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],"
        "\"user\":{\"gid\":0,\"uid\":0}},\"root\":{\"path\":\"rootfs\",\"readonly\":false}},"
        "\"stdin\":false}",
        kind, name, name);

    ck_assert_int_lt(length, (int) sizeof(text));
    ck_assert_msg(js_parse(text, (size_t) length, &container, &err) == 0, "%s", err.message);
    return container;
}

/* Volumes "scratch" (empty), "settings" (copied) and "data" (share); "containers" is empty. */
static inline struct js *fixture_pod(void)
{
    static const char text[] =
        "{\"containers\":[],\"debug\":false,\"pod\":{\"hostname\":\"web-0\",\"name\":\"web-0\","
        "\"namespace\":\"shop\",\"sysctls\":{\"net.ipv4.ip_forward\":\"0\"},"
        "\"uid\":\"3f6c1f0e-9a55-4b5f-a1f5-2f1f27b0f6d4\"},\"restart_policy\":\"Never\","
        "\"salt\":\"" FIXTURE_SALT "\",\"service_environment\":false,\"version\":1,"
        "\"volumes\":{\"data\":{\"kind\":\"share\"},\"scratch\":{\"kind\":\"empty\","
        "\"memory\":false,\"size\":1048576},\"settings\":{\"kind\":\"copied\"}}}";
    struct js *pod;
    struct error err;

    ck_assert_msg(js_parse(text, strlen(text), &pod, &err) == 0, "%s", err.message);
    return pod;
}

/* The container moves into the pod. */
static inline void fixture_add(struct js *pod, struct js *container)
{
    js_append(js_get(pod, "containers"), container);
}

static inline void fixture_add_mount(struct js *container, const char *destination,
                                     const char *volume, const char *path)
{
    struct js *mount = js_new_object();

    js_set_string(mount, "destination", destination);
    js_set_string(mount, "volume", volume);
    js_set_string(mount, "path", path);
    js_set(mount, "read_only", js_new_boolean(false));
    js_append(js_get(container, "mounts"), mount);
}

/* "setup" (init), "proxy" (sidecar) and "web" (app), which has /scratch, /etc/web and /data. */
static inline struct js *fixture_manifest(void)
{
    struct js *pod = fixture_pod(), *web = fixture_container("web", "app");

    fixture_add_mount(web, "/scratch", "scratch", "");
    fixture_add_mount(web, "/etc/web", "settings", "web/conf");
    fixture_add_mount(web, "/data", "data", "");
    fixture_add(pod, fixture_container("setup", "init"));
    fixture_add(pod, fixture_container("proxy", "sidecar"));
    fixture_add(pod, web);
    return pod;
}

static inline struct manifest *fixture_parse(const struct js *pod)
{
    scoped(freep) char *text = js_print_canonical(pod);
    struct manifest *manifest = NULL;
    struct error err;

    ck_assert_msg(manifest_parse(text, strlen(text), &manifest, &err) == 0, "%s", err.message);
    return manifest;
}
