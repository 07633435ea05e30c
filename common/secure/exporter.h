/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Keying material out of a TLS connection (RFC 5705, RFC 8446 section 7.5; context present and
 * empty), and the verdict on what it is made of. TLS has one version per build, minimum and
 * maximum: 1.2 with mbedTLS 2.28 (exporter_tls12.c), 1.3 with 3.6 (exporter_tls13.c); all that
 * depends on it is behind this header. Both at once is what CVE-2026-115490 needs, and is never
 * offered. */
#include <stdint.h>

struct error;
struct exporter;
struct mbedtls_ssl_config;
struct mbedtls_ssl_context;

enum { EXPORTER_SIZE = 32 };

#define EXPORTER_LABEL_CHANNEL "EXPORTER-Channel-Binding"
#define EXPORTER_LABEL_JOIN    "EXPORTER-cleave-join"

/* Sets the one TLS version of this build, its suites and curves, and what the exporter needs. */
int exporter_new(struct mbedtls_ssl_config *conf, struct exporter **ret, struct error *err)
    __attribute__((warn_unused_result));
/* The context whose handshake is to be observed; before the handshake. */
void exporter_attach(struct exporter *exporter, struct mbedtls_ssl_context *ssl);
void exporter_free(struct exporter *exporter); /* wipes the secret that it holds itself */
/* After the handshake: refuses a session of another version, or (TLS 1.2) without extended master
 * secret. */
int exporter_check(const struct exporter *exporter, struct error *err)
    __attribute__((warn_unused_result));
int exporter_derive(const struct exporter *exporter, const char *label, uint8_t ret[EXPORTER_SIZE],
                    struct error *err) __attribute__((warn_unused_result));
/* The secret is not needed any more. */
void exporter_forget(struct exporter *exporter);
uint16_t exporter_tls_version(const struct exporter *exporter); /* on the wire: 0x0303, 0x0304 */
