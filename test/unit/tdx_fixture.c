/* SPDX-License-Identifier: Apache-2.0 */
#include "tdx_fixture.h"

#include <string.h>

#include <mbedtls/ecdsa.h>

#include "base/digest.h"
#include "base/hex.h"
#include "x509_fixture.h"

enum { HEADER = 48 };

static mbedtls_pk_context keys[KEYS];

static void make_keys(void)
{
    if (mbedtls_pk_get_type(&keys[0]) != MBEDTLS_PK_NONE)
        return;
    for (size_t i = 0; i < KEYS; i++)
        x509_key_ec(&keys[i], MBEDTLS_ECP_DP_SECP256R1);
}

static void public_of(enum fixture_key key, uint8_t ret[64])
{
    const mbedtls_ecp_keypair *pair = mbedtls_pk_ec(keys[key]);

    ck_assert(mbedtls_mpi_write_binary(&pair->Q.X, ret, 32) == 0);
    ck_assert(mbedtls_mpi_write_binary(&pair->Q.Y, ret + 32, 32) == 0);
}

static void sign(enum fixture_key key, const void *data, size_t length, uint8_t ret[64])
{
    mbedtls_ecp_keypair *pair = mbedtls_pk_ec(keys[key]);
    scoped(mbedtls_mpi_free) mbedtls_mpi r;
    scoped(mbedtls_mpi_free) mbedtls_mpi s;
    uint8_t hash[32];

    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    digest_sha256(data, length, hash);
    ck_assert(mbedtls_ecdsa_sign(&pair->grp, &r, &s, &pair->d, hash, sizeof(hash), x509_random,
                                 NULL) == 0);
    ck_assert(mbedtls_mpi_write_binary(&r, ret, 32) == 0);
    ck_assert(mbedtls_mpi_write_binary(&s, ret + 32, 32) == 0);
}

/* SEQUENCE { OID 1.2.840.113741.1.13.1.a[.b], value } */
static void put_item(struct der *to, uint8_t a, uint8_t b, const struct der *value)
{
    const uint8_t oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, a, b};
    struct der item = {0};

    der_put(&item, 0x06, oid, b ? sizeof(oid) : sizeof(oid) - 1);
    der_raw(&item, value->data, value->size);
    der_wrap(to, 0x30, &item);
}

static void put_octets(struct der *to, uint8_t item, const void *data, size_t size)
{
    struct der value = {0};

    der_put(&value, 0x04, data, size);
    put_item(to, item, 0, &value);
}

static void make_sgx(const struct fixture *fixture, struct der *ret)
{
    struct der items = {0}, tcb = {0}, value = {0};

    if (!(fixture->sgx_left_out & BIT(1)))
        put_octets(&items, 1, fixture->ppid, sizeof(fixture->ppid));
    for (uint8_t i = 1; i <= 17; i++) {
        struct der svn = {0};

        der_number(&svn, i == 17 ? fixture->pce_svn : fixture->components[i - 1]);
        put_item(&tcb, 2, i, &svn);
    }
    der_wrap(&value, 0x30, &tcb);
    if (!(fixture->sgx_left_out & BIT(2)))
        put_item(&items, 2, 0, &value);
    if (!(fixture->sgx_left_out & BIT(3)))
        put_octets(&items, 3, fixture->pce_id, sizeof(fixture->pce_id));
    if (!(fixture->sgx_left_out & BIT(4)))
        put_octets(&items, 4, fixture->fmspc, sizeof(fixture->fmspc));
    if (fixture->has_instance)
        put_octets(&items, 6, fixture->instance, sizeof(fixture->instance));
    der_wrap(ret, 0x30, &items);
}

/* Appends to a text. */
static void make_certificate(const struct fixture_certificate *from, const struct der *sgx,
                             char *pem, size_t size)
{
    static const struct der oid = {{0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1}, 9};
    struct x509_spec spec = {
        .subject = from->subject,
        .issuer = from->issuer,
        .key = &keys[from->key],
        .issuer_key = &keys[from->signer],
        .from = from->from,
        .to = from->to,
        .ca = from->ca >= 0 ? X509_CA : X509_LEAF,
        .pathlen = from->ca,
        .usage = from->ca >= 0 ? 0x04 | 0x02 : 0x80,
        .serial = from->serial,
    };
    struct der der = {0};

    if (sgx)
        x509_extension(&spec.extensions, &oid, false, sgx->data, sgx->size);
    x509_make(&spec, &der);
    x509_pem(&der, pem, size);
}

static struct chain_bytes make_list(const struct fixture_list *from, struct der *ret)
{
    x509_make_crl(from->issuer, &keys[from->signer], from->revoked, from->to, ret);
    return (struct chain_bytes){ret->data, ret->size};
}

static char *edited(const char *text, const char *from, const char *to)
{
    const char *at = from ? strstr(text, from) : NULL;

    ck_assert(!from || at);
    return at ? xformat("%.*s%s%s", (int) (at - text), text, to, at + strlen(from)) : xstrdup(text);
}

static struct chain_bytes make_document(struct fixture_document *document, const char *member)
{
    scoped(freep) char *inner = edited(document->text, document->from, document->to);
    scoped(freep) char *outer = NULL;
    uint8_t signature[64];
    char hex[129];

    sign(document->signer, inner, strlen(inner), signature);
    hex_encode(signature, sizeof(signature), hex);
    outer = xformat(" {\"%s\": %s ,\n \"signature\":\"%s\"}\n", member, inner, hex);
    free(document->built);
    document->built = edited(outer, document->tamper_from, document->tamper_to);
    return (struct chain_bytes){(uint8_t *) document->built, strlen(document->built)};
}

static void put16(uint8_t **to, unsigned value)
{
    *(*to)++ = (uint8_t) value;
    *(*to)++ = (uint8_t) (value >> 8);
}

static void put32(uint8_t **to, size_t value)
{
    put16(to, value & 0xffff);
    put16(to, (unsigned) (value >> 16));
}

static void put(uint8_t **to, const void *data, size_t length)
{
    memcpy(*to, data, length);
    *to += length;
}

static size_t body_size(const struct fixture *fixture)
{
    return fixture->body_type == TDX_BODY_1_5 ? 648 : 584;
}

size_t fixture_signature_at(const struct fixture *fixture)
{
    return HEADER + (fixture->header[0] == 5 ? 6 : 0) + body_size(fixture) + 4;
}

static void bind_key(struct fixture *fixture, const uint8_t *auth, size_t length)
{
    uint8_t hashed[64 + 32];

    public_of(fixture->bound_key, hashed);
    memcpy(hashed + 64, auth, length);
    digest_sha256(hashed, 64 + length, fixture->qe + 320);
}

static void make_quote(struct fixture *fixture)
{
    static const uint8_t auth[32] = {1, 2, 3};
    size_t pem = strlen(fixture->pem) + 1, inner = SGX_REPORT_SIZE + 64 + 2 + 32 + 6 + pem;
    uint8_t signature[64], key[64];
    uint8_t *to = fixture->evidence;

    bind_key(fixture, auth, sizeof(auth));
    put(&to, fixture->header, HEADER);
    if (fixture->header[0] == 5) {
        put16(&to, (unsigned) fixture->body_type);
        put32(&to, body_size(fixture));
    }
    put(&to, fixture->body, body_size(fixture));
    sign(fixture->quote_signer, fixture->evidence, (size_t) (to - fixture->evidence), signature);
    public_of(KEY_ATTESTATION, key);
    put32(&to, 128 + 6 + inner);
    put(&to, signature, 64);
    put(&to, key, 64);
    put16(&to, 6);
    put32(&to, inner);
    put(&to, fixture->qe, SGX_REPORT_SIZE);
    sign(fixture->qe_signer, fixture->qe, SGX_REPORT_SIZE, signature);
    put(&to, signature, 64);
    put16(&to, sizeof(auth));
    put(&to, auth, sizeof(auth));
    put16(&to, 5);
    put32(&to, pem);
    put(&to, fixture->pem, pem);
    memset(to, 0xee, fixture->trailing);
    fixture->quote.data = fixture->evidence;
    fixture->quote.length = (size_t) (to - fixture->evidence) + fixture->trailing;
    ck_assert(fixture->quote.length <= sizeof(fixture->evidence));
}

static void make_certificates(struct fixture *fixture)
{
    const size_t size = sizeof(fixture->pem);
    struct der sgx = {0};

    make_sgx(fixture, &sgx);
    fixture->pem[0] = fixture->signing_pem[0] = '\0';
    make_certificate(&fixture->pck, fixture->sgx_absent ? NULL : &sgx, fixture->pem, size);
    make_certificate(&fixture->ca, NULL, fixture->pem, size);
    make_certificate(&fixture->root, NULL, fixture->pem, size);
    make_certificate(&fixture->signer, NULL, fixture->signing_pem, sizeof(fixture->signing_pem));
    make_certificate(&fixture->root, NULL, fixture->signing_pem, sizeof(fixture->signing_pem));
}

static void trust_root(struct fixture *fixture)
{
    unsigned char der[256];
    int length = mbedtls_pk_write_pubkey_der(&keys[KEY_ROOT], der, sizeof(der));

    ck_assert(length > 0);
    digest_sha256(der + sizeof(der) - length, (size_t) length, fixture->roots[0]);
    fixture->policy.roots = fixture->roots;
    fixture->policy.root_count = 1;
}

void fixture_build(struct fixture *fixture)
{
    static struct der lists[2]; /* of the fixture that was built last */

    make_certificates(fixture);
    make_quote(fixture);
    fixture->collateral = (struct tdx_collateral){
        .tcb_info = make_document(&fixture->tcb_info, "tcbInfo"),
        .qe_identity = make_document(&fixture->qe_identity, "enclaveIdentity"),
        .tcb_signing = {(uint8_t *) fixture->signing_pem, strlen(fixture->signing_pem)},
        .pck_crl = make_list(&fixture->pck_list, &lists[0]),
        .root_crl = make_list(&fixture->root_list, &lists[1]),
    };
}

#define ZEROS_48                                                                                   \
    "000000000000000000000000000000000000000000000000"                                             \
    "000000000000000000000000000000000000000000000000"
#define MODULE                                                                                     \
    "\"mrsigner\":\"" ZEROS_48 "\",\"attributes\":\"0000000000000000\","                           \
    "\"attributesMask\":\"FFFFFFFFFFFFFFFF\""
#define SVN(n)  "{\"svn\":" #n "}"
#define FOUR(n) SVN(n) "," SVN(n) "," SVN(n) "," SVN(n)
#define SGX(n)  "\"sgxtcbcomponents\":[" FOUR(n) "," FOUR(n) "," FOUR(0) "," FOUR(0) "]"
#define TDX(m, n)                                                                                  \
    "\"tdxtcbcomponents\":[" SVN(m) "," SVN(0) "," SVN(n) "," SVN(0) "," FOUR(0) "," FOUR(         \
        0) "," FOUR(0) "]"
#define LEVEL(sgx, pce, tdx, status)                                                               \
    "{\"tcb\":{" sgx ",\"pcesvn\":" #pce "," tdx "},\"tcbDate\":\"2025-01-01T00:00:00Z\","         \
    "\"tcbStatus\":\"" status "\"}"
#define ISV(n, status)                                                                             \
    "{\"tcb\":{\"isvsvn\":" #n "},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"" status    \
    "\"}"

/* White space and an escape that no printer would put there. */
static const char good_tcb_info[] =
    "{\"id\":\"TDX\", \"version\" : 3,\"issueDate\":\"2025-06-01T00:00:00Z\","
    "\"nextUpdate\":\"2025-07-01T00:00:00Z\",\"fmspc\":\"00A06D080000\",\"pceId\":\"0102\","
    "\"tcbType\":0,\"tcbEvaluationDataNumber\":17,\n\"tdxModule\":{" MODULE "},"
    "\"tdxModuleIdentities\":[{\"id\":\"TDX_03\"," MODULE ",\"tcbLevels\":[" ISV(
        3,
        "UpToDate") "]},"
                    "{\"id\":\"TDX_\\u00301\"," MODULE
                    ",\"tcbLevels\":[" ISV(5, "UpToDate") "," ISV(
                        4,
                        "OutOfDate") "]}],"
                                     "\"tcbLevels\":[" LEVEL(SGX(3), 11, TDX(5, 3), "UpToDate") "," LEVEL(
                                         SGX(2), 11, TDX(5, 2),
                                         "SWHardeningNeeded") "," LEVEL(SGX(2), 5, TDX(5, 2),
                                                                        "OutOfDate") "," LEVEL(SGX(1),
                                                                                               5,
                                                                                               TDX(5,
                                                                                                   2),
                                                                                               "Rev"
                                                                                               "oke"
                                                                                               "d") "]}";

static const char good_qe_identity[] =
    "{\"id\":\"TD_QE\",\"version\":2,\"issueDate\":\"2025-06-01T00:00:00Z\","
    "\"nextUpdate\":\"2025-07-01T00:00:00Z\",\"tcbEvaluationDataNumber\":17,"
    "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
    "\"attributes\":\"11000000000000000000000000000000\","
    "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\","
    "\"mrsigner\":\"DC9E2A7C6F948F17474E34A7FC43ED030F7C1563F1BABDDF6340C82E0E54A8C5\","
    "\"isvprodid\":2,\"tcbLevels\":[" ISV(4, "UpToDate") "," ISV(3, "OutOfDate") "]}";

static void init_quote(struct fixture *fixture)
{
    static const uint8_t header[HEADER] = {
        4,    0,    2,    0,    0x81, 0,    0,    0,    0,    0,    0,    0,    0x93, 0x9a,
        0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
    static const uint8_t signer[32] = {0xdc, 0x9e, 0x2a, 0x7c, 0x6f, 0x94, 0x8f, 0x17,
                                       0x47, 0x4e, 0x34, 0xa7, 0xfc, 0x43, 0xed, 0x03,
                                       0x0f, 0x7c, 0x15, 0x63, 0xf1, 0xba, 0xbd, 0xdf,
                                       0x63, 0x40, 0xc8, 0x2e, 0x0e, 0x54, 0xa8, 0xc5};
    static const uint8_t svn[16] = {5, 1, 3};

    memcpy(fixture->header, header, sizeof(header));
    for (size_t i = 136; i < sizeof(fixture->body); i++)
        fixture->body[i] = (uint8_t) (i * 7);
    memcpy(fixture->body, svn, sizeof(svn));
    memset(fixture->body + 16, 0x5e, 48); /* mr_seam */
    fixture->body[123] = 0x10;            /* SEPT_VE_DISABLE */
    fixture->body[128] = 0xe7;            /* xfam */
    fixture->body_type = TDX_BODY_1_0;
    fixture->qe[48] = 0x15;
    fixture->qe[56] = 0xe7;
    memcpy(fixture->qe + 128, signer, sizeof(signer));
    fixture->qe[256] = 2;
    fixture->qe[258] = 4;
    fixture->quote_signer = KEY_ATTESTATION;
    fixture->bound_key = KEY_ATTESTATION;
    fixture->qe_signer = KEY_PCK;
}

void fixture_init(struct fixture *fixture)
{
    static const uint8_t fmspc[6] = {0, 0xa0, 0x6d, 0x08, 0, 0}, pce_id[2] = {1, 2};
    static const char root[] = "Intel SGX Root CA", ca[] = "Intel SGX PCK Platform CA";
    static const char from[] = "20240101000000Z", to[] = "20341231235959Z";

    make_keys();
    *fixture = (struct fixture){
        .pce_svn = 13,
        .root = {root, root, from, to, KEY_ROOT, KEY_ROOT, 1, 1},
        .ca = {ca, root, from, to, KEY_CA, KEY_ROOT, 2, 0},
        .pck = {"Intel SGX PCK Certificate", ca, from, to, KEY_PCK, KEY_CA, 1003, -1},
        .signer = {"Intel SGX TCB Signing", root, from, to, KEY_SIGNER, KEY_ROOT, 4, -1},
        .root_list = {root, "20250701000000Z", KEY_ROOT, 77},
        .pck_list = {ca, "20250701000000Z", KEY_CA, 77},
        .tcb_info = {.text = good_tcb_info, .signer = KEY_SIGNER},
        .qe_identity = {.text = good_qe_identity, .signer = KEY_SIGNER},
        .policy = {.time = FIXTURE_TIME,
                   .report_data = fixture->body + 520,
                   .skip = TDX_SKIP_MR_TD | TDX_SKIP_MR_CONFIG_ID | TDX_SKIP_MR_SERVICE_TD},
    };
    memset(fixture->components, 3, 8);
    memcpy(fixture->fmspc, fmspc, sizeof(fmspc));
    memcpy(fixture->pce_id, pce_id, sizeof(pce_id));
    init_quote(fixture);
    trust_root(fixture);
}

void fixture_fini(struct fixture *fixture)
{
    free(fixture->tcb_info.built);
    free(fixture->qe_identity.built);
}

int fixture_verify(const struct fixture *fixture, struct evidence_verdict *verdict)
{
    struct tdx_result result;

    *verdict = (struct evidence_verdict){.failed = APPRAISAL_OK};
    return tdx_verify(fixture->quote, &fixture->collateral, &fixture->policy, &result, verdict);
}
