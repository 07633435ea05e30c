/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One TLS connection over a non-blocking descriptor: mutual, peers judged by the digest of their
 * public key only, one version, no resumption, no renegotiation. Used by one thread at a time. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "secure/exporter.h"

struct error;
struct key;
struct tls;

enum tls_side { TLS_GUEST, TLS_TENANT }; /* server, client */

enum tls_result {
    TLS_OK,
    TLS_WANT_READ,
    TLS_WANT_WRITE,
    TLS_END,    /* the peer closed the connection in order */
    TLS_FAILED, /* err says why */
};

typedef bool tls_accept_peer_fn(void *user, const uint8_t spki[32]);

struct tls_options {
    enum tls_side side;
    int fd;                          /* borrowed; non-blocking stream socket */
    const struct key *key;           /* borrowed; outlives the connection */
    tls_accept_peer_fn *accept_peer; /* during the handshake; NULL: anyone, who is judged later */
    void *user;
};

/* Counts of application data records, each direction. */
struct tls_records {
    uint64_t in, out;
};

int tls_new(const struct tls_options *options, struct tls **ret, struct error *err)
    __attribute__((warn_unused_result));
void tls_free(struct tls *tls);
static inline void tls_freep(struct tls **p)
{
    if (*p)
        tls_free(*p);
}
/* TLS_OK when done: the peer's Finished is verified and extended master secret was used. */
enum tls_result tls_handshake(struct tls *tls, struct error *err);
/* What one record holds at most; *ret_length > 0 with TLS_OK. A connection that ends without
 * close_notify is TLS_FAILED: nobody may truncate silently. */
enum tls_result tls_read(struct tls *tls, void *to, size_t size, size_t *ret_length,
                         struct error *err);
/* After TLS_WANT_* the same bytes must be offered again. */
enum tls_result tls_write(struct tls *tls, const void *data, size_t length, size_t *ret_length,
                          struct error *err);
/* Bytes of a record that were decrypted and not read yet. */
size_t tls_left(const struct tls *tls);
/* Part of a record is here and waits for the rest. */
bool tls_record_begun(const struct tls *tls);
enum tls_result tls_close(struct tls *tls, struct error *err); /* sends close_notify */

int tls_export(const struct tls *tls, const char *label, uint8_t ret[EXPORTER_SIZE],
               struct error *err) __attribute__((warn_unused_result));
void tls_forget_secret(struct tls *tls);             /* tls_export fails from here on */
const uint8_t *tls_peer_spki(const struct tls *tls); /* 32 bytes, after the handshake */
uint16_t tls_version(const struct tls *tls);
struct tls_records tls_records(const struct tls *tls);
