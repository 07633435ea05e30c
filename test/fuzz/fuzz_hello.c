/* SPDX-License-Identifier: Apache-2.0 */
/* The frames before gRPC, one behind the other. What is taken is written again byte for byte, so
 * that no frame has two spellings; but a REJECT is cut for the reader of a log. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "secure/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reject(const uint8_t *body, size_t length)
{
    struct reject reject;
    struct error err;

    if (reject_parse(body, length, &reject, &err) == 0 &&
        !text_is_utf8(reject.text, strlen(reject.text)))
        abort();
}

/* False: the body is refused. */
static bool write_again(uint8_t type, const uint8_t *body, size_t length, struct writer *writer)
{
    struct evidence_body evidence;
    struct error err = {0};
    struct hello hello;
    struct join join;
    uint8_t mac[HELLO_MAC_SIZE];
    int rc = -1;

    if (type == FRAME_HELLO && (rc = hello_parse(body, length, &hello, &err)) == 0)
        hello_write(writer, &hello);
    if (type == FRAME_JOIN && (rc = join_parse(body, length, &join, &err)) == 0)
        join_write(writer, &join);
    if (type == FRAME_JOINED && (rc = joined_parse(body, length, mac, &err)) == 0)
        joined_write(writer, mac);
    if (type == FRAME_EVIDENCE && (rc = evidence_body_parse(body, length, &evidence, &err)) == 0) {
        struct writer made;

        writer_init(&made, FRAME_BODY_MAX);
        evidence_body_write(&made, &evidence);
        evidence_write(writer, made.data, made.size);
        writer_fini(&made);
    }
    if (rc < 0 && !err.message[0])
        abort();
    return rc == 0;
}

static void check_frame(uint8_t type, const uint8_t *frame, size_t length)
{
    struct writer writer;

    if (type == FRAME_REJECT) {
        check_reject(frame + FRAME_HEADER_SIZE, length);
        return;
    }
    if (type == FRAME_ACCEPT) {
        if (length != 0)
            abort();
        return;
    }
    writer_init(&writer, FRAME_HEADER_SIZE + FRAME_BODY_MAX);
    if (write_again(type, frame + FRAME_HEADER_SIZE, length, &writer) &&
        (writer.failed || writer.size != FRAME_HEADER_SIZE + length ||
         memcmp(writer.data, frame, writer.size) != 0))
        abort();
    writer_fini(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    uint32_t length;
    uint8_t type;
    int rc;

    while ((rc = frame_peek(data, size, &type, &length, &err)) == 1) {
        if (length > FRAME_BODY_MAX)
            abort();
        if (length > size - FRAME_HEADER_SIZE)
            return 0;
        check_frame(type, data, length);
        data += FRAME_HEADER_SIZE + length;
        size -= FRAME_HEADER_SIZE + length;
    }
    if (rc < 0 && !err.message[0])
        abort();
    return 0;
}
