/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/pod_message.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/scoped.h"
#include "cri.pb-c.h"

/* Small fields cost a multiple of their bytes on the wire. */
enum { MEMORY_MAX = 16 * 1024 * 1024 };

struct budget {
    size_t memory; /* that the configuration took to unpack */
    bool exhausted;
};

static void *bounded_alloc(void *user, size_t size)
{
    struct budget *budget = user;

    if (size > MEMORY_MAX - budget->memory) {
        budget->exhausted = true;
        return NULL;
    }
    budget->memory += size;
    return malloc(size ? size : 1);
}

static void bounded_free(void *user, void *data)
{
    (void) user;
    free(data);
}

int pod_message_unpack(const uint8_t *data, size_t length, struct Cri__PodSandboxConfig **ret,
                       struct error *err)
{
    scoped(pod_message_freep) struct Cri__PodSandboxConfig *config = NULL;
    struct budget budget = {0};
    ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &budget};

    if (length > POD_MESSAGE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the pod's configuration is too large");
    config = cri__pod_sandbox_config__unpack(&allocator, length, data);
    if (budget.exhausted)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the pod's configuration is too large");
    if (!config)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the pod's configuration is malformed");
    if (config->n_annotations > POD_MESSAGE_ANNOTATIONS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the pod has more than %d annotations",
                         POD_MESSAGE_ANNOTATIONS_MAX);
    *ret = take_ptr(config);
    return 0;
}

void pod_message_free(struct Cri__PodSandboxConfig *config)
{
    if (config)
        cri__pod_sandbox_config__free_unpacked(config, NULL);
}
