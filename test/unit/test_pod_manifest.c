/* SPDX-License-Identifier: Apache-2.0 */
/* What the tenant's node itself checks of a sealed pod. */
#include "pod_manifest.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "pod_config.h"
#include "sealed/manifest.h"
#include "pod_manifest_fixture.h"
#include "spec_rules.h"

static struct manifest *manifest;
static struct error err;

static struct pod_config golden(void)
{
    static char name[] = "golden", space[] = "test", uid[] = "1-2-3";

    return (struct pod_config){.name = name, .pod_namespace = space, .uid = uid, .hostname = name};
}

static int read_as(const struct pod_config *config, const char *uid, const char *debug)
{
    scoped(freep) char *annotation = sealed_annotation(uid, debug);

    manifest_free(take_ptr(manifest));
    return pod_manifest_read(annotation, config, &manifest, &err);
}

static void end(void)
{
    manifest_free(take_ptr(manifest));
}

START_TEST(the_manifest_is_of_this_pod_or_refused_by_what_differs)
{
    static char other[] = "other", none[] = "";
    struct pod_config config = golden();

    ck_assert_msg(read_as(&config, "", "false") == 0, "%s", err.message);
    ck_assert_msg(read_as(&config, "1-2-3", "false") == 0, "%s", err.message);
    ck_assert_str_eq(manifest->slots[0].name, "one");
    ck_assert_int_lt(read_as(&config, "1-2-4", "false"), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "its uid is '1-2-4', this pod's is '1-2-3'"));
    ck_assert_ptr_nonnull(strstr(err.message, "cleave.dev/manifest: "));
    ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    config.name = other;
    ck_assert_int_lt(read_as(&config, "", "false"), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "its name is 'golden', this pod's is 'other'"));
    config = golden();
    config.pod_namespace = none;
    ck_assert_int_lt(read_as(&config, "", "false"), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "its namespace is 'test', this pod's is ''"));
    config = golden();
    config.hostname = other;
    ck_assert_int_lt(read_as(&config, "", "false"), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "its hostname is 'golden'"));
    ck_assert_ptr_null(manifest);
}
END_TEST

START_TEST(what_is_no_manifest_is_refused_by_name)
{
    static const char *const wrong[] = {"", "x", "AAAA", "H4sIAAAAAAAAAwMAAAAAAAAAAAA="};
    const struct pod_config config = golden();

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ck_assert_int_lt(pod_manifest_read(wrong[i], &config, &manifest, &err), 0);
        ck_assert_msg(text_starts(err.message, "cleave.dev/manifest: "), "%s", err.message);
    }
}
END_TEST

static struct js *annotations_of(const char *key, const char *name)
{
    struct js *annotations = js_new_object();

    js_set_string(annotations, "io.kubernetes.cri.container-type", "container");
    if (key)
        js_set_string(annotations, key, name);
    return annotations;
}

static int find_slot(const char *key, const char *name, const struct manifest_slot **ret)
{
    scoped(js_freep) struct js *annotations = annotations_of(key, name);

    return pod_manifest_slot(manifest, annotations, ret, &err);
}

#define CONTAINERD "io.kubernetes.cri.container-name"

START_TEST(a_container_is_the_slot_of_its_name)
{
    const struct pod_config config = golden();
    const struct manifest_slot *slot = NULL;

    ck_assert_int_eq(read_as(&config, "", "false"), 0);
    ck_assert_int_eq(find_slot(CONTAINERD, "one", &slot), 0);
    ck_assert_ptr_eq(slot, &manifest->slots[0]);
    slot = NULL;
    ck_assert_int_eq(find_slot("io.kubernetes.container.name", "one", &slot), 0);
    ck_assert_ptr_eq(slot, &manifest->slots[0]);
    ck_assert_int_lt(find_slot(CONTAINERD, "two", &slot), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(err.message, "its manifest has no container 'two'"));
    ck_assert_int_lt(find_slot(NULL, NULL, &slot), 0);
}
END_TEST

START_TEST(debug_allows_containers_that_are_no_slot)
{
    const struct pod_config config = golden();
    const struct manifest_slot *slot = (const struct manifest_slot *) &config;

    ck_assert_int_eq(read_as(&config, "", "true"), 0);
    ck_assert_int_eq(find_slot(CONTAINERD, "two", &slot), 0);
    ck_assert_ptr_null(slot);
    ck_assert_int_eq(find_slot(CONTAINERD, "one", &slot), 0);
    ck_assert_ptr_eq(slot, &manifest->slots[0]);
}
END_TEST

static int check_share(const char *destination)
{
    static char source[] = "/srv/files";
    const struct guest_spec spec = {
        .shares = {{.source = source, .destination = (char *) (uintptr_t) destination}},
        .share_count = 1};

    return pod_manifest_check_shares(&manifest->slots[0], &spec, &err);
}

START_TEST(a_share_is_where_the_slot_has_one_and_nowhere_else)
{
    const struct pod_config config = golden();

    ck_assert_int_eq(read_as(&config, "", "false"), 0);
    ck_assert_int_eq(check_share("/data"), 0);
    ck_assert_int_lt(check_share("/tmp"), 0); /* a volume of another kind */
    ck_assert_int_lt(check_share("/data/x"), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(err.message, "mount '/data/x': '/srv/files' would be"));
}
END_TEST

int main(void)
{
    return suite_run_with(&(struct suite){.name = "pod_manifest", .teardown = end},
                          (const TTest *[]){the_manifest_is_of_this_pod_or_refused_by_what_differs,
                                            what_is_no_manifest_is_refused_by_name,
                                            a_container_is_the_slot_of_its_name,
                                            debug_allows_containers_that_are_no_slot,
                                            a_share_is_where_the_slot_has_one_and_nowhere_else,
                                            NULL});
}
