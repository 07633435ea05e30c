/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_pod.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/scoped.h"
#include "cri.pb-c.h"

/* Small fields cost a multiple of their bytes on the wire. */
enum { MEMORY_MAX = 16 * 1024 * 1024 };

struct codec_pod {
    Cri__PodSandboxConfig *config;
    struct pod_annotation *annotations;
    size_t memory; /* that the configuration took to unpack */
    bool exhausted;
};

static void *bounded_alloc(void *user, size_t size)
{
    struct codec_pod *pod = user;

    if (size > MEMORY_MAX - pod->memory) {
        pod->exhausted = true;
        return NULL;
    }
    pod->memory += size;
    return malloc(size ? size : 1);
}

static void bounded_free(void *user, void *data)
{
    (void) user;
    free(data);
}

static int unpack(struct codec_pod *pod, const uint8_t *data, size_t length, struct error *err)
{
    ProtobufCAllocator allocator = {bounded_alloc, bounded_free, pod};

    pod->config = cri__pod_sandbox_config__unpack(&allocator, length, data);
    if (pod->exhausted)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the pod's configuration is too large");
    if (!pod->config)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the pod's configuration is malformed");
    return 0;
}

int codec_pod_decode(const uint8_t *data, size_t length, struct codec_pod **ret, struct error *err)
{
    scoped(codec_pod_freep) struct codec_pod *pod = NULL;

    if (length > CODEC_POD_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the pod's configuration is too large");
    pod = xnew(struct codec_pod);
    if (unpack(pod, data, length, err) < 0)
        return -1;
    if (pod->config->n_annotations > CODEC_POD_ANNOTATIONS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the pod has more than %d annotations",
                         CODEC_POD_ANNOTATIONS_MAX);
    pod->annotations = xnew_array(struct pod_annotation, pod->config->n_annotations + 1);
    for (size_t i = 0; i < pod->config->n_annotations; i++) {
        pod->annotations[i].key = pod->config->annotations[i]->key;
        pod->annotations[i].value = pod->config->annotations[i]->value;
    }
    *ret = take_ptr(pod);
    return 0;
}

void codec_pod_free(struct codec_pod *pod)
{
    if (!pod)
        return;
    if (pod->config)
        cri__pod_sandbox_config__free_unpacked(pod->config, NULL);
    free(pod->annotations);
    free(pod);
}

static void resources_of(const Cri__LinuxContainerResources *from, struct pod_resources *ret)
{
    if (!from)
        return;
    ret->cpu_period = from->cpu_period;
    ret->cpu_quota = from->cpu_quota;
    ret->memory = from->memory_limit_in_bytes;
}

void codec_pod_input(const struct codec_pod *pod, struct pod_input *ret)
{
    const Cri__LinuxPodSandboxConfig *on_linux = pod->config->linux_config;

    *ret = (struct pod_input){
        .annotations = pod->annotations,
        .annotation_count = pod->config->n_annotations,
    };
    if (!on_linux)
        return;
    ret->cgroup_parent = on_linux->cgroup_parent;
    resources_of(on_linux->resources, &ret->resources);
}
