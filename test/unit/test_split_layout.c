/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "layout.h"

#define OCI  "application/vnd.oci.image."
#define DIFF "sha256:4444444444444444444444444444444444444444444444444444444444444444"

static struct error err;
static char directory[] = "/tmp/test_split_layout.XXXXXX";
static struct layouts layouts;

static void setup(void)
{
    scoped(freep) char *blobs = NULL, *mark = NULL;

    memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    blobs = xformat("%s/blobs/sha256", directory);
    mark = xformat("%s/oci-layout", directory);
    ck_assert_int_eq(file_make_directories(blobs, 0700, &err), 0);
    ck_assert_int_eq(file_write_atomic(mark, "{\"imageLayoutVersion\":\"1.0.0\"}", 30, 0600, &err),
                     0);
    layouts = (struct layouts){0};
    ck_assert_int_eq(layouts_add(&layouts, directory, &err), 0);
}

static void teardown(void)
{
    ck_assert_int_eq(file_remove_tree(directory, &err), 0);
}

/* Its digest; the caller frees. */
static char *put(const char *text)
{
    scoped(freep) char *path = NULL, *hex = NULL;
    uint8_t digest[SHA256_SIZE];

    digest_sha256(text, strlen(text), digest);
    hex = hex_text(digest, sizeof(digest));
    path = xformat("%s/blobs/sha256/%s", directory, hex);
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
    return xformat("sha256:%s", hex);
}

static const char config_text[] =
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":"
    "[\"sh\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIFF "\"]}}";

static char *put_manifest(const char *config, size_t size)
{
    scoped(freep) char *text = xformat("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI
                                       "config.v1+json\",\"digest\":\"%s\","
                                       "\"size\":%zu},\"layers\":[{\"mediaType\":\"" OCI
                                       "layer.v1.tar+gzip\",\"digest\":\"" DIFF "\",\"size\":9}]}",
                                       config, size);

    return put(text);
}

static int find(const char *digest, struct layout_image *ret)
{
    scoped(freep) char *reference = xformat("registry.example/name@%s", digest);

    return layout_find(&layouts, reference, ret, &err);
}

START_TEST(a_manifest_leads_to_the_configuration)
{
    scoped(freep) char *config = put(config_text), *manifest = NULL;
    scoped(layout_image_clear) struct layout_image image = {0};

    manifest = put_manifest(config, strlen(config_text));
    ck_assert_msg(find(manifest, &image) == 0, "%s", err.message);
    ck_assert_str_eq(image.config_digest, config);
    ck_assert_uint_eq(image.config.diff_id_count, 1);
    ck_assert_str_eq(image.config.diff_ids[0], DIFF);
    ck_assert_ptr_nonnull(image.process.command);
}
END_TEST

START_TEST(an_index_leads_to_the_manifest_of_this_platform)
{
    scoped(freep) char *config = put(config_text), *manifest = NULL, *text = NULL, *index = NULL;
    scoped(layout_image_clear) struct layout_image image = {0};
    struct layout_image other = {0};

    manifest = put_manifest(config, strlen(config_text));
    text = xformat("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" OCI
                   "manifest.v1+json\",\"digest\":\"" DIFF
                   "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}},"
                   "{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"%s\",\"size\":%d,"
                   "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
                   manifest, 360);
    index = put(text);
    /* The size that the index says is checked, too. */
    ck_assert_int_lt(find(index, &other), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "bytes"));
    free(text);
    free(index);
    text = xformat("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" OCI
                   "manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,"
                   "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
                   manifest,
                   strlen("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI
                          "config.v1+json\",\"digest\":\"" DIFF
                          "\",\"size\":143},\"layers\":[{\"mediaType\":\"" OCI
                          "layer.v1.tar+gzip\",\"digest\":\"" DIFF "\",\"size\":9}]}"));
    index = put(text);
    ck_assert_msg(find(index, &image) == 0, "%s", err.message);
    ck_assert_str_eq(image.config_digest, config);
}
END_TEST

START_TEST(bytes_of_another_digest_are_refused)
{
    scoped(freep) char *config = put(config_text), *manifest = NULL, *path = NULL;
    struct layout_image image = {0};

    manifest = put_manifest(config, strlen(config_text));
    path = xformat("%s/blobs/sha256/%s", directory, config + 7);
    ck_assert_int_eq(file_write_atomic(path, "{}", 2, 0600, &err), 0);
    ck_assert_int_lt(find(manifest, &image), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "the layout is damaged"));
    ck_assert_int_eq(err.status, STATUS_DATA_LOSS);
}
END_TEST

START_TEST(what_is_not_there_is_named)
{
    struct layout_image image = {0};

    ck_assert_int_lt(find(DIFF, &image), 0);
    ck_assert_ptr_nonnull(strstr(err.message, DIFF " is in no layout"));
    ck_assert_ptr_nonnull(strstr(err.message, "skopeo copy"));
}
END_TEST

START_TEST(a_tag_is_no_pin)
{
    static const char *const cases[] = {"busybox", "busybox:1", "r.example/b:1", "@" DIFF};
    struct layout_image image = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ck_assert_int_lt(layout_find(&layouts, cases[i], &image, &err), 0);
        ck_assert_ptr_nonnull(strstr(err.message, "is not pinned"));
    }
    ck_assert_int_lt(layout_find(&layouts, "b@sha512:11", &image, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "no digest"));
}
END_TEST

START_TEST(a_directory_that_is_no_layout_is_refused)
{
    scoped(freep) char *mark = xformat("%s/oci-layout", directory);

    ck_assert_int_lt(layouts_add(&layouts, "/proc", &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "no OCI image layout"));
    ck_assert_int_eq(file_write_atomic(mark, "{\"imageLayoutVersion\":\"2.0.0\"}", 30, 0600, &err),
                     0);
    ck_assert_int_lt(layouts_add(&layouts, directory, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "another version"));
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "split_layout", .setup = setup, .teardown = teardown},
        (const TTest *[]){a_manifest_leads_to_the_configuration,
                          an_index_leads_to_the_manifest_of_this_platform,
                          bytes_of_another_digest_are_refused, what_is_not_there_is_named,
                          a_tag_is_no_pin, a_directory_that_is_no_layout_is_refused, NULL});
}
