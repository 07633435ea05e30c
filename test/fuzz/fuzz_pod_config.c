/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant's reading of a PodSandboxConfig. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "codec_pod_config.h"
#include "cri.pb-c.h"
#include "pod_config.h"
#include "sealed/manifest.h"
#include "shim/tenant_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tenant_conf conf = {.default_vcpus = 1, .default_memory = 1 << 28};
    ProtobufCBinaryData message = {size, (uint8_t *) data};
    scoped(pod_config_freep) struct pod_config *config = NULL;
    struct error err;

    if (codec_pod_config(&message, &conf, &config, &err) < 0)
        return 0;
    if (strlen(config->resolv_conf) > POD_FILE_MAX || config->vcpus == 0 ||
        config->memory < conf.default_memory || config->sysctl_count > POD_SYSCTLS_MAX)
        abort();
    if (config->manifest && strcmp(config->manifest->pod_name, config->name) != 0)
        abort();
    return 0;
}
