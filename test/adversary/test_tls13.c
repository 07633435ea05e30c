/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer could do in TLS 1.3 alone: send tickets or come with one, bring a key of its own
 * (PSK), speak early, change keys; and what the guest may do before the client's Finished: nothing.
 */
#include <string.h>

#include "base/scoped.h"
#include "other.h"
#include "suite.h"

static const unsigned char aes_256_gcm[] = {0x13, 0x02};

/* ---- exporter ---------------------------------------------------------------------------------
 */

/* RFC 8446 section 7.5: no context is an empty one. */
START_TEST(an_empty_context_is_none)
{
    uint8_t mine[32], theirs[32];

    other_init(TLS_client_method(), "P-256");
    other_shake_well(TLS_GUEST);
    ck_assert_int_eq(tls_export(ours, EXPORTER_LABEL_CHANNEL, mine, &err), 0);
    for (int with = 0; with < 2; with++) {
        ck_assert_int_eq(SSL_export_keying_material(
                             other.ssl, theirs, sizeof(theirs), EXPORTER_LABEL_CHANNEL,
                             strlen(EXPORTER_LABEL_CHANNEL),
                             with ? (const unsigned char *) "x" : NULL, (size_t) with, with),
                         1);
        ck_assert(!memcmp(mine, theirs, 32) == !with);
    }
}
END_TEST

START_TEST(exporter_agrees_with_sha256_too)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_ciphersuites(other.context, "TLS_AES_128_GCM_SHA256");
    other_shake_well(TLS_GUEST);
    other_exports_the_same();
}
END_TEST

START_TEST(exporter_agrees_after_a_second_hello)
{
    for (enum tls_side side = TLS_GUEST; side <= TLS_TENANT; side++) {
        other_init(other_method(side), "P-256");
        SSL_CTX_set1_groups_list(other.context, side == TLS_GUEST ? "X25519:P-256" : "P-384");
        other_shake_well(side);
        other_exports_the_same();
        other_teardown();
        other_setup();
    }
}
END_TEST

/* ---- what is not offered ----------------------------------------------------------------------
 */

START_TEST(chacha20_is_refused)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_ciphersuites(other.context, "TLS_CHACHA20_POLY1305_SHA256");
    other_is_refused(TLS_GUEST, "TLS handshake");
}
END_TEST

START_TEST(a_group_that_is_not_named_is_refused)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set1_groups_list(other.context, "X25519:P-521");
    other_is_refused(TLS_GUEST, "TLS handshake");
}
END_TEST

/* ---- tickets and keys of one's own ------------------------------------------------------------
 */

static int tickets; /* that OpenSSL was given */

static int count_ticket(SSL *ssl, SSL_SESSION *session)
{
    tickets++;
    return 0;
}

/* All that the guest has sent to OpenSSL is processed; it must be no application data. */
static void other_reads_nothing(void)
{
    uint8_t byte;

    ck_assert_int_le(SSL_read(other.ssl, &byte, 1), 0);
}

START_TEST(the_guest_sends_no_ticket)
{
    tickets = 0;
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_session_cache_mode(other.context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(other.context, count_ticket);
    other_shake_well(TLS_GUEST);
    other_reads_nothing();
    ck_assert_int_eq(tickets, 0);
    ck_assert(!SSL_SESSION_is_resumable(SSL_get0_session(other.ssl)));
}
END_TEST

/* A session that both OpenSSL's key and, for all that the guest can tell, any of its tickets would
 * be: a PSK with an identity. */
static SSL_SESSION *made_session(const SSL *ssl)
{
    static const unsigned char secret[48] = {7};
    SSL_SESSION *session = SSL_SESSION_new();

    SSL_SESSION_set1_master_key(session, secret, sizeof(secret));
    SSL_SESSION_set_cipher(session, SSL_CIPHER_find((SSL *) ssl, aes_256_gcm));
    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION);
    SSL_SESSION_set_max_early_data(session, 1024);
    return session;
}

static int use_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *length,
                   SSL_SESSION **ret)
{
    *id = (const unsigned char *) "ticket";
    *length = 6;
    *ret = made_session(ssl);
    return 1;
}

START_TEST(a_psk_is_passed_over)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_psk_use_session_callback(other.context, use_psk);
    other_shake_well(TLS_GUEST);
    ck_assert(!SSL_session_reused(other.ssl));
    ck_assert_mem_eq(tls_peer_spki(ours), other.spki, 32);
    other_exports_the_same();
}
END_TEST

START_TEST(a_psk_instead_of_a_certificate_is_refused)
{
    other_init(TLS_client_method(), NULL);
    SSL_CTX_set_psk_use_session_callback(other.context, use_psk);
    other_is_refused(TLS_GUEST, "no certificate");
}
END_TEST

static SSL_SESSION *kept;

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

/* One that OpenSSL's own server made: the guest cannot know it, and says nothing about it. */
static void get_ticket(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *server;
    uint8_t byte;

    SSL_CTX_use_PrivateKey(context, other.key);
    SSL_CTX_use_certificate(context, other.certificate);
    SSL_CTX_set_max_early_data(context, 1024);
    server = SSL_new(context);
    SSL_set_fd(server, fds[0]);
    other_attach(fds[1], TLS_GUEST);
    for (int i = 0; i < OTHER_STEPS_MAX && SSL_connect(other.ssl) != 1; i++)
        (void) SSL_accept(server);
    ck_assert_int_eq(SSL_accept(server), 1);
    (void) SSL_read(other.ssl, &byte, 1);
    ck_assert_ptr_nonnull(kept);
    ck_assert(SSL_SESSION_is_resumable(kept));
    SSL_shutdown(other.ssl); /* else it forgets the session */
    SSL_free(server);
    SSL_CTX_free(context);
    other_hang_up();
}

/* Early data is never delivered: whoever sent it could have sent it before. */
START_TEST(a_ticket_with_early_data_leads_nowhere)
{
    size_t length;
    uint8_t got[16];

    kept = NULL;
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_session_cache_mode(other.context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(other.context, keep_ticket);
    get_ticket();
    ours_init(TLS_GUEST, NULL);
    other_attach(fds[1], TLS_GUEST);
    SSL_set_session(other.ssl, kept);
    ck_assert_int_eq(SSL_write_early_data(other.ssl, "early", 5, &length), 1);
    enum tls_result result = other_run();
    ck_assert_int_ne(SSL_get_early_data_status(other.ssl), SSL_EARLY_DATA_ACCEPTED);
    ck_assert(!SSL_session_reused(other.ssl));
    if (result == TLS_OK)
        ck_assert_int_eq(tls_read(ours, got, sizeof(got), &length, &err), TLS_WANT_READ);
    else
        ck_assert_int_eq(result, TLS_FAILED);
    SSL_SESSION_free(take_ptr(kept));
}
END_TEST

static void tenant_reads(const char *text)
{
    enum tls_result result = TLS_WANT_READ;
    char got[64] = "";
    size_t length = 0;

    for (int i = 0; i < OTHER_STEPS_MAX && result == TLS_WANT_READ; i++)
        result = tls_read(ours, got, sizeof(got) - 1, &length, &err);
    ck_assert_msg(result == TLS_OK, "%s", err.message);
    ck_assert_str_eq(got, text);
}

START_TEST(the_tenant_passes_over_tickets)
{
    other_init(TLS_server_method(), "P-256");
    SSL_CTX_set_num_tickets(other.context, 4);
    other_shake_well(TLS_TENANT);
    other_exports_the_same();
    ck_assert_int_eq(SSL_write(other.ssl, "after four", 10), 10);
    tenant_reads("after four");
    ck_assert_int_eq(SSL_new_session_ticket(other.ssl), 1);
    ck_assert_int_eq(SSL_write(other.ssl, "after one", 9), 9);
    tenant_reads("after one");
    ck_assert_uint_eq(tls_records(ours).in, 2);
    other_exports_the_same();

    /* What it says next time is what it says the first time. */
    other_hang_up();
    ours_init(TLS_TENANT, NULL);
    other_attach(fds[1], TLS_TENANT);
    ck_assert_msg(other_run() == TLS_OK, "%s", err.message);
    ck_assert(!SSL_session_reused(other.ssl));
}
END_TEST

/* ---- after the handshake ----------------------------------------------------------------------
 */

static enum tls_result read_until_it_ends(void)
{
    enum tls_result result = TLS_WANT_READ;
    uint8_t byte;
    size_t length;

    for (int i = 0; i < OTHER_STEPS_MAX && result == TLS_WANT_READ; i++)
        result = tls_read(ours, &byte, 1, &length, &err);
    return result;
}

/* The library knows no KeyUpdate: a connection that has had enough records is replaced. */
START_TEST(a_key_update_ends_the_connection)
{
    for (enum tls_side side = TLS_GUEST; side <= TLS_TENANT; side++) {
        other_init(other_method(side), "P-256");
        SSL_CTX_set_num_tickets(other.context, 0);
        other_shake_well(side);
        ck_assert_int_eq(SSL_key_update(other.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        ck_assert_int_eq(SSL_write(other.ssl, "x", 1), 1);
        ck_assert_int_eq(read_until_it_ends(), TLS_FAILED);
        other_teardown();
        other_setup();
    }
}
END_TEST

START_TEST(a_certificate_is_asked_for_once)
{
    other_init(TLS_server_method(), "P-256");
    SSL_CTX_set_num_tickets(other.context, 0);
    other_shake_well(TLS_TENANT);
    /* The tenant did not offer to be asked again. */
    ck_assert_int_eq(SSL_verify_client_post_handshake(other.ssl), 0);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "tls13", .setup = other_setup, .teardown = other_teardown, .timeout_s = 30},
        (const TTest *[]){an_empty_context_is_none, exporter_agrees_with_sha256_too,
                          exporter_agrees_after_a_second_hello, chacha20_is_refused,
                          a_group_that_is_not_named_is_refused, the_guest_sends_no_ticket,
                          a_psk_is_passed_over, a_psk_instead_of_a_certificate_is_refused,
                          a_ticket_with_early_data_leads_nowhere, the_tenant_passes_over_tickets,
                          a_key_update_ends_the_connection, a_certificate_is_asked_for_once, NULL});
}
