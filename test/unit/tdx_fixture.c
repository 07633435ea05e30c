/* SPDX-License-Identifier: Apache-2.0 */
#include "tdx_fixture.h"

#include <stdio.h>
#include <string.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/sha256.h>
#include <mbedtls/x509_crt.h>

#include "base/hex.h"
#include "base/random.h"

enum { HEADER = 48, SGX_REPORT = 384, DER_MAX = 2048 };

/* A fixture that cannot be made is no result of any test. */
static void must(int good)
{
    if (!good)
        abort();
}

struct der {
    uint8_t data[DER_MAX];
    size_t size;
};

static mbedtls_pk_context keys[KEYS];

static int random_of_kernel(void *unused, unsigned char *to, size_t length)
{
    random_bytes(to, length);
    return 0;
}

static void make_keys(void)
{
    if (mbedtls_pk_get_type(&keys[0]) != MBEDTLS_PK_NONE)
        return;
    for (size_t i = 0; i < KEYS; i++) {
        mbedtls_pk_init(&keys[i]);
        must(mbedtls_pk_setup(&keys[i], mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
        must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(keys[i]), random_of_kernel,
                                 NULL) == 0);
    }
}

static void public_of(enum fixture_key key, uint8_t ret[64])
{
    const mbedtls_ecp_keypair *pair = mbedtls_pk_ec(keys[key]);

    must(mbedtls_mpi_write_binary(&pair->Q.X, ret, 32) == 0);
    must(mbedtls_mpi_write_binary(&pair->Q.Y, ret + 32, 32) == 0);
}

static void sign(enum fixture_key key, const void *data, size_t length, uint8_t ret[64])
{
    mbedtls_ecp_keypair *pair = mbedtls_pk_ec(keys[key]);
    scoped(mbedtls_mpi_free) mbedtls_mpi r;
    scoped(mbedtls_mpi_free) mbedtls_mpi s;
    uint8_t hash[32];

    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    must(mbedtls_sha256_ret(data, length, hash, 0) == 0);
    must(mbedtls_ecdsa_sign(&pair->grp, &r, &s, &pair->d, hash, sizeof(hash), random_of_kernel,
                            NULL) == 0);
    must(mbedtls_mpi_write_binary(&r, ret, 32) == 0);
    must(mbedtls_mpi_write_binary(&s, ret + 32, 32) == 0);
}

static void der_bytes(struct der *to, const void *data, size_t length)
{
    must(to->size + length <= sizeof(to->data));
    memcpy(to->data + to->size, data, length);
    to->size += length;
}

static void der_put(struct der *to, uint8_t tag, const void *data, size_t length)
{
    const uint8_t head[4] = {tag, 0x82, (uint8_t) (length >> 8), (uint8_t) length};
    const uint8_t middle[3] = {tag, 0x81, (uint8_t) length};
    const uint8_t small[2] = {tag, (uint8_t) length};

    if (length > 255)
        der_bytes(to, head, sizeof(head));
    else if (length > 127)
        der_bytes(to, middle, sizeof(middle));
    else
        der_bytes(to, small, sizeof(small));
    der_bytes(to, data, length);
}

static void der_number(struct der *to, unsigned value)
{
    const uint8_t bytes[3] = {0, (uint8_t) (value >> 8), (uint8_t) value};
    size_t from = value > 0x7fff ? 0 : value > 0x7f ? 1 : 2;

    der_put(to, 0x02, bytes + from, sizeof(bytes) - from);
}

/* SEQUENCE { OID 1.2.840.113741.1.13.1.a[.b], value } */
static void put_item(struct der *to, uint8_t a, uint8_t b, const struct der *value)
{
    const uint8_t oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, a, b};
    struct der item = {.size = 0};

    der_put(&item, 0x06, oid, b ? sizeof(oid) : sizeof(oid) - 1);
    der_bytes(&item, value->data, value->size);
    der_put(to, 0x30, item.data, item.size);
}

static void put_octets(struct der *to, uint8_t item, const void *data, size_t size)
{
    struct der value = {.size = 0};

    der_put(&value, 0x04, data, size);
    put_item(to, item, 0, &value);
}

static void make_sgx(const struct fixture *fixture, struct der *ret)
{
    static const uint8_t ppid[16] = "a platform's id";
    struct der items = {.size = 0}, tcb = {.size = 0}, value = {.size = 0};

    put_octets(&items, 1, ppid, sizeof(ppid));
    for (uint8_t i = 1; i <= 17; i++) {
        struct der svn = {.size = 0};

        der_number(&svn, i == 17 ? fixture->pce_svn : fixture->components[i - 1]);
        put_item(&tcb, 2, i, &svn);
    }
    der_put(&value, 0x30, tcb.data, tcb.size);
    if (!(fixture->sgx_left_out & BIT(2)))
        put_item(&items, 2, 0, &value);
    if (!(fixture->sgx_left_out & BIT(3)))
        put_octets(&items, 3, fixture->pce_id, sizeof(fixture->pce_id));
    if (!(fixture->sgx_left_out & BIT(4)))
        put_octets(&items, 4, fixture->fmspc, sizeof(fixture->fmspc));
    der_put(ret, 0x30, items.data, items.size);
}

static void make_certificate(const struct fixture_certificate *from, const struct der *sgx,
                             char *pem, size_t size)
{
    static const char oid[] = {0x2a, (char) 0x86, 0x48, (char) 0x86, (char) 0xf8, 0x4d, 1, 13, 1};
    scoped(mbedtls_x509write_crt_free) mbedtls_x509write_cert crt;
    scoped(mbedtls_mpi_free) mbedtls_mpi serial;

    mbedtls_x509write_crt_init(&crt);
    mbedtls_mpi_init(&serial);
    must(mbedtls_mpi_lset(&serial, from->serial) == 0);
    mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&crt, &keys[from->key]);
    mbedtls_x509write_crt_set_issuer_key(&crt, &keys[from->signer]);
    must(mbedtls_x509write_crt_set_subject_name(&crt, from->subject) == 0);
    must(mbedtls_x509write_crt_set_issuer_name(&crt, from->issuer) == 0);
    must(mbedtls_x509write_crt_set_serial(&crt, &serial) == 0);
    must(mbedtls_x509write_crt_set_validity(&crt, from->from, from->to) == 0);
    must(mbedtls_x509write_crt_set_basic_constraints(&crt, from->ca >= 0, from->ca) == 0);
    must(mbedtls_x509write_crt_set_key_usage(
             &crt, from->ca >= 0 ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                                 : MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0);
    if (sgx)
        must(mbedtls_x509write_crt_set_extension(&crt, oid, sizeof(oid), 0, sgx->data, sgx->size) ==
             0);
    must(mbedtls_x509write_crt_pem(&crt, (unsigned char *) pem, size, random_of_kernel, NULL) == 0);
}

/* mbedTLS writes no lists. */
static size_t make_list(const struct fixture_list *from, uint8_t *to, size_t size)
{
    static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    static const uint8_t cn[] = {0x06, 0x03, 0x55, 0x04, 0x03};
    struct der name[4] = {{.size = 0}}, entry = {.size = 0}, entries = {.size = 0};
    struct der tbs = {.size = 0}, whole = {.size = 0}, list = {.size = 0};
    uint8_t der[MBEDTLS_ECDSA_MAX_LEN + 1] = {0}, hash[32];
    size_t length;

    der_bytes(&name[0], cn, sizeof(cn));
    der_put(&name[0], 0x0c, from->issuer + 3, strlen(from->issuer) - 3); /* behind CN= */
    der_put(&name[1], 0x30, name[0].data, name[0].size);
    der_put(&name[2], 0x31, name[1].data, name[1].size);
    der_number(&entry, (unsigned) from->revoked);
    der_put(&entry, 0x17, "250601000000Z", 13);
    der_put(&entries, 0x30, entry.data, entry.size);
    der_number(&tbs, 1);
    der_bytes(&tbs, algorithm, sizeof(algorithm));
    der_put(&tbs, 0x30, name[2].data, name[2].size);
    der_put(&tbs, 0x17, from->from, 13);
    der_put(&tbs, 0x17, from->to, 13);
    der_put(&tbs, 0x30, entries.data, entries.size);
    der_put(&whole, 0x30, tbs.data, tbs.size);
    must(mbedtls_sha256_ret(whole.data, whole.size, hash, 0) == 0);
    must(mbedtls_pk_sign(&keys[from->signer], MBEDTLS_MD_SHA256, hash, sizeof(hash), der + 1,
                         &length, random_of_kernel, NULL) == 0);
    der_bytes(&whole, algorithm, sizeof(algorithm));
    der_put(&whole, 0x03, der, length + 1);
    der_put(&list, 0x30, whole.data, whole.size);
    must(list.size <= size);
    memcpy(to, list.data, list.size);
    return list.size;
}

static char *edited(const char *text, const char *from, const char *to)
{
    const char *at = from ? strstr(text, from) : NULL;

    must(!from || at);
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
    must(mbedtls_sha256_ret(hashed, 64 + length, fixture->qe + 320, 0) == 0);
}

static void make_quote(struct fixture *fixture)
{
    static const uint8_t auth[32] = {1, 2, 3};
    size_t pem = strlen(fixture->pem) + 1, inner = SGX_REPORT + 64 + 2 + 32 + 6 + pem;
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
    put(&to, fixture->qe, SGX_REPORT);
    sign(fixture->qe_signer, fixture->qe, SGX_REPORT, signature);
    put(&to, signature, 64);
    put16(&to, sizeof(auth));
    put(&to, auth, sizeof(auth));
    put16(&to, 5);
    put32(&to, pem);
    put(&to, fixture->pem, pem);
    memset(to, 0xee, fixture->trailing);
    fixture->quote.data = fixture->evidence;
    fixture->quote.length = (size_t) (to - fixture->evidence) + fixture->trailing;
    must(fixture->quote.length <= sizeof(fixture->evidence));
}

static void make_certificates(struct fixture *fixture)
{
    const struct fixture_certificate *chain[] = {&fixture->pck, &fixture->ca, &fixture->root};
    struct der sgx = {.size = 0};
    size_t used = 0;

    make_sgx(fixture, &sgx);
    for (size_t i = 0; i < ARRAY_LENGTH(chain); i++) {
        make_certificate(chain[i], i == 0 && !fixture->sgx_absent ? &sgx : NULL,
                         fixture->pem + used, sizeof(fixture->pem) - used);
        used += strlen(fixture->pem + used);
    }
    make_certificate(&fixture->signer, NULL, fixture->signing_pem, sizeof(fixture->signing_pem));
    used = strlen(fixture->signing_pem);
    make_certificate(&fixture->root, NULL, fixture->signing_pem + used,
                     sizeof(fixture->signing_pem) - used);
}

static void trust_root(struct fixture *fixture)
{
    unsigned char der[256];
    int length = mbedtls_pk_write_pubkey_der(&keys[KEY_ROOT], der, sizeof(der));

    must(length > 0);
    must(mbedtls_sha256_ret(der + sizeof(der) - length, (size_t) length, fixture->roots[0], 0) ==
         0);
    fixture->policy.roots = fixture->roots;
    fixture->policy.root_count = 1;
}

void fixture_build(struct fixture *fixture)
{
    make_certificates(fixture);
    make_quote(fixture);
    fixture->collateral = (struct tdx_collateral){
        .tcb_info = make_document(&fixture->tcb_info, "tcbInfo"),
        .qe_identity = make_document(&fixture->qe_identity, "enclaveIdentity"),
        .tcb_signing = {(uint8_t *) fixture->signing_pem, strlen(fixture->signing_pem)},
        .pck_crl = {fixture->pck_crl,
                    make_list(&fixture->pck_list, fixture->pck_crl, sizeof(fixture->pck_crl))},
        .root_crl = {fixture->root_crl,
                     make_list(&fixture->root_list, fixture->root_crl, sizeof(fixture->root_crl))},
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
    static const char root[] = "CN=Intel SGX Root CA", ca[] = "CN=Intel SGX PCK Platform CA";
    static const char from[] = "20240101000000", to[] = "20341231235959";

    make_keys();
    *fixture = (struct fixture){
        .pce_svn = 13,
        .root = {root, root, from, to, KEY_ROOT, KEY_ROOT, 1, 1},
        .ca = {ca, root, from, to, KEY_CA, KEY_ROOT, 2, 0},
        .pck = {"CN=Intel SGX PCK Certificate", ca, from, to, KEY_PCK, KEY_CA, 1003, -1},
        .signer = {"CN=Intel SGX TCB Signing", root, from, to, KEY_SIGNER, KEY_ROOT, 4, -1},
        .root_list = {root, "250601000000Z", "250701000000Z", KEY_ROOT, 77},
        .pck_list = {ca, "250601000000Z", "250701000000Z", KEY_CA, 77},
        .tcb_info = {.text = good_tcb_info, .signer = KEY_SIGNER},
        .qe_identity = {.text = good_qe_identity, .signer = KEY_SIGNER},
        .policy = {.time = FIXTURE_TIME},
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
