/* SPDX-License-Identifier: Apache-2.0 */
/* Our TLS against another library: what it must agree on (the exporter) and what it must not get
 * away with (other versions, chains, strangers' keys). What only TLS 1.2 or only TLS 1.3 has is in
 * test_tls12.c and test_tls13.c. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "evidence/library.h"
#include "io/fd.h"
#include "other.h"
#include "suite.h"

/* Of the other version, and of both. */
enum {
    OTHER_VERSION = TLS_OF_THIS_BUILD == TLS1_3_VERSION ? TLS1_2_VERSION : TLS1_3_VERSION,
};

static void exporters_agree(enum tls_side side)
{
    other_init(other_method(side), "P-256"); /* which would take either version */
    other_shake_well(side);
    other_exports_the_same();
    ck_assert_mem_eq(tls_peer_spki(ours), other.spki, 32);
    ck_assert_int_eq(tls_version(ours), TLS_OF_THIS_BUILD);
    ck_assert_int_eq(library_tls_version(), TLS_OF_THIS_BUILD);
    ck_assert_int_eq(SSL_version(other.ssl), TLS_OF_THIS_BUILD);
    ck_assert_int_eq(SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(other.ssl)), NID_aes_256_gcm);
}

START_TEST(exporter_of_the_guest_agrees)
{
    exporters_agree(TLS_GUEST);
}
END_TEST

START_TEST(exporter_of_the_tenant_agrees)
{
    exporters_agree(TLS_TENANT);
}
END_TEST

START_TEST(a_forgotten_secret_exports_nothing)
{
    uint8_t value[32];

    other_init(TLS_client_method(), "P-256");
    other_shake_well(TLS_GUEST);
    tls_forget_secret(ours);
    ck_assert_int_lt(tls_export(ours, EXPORTER_LABEL_CHANNEL, value, &err), 0);
}
END_TEST

START_TEST(a_client_of_another_version_is_refused)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_min_proto_version(other.context, OTHER_VERSION);
    SSL_CTX_set_max_proto_version(other.context, OTHER_VERSION);
    other_is_refused(TLS_GUEST, "TLS handshake");
}
END_TEST

START_TEST(an_older_client_is_refused)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_security_level(other.context, 0);
    SSL_CTX_set_min_proto_version(other.context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(other.context, TLS1_1_VERSION);
    other_is_refused(TLS_GUEST, "TLS handshake");
}
END_TEST

START_TEST(a_server_of_another_version_is_refused)
{
    other_init(TLS_server_method(), "P-256");
    SSL_CTX_set_min_proto_version(other.context, OTHER_VERSION);
    SSL_CTX_set_max_proto_version(other.context, OTHER_VERSION);
    other_is_refused(TLS_TENANT, "the same version of TLS");
}
END_TEST

START_TEST(a_client_without_certificate_is_refused)
{
    other_init(TLS_client_method(), NULL);
    other_is_refused(TLS_GUEST, "no certificate");
}
END_TEST

START_TEST(another_curve_is_refused)
{
    other_init(TLS_client_method(), "P-384");
    other_is_refused(TLS_GUEST, "P-256");
}
END_TEST

START_TEST(a_chain_is_refused)
{
    EVP_PKEY *second = EVP_EC_gen("P-256");
    X509 *issuer = other_self_signed(second);

    /* The leaf claims the issuer, who signed it. */
    other_init(TLS_client_method(), "P-256");
    X509_NAME *name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *) "leaf", -1, -1, 0);
    X509_set_subject_name(other.certificate, name);
    X509_NAME_free(name);
    ck_assert_int_gt(X509_sign(other.certificate, second, EVP_sha256()), 0);
    SSL_CTX_use_certificate(other.context, other.certificate);
    SSL_CTX_add1_chain_cert(other.context, issuer);
    other_is_refused(TLS_GUEST, "chain");
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
        other_init(other_method(side), "P-256");
        ck_assert_int_eq(other_shake(side, accept_nobody), TLS_FAILED);
        ck_assert_msg(strstr(err.message, "not one that is named"), "%s", err.message);
        other_teardown();
        other_setup();
    }
}
END_TEST

START_TEST(a_key_that_is_shown_and_not_held_is_refused_on_either_side)
{
    for (enum tls_side side = TLS_GUEST; side <= TLS_TENANT; side++) {
        other_init(other_method(side), "P-256");
        other_use(other_stolen(other.key));
        ck_assert_int_eq(other_shake(side, NULL), TLS_FAILED);
        ck_assert_mem_eq(tls_peer_spki(ours), other.spki, 32); /* it was shown, and well-formed */
        other_teardown();
        other_setup();
    }
}
END_TEST

/* ---- what the tenant says first ---------------------------------------------------------------
 */

struct client_hello {
    uint16_t version; /* of the body; of the record it says nothing */
    size_t versions;  /* in supported_versions; 0: there is none */
    uint16_t first;
    bool ticket, psk, early_data;
};

enum { /* extensions */
       SESSION_TICKET = 35,
       PRE_SHARED_KEY = 41,
       EARLY_DATA = 42,
       SUPPORTED_VERSIONS = 43,
       PSK_MODES = 45,
};

static void read_extension(struct client_hello *hello, unsigned type, struct reader *body)
{
    hello->ticket |= type == SESSION_TICKET;
    hello->psk |= type == PRE_SHARED_KEY || type == PSK_MODES;
    hello->early_data |= type == EARLY_DATA;
    if (type != SUPPORTED_VERSIONS)
        return;
    hello->versions = reader_u8(body) / 2;
    hello->first = reader_u16(body);
}

static struct client_hello read_client_hello(void)
{
    struct client_hello hello = {0};
    uint8_t record[2048];
    struct reader reader, body;

    ours_init(TLS_TENANT, NULL);
    ck_assert_int_eq(tls_handshake(ours, &err), TLS_WANT_READ);
    ssize_t n = read(fds[1], record, sizeof(record));
    ck_assert_int_gt(n, 5 + 4);
    reader_init(&reader, record + 5 + 4, (size_t) n - 5 - 4);
    hello.version = reader_u16(&reader);
    (void) reader_bytes(&reader, 32);
    size_t length = reader_u8(&reader);
    (void) reader_bytes(&reader, length);
    (void) reader_bytes(&reader, reader_u16(&reader)); /* suites */
    (void) reader_bytes(&reader, reader_u8(&reader));  /* compression */
    (void) reader_u16(&reader);
    while (!reader.failed && !reader_complete(&reader)) {
        unsigned type = reader_u16(&reader);

        length = reader_u16(&reader);
        const uint8_t *data = reader_bytes(&reader, length);
        ck_assert(data || !length);
        reader_init(&body, data, length);
        read_extension(&hello, type, &body);
    }
    ck_assert(!reader.failed);
    return hello;
}

/* A client that offers both can be talked down (CVE-2026-115490), and one that offers a session can
 * be answered by whoever has it. */
START_TEST(the_tenant_offers_one_version_and_no_session)
{
    struct client_hello hello = read_client_hello();

    ck_assert_int_eq(hello.version, TLS1_2_VERSION); /* TLS 1.3 says so, too */
    ck_assert_uint_eq(hello.versions, TLS_OF_THIS_BUILD == TLS1_3_VERSION);
    if (hello.versions)
        ck_assert_int_eq(hello.first, TLS1_3_VERSION);
    ck_assert(!hello.ticket);
    ck_assert(!hello.psk);
    ck_assert(!hello.early_data);
}
END_TEST

/* ---- records ----------------------------------------------------------------------------------
 */

START_TEST(a_changed_record_is_refused)
{
    uint8_t record[256], byte;
    size_t length;

    other_init(TLS_client_method(), "P-256");
    other_shake_well(TLS_GUEST);
    /* What OpenSSL sends goes through our hands. */
    int wire[2];
    ck_assert_int_eq(fd_pair(wire, &err), 0);
    SSL_set_wfd(other.ssl, wire[0]);
    ck_assert_int_eq(SSL_write(other.ssl, "hello", 5), 5);
    ssize_t n = read(wire[1], record, sizeof(record));
    ck_assert_int_gt(n, 20);
    record[n - 1] ^= 1;
    ck_assert_int_eq(write(fds[1], record, (size_t) n), n);
    ck_assert_int_eq(tls_read(ours, &byte, 1, &length, &err), TLS_FAILED);
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
    other_shake_well(TLS_GUEST);
    shutdown(fds[1], SHUT_RDWR);
    ck_assert_int_eq(tls_read(ours, &byte, 1, &length, &err), TLS_FAILED);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "tls", .setup = other_setup, .teardown = other_teardown, .timeout_s = 30},
        (const TTest *[]){exporter_of_the_guest_agrees, exporter_of_the_tenant_agrees,
                          a_forgotten_secret_exports_nothing,
                          a_client_of_another_version_is_refused, an_older_client_is_refused,
                          a_server_of_another_version_is_refused,
                          a_client_without_certificate_is_refused, another_curve_is_refused,
                          a_chain_is_refused, a_key_that_is_not_named_is_refused_on_either_side,
                          a_key_that_is_shown_and_not_held_is_refused_on_either_side,
                          the_tenant_offers_one_version_and_no_session, a_changed_record_is_refused,
                          an_end_without_close_notify_is_a_failure, NULL});
}
