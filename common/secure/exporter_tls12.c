/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/exporter.h"

#include <string.h>

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/ssl_internal.h> /* handshake->extended_ms: there is no public way to ask */
#include <mbedtls/version.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"

/* mbedTLS 2.28: TLS 1.2 only, exporter by hand. */
_Static_assert(MBEDTLS_VERSION_NUMBER >= 0x021C0000 && MBEDTLS_VERSION_NUMBER < 0x03000000,
               "this file is for mbedTLS 2.28");

enum { MASTER_SIZE = 48, RANDOM_SIZE = 32, CONTEXT_SIZE = 2 };

/* `verdict` is kept here because the library ignores what the callback returns. */
enum exporter_verdict { EXPORTER_NOTHING_YET, EXPORTER_GOOD, EXPORTER_NO_EMS, EXPORTER_TWICE };

struct exporter {
    const mbedtls_ssl_context *ssl;
    enum exporter_verdict verdict;
    mbedtls_tls_prf_types prf;
    uint8_t master[MASTER_SIZE];
    uint8_t seed[2 * RANDOM_SIZE + CONTEXT_SIZE];
};

static const int suites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    0,
};

/* The default order costs a third more time. */
static const mbedtls_ecp_group_id curves[] = {
    MBEDTLS_ECP_DP_SECP256R1,
    MBEDTLS_ECP_DP_SECP384R1,
    MBEDTLS_ECP_DP_NONE,
};

static int keys_made(void *user, const unsigned char *master, const unsigned char *key_block,
                     size_t mac_length, size_t key_length, size_t iv_length,
                     const unsigned char client_random[RANDOM_SIZE],
                     const unsigned char server_random[RANDOM_SIZE], mbedtls_tls_prf_types prf)
{
    struct exporter *exporter = user;

    if (exporter->verdict != EXPORTER_NOTHING_YET) {
        exporter->verdict = EXPORTER_TWICE; /* a renegotiation: is off, must not happen */
        return 0;
    }
    const mbedtls_ssl_handshake_params *handshake = exporter->ssl ? exporter->ssl->handshake : NULL;
    exporter->verdict = handshake && handshake->extended_ms == MBEDTLS_SSL_EXTENDED_MS_ENABLED
                            ? EXPORTER_GOOD
                            : EXPORTER_NO_EMS;
    exporter->prf = prf;
    memcpy(exporter->master, master, MASTER_SIZE);
    memcpy(exporter->seed, client_random, RANDOM_SIZE);
    memcpy(exporter->seed + RANDOM_SIZE, server_random, RANDOM_SIZE);
    /* The rest of the seed stays zero: u16 length of a context that is present and empty. */
    return 0;
}

int exporter_new(struct mbedtls_ssl_config *conf, struct exporter **ret, struct error *err)
{
    struct exporter *exporter = xnew(struct exporter);

    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(conf, suites);
    mbedtls_ssl_conf_curves(conf, curves);
    mbedtls_ssl_conf_extended_master_secret(conf, MBEDTLS_SSL_EXTENDED_MS_ENABLED);
    mbedtls_ssl_conf_export_keys_ext_cb(conf, keys_made, exporter);
    mbedtls_ssl_conf_legacy_renegotiation(conf, MBEDTLS_SSL_LEGACY_BREAK_HANDSHAKE);
    *ret = exporter;
    return 0;
}

void exporter_attach(struct exporter *exporter, struct mbedtls_ssl_context *ssl)
{
    exporter->ssl = ssl;
}

void exporter_free(struct exporter *exporter)
{
    if (!exporter)
        return;
    bytes_wipe(exporter, sizeof(*exporter));
    free(exporter);
}

int exporter_check(const struct exporter *exporter, struct error *err)
{
    switch (exporter->verdict) {
    case EXPORTER_GOOD:
        return 0;
    case EXPORTER_NO_EMS:
        return error_set(err, STATUS_UNAUTHENTICATED,
                         "the peer does not use the extended master secret");
    case EXPORTER_TWICE:
        return error_set(err, STATUS_UNAUTHENTICATED, "the peer renegotiated");
    case EXPORTER_NOTHING_YET:
        break;
    }
    return error_set(err, STATUS_INTERNAL, "the handshake gave no secret");
}

int exporter_derive(const struct exporter *exporter, const char *label, uint8_t ret[EXPORTER_SIZE],
                    struct error *err)
{
    uint8_t value[EXPORTER_SIZE];

    if (exporter_check(exporter, err) < 0)
        return -1;
    int rc = mbedtls_ssl_tls_prf(exporter->prf, exporter->master, MASTER_SIZE, label,
                                 exporter->seed, sizeof(exporter->seed), value, sizeof(value));
    if (rc != 0)
        return error_set(err, STATUS_INTERNAL, "exporter: mbedTLS -0x%04x", (unsigned) -rc);
    memcpy(ret, value, EXPORTER_SIZE);
    bytes_wipe(value, sizeof(value));
    return 0;
}

void exporter_forget(struct exporter *exporter)
{
    bytes_wipe(exporter->master, sizeof(exporter->master));
    exporter->verdict = EXPORTER_NOTHING_YET;
}

uint16_t exporter_tls_version(const struct exporter *exporter)
{
    return (uint16_t) (exporter->ssl->major_ver << 8 | exporter->ssl->minor_ver);
}
