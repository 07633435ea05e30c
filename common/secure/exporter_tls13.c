/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/exporter.h"

#include <stdbool.h>
#include <string.h>

#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"

/* mbedTLS 3.6: TLS 1.3 only. 3.6.4 brought the exporter, 3.6.6 the way to ask the kernel for each
 * random number. */
_Static_assert(MBEDTLS_VERSION_NUMBER >= 0x03060600 && MBEDTLS_VERSION_NUMBER < 0x04000000,
               "this file is for mbedTLS 3.6, from 3.6.6 on");

struct exporter {
    mbedtls_ssl_context *ssl;
    bool forgotten;
};

static const int suites[] = {
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    0,
};

static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_NONE,
};

/* The key exchange and the key schedule are PSA's, and so are their random bytes: with prediction
 * resistance each of them is asked of the kernel, as everywhere else here. */
static int init_psa(struct error *err)
{
    psa_status_t status = psa_crypto_init(); /* many times is once */

    if (status == PSA_SUCCESS)
        status = psa_random_set_prediction_resistance(1);
    if (status != PSA_SUCCESS)
        return error_set(err, STATUS_INTERNAL, "set up TLS: PSA %d", (int) status);
    return 0;
}

int exporter_new(struct mbedtls_ssl_config *conf, struct exporter **ret, struct error *err)
{
    if (init_psa(err) < 0)
        return -1;
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_ciphersuites(conf, suites);
    mbedtls_ssl_conf_groups(conf, groups);
    mbedtls_ssl_conf_sig_algs(conf, signatures);
    /* No PSK: neither one agreed on before nor a ticket. The server sends none, and the client
     * passes over what a server sends. */
    mbedtls_ssl_conf_tls13_key_exchange_modes(conf, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
    mbedtls_ssl_conf_new_session_tickets(conf, 0);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_DISABLED);
#ifdef MBEDTLS_SSL_EARLY_DATA
    mbedtls_ssl_conf_early_data(conf, MBEDTLS_SSL_EARLY_DATA_DISABLED);
#endif
    *ret = xnew(struct exporter);
    return 0;
}

void exporter_attach(struct exporter *exporter, struct mbedtls_ssl_context *ssl)
{
    exporter->ssl = ssl;
}

void exporter_free(struct exporter *exporter)
{
    free(exporter);
}

int exporter_check(const struct exporter *exporter, struct error *err)
{
    if (!exporter->ssl || exporter->forgotten || !mbedtls_ssl_is_handshake_over(exporter->ssl))
        return error_set(err, STATUS_INTERNAL, "the handshake gave no secret");
    if (exporter_tls_version(exporter) != MBEDTLS_SSL_VERSION_TLS1_3)
        return error_set(err, STATUS_UNAUTHENTICATED, "the peer does not use TLS 1.3");
    return 0;
}

int exporter_derive(const struct exporter *exporter, const char *label, uint8_t ret[EXPORTER_SIZE],
                    struct error *err)
{
    static const uint8_t empty[1];
    uint8_t value[EXPORTER_SIZE];

    if (exporter_check(exporter, err) < 0)
        return -1;
    int rc = mbedtls_ssl_export_keying_material(exporter->ssl, value, sizeof(value), label,
                                                strlen(label), empty, 0, 1);
    if (rc != 0)
        return error_set(err, STATUS_INTERNAL, "exporter: mbedTLS -0x%04x", (unsigned) -rc);
    memcpy(ret, value, EXPORTER_SIZE);
    bytes_wipe(value, sizeof(value));
    return 0;
}

/* The library keeps the secrets of the handshake for as long as the connection; the keys of its
 * records are elsewhere. */
void exporter_forget(struct exporter *exporter)
{
    if (exporter->ssl && exporter->ssl->session)
        bytes_wipe(&exporter->ssl->session->app_secrets,
                   sizeof(exporter->ssl->session->app_secrets));
    exporter->forgotten = true;
}

uint16_t exporter_tls_version(const struct exporter *exporter)
{
    return (uint16_t) mbedtls_ssl_get_version_number(exporter->ssl);
}
