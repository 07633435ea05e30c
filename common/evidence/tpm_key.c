/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tpm_key.h"

#include <stdbool.h>
#include <string.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/finding.h"

enum { /* TPM_ALG_ID, TPM_ECC_CURVE */
       ALG_RSA = 0x0001,
       ALG_SHA256 = 0x000b,
       ALG_NULL = 0x0010,
       ALG_RSASSA = 0x0014,
       ALG_RSAPSS = 0x0016,
       ALG_ECDSA = 0x0018,
       ALG_ECC = 0x0023,
       CURVE_P256 = 0x0003,
};

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 4096,
    RSA_SIZE_MAX = RSA_BITS_MAX / 8,
    P256_SIZE = 32,
    SPKI_MAX = 1024,
};

enum { /* TPMA_OBJECT */
       FIXED_TPM = 1 << 1,
       FIXED_PARENT = 1 << 4,
       SENSITIVE_DATA_ORIGIN = 1 << 5,
       RESTRICTED = 1 << 16,
       DECRYPT = 1 << 17,
       SIGN = 1 << 18,
};

static const struct {
    uint32_t bit;
    bool set;
    const char *name;
} attributes_needed[] = {
    {RESTRICTED, true, "restricted"},
    {SIGN, true, "sign"},
    {FIXED_TPM, true, "fixedTPM"},
    {FIXED_PARENT, true, "fixedParent"},
    {SENSITIVE_DATA_ORIGIN, true, "sensitiveDataOrigin"},
    {DECRYPT, false, "decrypt"},
};

struct tpm_key {
    mbedtls_pk_context pk;
    uint8_t spki_digest[TPM_KEY_SPKI_DIGEST_SIZE];
    uint8_t name[TPM_KEY_NAME_SIZE];
    bool has_name;
};

struct sized { /* TPM2B */
    const uint8_t *data;
    size_t size;
};

static struct sized read_sized(struct reader *reader)
{
    size_t size = reader_u16(reader);
    const uint8_t *data = reader_bytes(reader, size);

    return (struct sized){.data = data, .size = data ? size : 0};
}

static struct tpm_key *key_new(void)
{
    struct tpm_key *key = xnew(struct tpm_key);

    mbedtls_pk_init(&key->pk);
    return key;
}

static int check_kind(struct tpm_key *key, struct finding *finding)
{
    mbedtls_pk_type_t type = mbedtls_pk_get_type(&key->pk);
    size_t bits = mbedtls_pk_get_bitlen(&key->pk);

    if (type == MBEDTLS_PK_RSA && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
        return 0;
    if (type == MBEDTLS_PK_ECKEY && mbedtls_pk_ec(key->pk)->grp.id == MBEDTLS_ECP_DP_SECP256R1)
        return 0;
    return finding_set(finding, FINDING_KEY_TYPE,
                       "attestation key: %s of %zu bits is neither RSA of %d to %d bits nor P-256",
                       mbedtls_pk_get_name(&key->pk), bits, RSA_BITS_MIN, RSA_BITS_MAX);
}

/* Digests the DER. `der` is what it must be byte for byte, so that a key has one spelling and an
 * enrolment one digest; NULL: it did not come as DER. */
static int seal(struct tpm_key *key, const void *der, size_t size, struct finding *finding)
{
    uint8_t buffer[SPKI_MAX];
    const uint8_t *written;
    int length;

    if (check_kind(key, finding) < 0)
        return -1;
    length = mbedtls_pk_write_pubkey_der(&key->pk, buffer, sizeof(buffer));
    if (length <= 0)
        return finding_set(finding, FINDING_KEY_FORMAT, "attestation key: cannot be encoded");
    written = buffer + sizeof(buffer) - length;
    if (der && (size != (size_t) length || memcmp(der, written, size) != 0))
        return finding_set(finding, FINDING_KEY_FORMAT,
                           "attestation key: not the DER of a SubjectPublicKeyInfo alone");
    digest_sha256(written, (size_t) length, key->spki_digest);
    return 0;
}

/* PEM by hand: the library's reader looks for a key anywhere in the text and stops at the first, so
 * that a file that names two would be half read. */
static int decode_pem(char *text, uint8_t **ret, size_t *ret_size)
{
    static const char begin[] = "-----BEGIN PUBLIC KEY-----", end[] = "-----END PUBLIC KEY-----";
    size_t length = strlen(text), kept = 0;
    struct error err;
    char *body;

    while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    if (!text_starts(text, begin))
        return -1;
    body = text + sizeof(begin) - 1;
    if (!text_ends(body, end))
        return -1;
    text[length - (sizeof(end) - 1)] = '\0';
    for (const char *c = body; *c; c++)
        if (*c != '\n' && *c != '\r')
            body[kept++] = *c;
    body[kept] = '\0';
    return base64_decode(body, TPM_KEY_MAX, ret, ret_size, &err);
}

static int parse_der(const uint8_t *der, size_t size, struct tpm_key **ret, struct finding *finding)
{
    scoped(tpm_key_freep) struct tpm_key *key = key_new();
    uint8_t *at = (uint8_t *) der; /* only read */

    if (mbedtls_pk_parse_subpubkey(&at, der + size, &key->pk) != 0)
        return finding_set(finding, FINDING_KEY_FORMAT,
                           "attestation key: no SubjectPublicKeyInfo of RSA or of a known curve");
    if (seal(key, der, size, finding) < 0)
        return -1;
    *ret = take_ptr(key);
    return 0;
}

int tpm_key_parse_spki(const void *data, size_t size, struct tpm_key **ret, struct finding *finding)
{
    scoped(freep) uint8_t *der = NULL;
    scoped(freep) char *text = NULL;

    if (size == 0 || size > TPM_KEY_MAX)
        return finding_set(finding, FINDING_KEY_FORMAT, "attestation key of %zu bytes, limit %d",
                           size, TPM_KEY_MAX);
    if (*(const char *) data != '-')
        return parse_der(data, size, ret, finding);
    text = xstrndup(data, size);
    if (strlen(text) != size || decode_pem(text, &der, &size) < 0)
        return finding_set(finding, FINDING_KEY_FORMAT,
                           "attestation key: not one PEM PUBLIC KEY alone");
    return parse_der(der, size, ret, finding);
}

static int load_rsa(struct tpm_key *key, const struct rsa_numbers *numbers)
{
    mbedtls_rsa_context *rsa;
    int rc = mbedtls_pk_setup(&key->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA));

    if (rc != 0)
        return rc;
    rsa = mbedtls_pk_rsa(key->pk);
    rc = mbedtls_rsa_import_raw(rsa, numbers->modulus, numbers->modulus_size, NULL, 0, NULL, 0,
                                NULL, 0, numbers->exponent, numbers->exponent_size);
    if (rc == 0)
        rc = mbedtls_rsa_complete(rsa);
    return rc == 0 ? mbedtls_rsa_check_pubkey(rsa) : rc;
}

int tpm_key_from_rsa(const struct rsa_numbers *numbers, struct tpm_key **ret,
                     struct finding *finding)
{
    scoped(tpm_key_freep) struct tpm_key *key = key_new();

    if (numbers->modulus_size == 0 || numbers->modulus_size > RSA_SIZE_MAX ||
        numbers->exponent_size == 0 || numbers->exponent_size > 8)
        return finding_set(finding, FINDING_KEY_TYPE,
                           "attestation key: RSA modulus of %zu bytes, exponent of %zu",
                           numbers->modulus_size, numbers->exponent_size);
    if (load_rsa(key, numbers) != 0)
        return finding_set(finding, FINDING_KEY_FORMAT, "attestation key: no RSA key");
    if (seal(key, NULL, 0, finding) < 0)
        return -1;
    *ret = take_ptr(key);
    return 0;
}

static int load_ecc(struct tpm_key *key, struct sized x, struct sized y)
{
    uint8_t point[1 + 2 * P256_SIZE] = {4};
    mbedtls_ecp_keypair *ec;
    int rc = mbedtls_pk_setup(&key->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));

    if (rc != 0)
        return rc;
    memcpy(point + 1 + P256_SIZE - x.size, x.data, x.size);
    memcpy(point + 1 + 2 * P256_SIZE - y.size, y.data, y.size);
    ec = mbedtls_pk_ec(key->pk);
    rc = mbedtls_ecp_group_load(&ec->grp, MBEDTLS_ECP_DP_SECP256R1);
    if (rc == 0)
        rc = mbedtls_ecp_point_read_binary(&ec->grp, &ec->Q, point, sizeof(point));
    return rc == 0 ? mbedtls_ecp_check_pubkey(&ec->grp, &ec->Q) : rc;
}

static int check_attributes(uint32_t attributes, struct finding *finding)
{
    for (size_t i = 0; i < ARRAY_LENGTH(attributes_needed); i++)
        if (!(attributes & attributes_needed[i].bit) == attributes_needed[i].set)
            return finding_set(finding, FINDING_KEY_ATTRIBUTES,
                               "attestation key: objectAttributes 0x%08x: %s must be %s",
                               attributes, attributes_needed[i].name,
                               attributes_needed[i].set ? "set" : "clear");
    return 0;
}

/* symmetric, scheme and its hash: a restricted signing key has no symmetric algorithm and a scheme
 * of its own. */
static int read_scheme(struct reader *reader, uint16_t wanted, struct finding *finding)
{
    unsigned symmetric = reader_u16(reader), scheme = reader_u16(reader);
    unsigned hash = scheme == ALG_NULL ? 0 : reader_u16(reader);

    if (reader->failed || (symmetric == ALG_NULL && scheme == wanted && hash == ALG_SHA256))
        return 0; /* the reader is looked at once, at the end */
    return finding_set(
        finding, FINDING_KEY_TYPE,
        "attestation key: symmetric 0x%04x, scheme 0x%04x%s, hash 0x%04x: not 0x%04x "
        "with SHA-256",
        symmetric, scheme, scheme == ALG_RSAPSS ? " (RSAPSS)" : "", hash, wanted);
}

static int read_ecc(struct tpm_key *key, struct reader *reader, struct finding *finding)
{
    if (read_scheme(reader, ALG_ECDSA, finding) < 0)
        return -1;
    unsigned curve = reader_u16(reader), kdf = reader_u16(reader);
    struct sized x = read_sized(reader), y = read_sized(reader);

    if (!reader_complete(reader))
        return finding_set(finding, FINDING_KEY_FORMAT,
                           "attestation key: TPMT_PUBLIC is cut short, or something is behind it");
    if (curve != CURVE_P256 || kdf != ALG_NULL)
        return finding_set(finding, FINDING_KEY_TYPE,
                           "attestation key: curveID 0x%04x, kdf 0x%04x: not P-256 alone", curve,
                           kdf);
    if (x.size == 0 || x.size > P256_SIZE || y.size == 0 || y.size > P256_SIZE ||
        load_ecc(key, x, y) != 0)
        return finding_set(finding, FINDING_KEY_FORMAT, "attestation key: no point of P-256");
    return 0;
}

static int read_rsa(struct tpm_key *key, struct reader *reader, struct finding *finding)
{
    if (read_scheme(reader, ALG_RSASSA, finding) < 0)
        return -1;
    unsigned bits = reader_u16(reader);
    uint32_t exponent = reader_u32(reader);
    struct sized modulus = read_sized(reader);
    uint8_t exponent_bytes[4];
    struct rsa_numbers numbers = {modulus.data, exponent_bytes, modulus.size, 4};

    if (!reader_complete(reader))
        return finding_set(finding, FINDING_KEY_FORMAT,
                           "attestation key: TPMT_PUBLIC is cut short, or something is behind it");
    if (exponent == 0)
        exponent = 65537;
    for (int i = 0; i < 4; i++)
        exponent_bytes[i] = (uint8_t) (exponent >> (24 - 8 * i));
    if (modulus.size == 0 || modulus.size > RSA_SIZE_MAX || bits != 8 * modulus.size ||
        load_rsa(key, &numbers) != 0)
        return finding_set(finding, FINDING_KEY_FORMAT,
                           "attestation key: no RSA key of keyBits %u in %zu bytes", bits,
                           modulus.size);
    return 0;
}

static int read_public(struct tpm_key *key, struct reader *reader, struct finding *finding)
{
    unsigned type = reader_u16(reader), name_alg = reader_u16(reader);
    uint32_t attributes = reader_u32(reader);

    (void) read_sized(reader); /* authPolicy: who may use the key, not what it signs */
    if (reader->failed)
        return finding_set(finding, FINDING_KEY_FORMAT,
                           "attestation key: TPMT_PUBLIC is cut short");
    if (name_alg != ALG_SHA256)
        return finding_set(finding, FINDING_KEY_TYPE,
                           "attestation key: nameAlg 0x%04x is not SHA-256", name_alg);
    if (check_attributes(attributes, finding) < 0)
        return -1;
    if (type == ALG_ECC)
        return read_ecc(key, reader, finding);
    if (type == ALG_RSA)
        return read_rsa(key, reader, finding);
    return finding_set(finding, FINDING_KEY_TYPE, "attestation key: type 0x%04x is not RSA or ECC",
                       type);
}

int tpm_key_parse_public(const void *data, size_t size, struct tpm_key **ret,
                         struct finding *finding)
{
    scoped(tpm_key_freep) struct tpm_key *key = key_new();
    struct reader outer, inner;
    struct sized body;

    reader_init(&outer, data, size);
    body = read_sized(&outer);
    if (!reader_complete(&outer))
        return finding_set(finding, FINDING_KEY_FORMAT,
                           "attestation key: the size of TPM2B_PUBLIC is not that of what follows");
    reader_init(&inner, body.data, body.size);
    if (read_public(key, &inner, finding) < 0 || seal(key, NULL, 0, finding) < 0)
        return -1;
    key->name[1] = ALG_SHA256;
    digest_sha256(body.data, body.size, key->name + 2);
    key->has_name = true;
    *ret = take_ptr(key);
    return 0;
}

void tpm_key_free(struct tpm_key *key)
{
    if (!key)
        return;
    mbedtls_pk_free(&key->pk);
    free(key);
}

const uint8_t *tpm_key_spki_digest(const struct tpm_key *key)
{
    return key->spki_digest;
}

const uint8_t *tpm_key_name(const struct tpm_key *key)
{
    return key->has_name ? key->name : NULL;
}

static int verify_ecdsa(struct tpm_key *key, const uint8_t hash[SHA256_SIZE], struct sized r_bytes,
                        struct sized s_bytes)
{
    mbedtls_ecp_keypair *ec = mbedtls_pk_ec(key->pk);
    mbedtls_mpi r, s;
    int rc;

    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    rc = mbedtls_mpi_read_binary(&r, r_bytes.data, r_bytes.size);
    if (rc == 0)
        rc = mbedtls_mpi_read_binary(&s, s_bytes.data, s_bytes.size);
    if (rc == 0)
        rc = mbedtls_ecdsa_verify(&ec->grp, hash, SHA256_SIZE, &ec->Q, &r, &s);
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    return rc;
}

static int verify_rsa(struct tpm_key *key, const uint8_t hash[SHA256_SIZE], struct sized number)
{
    return mbedtls_pk_verify(&key->pk, MBEDTLS_MD_SHA256, hash, SHA256_SIZE, number.data,
                             number.size);
}

static int check_scheme(struct tpm_key *key, unsigned scheme, unsigned hash,
                        struct finding *finding)
{
    mbedtls_pk_type_t type = mbedtls_pk_get_type(&key->pk);

    if (scheme == ALG_RSAPSS)
        return finding_set(finding, FINDING_SIGNATURE_SCHEME,
                           "signature: sigAlg 0x%04x (RSAPSS) is not taken", scheme);
    if (scheme != ALG_RSASSA && scheme != ALG_ECDSA)
        return finding_set(finding, FINDING_SIGNATURE_SCHEME,
                           "signature: sigAlg 0x%04x is neither RSASSA nor ECDSA", scheme);
    if (hash != ALG_SHA256)
        return finding_set(finding, FINDING_SIGNATURE_SCHEME,
                           "signature: hash 0x%04x is not SHA-256", hash);
    if ((scheme == ALG_RSASSA) != (type == MBEDTLS_PK_RSA))
        return finding_set(finding, FINDING_SIGNATURE_SCHEME,
                           "signature: sigAlg is %s, but the attestation key is %s",
                           scheme == ALG_RSASSA ? "RSASSA" : "ECDSA",
                           mbedtls_pk_get_name(&key->pk));
    return 0;
}

int tpm_key_verify(struct tpm_key *key, const struct tpm_signed *object, struct finding *finding)
{
    uint8_t hash[SHA256_SIZE];
    struct reader reader;
    struct sized first, second = {NULL, 0};
    int rc;

    reader_init(&reader, object->signature, object->signature_size);
    unsigned scheme = reader_u16(&reader), hash_alg = reader_u16(&reader);
    if (reader.failed)
        return finding_set(finding, FINDING_SIGNATURE_FORMAT,
                           "signature: TPMT_SIGNATURE of %zu "
                           "bytes",
                           object->signature_size);
    if (check_scheme(key, scheme, hash_alg, finding) < 0)
        return -1;
    first = read_sized(&reader);
    if (scheme == ALG_ECDSA)
        second = read_sized(&reader);
    if (!reader_complete(&reader))
        return finding_set(finding, FINDING_SIGNATURE_FORMAT,
                           "signature: TPMT_SIGNATURE is cut short, or something is behind it");
    if (scheme == ALG_ECDSA && (first.size > P256_SIZE || second.size > P256_SIZE))
        return finding_set(finding, FINDING_SIGNATURE_FORMAT,
                           "signature: r of %zu bytes and s of %zu, P-256 has %d", first.size,
                           second.size, P256_SIZE);
    digest_sha256(object->message, object->message_size, hash);
    rc = scheme == ALG_ECDSA ? verify_ecdsa(key, hash, first, second)
                             : verify_rsa(key, hash, first);
    if (rc != 0)
        return finding_set(finding, FINDING_SIGNATURE,
                           "signature: not that of the attestation key over this message");
    return 0;
}

int tpm_key_verify_bare(struct tpm_key *key, const struct tpm_signed *object,
                        struct finding *finding)
{
    struct sized number = {object->signature, object->signature_size};
    uint8_t hash[SHA256_SIZE];

    if (check_scheme(key, ALG_RSASSA, ALG_SHA256, finding) < 0)
        return -1;
    digest_sha256(object->message, object->message_size, hash);
    if (verify_rsa(key, hash, number) != 0)
        return finding_set(finding, FINDING_SIGNATURE,
                           "signature: not that of the attestation key over this message");
    return 0;
}
