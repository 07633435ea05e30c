/* SPDX-License-Identifier: Apache-2.0 */
#include "other.h"

#include <check.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "base/digest.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "secure/key.h"

struct other other;
struct tls *ours;
int fds[2];
struct error err;

static struct key *key;

void other_setup(void)
{
    ck_assert_int_eq(key_generate(&key, &err), 0);
    ck_assert_int_eq(fd_pair(fds, &err), 0);
    memset(&other, 0, sizeof(other));
}

void other_teardown(void)
{
    tls_free(take_ptr(ours));
    SSL_free(other.ssl);
    SSL_CTX_free(other.context);
    X509_free(other.certificate);
    EVP_PKEY_free(other.key);
    closep(&fds[0]);
    closep(&fds[1]);
    key_free(take_ptr(key));
}

X509 *other_self_signed(EVP_PKEY *pkey)
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

EVP_PKEY *other_stolen(EVP_PKEY *shown)
{
    EVP_PKEY *held = EVP_EC_gen("P-256"), *stolen = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    unsigned char *point = NULL;
    BIGNUM *number = NULL;

    size_t size = EVP_PKEY_get1_encoded_public_key(shown, &point);
    EVP_PKEY_get_bn_param(held, OSSL_PKEY_PARAM_PRIV_KEY, &number);
    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, size);
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_fromdata_init(context);
    ck_assert_int_eq(EVP_PKEY_fromdata(context, &stolen, EVP_PKEY_KEYPAIR, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    OPENSSL_free(point);
    BN_free(number);
    EVP_PKEY_free(held);
    return stolen;
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
    return 1;
}

void other_use(EVP_PKEY *pkey)
{
    unsigned char *der = NULL;

    EVP_PKEY_free(other.key);
    X509_free(other.certificate);
    other.key = pkey;
    other.certificate = other_self_signed(pkey);
    int length = i2d_PUBKEY(pkey, &der);
    digest_sha256(der, (size_t) length, other.spki);
    OPENSSL_free(der);
    ck_assert_int_eq(SSL_CTX_use_certificate(other.context, other.certificate), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(other.context, pkey), 1);
}

void other_init(const SSL_METHOD *method, const char *curve)
{
    other.context = SSL_CTX_new(method);
    SSL_CTX_set_verify(other.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       accept_any);
    SSL_CTX_set_session_id_context(other.context, (const unsigned char *) "x", 1);
    if (curve)
        other_use(EVP_EC_gen(curve));
}

const SSL_METHOD *other_method(enum tls_side our_side)
{
    return our_side == TLS_GUEST ? TLS_client_method() : TLS_server_method();
}

void other_attach(int fd, enum tls_side our_side)
{
    other.ssl = SSL_new(other.context);
    SSL_set_fd(other.ssl, fd);
    if (our_side == TLS_GUEST)
        SSL_set_connect_state(other.ssl);
    else
        SSL_set_accept_state(other.ssl);
}

void ours_init(enum tls_side side, tls_accept_peer_fn *accept_peer)
{
    const struct tls_options options = {
        .side = side, .fd = fds[0], .key = key, .accept_peer = accept_peer};

    ck_assert_msg(tls_new(&options, &ours, &err) == 0, "%s", err.message);
}

void other_hang_up(void)
{
    tls_free(take_ptr(ours));
    SSL_free(take_ptr(other.ssl));
    closep(&fds[0]);
    closep(&fds[1]);
    ck_assert_int_eq(fd_pair(fds, &err), 0);
}

enum tls_result other_run(void)
{
    enum tls_result result = TLS_WANT_READ;

    for (int i = 0; i < OTHER_STEPS_MAX && (result == TLS_WANT_READ || result == TLS_WANT_WRITE);
         i++) {
        (void) SSL_do_handshake(other.ssl);
        result = tls_handshake(ours, &err);
    }
    (void) SSL_do_handshake(other.ssl);
    return result;
}

enum tls_result other_shake(enum tls_side side, tls_accept_peer_fn *accept_peer)
{
    ours_init(side, accept_peer);
    other_attach(fds[1], side);
    return other_run();
}

void other_shake_well(enum tls_side side)
{
    ck_assert_msg(other_shake(side, NULL) == TLS_OK, "%s", err.message);
    ck_assert(SSL_is_init_finished(other.ssl));
}

void other_is_refused(enum tls_side side, const char *why)
{
    enum tls_result result = other_shake(side, NULL);

    ck_assert_int_eq(result, TLS_FAILED);
    ck_assert_msg(strstr(err.message, why), "%s", err.message);
}

void other_exports_the_same(void)
{
    static const char *const labels[] = {EXPORTER_LABEL_CHANNEL, EXPORTER_LABEL_JOIN};
    uint8_t mine[2][32], theirs[32];

    for (size_t i = 0; i < ARRAY_LENGTH(labels); i++) {
        ck_assert_int_eq(tls_export(ours, labels[i], mine[i], &err), 0);
        ck_assert_int_eq(SSL_export_keying_material(other.ssl, theirs, sizeof(theirs), labels[i],
                                                    strlen(labels[i]), (const unsigned char *) "",
                                                    0, 1),
                         1);
        ck_assert_mem_eq(mine[i], theirs, 32);
    }
    ck_assert_mem_ne(mine[0], mine[1], 32);
}
