/* SPDX-License-Identifier: Apache-2.0 */
/* What comes as endorsements. One byte says what follows: certificates in PEM, one in DER, a list
 * of what is revoked, or a host's certificate table. Without a key that is trusted no path holds,
 * and what is found lies within what was given. */
#include <stdlib.h>
#include <string.h>

#include "evidence/chain.h"
#include "evidence/snp_table.h"

enum { NOW = 1750000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const struct chain_bundle *bundle)
{
    static const uint8_t trusted[1][CHAIN_SPKI_SIZE] = {{1}};
    struct chain_path path = {
        .count = bundle->count, .roots = trusted, .root_count = 1, .time = NOW};
    struct evidence_verdict verdict = {0};

    for (size_t i = 0; i < bundle->count; i++)
        path.certificates[i] = bundle->certificates[i];
    if (chain_verify_path(&path, &verdict) == 0 || !verdict.text[0])
        abort();
    for (size_t i = 0; i + 1 < bundle->count; i++)
        (void) !chain_verify_link(path.certificates[i], path.certificates[i + 1], &verdict);
}

static void check_pem(struct chain_bytes pem)
{
    scoped(chain_bundle_fini) struct chain_bundle bundle = {0};
    struct evidence_verdict verdict = {0};

    if (chain_parse_pem("PEM", pem, &bundle, &verdict) < 0) {
        if (bundle.count || !verdict.field)
            abort();
        return;
    }
    if (!bundle.count || bundle.count > CHAIN_LENGTH_MAX)
        abort();
    check_path(&bundle);
}

static void check_der(struct chain_bytes der)
{
    static const uint8_t sgx[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
    scoped(chain_freep) struct chain_certificate *certificate = NULL;
    uint8_t point[2 * SIGNATURE_COORDINATE_MAX];
    struct evidence_verdict verdict = {0};
    struct chain_bytes value;
    char name[32];

    if (chain_parse_der("DER", der, &certificate, &verdict) < 0)
        return;
    (void) chain_extension(certificate, (struct chain_bytes){sgx, sizeof(sgx)}, &value);
    if (chain_common_name(certificate, name, sizeof(name)) && strlen(name) >= sizeof(name))
        abort();
    (void) !chain_public_key(certificate, SIGNATURE_P256, point, &verdict);
    (void) !chain_public_key(certificate, SIGNATURE_P384, point, &verdict);
    (void) !chain_verify_time(certificate, NOW, &verdict);
    (void) !chain_verify_link(certificate, certificate, &verdict);
}

static void check_list(struct chain_bytes der)
{
    scoped(chain_crl_freep) struct chain_crl *list = NULL;
    struct evidence_verdict verdict = {0};

    if (chain_parse_crl("CRL", der, &list, &verdict) < 0 && (list || !verdict.field))
        abort();
}

static void check_table(struct chain_bytes table)
{
    struct evidence_verdict verdict = {0};
    struct chain_bytes leaf;

    if (snp_table_leaf(table, &leaf, &verdict) < 0) {
        if (!verdict.field)
            abort();
        return;
    }
    if (leaf.length && (leaf.data < table.data || leaf.length > table.length ||
                        leaf.data + leaf.length > table.data + table.length))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(struct chain_bytes bytes) = {check_pem, check_der, check_list,
                                                               check_table};

    if (size > 0)
        checks[data[0] % 4]((struct chain_bytes){data + 1, size - 1});
    return 0;
}
