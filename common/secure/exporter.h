/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Keying material out of a TLS connection (RFC 5705, context present and empty), and the verdict on
 * the extended master secret. All that depends on the version of mbedTLS is behind this header. */
#include <stdint.h>

struct error;
struct exporter;
struct mbedtls_ssl_config;
struct mbedtls_ssl_context;

enum { EXPORTER_SIZE = 32 };

#define EXPORTER_LABEL_CHANNEL "EXPORTER-Channel-Binding"
#define EXPORTER_LABEL_JOIN    "EXPORTER-cleave-join"

/* Sets the one TLS version of this build, its suites, and what the exporter needs. */
struct exporter *exporter_new(struct mbedtls_ssl_config *conf);
/* The context whose handshake is to be observed; before the handshake. */
void exporter_attach(struct exporter *exporter, const struct mbedtls_ssl_context *ssl);
void exporter_free(struct exporter *exporter); /* wipes the secret */
/* After the handshake: refuses a session without extended master secret (TLS 1.2). */
int exporter_check(const struct exporter *exporter, struct error *err)
    __attribute__((warn_unused_result));
int exporter_derive(const struct exporter *exporter, const char *label, uint8_t ret[EXPORTER_SIZE],
                    struct error *err) __attribute__((warn_unused_result));
/* The secret is not needed any more. */
void exporter_forget(struct exporter *exporter);
uint16_t exporter_tls_version(const struct exporter *exporter); /* on the wire: 0x0303 */
