/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/snp_certificate.h"

#include <string.h>

#include "base/text.h"

enum { TAG_INTEGER = 0x02, TAG_OCTET_STRING = 0x04, TAG_IA5_STRING = 0x16, NAME_MAX_SIZE = 64 };

/* 1.3.6.1.4.1.3704.1, AMD's arc; what is behind it says which extension. */
static const uint8_t arc[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01};

struct extension {
    uint8_t tail[2];
    uint8_t tail_size;
    const char *field;
};

static const struct extension product_name = {{2}, 1, "certificate.product"};
static const struct extension hwid = {{4}, 1, "certificate.hwid"};
static const struct extension csp_id = {{5}, 1, "certificate.csp_id"};
static const struct extension bootloader = {{3, 1}, 2, "certificate.tcb.bootloader"};
static const struct extension tee = {{3, 2}, 2, "certificate.tcb.tee"};
static const struct extension snp = {{3, 3}, 2, "certificate.tcb.snp"};
static const struct extension microcode = {{3, 8}, 2, "certificate.tcb.microcode"};
static const struct extension fmc = {{3, 9}, 2, "certificate.tcb.fmc"};
static const struct extension reserved[] = {
    {{3, 4}, 2, "certificate.tcb.spl4"},
    {{3, 5}, 2, "certificate.tcb.spl5"},
    {{3, 6}, 2, "certificate.tcb.spl6"},
    {{3, 7}, 2, "certificate.tcb.spl7"},
};

static bool find(const struct chain_certificate *leaf, const struct extension *extension,
                 struct chain_bytes *ret)
{
    uint8_t oid[sizeof(arc) + sizeof(extension->tail)];

    memcpy(oid, arc, sizeof(arc));
    memcpy(oid + sizeof(arc), extension->tail, extension->tail_size);
    return chain_extension(leaf, (struct chain_bytes){oid, sizeof(arc) + extension->tail_size},
                           ret);
}

static int missing(const struct extension *extension, struct evidence_verdict *verdict)
{
    return evidence_fail_field(verdict, APPRAISAL_FORMAT, extension->field,
                               "the certificate lacks the extension of %s", extension->field);
}

/* A DER INTEGER from 0 to 255, in the one way to write it. */
static int read_byte(const struct chain_certificate *leaf, const struct extension *extension,
                     uint8_t *ret, struct evidence_verdict *verdict)
{
    struct chain_bytes der;

    if (!find(leaf, extension, &der))
        return missing(extension, verdict);
    if (der.length == 3 && der.data[0] == TAG_INTEGER && der.data[1] == 1 && der.data[2] < 0x80)
        *ret = der.data[2];
    else if (der.length == 4 && der.data[0] == TAG_INTEGER && der.data[1] == 2 &&
             der.data[2] == 0 && der.data[3] >= 0x80)
        *ret = der.data[3];
    else
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, extension->field,
                                   "%s is not a DER integer from 0 to 255", extension->field);
    return 0;
}

static int read_text(const struct chain_certificate *leaf, const struct extension *extension,
                     char *ret, size_t size, struct evidence_verdict *verdict)
{
    struct chain_bytes der;

    if (!find(leaf, extension, &der))
        return missing(extension, verdict);
    if (der.length < 2 || der.data[0] != TAG_IA5_STRING || der.data[1] != der.length - 2 ||
        der.data[1] >= 0x80 || der.data[1] >= size || memchr(der.data + 2, 0, der.length - 2))
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, extension->field,
                                   "%s is not a short IA5String", extension->field);
    memcpy(ret, der.data + 2, der.length - 2);
    ret[der.length - 2] = '\0';
    return 0;
}

/* Bergamo and Siena have the root, the layout and the CPU family of Genoa. */
static const struct {
    const char *name;
    enum snp_product product;
} products[] = {
    {"Milan", SNP_MILAN}, {"Genoa", SNP_GENOA}, {"Bergamo", SNP_GENOA},
    {"Siena", SNP_GENOA}, {"Turin", SNP_TURIN},
};

/* "Milan-B0" is Milan: what follows the dash is the stepping. */
static int read_product(const struct chain_certificate *leaf, enum snp_product *ret,
                        struct evidence_verdict *verdict)
{
    char text[NAME_MAX_SIZE];

    if (read_text(leaf, &product_name, text, sizeof(text), verdict) < 0)
        return -1;
    text[strcspn(text, "-")] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(products); i++) {
        if (text_equal(text, products[i].name)) {
            *ret = products[i].product;
            return 0;
        }
    }
    return evidence_fail_field(verdict, APPRAISAL_HARDWARE, product_name.field,
                               "the certificate is of product '%s', which is not known here", text);
}

static int read_tcb(const struct chain_certificate *leaf, struct snp_certificate *ret,
                    struct evidence_verdict *verdict)
{
    struct chain_bytes unused;
    uint8_t zero = 1;

    if (read_byte(leaf, &bootloader, &ret->tcb.bootloader, verdict) < 0 ||
        read_byte(leaf, &tee, &ret->tcb.tee, verdict) < 0 ||
        read_byte(leaf, &snp, &ret->tcb.snp, verdict) < 0 ||
        read_byte(leaf, &microcode, &ret->tcb.microcode, verdict) < 0)
        return -1;
    if (ret->product == SNP_TURIN && read_byte(leaf, &fmc, &ret->tcb.fmc, verdict) < 0)
        return -1;
    if (ret->product != SNP_TURIN && find(leaf, &fmc, &unused))
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, fmc.field,
                                   "the certificate has %s, which %s does not", fmc.field,
                                   snp_product_name(ret->product));
    for (size_t i = 0; i < ARRAY_LENGTH(reserved); i++) {
        if (!find(leaf, &reserved[i], &unused))
            continue;
        if (read_byte(leaf, &reserved[i], &zero, verdict) < 0)
            return -1;
        if (zero)
            return evidence_fail_field(verdict, APPRAISAL_FORMAT, reserved[i].field,
                                       "%s is reserved, and not zero", reserved[i].field);
    }
    return 0;
}

/* Bare in older certificates, an OCTET STRING in newer ones: the length tells. */
static int read_hwid(const struct chain_certificate *leaf, struct snp_certificate *ret,
                     struct evidence_verdict *verdict)
{
    size_t size = ret->product == SNP_TURIN ? 8 : SNP_CHIP_ID_SIZE;
    struct chain_bytes der;

    if (!find(leaf, &hwid, &der))
        return missing(&hwid, verdict);
    if (der.length == size + 2 && der.data[0] == TAG_OCTET_STRING && der.data[1] == size)
        der = (struct chain_bytes){der.data + 2, size};
    if (der.length != size)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, hwid.field,
                                   "the hwID of the certificate has %zu bytes, not the %zu of %s",
                                   der.length, size, snp_product_name(ret->product));
    ret->hwid = der;
    return 0;
}

static int refuse_other(const struct chain_certificate *leaf, const struct extension *extension,
                        const char *name, struct evidence_verdict *verdict)
{
    struct chain_bytes unused;

    if (!find(leaf, extension, &unused))
        return 0;
    return evidence_fail_field(verdict, APPRAISAL_FORMAT, extension->field, "a %s has no %s", name,
                               extension->field);
}

int snp_certificate_read(const struct chain_certificate *leaf, struct snp_certificate *ret,
                         struct evidence_verdict *verdict)
{
    struct snp_certificate found = {0};
    char name[NAME_MAX_SIZE] = "";

    (void) chain_common_name(leaf, name, sizeof(name));
    if (!text_equal(name, "SEV-VCEK") && !text_equal(name, "SEV-VLEK"))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "certificate.subject",
                                   "the certificate is of '%s', not of SEV-VCEK or SEV-VLEK", name);
    found.key = text_equal(name, "SEV-VCEK") ? SNP_VCEK : SNP_VLEK;
    if (read_product(leaf, &found.product, verdict) < 0 || read_tcb(leaf, &found, verdict) < 0)
        return -1;
    if (found.key == SNP_VCEK) {
        if (refuse_other(leaf, &csp_id, "VCEK", verdict) < 0 ||
            read_hwid(leaf, &found, verdict) < 0)
            return -1;
    } else if (refuse_other(leaf, &hwid, "VLEK", verdict) < 0 ||
               read_text(leaf, &csp_id, found.csp_id, sizeof(found.csp_id), verdict) < 0) {
        return -1;
    }
    *ret = found;
    return 0;
}
