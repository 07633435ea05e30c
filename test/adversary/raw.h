/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A peer that says what it likes: our TLS, its own frames. Works in the same thread as the pair, by
 * turning the pair's loop while it waits. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "secure/hello.h"
#include "secure/tls.h"

struct key;
struct pair;

struct raw {
    struct pair *pair;
    int fd;
    struct tls *tls;
    uint8_t body[1 << 20]; /* of the frame read last */
    size_t length;
    uint8_t type;
    struct error err;
};

/* As a tenant: connects to the pair's listener, or takes fd. As a guest: takes fd. Not shaken yet.
 */
struct raw *raw_dial(struct pair *pair, const struct key *key);
struct raw *raw_dial_on(struct pair *pair, int fd, const struct key *key);
struct raw *raw_serve(struct pair *pair, int fd, const struct key *key);
void raw_free(struct raw *raw);

bool raw_handshake(struct raw *raw); /* false: err says why */
bool raw_send(struct raw *raw, const void *data, size_t length);
/* A frame in a record of its own. */
bool raw_send_frame(struct raw *raw, uint8_t type, const void *body, size_t length);
/* False: the connection ended or broke. */
bool raw_read_frame(struct raw *raw);
bool raw_is_ended(struct raw *raw); /* waits for the end; false if a byte comes instead */
/* HELLO with a nonce of zeros; whether EVIDENCE came. */
bool raw_ask(struct raw *raw, uint16_t number);
void raw_hello(struct raw *raw, uint16_t number); /* the same, and it must come */
/* Handshake, HELLO, EVIDENCE, ACCEPT. */
void raw_open_control(struct raw *raw);
int raw_accept(struct pair *pair, int listening);
