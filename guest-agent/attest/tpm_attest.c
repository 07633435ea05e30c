/* SPDX-License-Identifier: Apache-2.0 */
/* The quote and the values that it is over, in the JSON that Trustee's `tpm` attester writes. */
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "evidence/finding.h"
#include "evidence/tpm_quote.h"
#include "tpm_private.h"

enum { ATTEMPTS_MAX = 8 };

/* SubjectPublicKeyInfo of a point on P-256, up to the point. */
static const uint8_t spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

static bool is_over(const struct tpm_signed_quote *quote, const struct tpm_pcrs *pcrs,
                    const uint8_t nonce[TPM_NONCE_SIZE], struct finding *finding)
{
    struct registers values;
    const struct tpm_quote_expected expected = {
        .nonce = nonce, .nonce_size = TPM_NONCE_SIZE, .banks = &values, .bank_count = 1};
    struct tpm_quote parsed;

    registers_init(&values, REGISTERS_PCR, DIGEST_SHA256);
    values.set = (1u << TPM_PCRS) - 1;
    for (unsigned i = 0; i < TPM_PCRS; i++)
        memcpy(values.values[i], pcrs->values[i], SHA256_SIZE);
    return tpm_quote_parse(quote->message, quote->message_size, &parsed, finding) == 0 &&
           tpm_quote_check(&parsed, &expected, finding) == 0;
}

/* Values are read one after the other and somebody may extend a register in between: then again. */
static int quote_with_values(struct tpm *tpm, const struct tpm_ak *ak,
                             const uint8_t nonce[TPM_NONCE_SIZE], struct tpm_signed_quote *quote,
                             struct tpm_pcrs *pcrs, struct error *err)
{
    struct finding finding = {0};

    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        if (tpm_read_pcrs(tpm, (1u << TPM_PCRS) - 1, pcrs, err) < 0 ||
            tpm_quote_all(tpm, ak, nonce, quote, err) < 0)
            return -1;
        if (is_over(quote, pcrs, nonce, &finding))
            return 0;
    }
    return error_set(err, STATUS_ABORTED, "%d quotes of the TPM are not over its values: %s",
                     ATTEMPTS_MAX, finding.text);
}

static void write_text(struct writer *to, const char *text)
{
    writer_bytes(to, text, strlen(text));
}

static void write_base64(struct writer *to, const char *before, const void *data, size_t size)
{
    scoped(freep) char *text = base64_encode(data, size);

    write_text(to, before);
    write_text(to, text);
}

static void write_evidence(struct writer *to, const struct tpm_ak *ak,
                           const struct tpm_signed_quote *quote, const struct tpm_pcrs *pcrs)
{
    uint8_t spki[sizeof(spki_head) + sizeof(ak->x) + sizeof(ak->y)];
    char hex[2 * SHA256_SIZE + 1];

    memcpy(spki, spki_head, sizeof(spki_head));
    memcpy(spki + sizeof(spki_head), ak->x, sizeof(ak->x));
    memcpy(spki + sizeof(spki_head) + sizeof(ak->x), ak->y, sizeof(ak->y));
    write_base64(to, "{\"tpm_quote\":{\"signature\":\"", quote->signature, quote->signature_size);
    write_base64(to, "\",\"message\":\"", quote->message, quote->message_size);
    write_text(to, "\",\"pcrs\":[");
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        hex_encode(pcrs->values[i], SHA256_SIZE, hex);
        write_text(to, i ? ",\"" : "\"");
        write_text(to, hex);
        write_text(to, "\"");
    }
    write_base64(to, "]},\"ak_public\":\"", spki, sizeof(spki));
    write_text(to, "\"}");
}

int tpm_attest(struct tpm *tpm, const uint8_t nonce[TPM_NONCE_SIZE], struct evidence_output *output,
               struct error *err)
{
    struct tpm_signed_quote quote;
    struct tpm_pcrs pcrs;
    struct tpm_ak ak;

    if (tpm_load_ak(tpm, &ak, err) < 0)
        return -1;
    int rc = quote_with_values(tpm, &ak, nonce, &quote, &pcrs, err);
    tpm_flush_ak(tpm, &ak);
    if (rc == 0)
        write_evidence(&output->evidence, &ak, &quote, &pcrs);
    return rc;
}
