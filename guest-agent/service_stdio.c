/* SPDX-License-Identifier: Apache-2.0 */
/* The one stream of all processes' bytes: frames of the mux as messages. */
#include "agent.pb-c.h"
#include "base/error.h"
#include "base/scoped.h"
#include "grpc/server.h"
#include "mux.h"
#include "pod.h"
#include "service.h"
#include "session.h"

struct connection {
    struct rpc *rpc;
    struct mux *mux;
};

static bool writable(void *user)
{
    return rpc_writable(((struct connection *) user)->rpc);
}

static void send_frame(void *user, const struct mux_frame *frame)
{
    struct connection *connection = user;
    Agent__StdioFrame message = AGENT__STDIO_FRAME__INIT;
    Agent__StdioData data = AGENT__STDIO_DATA__INIT;
    Agent__StdioFinal final = AGENT__STDIO_FINAL__INIT;

    message.container_id = (char *) (uintptr_t) frame->container_id;
    message.exec_id = (char *) (uintptr_t) frame->exec_id;
    message.fd = frame->fd;
    switch (frame->kind) {
    case MUX_DATA:
        data.offset = frame->offset;
        data.bytes.data = (uint8_t *) (uintptr_t) frame->data;
        data.bytes.len = frame->length;
        message.body_case = AGENT__STDIO_FRAME__BODY_DATA;
        message.data = &data;
        break;
    case MUX_CONSUMED:
        message.body_case = AGENT__STDIO_FRAME__BODY_CONSUMED;
        message.consumed = frame->offset;
        break;
    case MUX_FINAL:
        final.total = frame->offset;
        final.sha256.data = (uint8_t *) (uintptr_t) frame->digest;
        final.sha256.len = 32;
        message.body_case = AGENT__STDIO_FRAME__BODY_FINAL;
        message.final = &final;
        break;
    case MUX_ERROR:
        message.body_case = AGENT__STDIO_FRAME__BODY_ERROR;
        message.error = (char *) (uintptr_t) frame->text;
        break;
    }
    rpc_write(connection->rpc, &message.base);
}

static void replaced(void *user)
{
    struct connection *connection = user;

    rpc_fail(connection->rpc, STATUS_ABORTED, "a newer Stdio has taken over");
    free(connection);
}

static const struct mux_link mux_link = {
    .writable = writable,
    .send = send_frame,
    .replaced = replaced,
};

static void frame_came(void *user, const struct ProtobufCMessage *base)
{
    const Agent__StdioFrame *message = (const Agent__StdioFrame *) base;
    struct connection *connection = user;
    struct mux_frame frame = {
        .container_id = message->container_id,
        .exec_id = message->exec_id,
        .fd = message->fd,
    };

    switch (message->body_case) {
    case AGENT__STDIO_FRAME__BODY_DATA:
        frame.kind = MUX_DATA;
        frame.offset = message->data->offset;
        frame.data = message->data->bytes.data;
        frame.length = message->data->bytes.len;
        break;
    case AGENT__STDIO_FRAME__BODY_CONSUMED:
        frame.kind = MUX_CONSUMED;
        frame.offset = message->consumed;
        break;
    case AGENT__STDIO_FRAME__BODY_FINAL:
        frame.kind = MUX_FINAL;
        frame.offset = message->final->total;
        break;
    default: /* an error of the tenant's ends nothing here */
        return;
    }
    mux_receive(connection->mux, &frame);
}

static void can_write(void *user)
{
    mux_writable(((struct connection *) user)->mux);
}

static void over(void *user)
{
    struct connection *connection = user;

    mux_detach(connection->mux, connection);
    rpc_end(connection->rpc);
    free(connection);
}

void service_stdio(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    static const struct rpc_events events = {
        .on_message = frame_came,
        .on_finish = over,
        .on_writable = can_write,
    };
    struct connection *connection = xnew(struct connection);

    connection->rpc = rpc;
    connection->mux = ((struct session *) rpc_context(rpc))->pod->mux;
    rpc_listen(rpc, &events, connection);
    rpc_on_cancel(rpc, over, connection);
    mux_attach(connection->mux, &mux_link, connection);
}
