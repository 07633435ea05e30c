/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/snp.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "evidence/snp_policy.h"
#include "evidence/snp_roots.h"

/* The certificates of one verification; the issuer and the root are borrowed of the bundles. */
struct chain {
    struct chain_certificate *leaf, *issuer, *root;
    struct chain_bundle issuers, roots;
    struct chain_crl *crl;
    uint8_t trusted[CHAIN_LENGTH_MAX][CHAIN_SPKI_SIZE];
    size_t trusted_count;
};

static void chain_fini(struct chain *chain)
{
    chain_free(chain->leaf);
    chain_bundle_fini(&chain->issuers);
    chain_bundle_fini(&chain->roots);
    chain_crl_free(chain->crl);
}

static int parse_all(const struct snp_evidence *evidence, enum snp_key key, struct chain *ret,
                     struct evidence_verdict *verdict)
{
    if (chain_parse_der(key == SNP_VCEK ? "VCEK" : "VLEK", evidence->leaf, &ret->leaf, verdict) <
            0 ||
        chain_parse_pem("issuers", evidence->issuers, &ret->issuers, verdict) < 0)
        return -1;
    const struct chain_bytes amd = {(const uint8_t *) snp_amd_roots, strlen(snp_amd_roots)};
    if (chain_parse_pem("roots", evidence->roots.length ? evidence->roots : amd, &ret->roots,
                        verdict) < 0)
        return -1;
    if (evidence->crl.length && chain_parse_crl("CRL", evidence->crl, &ret->crl, verdict) < 0)
        return -1;
    return 0;
}

static void trust(struct chain *chain)
{
    for (size_t i = 0; i < chain->roots.count; i++)
        chain_spki(chain->roots.certificates[i], chain->trusted[i]);
    chain->trusted_count = chain->roots.count;
}

/* By name; if several have the name, one whose key is trusted. */
static struct chain_certificate *find_issuer(const struct chain *chain,
                                             const struct chain_bundle *bundle,
                                             const struct chain_certificate *certificate)
{
    struct chain_certificate *found = NULL;

    for (size_t i = 0; i < bundle->count; i++) {
        if (!chain_names_issuer(certificate, bundle->certificates[i]))
            continue;
        if (!found || chain_is_root(bundle->certificates[i], chain->trusted, chain->trusted_count))
            found = bundle->certificates[i];
    }
    return found;
}

static int find_path(struct chain *chain, enum snp_key key, struct evidence_verdict *verdict)
{
    const char *name = key == SNP_VCEK ? "ASK" : "ASVK";

    chain->issuer = find_issuer(chain, &chain->issuers, chain->leaf);
    if (!chain->issuer)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, name,
                                   "none of the issuers is named as issuer by the certificate %s",
                                   key == SNP_VCEK ? "VCEK" : "VLEK");
    chain_rename(chain->issuer, name);
    chain->root = find_issuer(chain, &chain->roots, chain->issuer);
    if (!chain->root)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "ARK",
                                   "there is no root that certificate %s names as its issuer",
                                   name);
    chain_rename(chain->root, "ARK");
    return 0;
}

static int verify_chain(const struct snp_evidence *evidence, const struct snp_policy *policy,
                        enum snp_key key, struct chain *chain, struct evidence_verdict *verdict)
{
    const struct chain_crl *crls[1];

    if (policy->crl == SNP_CRL_REQUIRED && !evidence->crl.length)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "crl_missing",
                                   "CRL: policy requires the revocation list and there is none");
    if (parse_all(evidence, key, chain, verdict) < 0)
        return -1;
    trust(chain);
    if (find_path(chain, key, verdict) < 0)
        return -1;
    crls[0] = chain->crl;
    const struct chain_path path = {
        .certificates = {chain->leaf, chain->issuer, chain->root},
        .count = 3,
        .roots = (const uint8_t(*)[CHAIN_SPKI_SIZE]) chain->trusted,
        .root_count = chain->trusted_count,
        .crls = crls,
        .crl_count = chain->crl ? 1 : 0,
        .time = evidence->time,
    };
    return chain_verify_path(&path, verdict);
}

static int verify_signature(const struct snp_evidence *evidence, const struct snp_report *report,
                            const struct chain_certificate *leaf, struct evidence_verdict *verdict)
{
    uint8_t point[2 * SIGNATURE_COORDINATE_MAX], hash[SHA384_SIZE];
    const struct signature signature = {SIGNATURE_P384, point, report->signature, hash};

    if (chain_public_key(leaf, SIGNATURE_P384, point, verdict) < 0)
        return -1;
    digest_sha384(evidence->report.data, SNP_SIGNED_SIZE, hash);
    if (!signature_is_valid(&signature))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "signature",
                                   "the report is not signed by the key of its certificate");
    return 0;
}

/* A VCEK is AMD's word about a chip, a VLEK about a cloud: each has an issuer of its own. */
static int check_kind(const struct chain *chain, const struct snp_certificate *certificate,
                      enum snp_key key, struct evidence_verdict *verdict)
{
    char wanted[64], found[64] = "";

    if (certificate->key != key)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "signer_info.signing_key",
                                   "the report names a %s as its key, the certificate is a %s",
                                   key == SNP_VCEK ? "VCEK" : "VLEK",
                                   key == SNP_VCEK ? "VLEK" : "VCEK");
    (void) snprintf(wanted, sizeof(wanted), "SEV-%s%s", key == SNP_VLEK ? "VLEK-" : "",
                    snp_product_name(certificate->product));
    (void) chain_common_name(chain->issuer, found, sizeof(found));
    if (!text_equal(wanted, found))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "certificate.issuer",
                                   "the certificate is issued by '%s', not by %s", found, wanted);
    return 0;
}

static int check_product(const struct snp_report *report, const struct snp_certificate *certificate,
                         struct evidence_verdict *verdict)
{
    if (report->version < SNP_VERSION_CPUID)
        return 0;
    if (report->product == SNP_PRODUCT_UNKNOWN)
        return evidence_fail_field(verdict, APPRAISAL_HARDWARE, "cpuid",
                                   "CPU family 0x%02x model 0x%02x is not known here",
                                   report->family, report->model);
    if (report->product != certificate->product)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "certificate.product",
                                   "the report is of a %s, its certificate of a %s",
                                   snp_product_name(report->product),
                                   snp_product_name(certificate->product));
    return 0;
}

static int check_tcb(const struct snp_report *report, const struct snp_certificate *certificate,
                     struct evidence_verdict *verdict)
{
    const struct snp_tcb *vouched = &certificate->tcb;
    struct snp_tcb tcb;

    if (snp_tcb_parse(certificate->product, report->reported_tcb, "reported_tcb", &tcb, verdict) <
        0)
        return -1;
    const struct {
        const char *field;
        uint8_t reported, vouched;
    } components[] = {
        {"reported_tcb.fmc", tcb.fmc, vouched->fmc},
        {"reported_tcb.bootloader", tcb.bootloader, vouched->bootloader},
        {"reported_tcb.tee", tcb.tee, vouched->tee},
        {"reported_tcb.snp", tcb.snp, vouched->snp},
        {"reported_tcb.microcode", tcb.microcode, vouched->microcode},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(components); i++)
        if (components[i].reported != components[i].vouched)
            return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, components[i].field,
                                       "%s is %u, the certificate is for %u", components[i].field,
                                       components[i].reported, components[i].vouched);
    return 0;
}

/* The certificate speaks of the machine that the report speaks of. */
static int check_binding(const struct snp_report *report, const struct snp_certificate *certificate,
                         struct evidence_verdict *verdict)
{
    if (check_product(report, certificate, verdict) < 0 ||
        check_tcb(report, certificate, verdict) < 0)
        return -1;
    if (certificate->key == SNP_VCEK &&
        memcmp(report->chip_id, certificate->hwid.data, certificate->hwid.length) != 0)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "chip_id",
                                   "chip_id is not the hwID of the VCEK (or it is masked)");
    return 0;
}

static int check_signer(const struct snp_report *report, struct evidence_verdict *verdict)
{
    enum snp_key key = snp_report_key(report);

    if (key != SNP_VCEK && key != SNP_VLEK)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "signer_info.signing_key",
                                   "signing_key is %u: signed by neither VCEK nor VLEK",
                                   (unsigned) key);
    if (key == SNP_VCEK && (report->signer_info & SNP_SIGNER_MASK_CHIP_KEY))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "signer_info.mask_chip_key",
                                   "mask_chip_key is set: the chip does not sign its reports");
    return 0;
}

static int verify_authenticity(const struct snp_evidence *evidence, const struct snp_policy *policy,
                               const struct snp_report *report, struct snp_certificate *certificate,
                               struct evidence_verdict *verdict)
{
    scoped(chain_fini) struct chain chain = {0};
    enum snp_key key = snp_report_key(report);

    if (verify_chain(evidence, policy, key, &chain, verdict) < 0 ||
        verify_signature(evidence, report, chain.leaf, verdict) < 0 ||
        snp_certificate_read(chain.leaf, certificate, verdict) < 0 ||
        check_kind(&chain, certificate, key, verdict) < 0 ||
        check_binding(report, certificate, verdict) < 0)
        return -1;
    certificate->hwid = (struct chain_bytes){0}; /* of a certificate that ends here */
    return 0;
}

static int verify(const struct snp_evidence *evidence, const struct snp_policy *policy,
                  struct evidence_verdict *verdict)
{
    struct snp_certificate certificate;
    struct snp_report report;

    if (snp_report_parse(evidence->report.data, evidence->report.length, &report, verdict) < 0 ||
        check_signer(&report, verdict) < 0 ||
        verify_authenticity(evidence, policy, &report, &certificate, verdict) < 0 ||
        snp_policy_admit(policy, &report, verdict) < 0 ||
        snp_policy_hardware(policy, &report, &certificate, verdict) < 0 ||
        snp_policy_tcb(policy, &report, certificate.product, verdict) < 0 ||
        snp_policy_attributes(policy, &report, verdict) < 0 ||
        snp_policy_content(policy, &report, verdict) < 0)
        return -1;
    if (memcmp(report.report_data, evidence->report_data, SNP_REPORT_DATA_SIZE) != 0) {
        memcpy(verdict->signed_digest, report.report_data, SNP_REPORT_DATA_SIZE);
        verdict->signed_digest_size = SNP_REPORT_DATA_SIZE;
        return evidence_fail_field(verdict, APPRAISAL_REPORT_DATA, "report_data",
                                   "report_data is not the one that was asked for");
    }
    memcpy(verdict->measurement, report.measurement, sizeof(verdict->measurement));
    return 0;
}

void snp_verify(const struct snp_evidence *evidence, const struct snp_policy *policy,
                struct evidence_verdict *ret)
{
    /* Until everything was looked at. */
    *ret = (struct evidence_verdict){.failed = APPRAISAL_FORMAT, .text = "not judged"};
    if (verify(evidence, policy, ret) < 0)
        return;
    ret->failed = APPRAISAL_OK;
    ret->text[0] = '\0';
}
