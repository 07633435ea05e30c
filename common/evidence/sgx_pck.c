/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEQUENCE of SEQUENCE { OID .1.n, value }; the values that matter: .2 the TCB, a SEQUENCE of the
 * same shape with INTEGERs .2.1 to .2.16 (components) and .2.17 (PCESVN); .3 PCEID and .4 FMSPC,
 * both OCTET STRING; .1 PPID and .6 the platform instance, where they are. The certificate is
 * signed by Intel, so what is not known here is passed over; but what is needed must be there, and
 * once.
 */
#include "evidence/sgx_pck.h"

#include <string.h>

#include <mbedtls/asn1.h>

#include "base/error.h"
#include "base/scoped.h"

enum {
    ITEM_PPID = 1,
    ITEM_TCB = 2,
    ITEM_PCE_ID = 3,
    ITEM_FMSPC = 4,
    ITEM_INSTANCE = 6,
    TCB_PCE_SVN = 17,
};

static const uint8_t prefix[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

struct item {
    const uint8_t *oid; /* behind the prefix */
    size_t oid_length;
    uint8_t *value; /* tag and all */
    const uint8_t *end;
};

static int malformed(const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "SGX extension: %s", what);
}

static int next_item(uint8_t **at, const uint8_t *end, struct item *ret, struct error *err)
{
    size_t length, oid_length;

    if (mbedtls_asn1_get_tag(at, end, &length, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE))
        return malformed("an item is not a SEQUENCE", err);
    const uint8_t *item_end = *at + length;
    if (mbedtls_asn1_get_tag(at, item_end, &oid_length, MBEDTLS_ASN1_OID) ||
        oid_length < sizeof(prefix) || memcmp(*at, prefix, sizeof(prefix)) != 0)
        return malformed("an item has no OID below " SGX_PCK_OID, err);
    *ret = (struct item){.oid = *at + sizeof(prefix),
                         .oid_length = oid_length - sizeof(prefix),
                         .value = *at + oid_length,
                         .end = item_end};
    *at += item_end - *at;
    return 0;
}

static int octets(const struct item *item, uint8_t *ret, size_t size, struct error *err)
{
    uint8_t *at = item->value;
    size_t length;

    if (mbedtls_asn1_get_tag(&at, item->end, &length, MBEDTLS_ASN1_OCTET_STRING) ||
        length != size || at + length != item->end)
        return malformed("an OCTET STRING of wrong length", err);
    memcpy(ret, at, size);
    return 0;
}

static int number(const struct item *item, int max, int *ret, struct error *err)
{
    uint8_t *at = item->value;

    if (mbedtls_asn1_get_int(&at, item->end, ret) || at != item->end || *ret < 0 || *ret > max)
        return malformed("an SVN that is no number in range", err);
    return 0;
}

static int take_svn(const struct item *item, struct sgx_pck *ret, uint32_t *seen, struct error *err)
{
    uint8_t n = item->oid_length == 2 && item->oid[0] == ITEM_TCB ? item->oid[1] : 0;
    int value;

    if (n < 1 || n > TCB_PCE_SVN)
        return 0; /* CPUSVN says the same again */
    if (*seen & BIT(n))
        return malformed("an SVN that stands twice", err);
    *seen |= BIT(n);
    if (number(item, n == TCB_PCE_SVN ? UINT16_MAX : UINT8_MAX, &value, err) < 0)
        return -1;
    if (n == TCB_PCE_SVN)
        ret->pce_svn = (uint16_t) value;
    else
        ret->components[n - 1] = (uint8_t) value;
    return 0;
}

static int take_tcb(const struct item *tcb, struct sgx_pck *ret, struct error *err)
{
    uint8_t *at = tcb->value;
    uint32_t seen = 0;
    struct item item = {0};
    size_t length;

    if (mbedtls_asn1_get_tag(&at, tcb->end, &length,
                             MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) ||
        at + length != tcb->end)
        return malformed("the TCB is not a SEQUENCE", err);
    while (at < tcb->end)
        if (next_item(&at, tcb->end, &item, err) < 0 || take_svn(&item, ret, &seen, err) < 0)
            return -1;
    if (seen != BIT(TCB_PCE_SVN + 1) - 2)
        return malformed("the TCB lacks an SVN", err);
    return 0;
}

static int take_item(const struct item *item, struct sgx_pck *ret, uint32_t *seen,
                     struct error *err)
{
    uint8_t n = item->oid_length == 1 ? item->oid[0] : 0;

    if (n != ITEM_INSTANCE && (n < ITEM_PPID || n > ITEM_FMSPC))
        return 0;
    if (*seen & BIT(n))
        return malformed("an item stands twice", err);
    *seen |= BIT(n);
    switch (n) {
    case ITEM_PPID:
        ret->has_ppid = true;
        return octets(item, ret->ppid, sizeof(ret->ppid), err);
    case ITEM_TCB:
        return take_tcb(item, ret, err);
    case ITEM_PCE_ID:
        return octets(item, ret->pce_id, sizeof(ret->pce_id), err);
    case ITEM_INSTANCE:
        ret->has_instance = true;
        return octets(item, ret->instance, sizeof(ret->instance), err);
    default:
        return octets(item, ret->fmspc, sizeof(ret->fmspc), err);
    }
}

int sgx_pck_parse(const uint8_t *der, size_t length, struct sgx_pck *ret, struct error *err)
{
    uint8_t *at = (uint8_t *) (uintptr_t) der; /* mbedTLS only reads */
    const uint8_t *end = at + length;
    const uint32_t needed = BIT(ITEM_TCB) | BIT(ITEM_PCE_ID) | BIT(ITEM_FMSPC);
    struct sgx_pck pck = {0};
    uint32_t seen = 0;
    struct item item = {0};
    size_t inner;

    if (mbedtls_asn1_get_tag(&at, end, &inner, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) ||
        at + inner != end)
        return malformed("not a SEQUENCE", err);
    while (at < end)
        if (next_item(&at, end, &item, err) < 0 || take_item(&item, &pck, &seen, err) < 0)
            return -1;
    if ((seen & needed) != needed)
        return malformed("TCB, PCEID or FMSPC is missing", err);
    *ret = pck;
    return 0;
}
