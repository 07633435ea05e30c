/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_pod.h"

#include "base/error.h"
#include "base/scoped.h"
#include "cri.pb-c.h"

struct codec_pod {
    Cri__PodSandboxConfig *config;
    struct pod_annotation *annotations;
};

int codec_pod_decode(const uint8_t *data, size_t length, struct codec_pod **ret, struct error *err)
{
    scoped(codec_pod_freep) struct codec_pod *pod = xnew(struct codec_pod);

    if (pod_message_unpack(data, length, &pod->config, err) < 0)
        return -1;
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
    pod_message_free(pod->config);
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
