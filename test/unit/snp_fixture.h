/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A made-up AMD: its root, what it issues, and reports signed by a made-up chip. A test changes one
 * thing of it, then seals it. */
#include <mbedtls/ecdsa.h>

#include "evidence/snp.h"
#include "x509_fixture.h"

enum { SNP_NOW = 1748736000 }; /* 2025-06-01 */

/* What the extensions of a leaf say. */
struct snp_leaf {
    const char *product, *csp_id; /* NULL: none */
    struct snp_tcb tcb;
    int fmc; /* -1: none */
    uint8_t hwid[80];
    size_t hwid_size; /* 0: none */
    bool wrapped;     /* as OCTET STRING */
    uint8_t without;  /* the last arc of a TCB extension that is left out */
    struct der raw;   /* more extensions */
};

struct snp_world {
    mbedtls_pk_context root_key, ask_key, vek_key, other_key;
    mbedtls_pk_context *signer; /* of the report */
    struct x509_spec root, ask, vek;
    struct snp_leaf leaf;
    uint8_t report[SNP_REPORT_SIZE];
    uint8_t report_data[SNP_REPORT_DATA_SIZE];
    struct snp_policy policy;
    uint8_t measurement[1][SNP_MEASUREMENT_SIZE];
    uint8_t host_data[SNP_HOST_DATA_SIZE];
    struct der leaf_der, crl;
    char issuers[12000], roots[6000];
    struct evidence_verdict verdict;
};

static inline void snp_put(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t) (value >> 8 * i);
}

static inline void snp_arc(uint8_t a, uint8_t b, struct der *ret)
{
    static const uint8_t arc[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01};

    ret->size = 0;
    der_raw(ret, arc, sizeof(arc));
    der_raw(ret, &a, 1);
    if (b)
        der_raw(ret, &b, 1);
}

static inline void snp_number(struct snp_world *world, struct der *to, uint8_t arc, int value)
{
    struct der number = {0}, oid;

    if (world->leaf.without == arc)
        return;
    snp_arc(3, arc, &oid);
    der_number(&number, value);
    x509_extension(to, &oid, false, number.data, number.size);
}

static inline void snp_text(struct der *to, uint8_t arc, const char *text)
{
    struct der value = {0}, oid;

    if (!text)
        return;
    snp_arc(arc, 0, &oid);
    der_put(&value, 0x16, text, strlen(text));
    x509_extension(to, &oid, false, value.data, value.size);
}

static inline void snp_extensions(struct snp_world *world, struct der *ret)
{
    const struct snp_leaf *leaf = &world->leaf;
    struct der hwid = {0}, oid;

    ret->size = 0;
    snp_text(ret, 2, leaf->product);
    snp_number(world, ret, 1, leaf->tcb.bootloader);
    snp_number(world, ret, 2, leaf->tcb.tee);
    snp_number(world, ret, 3, leaf->tcb.snp);
    snp_number(world, ret, 5, 0);
    snp_number(world, ret, 8, leaf->tcb.microcode);
    if (leaf->fmc >= 0)
        snp_number(world, ret, 9, leaf->fmc);
    if (leaf->wrapped)
        der_put(&hwid, 0x04, leaf->hwid, leaf->hwid_size);
    else
        der_raw(&hwid, leaf->hwid, leaf->hwid_size);
    snp_arc(4, 0, &oid);
    if (leaf->hwid_size)
        x509_extension(ret, &oid, false, hwid.data, hwid.size);
    snp_text(ret, 5, leaf->csp_id);
    der_raw(ret, leaf->raw.data, leaf->raw.size);
}

static inline void snp_tcb_put(enum snp_product product, const struct snp_tcb *tcb, uint8_t *to)
{
    const uint8_t turin[8] = {tcb->fmc, tcb->bootloader, tcb->tee, tcb->snp, 0, 0,
                              0,        tcb->microcode};
    const uint8_t older[8] = {tcb->bootloader, tcb->tee, 0, 0, 0, 0, tcb->snp, tcb->microcode};

    memcpy(to, product == SNP_TURIN ? turin : older, 8);
}

static inline void snp_report_fill(struct snp_world *world, enum snp_product product,
                                   unsigned version)
{
    static const uint8_t cpuid[][3] = {[SNP_MILAN] = {0x19, 0x01, 1},
                                       [SNP_GENOA] = {0x19, 0xa0, 2},
                                       [SNP_TURIN] = {0x1a, 0x02, 1}};
    static const uint16_t tcbs[] = {0x038, 0x180, 0x1e0, 0x1f0};
    uint8_t *report = world->report;

    snp_put(report, version, 4);
    snp_put(report + 0x004, 5, 4);
    snp_put(report + 0x008, 0x30000, 8);
    snp_put(report + 0x034, 1, 4);
    snp_put(report + 0x040, 0x25, 8);
    memset(report + 0x050, 0x50, 64);
    memset(report + 0x090, 0x90, 48);
    memset(report + 0x0c0, 0xc0, 32);
    memset(report + 0x1a0, 0, 64);
    memcpy(report + 0x1a0, world->leaf.hwid, world->leaf.hwid_size);
    for (size_t i = 0; i < 4; i++)
        snp_tcb_put(product, &world->leaf.tcb, report + tcbs[i]);
    memcpy(report + 0x1e8, (uint8_t[]){40, 55, 1, 0, 40, 55, 1, 0}, 8);
    if (version >= 3)
        memcpy(report + 0x188, cpuid[product], 3);
    if (version >= 5)
        memset(report + 0x1f8, 0xff, 16);
    memcpy(world->report_data, report + 0x050, 64);
    memcpy(world->measurement[0], report + 0x090, 48);
    memcpy(world->host_data, report + 0x0c0, 32);
}

/* Static storage: the first time all is zero. */
static inline void snp_world_init(struct snp_world *world, enum snp_product product,
                                  unsigned version)
{
    static const char *const names[][2] = {[SNP_MILAN] = {"ARK-Milan", "SEV-Milan"},
                                           [SNP_GENOA] = {"ARK-Genoa", "SEV-Genoa"},
                                           [SNP_TURIN] = {"ARK-Turin", "SEV-Turin"}};

    mbedtls_pk_free(&world->root_key);
    mbedtls_pk_free(&world->ask_key);
    mbedtls_pk_free(&world->vek_key);
    mbedtls_pk_free(&world->other_key);
    memset(world, 0, sizeof(*world));
    x509_key_ec(&world->root_key, MBEDTLS_ECP_DP_SECP256R1);
    x509_key_ec(&world->ask_key, MBEDTLS_ECP_DP_SECP256R1);
    x509_key_ec(&world->vek_key, MBEDTLS_ECP_DP_SECP384R1);
    x509_key_ec(&world->other_key, MBEDTLS_ECP_DP_SECP384R1);
    world->signer = &world->vek_key;
    world->root = (struct x509_spec){names[product][0], names[product][0], &world->root_key,
                                     &world->root_key,  .pathlen = -1,     .usage = 6};
    world->ask = (struct x509_spec){names[product][1], names[product][0], &world->ask_key,
                                    &world->root_key,  .usage = 4,        .serial = 0x101};
    world->vek = (struct x509_spec){"SEV-VCEK", names[product][1], &world->vek_key, &world->ask_key,
                                    .ca = X509_LEAF};
    world->leaf = (struct snp_leaf){
        .product = product == SNP_MILAN ? "Milan-B0" : names[product][1] + 4,
        .tcb = {product == SNP_TURIN ? 1 : 0, 4, 2, 24, 217},
        .fmc = product == SNP_TURIN ? 1 : -1,
        .hwid_size = product == SNP_TURIN ? 8 : 64,
    };
    memset(world->leaf.hwid, 0xa1, sizeof(world->leaf.hwid));
    snp_report_fill(world, product, version);
    world->policy = snp_policy_strict;
    world->policy.measurements = (const uint8_t(*)[SNP_MEASUREMENT_SIZE]) world->measurement;
    world->policy.measurement_count = 1;
    world->policy.host_data = world->host_data;
}

/* The same machine with a key that its cloud holds. */
static inline void snp_world_vlek(struct snp_world *world)
{
    world->ask.subject = world->vek.issuer = "SEV-VLEK-Milan";
    world->vek.subject = "SEV-VLEK";
    world->leaf.hwid_size = 0;
    world->leaf.csp_id = "CN=cloud.example";
    memset(world->report + 0x1a0, 0, 64);
    snp_put(world->report + 0x048, 1 << 2, 4);
    world->policy.keys = BIT(SNP_VLEK);
}

static inline void snp_world_sign(struct snp_world *world)
{
    uint8_t hash[48], number[48];
    mbedtls_mpi r, s;

    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA384), world->report, SNP_SIGNED_SIZE, hash);
    mbedtls_ecp_keypair *key = mbedtls_pk_ec(*world->signer);
    ck_assert_int_eq(mbedtls_ecdsa_sign(&key->grp, &r, &s, &key->d, hash, 48, x509_random, NULL),
                     0);
    memset(world->report + 0x2a0, 0, 512);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(mbedtls_mpi_write_binary(i ? &s : &r, number, 48), 0);
        for (size_t j = 0; j < 48; j++)
            world->report[0x2a0 + 72 * i + j] = number[47 - j];
    }
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
}

static inline void snp_world_seal(struct snp_world *world)
{
    struct der ask = {0}, root = {0};

    snp_extensions(world, &world->vek.extensions);
    x509_make(&world->vek, &world->leaf_der);
    x509_make(&world->ask, &ask);
    x509_make(&world->root, &root);
    world->issuers[0] = world->roots[0] = '\0';
    x509_pem(&ask, world->issuers, sizeof(world->issuers));
    x509_pem(&root, world->issuers, sizeof(world->issuers));
    x509_pem(&root, world->roots, sizeof(world->roots));
    snp_world_sign(world);
}

static inline void snp_world_verify(struct snp_world *world)
{
    const struct snp_evidence evidence = {
        .report = {world->report, sizeof(world->report)},
        .leaf = {world->leaf_der.data, world->leaf_der.size},
        .issuers = {(uint8_t *) world->issuers, strlen(world->issuers)},
        .roots = {(uint8_t *) world->roots, strlen(world->roots)},
        .crl = {world->crl.data, world->crl.size},
        .report_data = world->report_data,
        .time = SNP_NOW,
    };

    snp_verify(&evidence, &world->policy, &world->verdict);
}
