/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_stdio.h"

#include "agent.pb-c.h"

void stdio_frame_decode(const struct ProtobufCMessage *message, struct stdio_frame *ret)
{
    const Agent__StdioFrame *in = (const Agent__StdioFrame *) message;

    *ret = (struct stdio_frame){.container_id = in->container_id,
                                .exec_id = in->exec_id,
                                .fd = in->fd,
                                .kind = STDIO_OTHER};
    switch (in->body_case) {
    case AGENT__STDIO_FRAME__BODY_DATA:
        ret->kind = STDIO_DATA;
        ret->offset = in->data->offset;
        ret->data = in->data->bytes.data;
        ret->length = in->data->bytes.len;
        break;
    case AGENT__STDIO_FRAME__BODY_CONSUMED:
        ret->kind = STDIO_CONSUMED;
        ret->offset = in->consumed;
        break;
    case AGENT__STDIO_FRAME__BODY_FINAL:
        if (in->final->sha256.len != 32)
            break;
        ret->kind = STDIO_FINAL;
        ret->offset = in->final->total;
        ret->sha256 = in->final->sha256.data;
        break;
    case AGENT__STDIO_FRAME__BODY_ERROR:
        ret->kind = STDIO_ERROR;
        ret->error = in->error;
        break;
    default:
        break;
    }
}

void stdio_frame_write(struct rpc_call *call, const struct stdio_frame *frame)
{
    Agent__StdioFrame out = AGENT__STDIO_FRAME__INIT;
    Agent__StdioData data = AGENT__STDIO_DATA__INIT;
    Agent__StdioFinal final = AGENT__STDIO_FINAL__INIT;

    out.container_id = (char *) frame->container_id;
    out.exec_id = (char *) frame->exec_id;
    out.fd = frame->fd;
    if (frame->kind == STDIO_DATA) {
        out.body_case = AGENT__STDIO_FRAME__BODY_DATA;
        data.offset = frame->offset;
        data.bytes.data = (uint8_t *) frame->data;
        data.bytes.len = frame->length;
        out.data = &data;
    } else if (frame->kind == STDIO_CONSUMED) {
        out.body_case = AGENT__STDIO_FRAME__BODY_CONSUMED;
        out.consumed = frame->offset;
    } else {
        out.body_case = AGENT__STDIO_FRAME__BODY_FINAL;
        final.total = frame->offset;
        final.sha256.data = (uint8_t *) frame->sha256;
        final.sha256.len = 32;
        out.final = &final;
    }
    rpc_call_write(call, &out.base);
}

int stdio_call_open(struct rpc_channel *bulk, const struct rpc_call_events *events, void *user,
                    struct rpc_call **ret)
{
    struct rpc_request request = {.method = "/agent.Bulk/Stdio",
                                  .reply = &agent__stdio_frame__descriptor};

    return rpc_call_stream(bulk, &request, events, user, ret);
}
