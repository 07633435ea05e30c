/* SPDX-License-Identifier: Apache-2.0 */
/* The extensions of a VCEK or VLEK, in a certificate that is built around them: a fuzzer has no
 * lengths to get right but theirs. One byte for the name, then the extensions one after another. */
#include <stdlib.h>
#include <string.h>

#include "evidence/snp_certificate.h"

enum { EXTENSIONS_MAX = 2048 };

/* A version, a serial number, ECDSA with SHA-384. */
static const uint8_t head[] = {0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x01, 0x01, 0x30, 0x0a,
                               0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
static const uint8_t name[] = "\x30\x13\x31\x11\x30\x0f\x06\x03\x55\x04\x03\x0c\x08SEV-VCEK";
static const uint8_t times[] = "\x30\x1e\x17\x0d"
                               "200101000000Z\x17\x0d"
                               "400101000000Z";
/* The generator of P-256. */
static const uint8_t key[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1,
    0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
    0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe,
    0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b,
    0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
static const uint8_t tail[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
                               0x3d, 0x04, 0x03, 0x03, 0x03, 0x09, 0x00, 0x30,
                               0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
    uint8_t bytes[EXTENSIONS_MAX + 512];
    size_t size;
};

static void put(struct text *to, const void *bytes, size_t size)
{
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

/* Around all that is there: a tag and a length of two bytes. */
static void wrap(struct text *text, uint8_t tag)
{
    const uint8_t head_of_it[] = {tag, 0x82, (uint8_t) (text->size >> 8), (uint8_t) text->size};

    memmove(text->bytes + sizeof(head_of_it), text->bytes, text->size);
    memcpy(text->bytes, head_of_it, sizeof(head_of_it));
    text->size += sizeof(head_of_it);
}

static void build(const uint8_t *extensions, size_t size, uint8_t kind, struct text *ret)
{
    struct text list = {.size = 0};
    uint8_t subject[sizeof(name) - 1];

    memcpy(subject, name, sizeof(subject));
    subject[sizeof(subject) - 3] = kind & 1 ? 'L' : 'C';
    put(&list, extensions, size);
    wrap(&list, 0x30);
    wrap(&list, 0xa3);
    ret->size = 0;
    put(ret, head, sizeof(head));
    put(ret, subject, sizeof(subject));
    put(ret, times, sizeof(times) - 1);
    put(ret, subject, sizeof(subject));
    put(ret, key, sizeof(key));
    put(ret, list.bytes, list.size);
    wrap(ret, 0x30);
    put(ret, tail, sizeof(tail));
    wrap(ret, 0x30);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(chain_freep) struct chain_certificate *leaf = NULL;
    struct snp_certificate certificate = {0};
    struct evidence_verdict verdict = {0};
    struct text der;

    if (size == 0 || size > EXTENSIONS_MAX)
        return 0;
    build(data + 1, size - 1, data[0], &der);
    if (chain_parse_der("leaf", (struct chain_bytes){der.bytes, der.size}, &leaf, &verdict) < 0)
        return 0;
    if (snp_certificate_read(leaf, &certificate, &verdict) < 0) {
        if (!verdict.field || !verdict.text[0])
            abort();
        return 0;
    }
    if (certificate.key != (data[0] & 1 ? SNP_VLEK : SNP_VCEK) ||
        (certificate.hwid.length != 0) == (certificate.csp_id[0] != '\0'))
        abort();
    return 0;
}
