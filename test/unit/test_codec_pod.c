/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_pod.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"
#include "cri.pb-c.h"
#include "suite.h"

static struct error err;

/* Packs; the caller frees. */
static uint8_t *pack(const Cri__PodSandboxConfig *config, size_t *ret_length)
{
    uint8_t *data = xalloc(cri__pod_sandbox_config__get_packed_size(config) + 1);

    *ret_length = cri__pod_sandbox_config__pack(config, data);
    return data;
}

static void refuse(const uint8_t *data, size_t length, enum status status)
{
    struct codec_pod *pod = NULL;

    ck_assert_int_lt(codec_pod_decode(data, length, &pod, &err), 0);
    ck_assert_msg(err.status == status, "%s", err.message);
    ck_assert_ptr_null(pod);
}

START_TEST(a_configuration_is_read)
{
    Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__MapEntry entry = CRI__MAP_ENTRY__INIT;
    Cri__MapEntry *entries[] = {&entry};
    Cri__LinuxPodSandboxConfig on_linux = CRI__LINUX_POD_SANDBOX_CONFIG__INIT;
    Cri__LinuxContainerResources resources = CRI__LINUX_CONTAINER_RESOURCES__INIT;
    Cri__LinuxContainerResources overhead = CRI__LINUX_CONTAINER_RESOURCES__INIT;
    scoped(codec_pod_freep) struct codec_pod *pod = NULL;
    scoped(freep) uint8_t *data = NULL;
    struct pod_input input;
    size_t length;

    entry.key = (char *) "cleave.dev/id";
    entry.value = (char *) "00";
    config.annotations = entries;
    config.n_annotations = 1;
    resources.cpu_period = 100000;
    resources.cpu_quota = 150000;
    resources.memory_limit_in_bytes = 1 << 30;
    overhead.cpu_quota = 1;
    overhead.memory_limit_in_bytes = 2;
    on_linux.cgroup_parent = (char *) "/pods/1";
    on_linux.resources = &resources;
    on_linux.overhead = &overhead;
    config.linux_config = &on_linux;
    data = pack(&config, &length);
    ck_assert_msg(codec_pod_decode(data, length, &pod, &err) == 0, "%s", err.message);
    codec_pod_input(pod, &input);
    ck_assert_uint_eq(input.annotation_count, 1);
    ck_assert_str_eq(input.annotations[0].key, "cleave.dev/id");
    ck_assert_str_eq(input.annotations[0].value, "00");
    ck_assert_str_eq(input.cgroup_parent, "/pods/1");
    ck_assert_int_eq(input.resources.cpu_period, 100000);
    ck_assert_int_eq(input.resources.cpu_quota, 150000);
    ck_assert_int_eq(input.resources.memory, 1 << 30); /* and not the overhead */
    ck_assert_ptr_null(input.netns);
}
END_TEST

START_TEST(an_empty_configuration_has_nothing)
{
    scoped(codec_pod_freep) struct codec_pod *pod = NULL;
    struct pod_input input;

    ck_assert_int_eq(codec_pod_decode((const uint8_t *) "", 0, &pod, &err), 0);
    codec_pod_input(pod, &input);
    ck_assert_uint_eq(input.annotation_count, 0);
    ck_assert_ptr_null(input.cgroup_parent);
    ck_assert_int_eq(input.resources.memory, 0);
}
END_TEST

START_TEST(what_is_malformed_is_refused)
{
    static const uint8_t cut[] = {0x3a, 0x7f, 0x0a};

    refuse(cut, sizeof(cut), STATUS_INVALID_ARGUMENT);
}
END_TEST

/* `count` annotations of nothing: two bytes each. */
static uint8_t *annotations_of_nothing(size_t count)
{
    uint8_t *data = xalloc(2 * count);

    for (size_t i = 0; i < count; i++) {
        data[2 * i] = 7 << 3 | 2;
        data[2 * i + 1] = 0;
    }
    return data;
}

START_TEST(annotations_and_bytes_are_bounded)
{
    size_t many = POD_MESSAGE_ANNOTATIONS_MAX + 1;
    scoped(freep) uint8_t *data = annotations_of_nothing(POD_MESSAGE_MAX);

    refuse(data, 2 * many, STATUS_RESOURCE_EXHAUSTED);
    refuse(data, POD_MESSAGE_MAX + 1, STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

START_TEST(what_unpacks_to_many_times_its_size_is_refused)
{
    scoped(freep) uint8_t *data = annotations_of_nothing(POD_MESSAGE_MAX / 2);

    refuse(data, POD_MESSAGE_MAX, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(err.message, "the pod's configuration is too large");
}
END_TEST

int main(void)
{
    return suite_run("codec_pod",
                     (const TTest *[]){a_configuration_is_read, an_empty_configuration_has_nothing,
                                       what_is_malformed_is_refused,
                                       annotations_and_bytes_are_bounded,
                                       what_unpacks_to_many_times_its_size_is_refused, NULL});
}
