/* SPDX-License-Identifier: Apache-2.0 */
#include "content.h"

#include <inttypes.h>

#include "base/error.h"
#include "containerd.pb-c.h"
#include "grpc/client.h"

enum { REQUEST_MS = 20 * 1000, MESSAGE_MAX = 16 * 1024 * 1024 };

struct content {
    struct rpc_channel *channel;
    char *ns;
};

struct content_request {
    struct content *content;
    struct content_events events;
    void *user;
    char *name; /* of what is asked for, for messages */
    struct rpc_call *call;
};

int content_new(struct rpc_queue *queue, const char *address, const char *ns, struct content **ret,
                struct error *err)
{
    struct content *content = xnew(struct content);

    if (rpc_channel_to_unix(queue, address, MESSAGE_MAX, &content->channel, err) < 0) {
        free(content);
        return error_wrap(err, "containerd");
    }
    content->ns = xstrdup(ns);
    *ret = content;
    return 0;
}

void content_free(struct content *content)
{
    if (!content)
        return;
    rpc_channel_free(content->channel);
    free(content->ns);
    free(content);
}

void content_request_free(struct content_request *request)
{
    if (!request)
        return;
    rpc_call_free(request->call);
    free(request->name);
    free(request);
}

static void fail(struct content_request *request, const struct rpc_result *result)
{
    struct error err;

    error_set(&err, result->status, "containerd: '%s': %s", request->name, result->message);
    request->events.failed(request->user, &err);
}

static void fail_with(struct content_request *request, enum status status, const char *what)
{
    struct rpc_result result = {.status = status, .message = what};

    fail(request, &result);
}

static int ask(struct content_request *request, struct rpc_request *rpc, rpc_done_fn *done)
{
    const char *metadata[] = {"containerd-namespace", request->content->ns, NULL};

    rpc->metadata = metadata;
    rpc->deadline_ms = REQUEST_MS;
    return rpc_call_unary(request->content->channel, rpc, done, request, &request->call);
}

static void on_image(void *user, const struct rpc_result *result)
{
    struct content_request *request = user;
    const Containerd__GetImageResponse *reply = (const Containerd__GetImageResponse *)
                                                    result->reply;

    if (result->status != STATUS_OK)
        fail(request, result);
    else if (!reply->image || !reply->image->target)
        fail_with(request, STATUS_INTERNAL, "the image has no target");
    else
        request->events.found(request->user, reply->image->target->digest);
}

static void on_container(void *user, const struct rpc_result *result)
{
    struct content_request *request = user;
    const Containerd__GetContainerResponse *reply = (const Containerd__GetContainerResponse *)
                                                        result->reply;
    Containerd__GetImageRequest message = CONTAINERD__GET_IMAGE_REQUEST__INIT;
    struct rpc_request rpc = {.method = "/containerd.services.images.v1.Images/Get",
                              .message = &message.base,
                              .reply = &containerd__get_image_response__descriptor};
    struct rpc_call *old = request->call;

    if (result->status != STATUS_OK) {
        fail(request, result);
        return;
    }
    if (!reply->container || reply->container->image[0] == '\0') {
        fail_with(request, STATUS_FAILED_PRECONDITION, "the container was made of no image");
        return;
    }
    free(request->name);
    request->name = xstrdup(reply->container->image);
    message.name = request->name;
    request->call = NULL;
    if (ask(request, &rpc, on_image) < 0)
        fail_with(request, STATUS_INTERNAL, "cannot ask");
    rpc_call_free(old);
}

static struct content_request *request_new(struct content *content, const char *name,
                                           const struct content_events *events, void *user)
{
    struct content_request *request = xnew(struct content_request);

    request->content = content;
    request->events = *events;
    request->user = user;
    request->name = xstrdup(name);
    return request;
}

int content_image_of(struct content *content, const char *container_id,
                     const struct content_events *events, void *user, struct content_request **ret,
                     struct error *err)
{
    scoped(content_request_freep) struct content_request *request = request_new(
        content, container_id, events, user);
    Containerd__GetContainerRequest message = CONTAINERD__GET_CONTAINER_REQUEST__INIT;
    struct rpc_request rpc = {.method = "/containerd.services.containers.v1.Containers/Get",
                              .message = &message.base,
                              .reply = &containerd__get_container_response__descriptor};

    message.id = (char *) container_id;
    if (ask(request, &rpc, on_container) < 0)
        return error_set(err, STATUS_INTERNAL, "cannot ask containerd for '%s'", container_id);
    *ret = take_ptr(request);
    return 0;
}

static void on_data(void *user, const struct ProtobufCMessage *message)
{
    struct content_request *request = user;
    const Containerd__ReadContentResponse *reply = (const Containerd__ReadContentResponse *)
        message;

    if (reply->data.len > 0)
        request->events.data(request->user, reply->data.data, reply->data.len);
}

static void on_data_end(void *user, const struct rpc_result *result)
{
    struct content_request *request = user;

    if (result->status == STATUS_OK)
        request->events.ended(request->user);
    else
        fail(request, result);
}

int content_read(struct content *content, const char *digest, uint64_t offset,
                 const struct content_events *events, void *user, struct content_request **ret,
                 struct error *err)
{
    static const struct rpc_call_events calls = {.on_message = on_data, .on_end = on_data_end};
    scoped(content_request_freep) struct content_request *request = request_new(content, digest,
                                                                                events, user);
    const char *metadata[] = {"containerd-namespace", content->ns, NULL};
    Containerd__ReadContentRequest message = CONTAINERD__READ_CONTENT_REQUEST__INIT;
    struct rpc_request rpc = {.method = "/containerd.services.content.v1.Content/Read",
                              .message = &message.base,
                              .reply = &containerd__read_content_response__descriptor,
                              .metadata = metadata};

    message.digest = (char *) digest;
    message.offset = (int64_t) offset;
    if (rpc_call_stream(content->channel, &rpc, &calls, request, &request->call) < 0)
        return error_set(err, STATUS_INTERNAL, "cannot read '%s' from containerd", digest);
    *ret = take_ptr(request);
    return 0;
}

void content_pause(struct content_request *request)
{
    rpc_call_pause(request->call);
}

void content_resume(struct content_request *request)
{
    rpc_call_resume(request->call);
}
