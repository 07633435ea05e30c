/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes of the pod. */
#include <string.h>

#include "agent.pb-c.h"
#include "codec_answer.h"
#include "base/error.h"
#include "base/scoped.h"
#include "grpc/server.h"
#include "idempotency.h"
#include "layer_store.h"
#include "pod.h"
#include "sealed.h"
#include "sealed/manifest.h"
#include "service.h"
#include "session.h"
#include "volumes.h"

static int take_entry(const Agent__VolumeEntry *in, struct volumes_entry *out, struct error *err)
{
    *out = (struct volumes_entry){
        .path = in->path, .mode = in->mode, .uid = in->uid, .gid = in->gid};
    switch (in->body_case) {
    case AGENT__VOLUME_ENTRY__BODY_FILE:
        out->type = VOLUMES_FILE;
        out->data = in->file.data;
        out->length = in->file.len;
        return 0;
    case AGENT__VOLUME_ENTRY__BODY_LINK:
        out->type = VOLUMES_LINK;
        out->data = in->link;
        out->length = strlen(in->link);
        return 0;
    case AGENT__VOLUME_ENTRY__BODY_DIRECTORY:
        out->type = VOLUMES_DIRECTORY;
        return 0;
    default:
        return error_set(err, STATUS_INVALID_ARGUMENT, "an entry of a volume has no body");
    }
}

static int put(struct pod *pod, const Agent__PutVolumeRequest *request, struct error *err)
{
    scoped(freep) struct volumes_entry *entries = NULL;
    struct volumes_put put = {.name = request->name,
                              .mode = request->mode,
                              .uid = request->uid,
                              .gid = request->gid,
                              .size = request->size,
                              .serial = request->serial,
                              .first = request->first,
                              .last = request->last,
                              .count = request->n_entries};

    if (request->n_entries > VOLUMES_ENTRIES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d entries",
                         VOLUMES_ENTRIES_MAX);
    if (request->kind == AGENT__PUT_VOLUME_REQUEST__KIND__EMPTY)
        return volumes_put_empty(pod->volumes, &put, layer_store_memory(pod->layers), err);
    if (request->kind != AGENT__PUT_VOLUME_REQUEST__KIND__COPIED)
        return error_set(err, STATUS_INVALID_ARGUMENT, "this kind of volume is not known here");
    entries = xnew_array(struct volumes_entry, request->n_entries + 1);
    for (size_t i = 0; i < request->n_entries; i++) {
        if (take_entry(request->entries[i], &entries[i], err) < 0)
            return -1;
    }
    put.entries = entries;
    return volumes_put_copied(pod->volumes, &put, layer_store_memory(pod->layers), err);
}

/* A volume may change for as long as the pod lives: the answers of the content before are not
 * needed any more, and the serial keeps an old part from being taken for a new one. */
void service_put_volume(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__PutVolumeRequest *request = (const Agent__PutVolumeRequest *) message;
    struct pod *pod = ((struct session *) rpc_context(rpc))->pod;
    scoped(freep) char *scope = xformat("volume %s", request->name);
    struct answer_call call = {rpc, message, request->key, scope, &agent__empty__descriptor};
    Agent__Empty reply = AGENT__EMPTY__INIT;
    struct idempotency_entry *entry;
    struct error err;

    if (request->first)
        idempotency_forget(pod->answers, scope);
    entry = answer_begin(&call);
    if (!entry)
        return;
    if (put(pod, request, &err) < 0)
        answer_fail(entry, &err);
    else
        answer_reply(entry, &reply.base);
}

/* A sealed pod has live shares if its manifest says so. */
static int may_share(const struct pod *pod, struct error *err)
{
    const struct manifest *manifest = pod->sealed ? sealed_manifest(pod->sealed) : NULL;
    bool may = !manifest || manifest->debug;

    for (size_t i = 0; !may && i < manifest->volume_count; i++)
        may = manifest->volumes[i].kind == MANIFEST_SHARE;
    if (may)
        return 0;
    return error_set(err, STATUS_PERMISSION_DENIED,
                     "the pod is sealed, and its manifest has no volume that is a live share");
}

void service_open_share(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__OpenShareRequest *request = (const Agent__OpenShareRequest *) message;
    struct pod *pod = ((struct session *) rpc_context(rpc))->pod;
    struct answer_call call = {rpc, message, request->key, "", &agent__empty__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    Agent__Empty reply = AGENT__EMPTY__INIT;
    struct error err;

    if (!entry)
        return;
    if (may_share(pod, &err) < 0 || pod_open_share(pod, &err) < 0)
        answer_fail(entry, &err);
    else
        answer_reply(entry, &reply.base);
}
