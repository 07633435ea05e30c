/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An Azure of our own, but for the hardware: the paravisor's JSON and report, and the evidence
 * around them. Includes quote_fixture.h, of which `rsa` and `nonce` are used. */
#include "base/hex.h"
#include "evidence/azure_evidence.h"
#include "quote_fixture.h"

enum { SELECTION = 0xffffff, HARDWARE_AT = 0x20, HARDWARE_SIZE = 0x4a0, VARIABLE_AT = 0x4d4 };

struct made { /* what is not NULL replaces the good part */
    const char *version, *user_data, *hcl, *message, *more;
    uint32_t type;           /* of the hardware report; 0: SEV-SNP */
    const uint8_t *hardware; /* HARDWARE_SIZE bytes; NULL: zeros */
    const char *endorsement; /* a member of the JSON; NULL: a certificate that is none */
};

/* "+" and "/" as base64url has them; padding stays. */
static inline char *url(char *text)
{
    for (char *c = text; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return text;
}

static inline char *variable_of(const char *user_data)
{
    scoped(freep) char *number = NULL, *hex = NULL;
    uint8_t modulus[256];

    must(mbedtls_mpi_write_binary(&mbedtls_pk_rsa(rsa)->N, modulus, sizeof(modulus)));
    number = url(base64_encode(modulus, sizeof(modulus)));
    number[strcspn(number, "=")] = '\0';
    hex = hex_text(nonce, sizeof(nonce));
    return xformat("{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\","
                   "\"e\":\"AQAB\",\"n\":\"%s\"}],\"user-data\":\"%s%064d\"}",
                   number, user_data ? user_data : hex, 0);
}

static inline char *hcl_of(const char *variable, const struct made *made)
{
    size_t size = strlen(variable);
    const uint32_t fields[][2] = {{0x04, 2},  {0x08, (uint32_t) (VARIABLE_AT + size)},
                                  {0x0c, 2},  {0x4c0, (uint32_t) (20 + size)},
                                  {0x4c4, 1}, {0x4c8, made->type ? made->type : 2},
                                  {0x4cc, 1}, {0x4d0, (uint32_t) size}};
    scoped(freep) uint8_t *data = xalloc(VARIABLE_AT + size);

    memcpy(data, "HCLA", 4);
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        for (size_t j = 0; j < 4; j++)
            data[fields[i][0] + j] = (uint8_t) (fields[i][1] >> 8 * j);
    if (made->hardware)
        memcpy(data + HARDWARE_AT, made->hardware, HARDWARE_SIZE);
    memcpy(data + VARIABLE_AT, variable, size);
    return url(base64_encode(data, VARIABLE_AT + size));
}

/* report_data is what the hardware has to say, so that the variable data is good. */
static inline char *text_of(const struct made *made, uint8_t report_data[64])
{
    scoped(freep) char *variable = variable_of(made->user_data), *hcl = hcl_of(variable, made);
    scoped(freep) char *message_hex = NULL, *signature_hex = NULL, *pcrs = xstrdup("");
    scoped(writer_fini) struct writer message;
    uint8_t signature[512];
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    message_hex = hex_text(message.data, message.size);
    signature_hex = hex_text(signature, sign_bare(&rsa, message.data, message.size, signature));
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        scoped(freep) char *before = pcrs, *hex = hex_text(bank.values[i], SHA256_SIZE);

        pcrs = xformat("%s%s\"%s\"", before, i ? "," : "", hex);
    }
    memset(report_data, 0, 64);
    digest_sha256(variable, strlen(variable), report_data);
    return xformat("{\"version\":%s,%s,\"hcl_report\":\"%s\",\"tpm_quote\":"
                   "{\"message\":\"%s\",\"signature\":\"%s\",\"pcrs\":[%s]}%s}",
                   made->version ? made->version : "2",
                   made->endorsement ? made->endorsement : "\"vcek\":\"bm9uZQ==\"",
                   made->hcl ? made->hcl : hcl, made->message ? made->message : message_hex,
                   signature_hex, pcrs, made->more ? made->more : "");
}
