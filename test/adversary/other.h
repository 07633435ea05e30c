/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Our TLS and, at the other end of a socket pair, that of another library (OpenSSL), which does
 * what it is told: a fixture for test_tls*.c. */
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "secure/tls.h"
#include "version.h"

enum { OTHER_STEPS_MAX = 200 };

struct other { /* the OpenSSL end */
    SSL_CTX *context;
    SSL *ssl;
    EVP_PKEY *key;
    X509 *certificate;
    uint8_t spki[32];
};

extern struct other other;
extern struct tls *ours;
extern int fds[2]; /* ours, the other's */
extern struct error err;

void other_setup(void);
void other_teardown(void);

/* curve NULL: it has no certificate. */
void other_init(const SSL_METHOD *method, const char *curve);
const SSL_METHOD *other_method(enum tls_side our_side);
void other_use(EVP_PKEY *pkey); /* with a certificate of its own; taken */
X509 *other_self_signed(EVP_PKEY *pkey);
/* On P-256: the public half of one key, and the private half of another. */
EVP_PKEY *other_stolen(EVP_PKEY *shown);
/* Another connection of the same context, which has none yet. */
void other_attach(int fd, enum tls_side our_side);
void ours_init(enum tls_side side, tls_accept_peer_fn *accept_peer);
/* Both ends go, for a second connection. */
void other_hang_up(void);

/* Runs both ends; the verdict of ours. */
enum tls_result other_shake(enum tls_side side, tls_accept_peer_fn *accept_peer);
/* With both ends made already. */
enum tls_result other_run(void);
void other_shake_well(enum tls_side side);
void other_is_refused(enum tls_side side, const char *why);
/* Both labels give both ends the same value, with a context that is present and empty. */
void other_exports_the_same(void);
