/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/chain.h"
#include "evidence/pem.h"

/* One certificate off the front of the text. */
static int take_certificate(const char *name, struct chain_bytes *text,
                            struct chain_certificate **ret, struct evidence_verdict *verdict)
{
    uint8_t der[CHAIN_CERTIFICATE_MAX];
    struct pem_block block = {.label = "CERTIFICATE", .der = der, .room = sizeof(der)};

    switch (pem_take(text, &block)) {
    case PEM_TAKEN:
        break;
    case PEM_OTHER:
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                   "%s: something else than PEM certificates", name);
    case PEM_DAMAGED:
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                   "%s: a PEM certificate is no base64 of at most %d bytes", name,
                                   CHAIN_CERTIFICATE_MAX);
    }
    return chain_parse_der(name, (struct chain_bytes){der, block.length}, ret, verdict);
}

static int take_all(const char *name, struct chain_bytes text, struct chain_bundle *bundle,
                    struct evidence_verdict *verdict)
{
    for (text = pem_trimmed(text); text.length; text = pem_trimmed(text)) {
        if (bundle->count == CHAIN_LENGTH_MAX)
            return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                       "%s: more than %d certificates", name, CHAIN_LENGTH_MAX);
        if (take_certificate(name, &text, &bundle->certificates[bundle->count], verdict) < 0)
            return -1;
        bundle->count++;
    }
    return 0;
}

int chain_parse_pem(const char *name, struct chain_bytes pem, struct chain_bundle *ret,
                    struct evidence_verdict *verdict)
{
    struct chain_bundle bundle = {0};

    if (pem.length > CHAIN_BUNDLE_MAX)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                   "%s has %zu bytes, at most %d are taken", name, pem.length,
                                   CHAIN_BUNDLE_MAX);
    while (pem.length && pem.data[pem.length - 1] == '\0')
        pem.length--;
    if (take_all(name, pem, &bundle, verdict) < 0) {
        chain_bundle_fini(&bundle);
        return -1;
    }
    if (!bundle.count)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name, "%s has no certificate", name);
    *ret = bundle;
    return 0;
}

void chain_bundle_fini(struct chain_bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++)
        chain_free(bundle->certificates[i]);
    *bundle = (struct chain_bundle){0};
}
