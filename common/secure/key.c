/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/key.h"

#include <errno.h>
#include <sys/stat.h>

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/scoped.h"
#include "evidence/compat_mbedtls.h"
#include "secure/key_mbedtls.h"

enum { PEM_MAX = 4096, CERTIFICATE_MAX = 2048 };

struct key {
    mbedtls_pk_context pk;
    mbedtls_x509_crt certificate;
    uint8_t spki[KEY_SPKI_SIZE];
};

static struct key *key_alloc(void)
{
    struct key *key = xnew(struct key);

    mbedtls_pk_init(&key->pk);
    mbedtls_x509_crt_init(&key->certificate);
    return key;
}

/* A name of its own for each leaf: else the library takes the verifier's dummy anchor for the
 * issuer and tries its signature, in vain, for milliseconds. */
static int set_name(mbedtls_x509write_cert *writer)
{
    uint8_t random[8];
    char name[3 + 2 * sizeof(random) + 1] = "CN=";

    random_bytes(random, sizeof(random));
    hex_encode(random, sizeof(random), name + 3);
    int rc = mbedtls_x509write_crt_set_subject_name(writer, name);
    return rc != 0 ? rc : mbedtls_x509write_crt_set_issuer_name(writer, name);
}

static int fill_certificate(const struct key *key, mbedtls_x509write_cert *writer)
{
    unsigned char serial[] = {1};

    mbedtls_x509write_crt_set_version(writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(writer, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(writer, key_pk(key));
    mbedtls_x509write_crt_set_issuer_key(writer, key_pk(key));
    int rc = mbedtls_x509write_crt_set_serial_raw(writer, serial, sizeof(serial));
    /* Time is not judged: a guest has no clock to trust. */
    if (rc == 0)
        rc = mbedtls_x509write_crt_set_validity(writer, "19700101000000", "99991231235959");
    return rc != 0 ? rc : set_name(writer);
}

/* The leaf is made anew whenever a key is loaded: nobody looks at anything in it but the key. */
static int make_certificate(struct key *key, struct error *err)
{
    uint8_t der[CERTIFICATE_MAX];
    mbedtls_x509write_cert writer;

    mbedtls_x509write_crt_init(&writer);
    int rc = fill_certificate(key, &writer);
    if (rc == 0)
        rc = mbedtls_x509write_crt_der(&writer, der, sizeof(der), key_random, NULL);
    mbedtls_x509write_crt_free(&writer);
    if (rc > 0) /* the length; written at the end of the buffer */
        rc = mbedtls_x509_crt_parse_der(&key->certificate, der + sizeof(der) - rc, (size_t) rc);
    if (rc != 0)
        return error_set(err, STATUS_INTERNAL, "make a certificate: mbedTLS -0x%04x",
                         (unsigned) -rc);
    digest_sha256(key->certificate.pk_raw.p, key->certificate.pk_raw.len, key->spki);
    return 0;
}

struct mbedtls_pk_context *key_pk(const struct key *key)
{
    return (struct mbedtls_pk_context *) &key->pk;
}

struct mbedtls_x509_crt *key_certificate(const struct key *key)
{
    return (struct mbedtls_x509_crt *) &key->certificate;
}

int key_random(void *unused, unsigned char *to, size_t length)
{
    random_bytes(to, length);
    return 0;
}

int key_generate(struct key **ret, struct error *err)
{
    scoped(key_freep) struct key *key = key_alloc();
    int rc = mbedtls_pk_setup(&key->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));

    if (rc == 0)
        rc = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key->pk), key_random,
                                 NULL);
    if (rc != 0)
        return error_set(err, STATUS_INTERNAL, "make a key: mbedTLS -0x%04x", (unsigned) -rc);
    if (make_certificate(key, err) < 0)
        return -1;
    *ret = take_ptr(key);
    return 0;
}

static int check_mode(const char *path, struct error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return error_errno(err, errno, "key '%s'", path);
    if (st.st_mode & 077)
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "key '%s' has mode %03o: others than its owner may read it", path,
                         st.st_mode & 0777);
    return 0;
}

int key_load(const char *path, struct key **ret, struct error *err)
{
    scoped(key_freep) struct key *key = key_alloc();
    char *pem = NULL;
    size_t length;

    if (check_mode(path, err) < 0 || file_read(path, PEM_MAX, &pem, &length, err) < 0)
        return -1;
    int rc = mbedtls_pk_parse_key(&key->pk, (const unsigned char *) pem, length + 1, NULL, 0,
                                  key_random, NULL);
    bytes_wipe(pem, length);
    free(pem);
    if (rc != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "key '%s': mbedTLS -0x%04x", path,
                         (unsigned) -rc);
    if (mbedtls_pk_get_type(&key->pk) != MBEDTLS_PK_ECKEY ||
        mbedtls_pk_ec(key->pk)->grp.id != MBEDTLS_ECP_DP_SECP256R1)
        return error_set(err, STATUS_INVALID_ARGUMENT, "key '%s' is not on the curve P-256", path);
    if (make_certificate(key, err) < 0)
        return -1;
    *ret = take_ptr(key);
    return 0;
}

int key_save(const struct key *key, const char *path, struct error *err)
{
    unsigned char pem[PEM_MAX];
    int rc = mbedtls_pk_write_key_pem(key_pk(key), pem, sizeof(pem));

    if (rc != 0)
        return error_set(err, STATUS_INTERNAL, "write a key: mbedTLS -0x%04x", (unsigned) -rc);
    rc = file_write_atomic(path, pem, strlen((const char *) pem), 0600, err);
    bytes_wipe(pem, sizeof(pem));
    return rc;
}

void key_free(struct key *key)
{
    if (!key)
        return;
    mbedtls_x509_crt_free(&key->certificate);
    mbedtls_pk_free(&key->pk); /* zeroes the private value */
    bytes_wipe(key, sizeof(*key));
    free(key);
}

const uint8_t *key_spki(const struct key *key)
{
    return key->spki;
}
