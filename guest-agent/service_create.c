/* SPDX-License-Identifier: Apache-2.0 */
/* Create: at once, or when what the container mounts of the live share was found there. */
#include "agent.pb-c.h"
#include "codec_answer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "container.h"
#include "grpc/server.h"
#include "idempotency.h"
#include "mounts.h"
#include "pod.h"
#include "rootfs.h"
#include "sealed.h"
#include "sealed/manifest.h"
#include "sealed_create.h"
#include "service.h"
#include "session.h"
#include "share.h"
#include "streams.h"

/* The names of what a container shares, and descriptors behind them once they were opened. */
struct shared {
    const struct share_name *names;
    size_t count;
};

static void created(void *user, struct process *process, const struct error *err)
{
    Agent__CreateResponse reply = AGENT__CREATE_RESPONSE__INIT;

    if (err)
        return answer_fail(user, err);
    reply.pid = (uint32_t) process->pid;
    answer_reply(user, &reply.base);
}

static unsigned wanted(const Agent__CreateRequest *request)
{
    return (request->stdin ? STREAMS_STDIN : 0) | (request->stdout ? STREAMS_STDOUT : 0) |
           (request->stderr ? STREAMS_STDERR : 0) | (request->terminal ? STREAMS_TERMINAL : 0);
}

/* A request as the container wants it. */
struct wish {
    struct container_options options;
    struct rootfs_layer *layers;
    struct mounts_file *files;
};

static void wish_clear(struct wish *wish)
{
    free(wish->layers);
    free(wish->files);
}

static struct wish read_wish(const Agent__CreateRequest *request)
{
    struct rootfs_layer *layers = xnew_array(struct rootfs_layer, request->n_layers + 1);
    struct mounts_file *files = xnew_array(struct mounts_file, request->n_files + 1);
    const struct container_options options = {
        .id = request->container_id,
        .spec = request->spec.data,
        .spec_length = request->spec.len,
        .layers = layers,
        .layer_count = request->n_layers,
        .files = files,
        .file_count = request->n_files,
        .wanted = wanted(request),
    };

    for (size_t i = 0; i < request->n_layers; i++)
        layers[i] = (struct rootfs_layer){request->layers[i]->digest, request->layers[i]->diff_id};
    for (size_t i = 0; i < request->n_files; i++) {
        const Agent__CopiedFile *file = request->files[i];

        files[i] = (struct mounts_file){
            .name = file->name,
            .content = file->content.data,
            .length = file->content.len,
            .mode = file->mode,
            .uid = file->uid,
            .gid = file->gid,
        };
    }
    return (struct wish){options, layers, files};
}

static void create(struct pod *pod, struct idempotency_entry *entry,
                   const Agent__CreateRequest *request, const struct shared *shared)
{
    scoped(wish_clear) struct wish wish = read_wish(request);
    struct container_options options = wish.options;
    struct error err;

    options.shared = shared->names;
    options.shared_count = shared->count;
    options.slot = pod->sealed ? manifest_slot(sealed_manifest(pod->sealed), request->slot) : NULL;
    if (container_create(pod, &options, created, entry, &err) < 0)
        answer_fail(entry, &err);
}

/* ---- with the live share ---- */

struct waiting { /* for names to be opened; the share frees it */
    struct pod *pod;
    struct idempotency_entry *entry;
    size_t length;
    uint8_t request[]; /* packed: the message does not outlive its call */
};

static void on_opened(void *user, const struct share_name *names, size_t count,
                      const struct error *err)
{
    const struct waiting *waiting = user;
    const struct shared shared = {names, count};
    Agent__CreateRequest *request;
    struct error error;

    if (!err && !phase_may_run(waiting->pod->phase)) {
        error_set(&error, STATUS_FAILED_PRECONDITION, "the guest is %s",
                  phase_name(waiting->pod->phase));
        err = &error;
    }
    if (err)
        return answer_fail(waiting->entry, err);
    request = agent__create_request__unpack(NULL, waiting->length, waiting->request);
    create(waiting->pod, waiting->entry, request, &shared);
    agent__create_request__free_unpacked(request, NULL);
}

static int open_shared(struct pod *pod, struct idempotency_entry *entry,
                       const Agent__CreateRequest *request, const struct shared *shared,
                       struct error *err)
{
    size_t length = agent__create_request__get_packed_size(request);
    struct waiting *waiting;

    if (!pod->share)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "a mount names a live volume, and OpenShare was not called");
    waiting = xalloc(sizeof(*waiting) + length);
    waiting->pod = pod;
    waiting->entry = entry;
    waiting->length = length;
    (void) agent__create_request__pack(request, waiting->request);
    return share_open(pod->share,
                      &(struct share_wish){request->container_id, shared->names, shared->count},
                      on_opened, waiting, err);
}

static int parse_spec(const ProtobufCBinaryData *text, struct js **ret, struct error *err)
{
    if (text->len > CONTAINER_SPEC_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the spec is larger than %d bytes",
                         CONTAINER_SPEC_MAX);
    if (js_parse((const char *) text->data, text->len, ret, err) < 0)
        return error_wrap(err, "spec");
    return 0;
}

/* In a sealed guest: the manifest's specification takes the place of the one that came. */
static int compose(struct pod *pod, Agent__CreateRequest *request, const struct js *came,
                   char **ret, struct error *err)
{
    scoped(wish_clear) struct wish wish = read_wish(request);
    const struct sealed_creation creation = {request->slot, came, &wish.options};

    if (sealed_create(pod, &creation, ret, err) < 0)
        return -1;
    if (!*ret)
        return 0;
    request->spec.data = (uint8_t *) *ret;
    request->spec.len = strlen(*ret);
    return 0;
}

static int begin(struct pod *pod, struct idempotency_entry *entry, Agent__CreateRequest *request,
                 struct error *err)
{
    scoped(js_freep) struct js *came = NULL;
    scoped(js_freep) struct js *spec = NULL;
    scoped(freep) char *composed = NULL;
    struct share_name names[SHARE_NAMES_MAX];
    struct shared shared = {.names = names};

    if (parse_spec(&request->spec, &came, err) < 0 ||
        compose(pod, request, came, &composed, err) < 0 ||
        (composed && parse_spec(&request->spec, &spec, err) < 0) ||
        mounts_shared(js_get(composed ? spec : came, "mounts"), names, &shared.count, err) < 0)
        return -1;
    if (shared.count > 0)
        return open_shared(pod, entry, request, &shared, err);
    create(pod, entry, request, &shared);
    return 0;
}

void service_create(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__CreateRequest *request = (const Agent__CreateRequest *) message;
    Agent__CreateRequest taken = *request; /* whose specification may be another */
    struct pod *pod = ((struct session *) rpc_context(rpc))->pod;
    struct answer_call call = {rpc, message, request->key, request->container_id,
                               &agent__create_response__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    struct error err;

    if (entry && begin(pod, entry, &taken, &err) < 0)
        answer_fail(entry, &err);
}
