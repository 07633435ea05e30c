/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  header 48 | v5: u16 body type, u32 body size | body 584 or 648 | u32 length, signature data
 *  signature data: signature 64 | attestation key 64 | u16 6, u32 length, certification data
 *  certification data: QE report 384 | its signature 64 | u16 length, auth | u16 5, u32 length, PEM
 *
 * Each length must be exactly used up by what is inside. Only behind the signature data there may
 * be more: drivers hand out the whole buffer.
 */
#include "evidence/tdx_quote.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

enum {
    BODY_1_0_SIZE = 584,
    BODY_1_5_SIZE = 648,
    KEY_TYPE_ECDSA_P256 = 2,
    TEE_SGX = 0,
    TEE_TDX = 0x81,
    CERTIFICATION_QE_REPORT = 6,
    CERTIFICATION_PEM_CHAIN = 5,
};

static const uint8_t vendor_intel[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                         0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static uint16_t le16(const uint8_t *at)
{
    return (uint16_t) (at[0] | at[1] << 8);
}

static uint64_t le64(const uint8_t *at)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static uint16_t reader_le16(struct reader *reader)
{
    return __builtin_bswap16(reader_u16(reader));
}

static uint32_t reader_le32(struct reader *reader)
{
    return __builtin_bswap32(reader_u32(reader));
}

static int too_short(const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "quote ends within its %s", what);
}

/* A version that is not ours may have another layout: it is named before anything else is read. */
static int parse_header(struct reader *reader, struct tdx_quote *ret, struct error *err)
{
    uint16_t version = reader_le16(reader);
    uint16_t key_type = reader_le16(reader);
    uint32_t tee_type = reader_le32(reader);

    (void) reader_u32(reader); /* SVNs of SGX, reserved */
    const uint8_t *vendor = reader_bytes(reader, sizeof(vendor_intel));
    (void) reader_bytes(reader, 20); /* data of the quoting enclave for itself */
    if (reader->failed)
        return too_short("header", err);
    if (version == 3 || ((version == 4 || version == 5) && tee_type == TEE_SGX))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "tee_type: an SGX quote (version %u), which says nothing about a TD",
                         version);
    if (version != 4 && version != 5)
        return error_set(err, STATUS_INVALID_ARGUMENT, "version is %u, neither 4 nor 5", version);
    if (key_type != KEY_TYPE_ECDSA_P256)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "attestation key type is %u, not 2 (ECDSA P-256)", key_type);
    if (tee_type != TEE_TDX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "tee_type is 0x%x, not 0x81 (TDX)",
                         tee_type);
    if (memcmp(vendor, vendor_intel, sizeof(vendor_intel)) != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "vendor_id is not that of Intel's QE");
    ret->version = version;
    return 0;
}

/* Version 5 says what its body is; in version 4 there is one kind. */
static int parse_body_type(struct reader *reader, struct tdx_quote *ret, struct error *err)
{
    uint16_t type = TDX_BODY_1_0;
    uint32_t size = BODY_1_0_SIZE;

    if (ret->version == 5) {
        type = reader_le16(reader);
        size = reader_le32(reader);
        if (reader->failed)
            return too_short("body descriptor", err);
    }
    if (type != TDX_BODY_1_0 && type != TDX_BODY_1_5)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "body type is %u, neither 2 (TDX 1.0) nor 3 (TDX 1.5)", type);
    if (size != (type == TDX_BODY_1_0 ? BODY_1_0_SIZE : BODY_1_5_SIZE))
        return error_set(err, STATUS_INVALID_ARGUMENT, "body size is %u, wrong for body type %u",
                         size, type);
    ret->body.type = type;
    return 0;
}

static int parse_body(struct reader *reader, struct tdx_body *ret, struct error *err)
{
    const uint8_t *at = reader_bytes(reader,
                                     ret->type == TDX_BODY_1_0 ? BODY_1_0_SIZE : BODY_1_5_SIZE);

    if (!at)
        return too_short("body", err);
    ret->tee_tcb_svn = at;
    ret->mr_seam = at + 16;
    ret->mr_signer_seam = at + 64;
    ret->seam_attributes = at + 112;
    ret->td_attributes = le64(at + 120);
    ret->xfam = le64(at + 128);
    ret->mr_td = at + 136;
    ret->mr_config_id = at + 184;
    ret->mr_owner = at + 232;
    ret->mr_owner_config = at + 280;
    for (size_t i = 0; i < 4; i++)
        ret->rtmr[i] = at + 328 + i * TDX_MEASUREMENT_SIZE;
    ret->report_data = at + 520;
    ret->tee_tcb_svn2 = ret->type == TDX_BODY_1_5 ? at + 584 : NULL;
    ret->mr_service_td = ret->type == TDX_BODY_1_5 ? at + 600 : NULL;
    return 0;
}

static void parse_qe_report(const uint8_t *at, struct sgx_report *ret)
{
    *ret = (struct sgx_report){
        .bytes = at,
        .cpu_svn = at,
        .misc_select = at + 16,
        .attributes = at + 48,
        .mr_enclave = at + 64,
        .mr_signer = at + 128,
        .isv_prod_id = le16(at + 256),
        .isv_svn = le16(at + 258),
        .report_data = at + 320,
    };
}

static int parse_certification(struct reader *reader, struct tdx_quote *ret, struct error *err)
{
    const uint8_t *report = reader_bytes(reader, SGX_REPORT_SIZE);

    ret->qe_signature = reader_bytes(reader, TDX_SIGNATURE_SIZE);
    ret->qe_auth_length = reader_le16(reader);
    ret->qe_auth = reader_bytes(reader, ret->qe_auth_length);
    if (reader->failed)
        return too_short("QE report certification data", err);
    parse_qe_report(report, &ret->qe);

    uint16_t type = reader_le16(reader);
    ret->pem_length = reader_le32(reader);
    ret->pem = (const char *) reader_bytes(reader, ret->pem_length);
    if (reader->failed)
        return too_short("PCK certification data", err);
    if (type != CERTIFICATION_PEM_CHAIN)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "PCK certification data is of type %u, not 5 (a PEM chain)", type);
    if (!reader_complete(reader))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "QE report certification data: %zu bytes behind the PCK chain",
                         reader_left(reader));
    while (ret->pem_length > 0 && ret->pem[ret->pem_length - 1] == '\0')
        ret->pem_length--;
    return 0;
}

static int parse_signature_data(struct reader *reader, struct tdx_quote *ret, struct error *err)
{
    struct reader inner;

    ret->signature = reader_bytes(reader, TDX_SIGNATURE_SIZE);
    ret->attestation_key = reader_bytes(reader, TDX_KEY_SIZE);
    uint16_t type = reader_le16(reader);
    uint32_t length = reader_le32(reader);
    const uint8_t *data = reader_bytes(reader, length);
    if (reader->failed)
        return too_short("signature data", err);
    if (type != CERTIFICATION_QE_REPORT)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "certification data is of type %u, not 6 (QE report)", type);
    if (!reader_complete(reader))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "signature data: %zu bytes behind the certification data",
                         reader_left(reader));
    reader_init(&inner, data, length);
    return parse_certification(&inner, ret, err);
}

int tdx_quote_parse(const void *data, size_t size, struct tdx_quote *ret, struct error *err)
{
    struct tdx_quote quote = {.signed_bytes = data};
    struct reader reader, signature;

    if (size > TDX_QUOTE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "quote of %zu bytes, more than %d", size,
                         TDX_QUOTE_MAX);
    reader_init(&reader, data, size);
    if (parse_header(&reader, &quote, err) < 0 || parse_body_type(&reader, &quote, err) < 0 ||
        parse_body(&reader, &quote.body, err) < 0)
        return -1;
    quote.signed_length = reader.position;

    uint32_t length = reader_le32(&reader);
    const uint8_t *bytes = reader_bytes(&reader, length);
    if (reader.failed)
        return too_short("signature data", err);
    reader_init(&signature, bytes, length);
    if (parse_signature_data(&signature, &quote, err) < 0)
        return -1;
    quote.trailing = reader_left(&reader);
    *ret = quote;
    return 0;
}
