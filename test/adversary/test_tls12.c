/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer could do in TLS 1.2 alone: leave out the extended master secret, offer tickets and
 * sessions, renegotiate. */
#include <string.h>

#include "other.h"
#include "suite.h"

/* In TLS 1.2 no context is another value than an empty one. */
START_TEST(an_empty_context_is_not_none)
{
    uint8_t mine[32], without[32];

    other_init(TLS_client_method(), "P-256");
    other_shake_well(TLS_GUEST);
    ck_assert_int_eq(tls_export(ours, EXPORTER_LABEL_CHANNEL, mine, &err), 0);
    ck_assert_int_eq(SSL_export_keying_material(other.ssl, without, sizeof(without),
                                                EXPORTER_LABEL_CHANNEL,
                                                strlen(EXPORTER_LABEL_CHANNEL), NULL, 0, 0),
                     1);
    ck_assert_mem_ne(mine, without, 32);
}
END_TEST

START_TEST(exporter_agrees_with_sha256_too)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_cipher_list(other.context, "ECDHE-ECDSA-AES128-GCM-SHA256");
    SSL_CTX_set_max_proto_version(other.context, TLS1_2_VERSION);
    other_shake_well(TLS_GUEST);
    other_exports_the_same();
}
END_TEST

START_TEST(a_client_without_extended_master_secret_is_refused)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_max_proto_version(other.context, TLS1_2_VERSION);
    SSL_CTX_set_options(other.context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    other_is_refused(TLS_GUEST, "extended master secret");
}
END_TEST

START_TEST(a_server_without_extended_master_secret_is_refused)
{
    other_init(TLS_server_method(), "P-256");
    SSL_CTX_set_options(other.context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    other_is_refused(TLS_TENANT, "extended master secret");
}
END_TEST

START_TEST(no_ticket_and_no_session_is_offered)
{
    other_init(TLS_client_method(), "P-256");
    SSL_CTX_set_max_proto_version(other.context, TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(other.context, SSL_SESS_CACHE_CLIENT);
    other_shake_well(TLS_GUEST);
    SSL_SESSION *session = SSL_get1_session(other.ssl);
    ck_assert(!SSL_SESSION_has_ticket(session));

    /* It tries again with what it remembers: a full handshake follows. */
    other_hang_up();
    ours_init(TLS_GUEST, NULL);
    other_attach(fds[1], TLS_GUEST);
    SSL_set_session(other.ssl, session);
    ck_assert_msg(other_run() == TLS_OK, "%s", err.message);
    ck_assert(!SSL_session_reused(other.ssl));
    SSL_SESSION_free(session);
}
END_TEST

START_TEST(the_tenant_takes_no_ticket)
{
    other_init(TLS_server_method(), "P-256");
    other_shake_well(TLS_TENANT);
    ck_assert(!SSL_session_reused(other.ssl));
    ck_assert(!SSL_SESSION_has_ticket(SSL_get_session(other.ssl)));
}
END_TEST

static enum tls_result read_after_renegotiation(enum tls_side side)
{
    uint8_t byte;
    size_t length;
    enum tls_result result = TLS_WANT_READ;

    other_init(other_method(side), "P-256");
    SSL_CTX_set_max_proto_version(other.context, TLS1_2_VERSION);
    SSL_CTX_set_options(other.context, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    other_shake_well(side);
    uint8_t before[32], after[32];
    ck_assert_int_eq(tls_export(ours, EXPORTER_LABEL_CHANNEL, before, &err), 0);
    ck_assert_int_eq(SSL_renegotiate(other.ssl), 1);
    for (int i = 0; i < 20 && result == TLS_WANT_READ; i++) {
        (void) SSL_do_handshake(other.ssl);
        result = tls_read(ours, &byte, 1, &length, &err);
    }
    if (tls_export(ours, EXPORTER_LABEL_CHANNEL, after, &err) == 0)
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

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "tls12", .setup = other_setup, .teardown = other_teardown, .timeout_s = 30},
        (const TTest *[]){an_empty_context_is_not_none, exporter_agrees_with_sha256_too,
                          a_client_without_extended_master_secret_is_refused,
                          a_server_without_extended_master_secret_is_refused,
                          no_ticket_and_no_session_is_offered, the_tenant_takes_no_ticket,
                          renegotiation_by_a_client_leads_nowhere,
                          renegotiation_by_a_server_leads_nowhere, NULL});
}
