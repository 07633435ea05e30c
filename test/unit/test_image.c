/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "oci/image.h"

#define D1     "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2     "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3     "sha256:3333333333333333333333333333333333333333333333333333333333333333"
#define OCI    "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."
#define DESCRIPTOR(type, digest, size)                                                             \
    "\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":" size
#define PLATFORM(os, arch) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}"
#define OCI_MANIFEST(layers)                                                                       \
    "{\"schemaVersion\":2,\"config\":{" DESCRIPTOR(OCI "config.v1+json", D1,                       \
                                                   "100") "},"                                     \
                                                          "\"layers\":[" layers "]}"

static struct error err;

START_TEST(the_platform_is_picked_from_an_index)
{
    static const char oci[] =
        "{\"schemaVersion\":2,\"mediaType\":\"" OCI "index.v1+json\",\"manifests\":["
        "{" DESCRIPTOR(OCI "manifest.v1+json", D1, "1")
            PLATFORM("linux", "arm64") "},"
                                       "{" DESCRIPTOR(OCI "manifest.v1+json", D3, "3")
                                           PLATFORM("unknown",
                                                    "unknown") "},"
                                                               "{" DESCRIPTOR(
                                                                   OCI "manifest.v1+json", D2, "2")
                                                                   PLATFORM("linux", "amd64") "}]}";
    static const char docker[] = "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER
                                 "distribution.manifest.list.v2+json\","
                                 "\"manifests\":[{" DESCRIPTOR(
                                     DOCKER "distribution.manifest.v2+json", D3, "7")
                                     PLATFORM("linux", "amd64") "}]}";
    static const char other[] = "{\"schemaVersion\":2,\"manifests\":[{" DESCRIPTOR(
        OCI "manifest.v1+json", D1, "1") PLATFORM("windows", "amd64") "}]}";
    static const char unsaid[] = "{\"schemaVersion\":2,\"manifests\":["
                                 "{" DESCRIPTOR(OCI "manifest.v1+json", D1, "1")
                                     PLATFORM("windows", "amd64") "},"
                                                                  "{" DESCRIPTOR(OCI
                                                                                 "manifest.v1+json",
                                                                                 D2, "2") "}]}";
    struct image_descriptor picked;
    enum image_kind kind;

    ck_assert_int_eq(image_kind(oci, strlen(oci), &kind, &err), 0);
    ck_assert_int_eq(kind, IMAGE_INDEX);
    ck_assert_int_eq(image_pick_platform(oci, strlen(oci), &picked, &err), 0);
    ck_assert_str_eq(picked.digest, D2);
    ck_assert_uint_eq(picked.size, 2);
    ck_assert_int_eq(image_pick_platform(docker, strlen(docker), &picked, &err), 0);
    ck_assert_str_eq(picked.digest, D3);
    ck_assert_int_eq(image_pick_platform(other, strlen(other), &picked, &err), -1);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(image_pick_platform(unsaid, strlen(unsaid), &picked, &err), 0);
    ck_assert_str_eq(picked.digest, D2);
}
END_TEST

START_TEST(the_unpacked_size_is_guessed_where_it_is_plausible)
{
    struct image_layer plain = {.blob.size = 10240, .compression = IMAGE_PLAIN};
    struct image_layer gzip = {.blob.size = 1000, .compression = IMAGE_GZIP};
    struct image_layer zstd = {.blob.size = 1000, .compression = IMAGE_ZSTD};
    static const uint8_t size[4] = {0x00, 0x28, 0, 0}, wrapped[4] = {0x10}, wild[4] = {0, 0, 0, 1};

    ck_assert_uint_eq(image_unpacked_size(&plain, size), 10240);
    ck_assert_uint_eq(image_unpacked_size(&gzip, size), 0x2800);
    ck_assert_uint_eq(image_unpacked_size(&gzip, wrapped), 0);
    ck_assert_uint_eq(image_unpacked_size(&gzip, wild), 0);
    ck_assert_uint_eq(image_unpacked_size(&zstd, size), 0);
}
END_TEST

START_TEST(a_manifest_gives_config_and_layers)
{
    static const char text[] = OCI_MANIFEST("{" DESCRIPTOR(
        OCI "layer.v1.tar+gzip", D2,
        "20") "},"
              "{" DESCRIPTOR(OCI "layer.v1.tar", D3,
                             "0") ",\"annotations\":{\"x\":\"y\"}},"
                                  "{" DESCRIPTOR(DOCKER "image.rootfs.diff.tar.gzip", D1,
                                                 "9") "},"
                                                      "{" DESCRIPTOR(OCI "layer.v1.tar+zstd", D1,
                                                                     "8") "}");
    scoped(image_clear_manifest) struct image_manifest manifest = {0};
    enum image_kind kind;

    ck_assert_int_eq(image_kind(text, strlen(text), &kind, &err), 0);
    ck_assert_int_eq(kind, IMAGE_MANIFEST);
    ck_assert_int_eq(image_parse_manifest(text, strlen(text), &manifest, &err), 0);
    ck_assert_str_eq(manifest.config.digest, D1);
    ck_assert_uint_eq(manifest.config.size, 100);
    ck_assert_uint_eq(manifest.layer_count, 4);
    ck_assert_str_eq(manifest.layers[0].blob.digest, D2);
    ck_assert_int_eq(manifest.layers[0].compression, IMAGE_GZIP);
    ck_assert_int_eq(manifest.layers[1].compression, IMAGE_PLAIN);
    ck_assert_int_eq(manifest.layers[2].compression, IMAGE_GZIP);
    ck_assert_int_eq(manifest.layers[3].compression, IMAGE_ZSTD);
}
END_TEST

START_TEST(what_is_not_understood_is_refused)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"schemaVersion\":1,\"layers\":[]}",
        "{\"schemaVersion\":2,\"layers\":[]}",
        "{\"schemaVersion\":2,\"layers\":[],\"manifests\":[]}",
        "{\"schemaVersion\":2,\"mediaType\":\"" OCI "index.v1+json\",\"layers\":[]}",
        OCI_MANIFEST("{}"),
        OCI_MANIFEST("7"),
        OCI_MANIFEST("{" DESCRIPTOR(OCI "layer.v1.tar+gzip", "sha256:12", "20") "}"),
        OCI_MANIFEST("{" DESCRIPTOR(OCI "layer.v1.tar+gzip", D2, "-1") "}"),
        OCI_MANIFEST("{" DESCRIPTOR(OCI "layer.v1.tar+gzip", D2, "\"1\"") "}"),
        OCI_MANIFEST("{" DESCRIPTOR(OCI "layer.v1.tar+gzip+encrypted", D2, "1") "}"),
        OCI_MANIFEST("{" DESCRIPTOR(OCI "layer.nondistributable.v1.tar+gzip", D2, "1") "}"),
        "{\"schemaVersion\":2,\"config\":{" DESCRIPTOR("application/vnd.cncf.helm.config.v1+json",
                                                       D1, "1") "},\"layers\":[]}",
    };
    struct image_manifest manifest = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_msg(image_parse_manifest(bad[i], strlen(bad[i]), &manifest, &err) < 0, "%s",
                      bad[i]);
    ck_assert_ptr_null(manifest.layers);
}
END_TEST

START_TEST(layers_are_counted_and_bounded)
{
    static const char layer[] = "{" DESCRIPTOR(OCI "layer.v1.tar", D2, "1") "}";
    char *text = xstrdup("");
    struct image_manifest manifest = {0};

    for (int i = 0; i < IMAGE_LAYERS_MAX + 1; i++) {
        char *longer = xformat("%s%s%s", text, i ? "," : "", layer);

        free(text);
        text = longer;
        if (i >= IMAGE_LAYERS_MAX - 1) {
            scoped(freep) char *whole = xformat(
                "{\"schemaVersion\":2,\"config\":{%s},\"layers\":[%s]}",
                DESCRIPTOR(OCI "config.v1+json", D1, "1"), text);

            ck_assert_int_eq(image_parse_manifest(whole, strlen(whole), &manifest, &err),
                             i == IMAGE_LAYERS_MAX - 1 ? 0 : -1);
        }
    }
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_uint_eq(manifest.layer_count, IMAGE_LAYERS_MAX);
    image_clear_manifest(&manifest);
    free(text);
}
END_TEST

START_TEST(a_config_gives_diff_ids_and_must_match)
{
    static const char text[] = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{},"
                               "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\",\"" D2
                               "\"]}}";
    static const char *const bad[] = {
        "{\"os\":\"linux\",\"architecture\":\"arm64\",\"rootfs\":{\"diff_ids\":[]}}",
        "{\"os\":\"linux\",\"architecture\":\"amd64\"}",
        "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[\"x\"]}}",
        "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[7]}}",
    };
    static const char one_layer[] = OCI_MANIFEST("{" DESCRIPTOR(OCI "layer.v1.tar", D2, "1") "}");
    scoped(image_clear_config) struct image_config config = {0};
    scoped(image_clear_manifest) struct image_manifest manifest = {0};

    ck_assert_int_eq(image_parse_config(text, strlen(text), &config, &err), 0);
    ck_assert_uint_eq(config.diff_id_count, 2);
    ck_assert_str_eq(config.diff_ids[0], D1);
    ck_assert_str_eq(config.diff_ids[1], D2);
    ck_assert_int_eq(image_parse_manifest(one_layer, strlen(one_layer), &manifest, &err), 0);
    ck_assert_int_eq(image_match(&manifest, &config, &err), -1);
    config.diff_id_count = 1;
    ck_assert_int_eq(image_match(&manifest, &config, &err), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct image_config untouched = {0};

        ck_assert_msg(image_parse_config(bad[i], strlen(bad[i]), &untouched, &err) < 0, "%s",
                      bad[i]);
        ck_assert_ptr_null(untouched.diff_ids);
    }
}
END_TEST

int main(void)
{
    return suite_run("image", (const TTest *[]){the_platform_is_picked_from_an_index,
                                                the_unpacked_size_is_guessed_where_it_is_plausible,
                                                a_manifest_gives_config_and_layers,
                                                what_is_not_understood_is_refused,
                                                layers_are_counted_and_bounded,
                                                a_config_gives_diff_ids_and_must_match, NULL});
}
