/* SPDX-License-Identifier: Apache-2.0 */
/* Our TLS against another library: what it must agree on (the exporter) and what it must not get
 * away with (no extended master secret, other versions, tickets, renegotiation, chains). */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "secure/key.h"
#include "secure/tls.h"
#include "suite.h"

enum { STEPS_MAX = 200 };

struct other { /* the OpenSSL end */
    SSL_CTX *context;
    SSL *ssl;
    EVP_PKEY *key;
    X509 *certificate;
    uint8_t spki[32];
};

static struct key *key;
static struct other other;
static struct tls *tls;
static int fds[2];
static struct error err;

static void setup(void)
{
    ck_assert_int_eq(key_generate(&key, &err), 0);
    ck_assert_int_eq(fd_pair(fds, &err), 0);
    memset(&other, 0, sizeof(other));
}

static void teardown(void)
{
    tls_free(take_ptr(tls));
    SSL_free(other.ssl);
    SSL_CTX_free(other.context);
    X509_free(other.certificate);
    EVP_PKEY_free(other.key);
    closep(&fds[0]);
    closep(&fds[1]);
    key_free(take_ptr(key));
}

static X509 *self_signed(EVP_PKEY *pkey)
{
    X509 *certificate = X509_new();

    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -10);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 1000);
    X509_set_pubkey(certificate, pkey);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *) "other", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    ck_assert_int_gt(X509_sign(certificate, pkey, EVP_sha256()), 0);
    return certificate;
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
    return 1;
}

static void other_init(const SSL_METHOD *method, const char *curve)
{
    unsigned char *der = NULL;

    other.context = SSL_CTX_new(method);
    SSL_CTX_set_verify(other.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       accept_any);
    SSL_CTX_set_session_id_context(other.context, (const unsigned char *) "x", 1);
    if (!curve)
        return;
    other.key = EVP_EC_gen(curve);
    other.certificate = self_signed(other.key);
    int length = i2d_PUBKEY(other.key, &der);
    digest_sha256(der, (size_t) length, other.spki);
    OPENSSL_free(der);
    SSL_CTX_use_PrivateKey(other.context, other.key);
    SSL_CTX_use_certificate(other.context, other.certificate);
}

static void other_attach(int fd, enum tls_side our_side)
{
    other.ssl = SSL_new(other.context);
    SSL_set_fd(other.ssl, fd);
    if (our_side == TLS_GUEST)
        SSL_set_connect_state(other.ssl);
    else
        SSL_set_accept_state(other.ssl);
}

static void ours(enum tls_side side, tls_accept_peer_fn *accept_peer)
{
    const struct tls_options options = {
        .side = side, .fd = fds[0], .key = key, .accept_peer = accept_peer};

    ck_assert_msg(tls_new(&options, &tls, &err) == 0, "%s", err.message);
}

/* Runs both ends; the verdict of ours. */
static enum tls_result shake(enum tls_side side, tls_accept_peer_fn *accept_peer)
{
    enum tls_result result = TLS_WANT_READ;

    ours(side, accept_peer);
    other_attach(fds[1], side);
    for (int i = 0; i < STEPS_MAX && (result == TLS_WANT_READ || result == TLS_WANT_WRITE); i++) {
        (void) SSL_do_handshake(other.ssl);
        result = tls_handshake(tls, &err);
    }
    (void) SSL_do_handshake(other.ssl);
    return result;
}

static void shake_well(enum tls_side side)
{
    ck_assert_msg(shake(side, NULL) == TLS_OK, "%s", err.message);
    ck_assert(SSL_is_init_finished(other.ssl));
}

static const SSL_METHOD *method_for(enum tls_side our_side)
{
    return our_side == TLS_GUEST ? TLS_client_method() : TLS_server_method();
}

static void exporters_agree(enum tls_side side)
{
    static const char *const labels[] = {EXPORTER_LABEL_CHANNEL, EXPORTER_LABEL_JOIN};
    uint8_t mine[32], theirs[32], without[32];

    other_init(method_for(side), "P-256");
    shake_well(side);
    for (size_t i = 0; i < ARRAY_LENGTH(labels); i++) {
        ck_assert_int_eq(tls_export(tls, labels[i], mine, &err), 0);
        ck_assert_int_eq(SSL_export_keying_material(other.ssl, theirs, sizeof(theirs), labels[i],
                                                    strlen(labels[i]), (const unsigned char *) "",
                                                    0, 1),
                         1);
        ck_assert_int_eq(SSL_export_keying_material(other.ssl, without, sizeof(without), labels[i],
                                                    strlen(labels[i]), NULL, 0, 0),
                         1);
        ck_assert_mem_eq(mine, theirs, 32);
        ck_assert_mem_ne(mine, without, 32); /* no context is another value than an empty one */
    }
    ck_assert_mem_eq(tls_peer_spki(tls), other.spki, 32);
    ck_assert_int_eq(tls_version(tls), 0x0303);
}

START_TEST(exporter_of_the_guest_agrees)
{
    exporters_agree(TLS_GUEST);
    ck_assert_str_eq(SSL_get_cipher_name(other.ssl), "ECDHE-ECDSA-AES256-GCM-SHA384");
}
END_TEST

START_TEST(exporter_of_the_tenant_agrees)
{
    exporters_agree(TLS_TENANT);
}
END_TEST

START_TEST(exporter_agrees_with_sha256_too)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_cipher_list(other.context, "ECDHE-ECDSA-AES128-GCM-SHA256");
    SSL_CTX_set_max_proto_version(other.context, TLS1_2_VERSION);
    shake_well(TLS_GUEST);
    uint8_t mine[32], theirs[32];
    ck_assert_int_eq(tls_export(tls, EXPORTER_LABEL_CHANNEL, mine, &err), 0);
    SSL_export_keying_material(other.ssl, theirs, 32, EXPORTER_LABEL_CHANNEL,
                               strlen(EXPORTER_LABEL_CHANNEL), (const unsigned char *) "", 0, 1);
    ck_assert_mem_eq(mine, theirs, 32);
}
END_TEST

START_TEST(a_forgotten_secret_exports_nothing)
{
    uint8_t value[32];

    other_init(TLS_client_method(), "P-256");
    shake_well(TLS_GUEST);
    tls_forget_secret(tls);
    ck_assert_int_lt(tls_export(tls, EXPORTER_LABEL_CHANNEL, value, &err), 0);
}
END_TEST

static void refused(enum tls_side side, const char *why)
{
    enum tls_result result = shake(side, NULL);

    ck_assert_int_eq(result, TLS_FAILED);
    ck_assert_msg(strstr(err.message, why), "%s", err.message);
}

START_TEST(a_client_without_extended_master_secret_is_refused)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_max_proto_version(other.context, TLS1_2_VERSION);
    SSL_CTX_set_options(other.context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    refused(TLS_GUEST, "extended master secret");
}
END_TEST

START_TEST(a_server_without_extended_master_secret_is_refused)
{
    other_init(TLS_server_method(), "P-256");
    SSL_CTX_set_options(other.context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    refused(TLS_TENANT, "extended master secret");
}
END_TEST

START_TEST(a_client_of_another_version_is_refused)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_min_proto_version(other.context, TLS1_3_VERSION);
    refused(TLS_GUEST, "TLS handshake");
}
END_TEST

START_TEST(an_older_client_is_refused)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_security_level(other.context, 0);
    SSL_CTX_set_min_proto_version(other.context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(other.context, TLS1_1_VERSION);
    refused(TLS_GUEST, "TLS handshake");
}
END_TEST

START_TEST(a_server_of_another_version_is_refused)
{
    other_init(TLS_server_method(), "P-256");
    SSL_CTX_set_min_proto_version(other.context, TLS1_3_VERSION);
    refused(TLS_TENANT, "TLS handshake");
}
END_TEST

START_TEST(a_client_without_certificate_is_refused)
{
    other_init(TLS_client_method(), NULL);
    refused(TLS_GUEST, "no certificate");
}
END_TEST

START_TEST(another_curve_is_refused)
{
    other_init(TLS_client_method(), "P-384");
    refused(TLS_GUEST, "P-256");
}
END_TEST

START_TEST(a_chain_is_refused)
{
    EVP_PKEY *second = EVP_EC_gen("P-256");
    X509 *issuer = self_signed(second);

    /* The leaf claims the issuer, who signed it. */
    other_init(TLS_client_method(), "P-256");
    X509_NAME *name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *) "leaf", -1, -1, 0);
    X509_set_subject_name(other.certificate, name);
    X509_NAME_free(name);
    ck_assert_int_gt(X509_sign(other.certificate, second, EVP_sha256()), 0);
    SSL_CTX_use_certificate(other.context, other.certificate);
    SSL_CTX_add1_chain_cert(other.context, issuer);
    refused(TLS_GUEST, "chain");
    X509_free(issuer);
    EVP_PKEY_free(second);
}
END_TEST

static bool accept_nobody(void *user, const uint8_t spki[32])
{
    return false;
}

START_TEST(a_key_that_is_not_named_is_refused_on_either_side)
{
    for (enum tls_side side = TLS_GUEST; side <= TLS_TENANT; side++) {
        other_init(method_for(side), "P-256");
        ck_assert_int_eq(shake(side, accept_nobody), TLS_FAILED);
        ck_assert_msg(strstr(err.message, "not one that is named"), "%s", err.message);
        teardown();
        setup();
    }
}
END_TEST

START_TEST(no_ticket_and_no_session_is_offered)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_max_proto_version(other.context, TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(other.context, SSL_SESS_CACHE_CLIENT);
    shake_well(TLS_GUEST);
    SSL_SESSION *session = SSL_get1_session(other.ssl);
    ck_assert(!SSL_SESSION_has_ticket(session));

    /* It tries again with what it remembers: a full handshake follows. */
    tls_free(take_ptr(tls));
    SSL_free(other.ssl);
    closep(&fds[0]);
    closep(&fds[1]);
    ck_assert_int_eq(fd_pair(fds, &err), 0);
    ours(TLS_GUEST, NULL);
    other_attach(fds[1], TLS_GUEST);
    SSL_set_session(other.ssl, session);
    enum tls_result result = TLS_WANT_READ;
    for (int i = 0; i < STEPS_MAX && result != TLS_OK; i++) {
        (void) SSL_do_handshake(other.ssl);
        result = tls_handshake(tls, &err);
        ck_assert_msg(result != TLS_FAILED, "%s", err.message);
    }
    (void) SSL_do_handshake(other.ssl);
    ck_assert(!SSL_session_reused(other.ssl));
    SSL_SESSION_free(session);
}
END_TEST

START_TEST(the_tenant_takes_no_ticket)
{
    other_init(TLS_server_method(), "P-256");
    shake_well(TLS_TENANT);
    ck_assert(!SSL_session_reused(other.ssl));
    ck_assert(!SSL_SESSION_has_ticket(SSL_get_session(other.ssl)));
}
END_TEST

static enum tls_result read_after_renegotiation(enum tls_side side)
{
    uint8_t byte;
    size_t length;
    enum tls_result result = TLS_WANT_READ;

    other_init(method_for(side), "P-256");
    SSL_CTX_set_max_proto_version(other.context, TLS1_2_VERSION);
    SSL_CTX_set_options(other.context, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    shake_well(side);
    uint8_t before[32], after[32];
    ck_assert_int_eq(tls_export(tls, EXPORTER_LABEL_CHANNEL, before, &err), 0);
    ck_assert_int_eq(SSL_renegotiate(other.ssl), 1);
    for (int i = 0; i < 20 && result == TLS_WANT_READ; i++) {
        (void) SSL_do_handshake(other.ssl);
        result = tls_read(tls, &byte, 1, &length, &err);
    }
    if (tls_export(tls, EXPORTER_LABEL_CHANNEL, after, &err) == 0)
        ck_assert_mem_eq(before, after, 32);
    return result;
}

START_TEST(renegotiation_by_a_client_leads_nowhere)
{
    ck_assert_int_ne(read_after_renegotiation(TLS_GUEST), TLS_OK);
}
END_TEST

START_TEST(renegotiation_by_a_server_leads_nowhere)
{
    ck_assert_int_ne(read_after_renegotiation(TLS_TENANT), TLS_OK);
}
END_TEST

START_TEST(a_changed_record_is_refused)
{
    uint8_t record[256], byte;
    size_t length;

    other_init(TLS_client_method(), "P-256");
    shake_well(TLS_GUEST);
    /* What OpenSSL sends goes through our hands. */
    int wire[2];
    ck_assert_int_eq(fd_pair(wire, &err), 0);
    SSL_set_wfd(other.ssl, wire[0]);
    ck_assert_int_eq(SSL_write(other.ssl, "hello", 5), 5);
    ssize_t n = read(wire[1], record, sizeof(record));
    ck_assert_int_gt(n, 20);
    record[n - 1] ^= 1;
    ck_assert_int_eq(write(fds[1], record, (size_t) n), n);
    ck_assert_int_eq(tls_read(tls, &byte, 1, &length, &err), TLS_FAILED);
    ck_assert_ptr_nonnull(strstr(err.message, "changed on its way"));
    close(wire[0]);
    close(wire[1]);
}
END_TEST

START_TEST(an_end_without_close_notify_is_a_failure)
{
    uint8_t byte;
    size_t length;

    other_init(TLS_client_method(), "P-256");
    shake_well(TLS_GUEST);
    shutdown(fds[1], SHUT_RDWR);
    ck_assert_int_eq(tls_read(tls, &byte, 1, &length, &err), TLS_FAILED);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "tls", .setup = setup, .teardown = teardown, .timeout_s = 30},
        (const TTest *[]){exporter_of_the_guest_agrees,
                          exporter_of_the_tenant_agrees,
                          exporter_agrees_with_sha256_too,
                          a_forgotten_secret_exports_nothing,
                          a_client_without_extended_master_secret_is_refused,
                          a_server_without_extended_master_secret_is_refused,
                          a_client_of_another_version_is_refused,
                          an_older_client_is_refused,
                          a_server_of_another_version_is_refused,
                          a_client_without_certificate_is_refused,
                          another_curve_is_refused,
                          a_chain_is_refused,
                          a_key_that_is_not_named_is_refused_on_either_side,
                          no_ticket_and_no_session_is_offered,
                          the_tenant_takes_no_ticket,
                          renegotiation_by_a_client_leads_nowhere,
                          renegotiation_by_a_server_leads_nowhere,
                          a_changed_record_is_refused,
                          an_end_without_close_notify_is_a_failure,
                          NULL});
}
