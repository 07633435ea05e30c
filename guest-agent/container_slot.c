/* SPDX-License-Identifier: Apache-2.0 */
/* A container of a sealed pod and the slot of the manifest that it takes. */
#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "container_private.h"
#include "sealed.h"
#include "sealed/manifest.h"
#include "sealed_exec.h"
#include "sealed_slots.h"
#include "streams.h"

/* Again, although it was checked: what the container needs of a share may have taken a while. */
int container_take_slot(struct container *container, const struct manifest_slot *slot,
                        struct error *err)
{
    if (!slot)
        return 0;
    if (sealed_slots_take(sealed_slots(container->pod->sealed), slot, err) < 0)
        return -1;
    container->slot = slot;
    container->lives_in_slot = true;
    return 0;
}

void container_note_process(struct container *container, const struct js *process)
{
    if (container->slot && !sealed_manifest(container->pod->sealed)->debug)
        container->slot_process = js_copy(process);
}

void container_slot_started(struct container *container)
{
    if (container->lives_in_slot)
        sealed_slots_started(sealed_slots(container->pod->sealed), container->slot);
}

void container_slot_told(struct container *container, const struct process *process)
{
    if (container->lives_in_slot && process == container->init)
        sealed_slots_told(sealed_slots(container->pod->sealed), container->slot);
}

void container_leave_slot(struct container *container, unsigned exit_status)
{
    if (container->lives_in_slot)
        sealed_slots_ended(sealed_slots(container->pod->sealed), container->slot, exit_status);
    container->lives_in_slot = false;
}

int container_seal_exec(const struct container *container, const struct exec_options *options,
                        struct js **process, struct error *err)
{
    struct js *sealed;

    if (!container->slot_process)
        return 0;
    if (options->wanted & (STREAMS_STDIN | STREAMS_TERMINAL))
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "the pod is sealed: what is executed in container '%s' has neither a "
                         "terminal nor a stdin",
                         container->slot->name);
    if (sealed_exec(container->slot, container->slot_process, *process, &sealed, err) < 0)
        return -1;
    js_free(*process);
    *process = sealed;
    return 0;
}
