/* SPDX-License-Identifier: Apache-2.0 */
#include "raw.h"

#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "evidence/evidence.h"
#include "io/loop.h"
#include "pair.h"
#include "secure/transport.h"

static struct raw *raw_new(struct pair *pair, int fd, const struct key *key, enum tls_side side)
{
    struct raw *raw = xnew(struct raw);
    const struct tls_options options = {.side = side, .fd = fd, .key = key};

    transport_tune(fd); /* each write is a segment at once */
    raw->pair = pair;
    raw->fd = fd;
    ck_assert_msg(tls_new(&options, &raw->tls, &raw->err) == 0, "%s", raw->err.message);
    return raw;
}

static bool wait_again(struct raw *raw, enum tls_result result, int *turns)
{
    if (result != TLS_WANT_READ && result != TLS_WANT_WRITE)
        return false;
    ck_assert_msg(++*turns < PAIR_TURNS_MAX, "the peer is silent");
    pair_turns(raw->pair, 1);
    return true;
}

struct raw *raw_dial(struct pair *pair, const struct key *key)
{
    return raw_new(pair, pair_connect(pair), key, TLS_TENANT);
}

struct raw *raw_dial_on(struct pair *pair, int fd, const struct key *key)
{
    return raw_new(pair, fd, key, TLS_TENANT);
}

struct raw *raw_serve(struct pair *pair, int fd, const struct key *key)
{
    return raw_new(pair, fd, key, TLS_GUEST);
}

void raw_free(struct raw *raw)
{
    if (!raw)
        return;
    tls_free(raw->tls);
    closep(&raw->fd);
    free(raw);
}

bool raw_handshake(struct raw *raw)
{
    enum tls_result result;
    int turns = 0;

    do
        result = tls_handshake(raw->tls, &raw->err);
    while (wait_again(raw, result, &turns));
    return result == TLS_OK;
}

bool raw_send(struct raw *raw, const void *data, size_t length)
{
    const uint8_t *from = data;
    int turns = 0;

    while (length > 0) {
        size_t written = 0;
        enum tls_result result = tls_write(raw->tls, from, length, &written, &raw->err);

        if (wait_again(raw, result, &turns))
            continue;
        if (result != TLS_OK)
            return false;
        from += written;
        length -= written;
    }
    return true;
}

bool raw_send_frame(struct raw *raw, uint8_t type, const void *body, size_t length)
{
    struct writer writer;

    writer_init(&writer, 2 << 20);
    writer_u8(&writer, type);
    writer_u32(&writer, (uint32_t) length);
    writer_bytes(&writer, body, length);
    bool sent = raw_send(raw, writer.data, writer.size);
    writer_fini(&writer);
    return sent;
}

static bool read_full(struct raw *raw, uint8_t *to, size_t length)
{
    int turns = 0;

    while (length > 0) {
        size_t n = 0;
        enum tls_result result = tls_read(raw->tls, to, length, &n, &raw->err);

        if (wait_again(raw, result, &turns))
            continue;
        if (result != TLS_OK)
            return false;
        to += n;
        length -= n;
    }
    return true;
}

bool raw_read_frame(struct raw *raw)
{
    uint8_t header[FRAME_HEADER_SIZE];
    struct reader reader;

    if (!read_full(raw, header, sizeof(header)))
        return false;
    reader_init(&reader, header, sizeof(header));
    raw->type = reader_u8(&reader);
    raw->length = reader_u32(&reader);
    ck_assert_uint_le(raw->length, sizeof(raw->body));
    return read_full(raw, raw->body, raw->length);
}

bool raw_is_ended(struct raw *raw)
{
    uint8_t byte;

    return !read_full(raw, &byte, 1);
}

bool raw_ask(struct raw *raw, uint16_t number)
{
    const struct hello hello = {.number = number, .evidence = EVIDENCE_SAMPLE};
    struct writer writer;

    writer_init(&writer, 256);
    hello_write(&writer, &hello);
    bool asked = raw_send(raw, writer.data, writer.size);
    writer_fini(&writer);
    return asked && raw_read_frame(raw) && raw->type == FRAME_EVIDENCE;
}

void raw_hello(struct raw *raw, uint16_t number)
{
    ck_assert_msg(raw_ask(raw, number), "%s", raw->pair->refused.message);
}

void raw_open_control(struct raw *raw)
{
    size_t before = raw->pair->guest_count;

    ck_assert_msg(raw_handshake(raw), "%s", raw->err.message);
    raw_hello(raw, 1);
    ck_assert(raw_send_frame(raw, FRAME_ACCEPT, NULL, 0));
    pair_until(raw->pair, &raw->pair->guest[before].opened);
}

int raw_accept(struct pair *pair, int listening)
{
    for (int i = 0; i < PAIR_TURNS_MAX; i++) {
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            return fd;
        pair_turns(pair, 1);
    }
    ck_abort_msg("nobody connects");
    return -1;
}
