/* SPDX-License-Identifier: Apache-2.0 */
#include "pod.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "shim/host_conf.h"
#include "suite.h"

#define MIB (UINT64_C(1) << 20)
#define ID  "00112233445566778899AABBCCDDEEFF"

static struct host_conf conf;
static struct pod_annotation annotations[4] = {
    {POD_ANNOTATION_INITDATA, "aGVsbG8="},
    {POD_ANNOTATION_ID, ID},
};
static struct error err;

static struct pod_input good(void)
{
    if (!conf.helper)
        ck_assert_int_eq(
            host_conf_parse("[machine]\nmax_vcpus = 4\nmax_memory = \"2GiB\"\n", &conf, &err), 0);
    annotations[0] = (struct pod_annotation){POD_ANNOTATION_INITDATA, "aGVsbG8="};
    annotations[1] = (struct pod_annotation){POD_ANNOTATION_ID, ID};
    return (struct pod_input){.annotations = annotations, .annotation_count = 2, .netns = "/n"};
}

static void refuse(const struct pod_input *input, enum status status, const char *word)
{
    struct pod pod = {0};

    ck_assert_int_lt(pod_read(input, &conf, &pod, &err), 0);
    ck_assert_msg(err.status == status && strstr(err.message, word), "%s", err.message);
    ck_assert_ptr_null(pod.initdata);
}

START_TEST(a_pod_without_resources_gets_the_defaults)
{
    struct pod_input input = good();
    struct pod pod;

    ck_assert_int_eq(pod_read(&input, &conf, &pod, &err), 0);
    ck_assert_uint_eq(pod.vcpus, 1);
    ck_assert_uint_eq(pod.memory, 512 * MIB);
    ck_assert_uint_eq(pod.initdata_length, 5);
    ck_assert(memcmp(pod.initdata, "hello", 5) == 0);
    ck_assert_str_eq(pod.id, "00112233445566778899aabbccddeeff");
    ck_assert_ptr_null(pod.cgroup_parent);
    pod_fini(&pod);
}
END_TEST

START_TEST(resources_are_rounded_up)
{
    static const struct {
        struct pod_resources resources;
        uint32_t vcpus;
        uint64_t memory;
    } rows[] = {
        {{100000, 150000, 300 * MIB + 1}, 2, 301 * MIB},
        {{100000, 200000, 300 * MIB}, 2, 300 * MIB},
        {{100000, 200001, 300 * MIB}, 3, 300 * MIB},
        {{0, 50000, 0}, 1, 512 * MIB},
        {{100000, -1, -1}, 1, 512 * MIB},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct pod_input input = good();
        struct pod pod;

        input.resources = rows[i].resources;
        ck_assert_msg(pod_read(&input, &conf, &pod, &err) == 0, "row %zu: %s", i, err.message);
        ck_assert_uint_eq(pod.vcpus, rows[i].vcpus);
        ck_assert_uint_eq(pod.memory, rows[i].memory);
        pod_fini(&pod);
    }
}
END_TEST

START_TEST(a_size_beyond_the_hosts_maximum_is_refused)
{
    static const struct pod_resources greedy[] = {
        {100000, 400001, 0}, {1, INT64_MAX / 1000, 0},       {1, INT64_MAX, 0},
        {0, 0, INT64_MAX},   {0, 0, (INT64_C(2) << 30) + 1},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(greedy); i++) {
        struct pod_input input = good();
        struct pod pod = {0};

        input.resources = greedy[i];
        ck_assert_int_lt(pod_read(&input, &conf, &pod, &err), 0);
    }
}
END_TEST

START_TEST(memory_that_boots_no_guest_is_refused)
{
    struct pod_input input = good();

    input.resources.memory = 64 * MIB;
    refuse(&input, STATUS_INVALID_ARGUMENT, "at least 128 MiB");
}
END_TEST

START_TEST(missing_doubled_and_malformed_annotations_are_refused)
{
    static const char *const bad_initdata[] = {
        "", "aGVsbG8", "aGVs\nbG8=", "aGVsbG8=aGVsbG8=", "aGVsbG9=", "-_-_", "/etc/passwd"};
    static const char *const bad_id[] = {"",
                                         "0011",
                                         "00112233445566778899aabbccddeef",
                                         "00112233445566778899aabbccddeeff0",
                                         "../../../../../../../../etc/pass",
                                         "0011223344556677 899aabbccddeeff"};
    struct pod_input input = good();

    input.annotation_count = 1;
    refuse(&input, STATUS_INVALID_ARGUMENT, "cleave.dev/id is missing");
    input.annotations = annotations + 1;
    refuse(&input, STATUS_INVALID_ARGUMENT, "cleave.dev/initdata is missing");
    input = good();
    annotations[2] = annotations[0];
    input.annotation_count = 3;
    refuse(&input, STATUS_INVALID_ARGUMENT, "cleave.dev/initdata stands twice");
    annotations[2] = annotations[1];
    refuse(&input, STATUS_INVALID_ARGUMENT, "cleave.dev/id stands twice");
    for (size_t i = 0; i < ARRAY_LENGTH(bad_initdata); i++) {
        input = good();
        annotations[0].value = bad_initdata[i];
        refuse(&input, STATUS_INVALID_ARGUMENT, "cleave.dev/initdata");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad_id); i++) {
        input = good();
        annotations[1].value = bad_id[i];
        refuse(&input, STATUS_INVALID_ARGUMENT, "cleave.dev/id");
    }
}
END_TEST

START_TEST(initdata_has_a_limit)
{
    scoped(freep) uint8_t *bytes = xalloc(POD_INITDATA_MAX + 1);
    scoped(freep) char *fits = base64_encode(bytes, POD_INITDATA_MAX);
    scoped(freep) char *too_large = base64_encode(bytes, POD_INITDATA_MAX + 1);
    struct pod_input input = good();
    struct pod pod;

    annotations[0].value = fits;
    ck_assert_int_eq(pod_read(&input, &conf, &pod, &err), 0);
    ck_assert_uint_eq(pod.initdata_length, POD_INITDATA_MAX);
    pod_fini(&pod);
    annotations[0].value = too_large;
    refuse(&input, STATUS_INVALID_ARGUMENT, "16384");
}
END_TEST

START_TEST(other_annotations_are_not_read)
{
    struct pod_input input = good();
    struct pod pod;

    annotations[2] = (struct pod_annotation){"cleave.dev/kernel", "/etc/shadow"};
    input.annotation_count = 3;
    ck_assert_int_eq(pod_read(&input, &conf, &pod, &err), 0);
    pod_fini(&pod);
}
END_TEST

START_TEST(cgroup_parents_are_plain_paths_or_slices)
{
    static const struct {
        const char *parent, *wanted;
    } good_ones[] = {
        {"/kubepods/burstable/pod1-2", "/kubepods/burstable/pod1-2"},
        {"kubepods-burstable-pod12.slice",
         "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12.slice"},
        {"machine.slice", "/machine.slice"},
        {"/", NULL},
        {"", NULL},
    };
    static const char *const bad[] = {"/../etc",    "/a/../b",  "relative",  "/a b",
                                      "/a\nb",      "/.hidden", "-a.slice",  "a--b.slice",
                                      "../x.slice", "/a/$(id)", "a/b.slice", ".slice"};

    for (size_t i = 0; i < ARRAY_LENGTH(good_ones); i++) {
        struct pod_input input = good();
        struct pod pod;

        input.cgroup_parent = good_ones[i].parent;
        ck_assert_msg(pod_read(&input, &conf, &pod, &err) == 0, "%s", err.message);
        if (good_ones[i].wanted)
            ck_assert_str_eq(pod.cgroup_parent, good_ones[i].wanted);
        else
            ck_assert_ptr_null(pod.cgroup_parent);
        pod_fini(&pod);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct pod_input input = good();
        struct pod pod = {0};

        input.cgroup_parent = bad[i];
        ck_assert_msg(pod_read(&input, &conf, &pod, &err) < 0, "'%s' was taken", bad[i]);
    }
}
END_TEST

START_TEST(a_long_slice_is_refused_and_not_cut)
{
    struct pod_input input = good();
    char slice[POD_CGROUP_MAX];
    struct pod pod = {0};

    for (size_t i = 0; i + 7 < sizeof(slice); i++)
        slice[i] = i % 2 ? '-' : 'a';
    strcpy(slice + sizeof(slice) - 7 - 1, "x.slice");
    input.cgroup_parent = slice;
    ck_assert_int_lt(pod_read(&input, &conf, &pod, &err), 0);
}
END_TEST

START_TEST(a_pod_without_a_network_namespace_is_refused)
{
    struct pod_input input = good();

    input.netns = "";
    refuse(&input, STATUS_INVALID_ARGUMENT, "hostNetwork");
}
END_TEST

START_TEST(a_place_to_dial_is_carried_if_it_is_one)
{
    struct pod_input input = good();
    struct pod pod;

    ck_assert_int_eq(pod_read(&input, &conf, &pod, &err), 0);
    ck_assert_int_eq(pod.dial_out.family, 0);
    pod_fini(&pod);
    annotations[2] = (struct pod_annotation){POD_ANNOTATION_DIAL_OUT, "[2001:db8::1]:7433"};
    input.annotation_count = 3;
    ck_assert_msg(pod_read(&input, &conf, &pod, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(pod.dial_out.port, 7433);
    ck_assert_uint_eq(pod.dial_out.address[15], 1);
    pod_fini(&pod);
    annotations[3] = annotations[2];
    input.annotation_count = 4;
    refuse(&input, STATUS_INVALID_ARGUMENT, "dial-out stands twice");
}
END_TEST

START_TEST(a_place_to_dial_that_is_none_is_refused)
{
    static const char *const wrong[] = {"", "127.0.0.1:7433", "[ff02::1]:7433", "10.0.0.1:0",
                                        "example.org:7433"};

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct pod_input input = good();

        annotations[2] = (struct pod_annotation){POD_ANNOTATION_DIAL_OUT, wrong[i]};
        input.annotation_count = 3;
        refuse(&input, STATUS_INVALID_ARGUMENT, POD_ANNOTATION_DIAL_OUT);
    }
}
END_TEST

int main(void)
{
    return suite_run(
        "pod",
        (const TTest *[]){
            a_pod_without_resources_gets_the_defaults, resources_are_rounded_up,
            a_size_beyond_the_hosts_maximum_is_refused, memory_that_boots_no_guest_is_refused,
            missing_doubled_and_malformed_annotations_are_refused, initdata_has_a_limit,
            other_annotations_are_not_read, cgroup_parents_are_plain_paths_or_slices,
            a_long_slice_is_refused_and_not_cut, a_pod_without_a_network_namespace_is_refused,
            a_place_to_dial_is_carried_if_it_is_one, a_place_to_dial_that_is_none_is_refused,
            NULL});
}
