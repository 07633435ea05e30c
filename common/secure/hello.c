/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/hello.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "secure/initdata.h"

enum {
    HELLO_SIZE = 1 + 2 + HELLO_NONCE_SIZE + 1,
    EVIDENCE_BODY_MAX = 1 + HELLO_INSTANCE_SIZE + 4 * 4 + EVIDENCE_MAX + ENDORSEMENTS_MAX +
                        EVENT_LOG_MAX + INITDATA_SIZE_MAX,
    REJECT_MAX = 4 + 2 + UINT16_MAX, /* a longer text than we say is read, and cut */
    JOIN_SIZE = 1 + 1 + 2 + HELLO_CONTROL_ID_SIZE + HELLO_NONCE_SIZE + HELLO_MAC_SIZE,
};
_Static_assert((int) EVIDENCE_BODY_MAX <= (int) FRAME_BODY_MAX,
               "a frame holds the largest evidence");

static const struct {
    const char *name;
    uint32_t limit;
} frames[] = {
    [FRAME_HELLO] = {"HELLO", HELLO_SIZE}, [FRAME_EVIDENCE] = {"EVIDENCE", EVIDENCE_BODY_MAX},
    [FRAME_ACCEPT] = {"ACCEPT", 0},        [FRAME_REJECT] = {"REJECT", REJECT_MAX},
    [FRAME_JOIN] = {"JOIN", JOIN_SIZE},    [FRAME_JOINED] = {"JOINED", HELLO_MAC_SIZE},
};
enum { FRAME_TYPES = sizeof(frames) / sizeof(frames[0]) };

static int complete(const struct reader *reader, uint8_t type, struct error *err)
{
    if (reader->failed)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is cut short", frame_name(type));
    if (reader_left(reader))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s has %zu bytes too many",
                         frame_name(type), reader_left(reader));
    return 0;
}

static int check_version(uint8_t version, uint8_t type, struct error *err)
{
    if (version != HELLO_VERSION)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s has version %u, this is %d",
                         frame_name(type), version, HELLO_VERSION);
    return 0;
}

static int read_blob(struct reader *reader, const char *name, uint32_t limit, struct blob *ret,
                     struct error *err)
{
    uint32_t length = reader_u32(reader);

    if (length > limit)
        return error_set(err, STATUS_INVALID_ARGUMENT, "EVIDENCE has %u bytes of %s, at most %u",
                         length, name, limit);
    ret->length = length;
    ret->data = reader_bytes(reader, length);
    return 0;
}

static void write_header(struct writer *writer, uint8_t type, size_t length)
{
    writer_u8(writer, type);
    writer_u32(writer, (uint32_t) length);
}

static void write_blob(struct writer *writer, const struct blob *blob)
{
    writer_u32(writer, (uint32_t) blob->length);
    writer_bytes(writer, blob->data, blob->length);
}

const char *frame_name(uint8_t type)
{
    return type < FRAME_TYPES && frames[type].name ? frames[type].name : "unknown frame";
}

int frame_peek(const uint8_t *data, size_t size, uint8_t *ret_type, uint32_t *ret_length,
               struct error *err)
{
    struct reader reader;

    reader_init(&reader, data, size);
    uint8_t type = reader_u8(&reader);
    if (!reader.failed && (type >= FRAME_TYPES || !frames[type].name))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a frame of unknown type %u", type);
    uint32_t length = reader_u32(&reader);
    if (reader.failed)
        return 0;
    if (length > frames[type].limit)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s says %u bytes, at most %u",
                         frame_name(type), length, frames[type].limit);
    *ret_type = type;
    *ret_length = length;
    return 1;
}

int hello_parse(const void *body, size_t length, struct hello *ret, struct error *err)
{
    struct hello hello;
    struct reader reader;

    reader_init(&reader, body, length);
    uint8_t version = reader_u8(&reader);
    hello.number = reader_u16(&reader);
    reader_copy(&reader, hello.nonce, sizeof(hello.nonce));
    hello.evidence = reader_u8(&reader);
    if (complete(&reader, FRAME_HELLO, err) < 0 || check_version(version, FRAME_HELLO, err) < 0)
        return -1;
    *ret = hello;
    return 0;
}

int evidence_body_parse(const void *body, size_t length, struct evidence_body *ret,
                        struct error *err)
{
    struct evidence_body evidence = {0};
    struct reader reader;

    reader_init(&reader, body, length);
    evidence.type = reader_u8(&reader);
    reader_copy(&reader, evidence.instance, sizeof(evidence.instance));
    if (read_blob(&reader, "evidence", EVIDENCE_MAX, &evidence.evidence, err) < 0 ||
        read_blob(&reader, "endorsements", ENDORSEMENTS_MAX, &evidence.endorsements, err) < 0 ||
        read_blob(&reader, "event log", EVENT_LOG_MAX, &evidence.event_log, err) < 0 ||
        read_blob(&reader, "initdata", INITDATA_SIZE_MAX, &evidence.initdata, err) < 0 ||
        complete(&reader, FRAME_EVIDENCE, err) < 0)
        return -1;
    *ret = evidence;
    return 0;
}

int reject_parse(const void *body, size_t length, struct reject *ret, struct error *err)
{
    struct reject reject = {0};
    struct reader reader;

    reader_init(&reader, body, length);
    reject.code = reader_u32(&reader);
    uint16_t size = reader_u16(&reader);
    const uint8_t *text = reader_bytes(&reader, size);
    if (complete(&reader, FRAME_REJECT, err) < 0)
        return -1;
    if (size > 0)
        memcpy(reject.text, text, size < REJECT_TEXT_MAX ? size : REJECT_TEXT_MAX);
    text_make_utf8(reject.text);
    *ret = reject;
    return 0;
}

int join_parse(const void *body, size_t length, struct join *ret, struct error *err)
{
    struct join join;
    struct reader reader;

    reader_init(&reader, body, length);
    uint8_t version = reader_u8(&reader);
    join.class = reader_u8(&reader);
    join.serial = reader_u16(&reader);
    reader_copy(&reader, join.control_id, sizeof(join.control_id));
    reader_copy(&reader, join.nonce, sizeof(join.nonce));
    reader_copy(&reader, join.mac, sizeof(join.mac));
    if (complete(&reader, FRAME_JOIN, err) < 0 || check_version(version, FRAME_JOIN, err) < 0)
        return -1;
    *ret = join;
    return 0;
}

int joined_parse(const void *body, size_t length, uint8_t ret_mac[HELLO_MAC_SIZE],
                 struct error *err)
{
    uint8_t mac[HELLO_MAC_SIZE];
    struct reader reader;

    reader_init(&reader, body, length);
    reader_copy(&reader, mac, sizeof(mac));
    if (complete(&reader, FRAME_JOINED, err) < 0)
        return -1;
    memcpy(ret_mac, mac, sizeof(mac));
    return 0;
}

void evidence_body_write(struct writer *writer, const struct evidence_body *body)
{
    writer_u8(writer, body->type);
    writer_bytes(writer, body->instance, sizeof(body->instance));
    write_blob(writer, &body->evidence);
    write_blob(writer, &body->endorsements);
    write_blob(writer, &body->event_log);
    write_blob(writer, &body->initdata);
}

void hello_write(struct writer *writer, const struct hello *hello)
{
    write_header(writer, FRAME_HELLO, HELLO_SIZE);
    writer_u8(writer, HELLO_VERSION);
    writer_u16(writer, hello->number);
    writer_bytes(writer, hello->nonce, sizeof(hello->nonce));
    writer_u8(writer, hello->evidence);
}

void evidence_write(struct writer *writer, const void *body, size_t length)
{
    write_header(writer, FRAME_EVIDENCE, length);
    writer_bytes(writer, body, length);
}

void accept_write(struct writer *writer)
{
    write_header(writer, FRAME_ACCEPT, 0);
}

void reject_write(struct writer *writer, uint32_t code, const char *text)
{
    size_t length = strnlen(text, REJECT_TEXT_MAX);

    write_header(writer, FRAME_REJECT, 4 + 2 + length);
    writer_u32(writer, code);
    writer_u16(writer, (uint16_t) length);
    writer_bytes(writer, text, length);
}

void join_write(struct writer *writer, const struct join *join)
{
    write_header(writer, FRAME_JOIN, JOIN_SIZE);
    writer_u8(writer, HELLO_VERSION);
    writer_u8(writer, join->class);
    writer_u16(writer, join->serial);
    writer_bytes(writer, join->control_id, sizeof(join->control_id));
    writer_bytes(writer, join->nonce, sizeof(join->nonce));
    writer_bytes(writer, join->mac, sizeof(join->mac));
}

void joined_write(struct writer *writer, const uint8_t mac[HELLO_MAC_SIZE])
{
    write_header(writer, FRAME_JOINED, HELLO_MAC_SIZE);
    writer_bytes(writer, mac, HELLO_MAC_SIZE);
}
