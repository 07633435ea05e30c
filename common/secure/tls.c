/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/tls.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "evidence/compat_mbedtls.h"
#include "secure/key_mbedtls.h"

/* Own configuration per connection: nothing is shared with another thread but the key, which is
 * only read after the handshake. */
struct tls {
    struct tls_options options;
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    struct exporter *exporter;
    struct tls_records records;
    const char *refusal; /* why the certificate was refused */
    int io_errno;
    bool peer_seen;
    uint8_t peer_spki[32];
};

static int send_bytes(void *user, const unsigned char *data, size_t length)
{
    struct tls *tls = user;
    ssize_t n = send(tls->options.fd, data, length, MSG_NOSIGNAL);

    if (n >= 0)
        return (int) n;
    if (errno == EAGAIN || errno == EINTR)
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    tls->io_errno = errno;
    return MBEDTLS_ERR_NET_SEND_FAILED;
}

static int receive_bytes(void *user, unsigned char *to, size_t size)
{
    struct tls *tls = user;
    ssize_t n = recv(tls->options.fd, to, size, 0);

    if (n >= 0)
        return (int) n;
    if (errno == EAGAIN || errno == EINTR)
        return MBEDTLS_ERR_SSL_WANT_READ;
    tls->io_errno = errno;
    return MBEDTLS_ERR_NET_RECV_FAILED;
}

static const char *judge(struct tls *tls, const mbedtls_x509_crt *certificate, int depth)
{
    if (depth != 0 || certificate->next)
        return "the peer sent a chain of certificates";
    if (mbedtls_pk_get_type(&certificate->pk) != MBEDTLS_PK_ECKEY ||
        mbedtls_pk_ec(certificate->pk)->grp.id != MBEDTLS_ECP_DP_SECP256R1)
        return "the peer's key is not on the curve P-256";
    digest_sha256(certificate->pk_raw.p, certificate->pk_raw.len, tls->peer_spki);
    tls->peer_seen = true;
    if (tls->options.accept_peer && !tls->options.accept_peer(tls->options.user, tls->peer_spki))
        return "the peer's key is not one that is named";
    return NULL;
}

/* Clears exactly what a self-signed leaf without a clock must show; everything else stays and fails
 * the handshake. */
static int verify(void *user, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct tls *tls = user;
    const char *refusal = judge(tls, certificate, depth);

    *flags &= ~(uint32_t) (MBEDTLS_X509_BADCERT_NOT_TRUSTED | MBEDTLS_X509_BADCERT_EXPIRED |
                           MBEDTLS_X509_BADCERT_FUTURE);
    if (refusal) {
        tls->refusal = refusal;
        *flags |= MBEDTLS_X509_BADCERT_OTHER;
    }
    return 0;
}

static int configure(struct tls *tls)
{
    mbedtls_ssl_config *conf = &tls->conf;
    const struct key *key = tls->options.key;
    int endpoint = tls->options.side == TLS_GUEST ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
    int rc = mbedtls_ssl_config_defaults(conf, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);

    if (rc != 0)
        return rc;
    mbedtls_ssl_conf_rng(conf, key_random, NULL);
    mbedtls_ssl_conf_cert_profile(conf, &mbedtls_x509_crt_profile_suiteb);
    mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    /* REQUIRED without any anchor fails before the callback can speak: the own leaf is a dummy. */
    mbedtls_ssl_conf_ca_chain(conf, key_certificate(key), NULL);
    mbedtls_ssl_conf_verify(conf, verify, tls);
    mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_cert_req_ca_list(conf, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
    return mbedtls_ssl_conf_own_cert(conf, key_certificate(key), key_pk(key));
}

int tls_new(const struct tls_options *options, struct tls **ret, struct error *err)
{
    scoped(tls_freep) struct tls *tls = xnew(struct tls);

    tls->options = *options;
    mbedtls_ssl_config_init(&tls->conf);
    mbedtls_ssl_init(&tls->ssl);
    int rc = configure(tls);
    if (rc == 0 && exporter_new(&tls->conf, &tls->exporter, err) < 0)
        return -1;
    if (rc == 0)
        rc = mbedtls_ssl_setup(&tls->ssl, &tls->conf);
    if (rc == 0)
        rc = mbedtls_ssl_set_hostname(&tls->ssl,
                                      NULL); /* from 2.28.10 on not saying so is an error */
    if (rc != 0)
        return error_set(err, STATUS_INTERNAL, "set up TLS: mbedTLS -0x%04x", (unsigned) -rc);
    mbedtls_ssl_set_bio(&tls->ssl, tls, send_bytes, receive_bytes, NULL);
    exporter_attach(tls->exporter, &tls->ssl);
    *ret = take_ptr(tls);
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    mbedtls_ssl_free(&tls->ssl);
    mbedtls_ssl_config_free(&tls->conf);
    exporter_free(tls->exporter);
    free(tls);
}

/* An end of the other version of TLS says one of these two. */
static const char *explain_alert(const struct tls *tls)
{
    switch (tls->ssl.in_msg[1]) {
    case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION:
    case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE:
        return "the peer takes nothing of what is offered; both ends need the same version of TLS";
    default:
        return "the peer refused it";
    }
}

/* The codes that a peer or a network causes get words; the rest is a number to look up. */
static const char *explain(const struct tls *tls, int rc)
{
    switch (rc) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return explain_alert(tls);
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return "the peer ended the connection";
    case MBEDTLS_ERR_SSL_INVALID_MAC:
        return "a record was changed on its way";
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return "the peer wants another version of TLS";
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
        return "the peer offers nothing that is taken; both ends need the same version of TLS";
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
        return "the peer has no certificate";
    default:
        return NULL;
    }
}

static enum tls_result result_of(struct tls *tls, int rc, const char *doing, struct error *err)
{
    const char *words = explain(tls, rc);

    if (rc == MBEDTLS_ERR_SSL_WANT_READ)
        return TLS_WANT_READ;
    if (rc == MBEDTLS_ERR_SSL_WANT_WRITE)
        return TLS_WANT_WRITE;
    if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return TLS_END;
    if (tls->refusal)
        error_set(err, STATUS_UNAUTHENTICATED, "TLS %s: %s", doing, tls->refusal);
    else if (rc == MBEDTLS_ERR_NET_SEND_FAILED || rc == MBEDTLS_ERR_NET_RECV_FAILED)
        error_errno(err, tls->io_errno, "TLS %s", doing);
    else if (words)
        error_set(err, STATUS_UNAVAILABLE, "TLS %s: %s (mbedTLS -0x%04x)", doing, words,
                  (unsigned) -rc);
    else
        error_set(err, STATUS_UNAVAILABLE, "TLS %s: mbedTLS -0x%04x", doing, (unsigned) -rc);
    return TLS_FAILED;
}

enum tls_result tls_handshake(struct tls *tls, struct error *err)
{
    int rc = mbedtls_ssl_handshake(&tls->ssl);

    if (rc != 0)
        return result_of(tls, rc, "handshake", err);
    if (!tls->peer_seen) {
        error_set(err, STATUS_UNAUTHENTICATED, "TLS handshake: the peer showed no key");
        return TLS_FAILED;
    }
    if (exporter_check(tls->exporter, err) < 0) {
        error_wrap(err, "TLS handshake");
        return TLS_FAILED;
    }
    return TLS_OK;
}

enum tls_result tls_read(struct tls *tls, void *to, size_t size, size_t *ret_length,
                         struct error *err)
{
    bool fresh = tls_left(tls) == 0;
    int rc = mbedtls_ssl_read(&tls->ssl, to, size);

    if (rc == 0)
        rc = MBEDTLS_ERR_SSL_CONN_EOF; /* without close_notify: somebody cut it */
    if (rc < 0)
        return result_of(tls, rc, "read", err);
    tls->records.in += fresh;
    *ret_length = (size_t) rc;
    return TLS_OK;
}

enum tls_result tls_write(struct tls *tls, const void *data, size_t length, size_t *ret_length,
                          struct error *err)
{
    int rc = mbedtls_ssl_write(&tls->ssl, data, length);

    if (rc < 0)
        return result_of(tls, rc, "write", err);
    tls->records.out++; /* one call that succeeds is one record */
    *ret_length = (size_t) rc;
    return TLS_OK;
}

size_t tls_left(const struct tls *tls)
{
    return mbedtls_ssl_get_bytes_avail(&tls->ssl);
}

bool tls_record_begun(const struct tls *tls)
{
    return tls->ssl.in_left != 0;
}

enum tls_result tls_close(struct tls *tls, struct error *err)
{
    int rc = mbedtls_ssl_close_notify(&tls->ssl);

    return rc == 0 ? TLS_OK : result_of(tls, rc, "close", err);
}

int tls_export(const struct tls *tls, const char *label, uint8_t ret[EXPORTER_SIZE],
               struct error *err)
{
    return exporter_derive(tls->exporter, label, ret, err);
}

void tls_forget_secret(struct tls *tls)
{
    exporter_forget(tls->exporter);
}

const uint8_t *tls_peer_spki(const struct tls *tls)
{
    return tls->peer_spki;
}

uint16_t tls_version(const struct tls *tls)
{
    return exporter_tls_version(tls->exporter);
}

struct tls_records tls_records(const struct tls *tls)
{
    return tls->records;
}
