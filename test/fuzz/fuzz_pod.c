/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/error.h"
#include "base/scoped.h"
#include "codec_pod.h"
#include "pod.h"
#include "shim/host_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a hostile tenant's provisioner may write into a PodSandboxConfig. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(codec_pod_freep) struct codec_pod *config = NULL;
    static struct host_conf conf;
    struct pod_input input;
    struct error err;
    struct pod pod;

    if (!conf.helper && host_conf_parse("", &conf, &err) < 0)
        abort();
    if (codec_pod_decode(data, size, &config, &err) < 0)
        return 0;
    codec_pod_input(config, &input);
    input.netns = "/run/netns/pod";
    if (pod_read(&input, &conf, &pod, &err) < 0)
        return 0;
    if (pod.vcpus < 1 || pod.vcpus > conf.max_vcpus || pod.memory < POD_MEMORY_MIN ||
        pod.memory > conf.max_memory || pod.initdata_length > POD_INITDATA_MAX ||
        (pod.cgroup_parent && pod.cgroup_parent[0] != '/'))
        abort();
    if (pod.dial_out.family && dial_out_check(&pod.dial_out, &err) < 0)
        abort();
    pod_fini(&pod);
    return 0;
}
