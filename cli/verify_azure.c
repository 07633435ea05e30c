/* SPDX-License-Identifier: Apache-2.0 */
/* A report of SEV-SNP, judged as type snp judges it, vouches for the key that signed the quote. */
#include "base/error.h"
#include "base/json.h"
#include "evidence/azure_evidence.h"
#include "evidence/evidence.h"
#include "evidence/finding.h"
#include "evidence/snp_report.h"
#include "verify_quote.h"

enum { REPORT_DATA_AT = 0x50 }; /* in a report of SEV-SNP */

/* The report for type snp; borrows. Keys of --policy that are of quotes are not for it. */
static int make_inner(const struct verify_input *input, const struct azure_evidence *evidence,
                      struct verify_quote *quote, struct verify_input *ret, struct error *err)
{
    *ret = *input;
    ret->evidence.data = (char *) evidence->hcl.hardware;
    ret->evidence.length = evidence->hcl.hardware_size;
    ret->leaf.data = (char *) evidence->leaf;
    ret->leaf.length = evidence->leaf_size;
    azure_evidence_report_data(evidence, ret->report_data);
    ret->report_data_length = SNP_REPORT_DATA_SIZE;
    ret->policy_count = 0;
    for (size_t i = 0; i < input->policy_count; i++) {
        int rc = verify_quote_set(quote, input->policies[i], err);

        if (rc < 0)
            return -1;
        if (rc == 0)
            ret->policies[ret->policy_count++] = input->policies[i];
    }
    return 0;
}

static void claim(const struct azure_evidence *evidence, const struct verify_quote *quote,
                  struct js *claims)
{
    struct js *list = js_copy(js_get(claims, "not_judged"));

    if (!quote->policy.reference)
        js_append(list, js_new_string("pcrs"));
    if (!quote->policy.reset_count)
        js_append(list, js_new_string("reset-count"));
    if (evidence->version < 2)
        js_append(list, js_new_string("user-data"));
    js_set(claims, "not_judged", list);
    js_set_integer(claims, "evidence_version", evidence->version);
    verify_quote_claim(quote, &evidence->quote, claims);
}

static int verify(const struct verify_input *input, struct evidence_verdict *ret, struct js *claims,
                  struct error *err)
{
    scoped(azure_evidence_fini) struct azure_evidence evidence = {0};
    struct finding finding = {0};
    struct verify_quote quote;
    struct verify_input inner;

    if (verify_quote_init(&quote, input, err) < 0)
        return -1;
    if (azure_evidence_parse(input->evidence.data, input->evidence.length, &evidence, &finding) <
        0) {
        verify_set_finding(ret, &finding);
        return 0;
    }
    if (make_inner(input, &evidence, &quote, &inner, err) < 0 ||
        verify_snp.verify(&inner, ret, claims, err) < 0)
        return -1;
    claim(&evidence, &quote, claims);
    if (ret->failed != APPRAISAL_OK)
        return 0;
    if (azure_evidence_check(&evidence, evidence.hcl.hardware + REPORT_DATA_AT, &quote.policy,
                             &finding) < 0)
        verify_set_finding(ret, &finding);
    return 0;
}

const struct verify_type verify_az_snp_vtpm = {
    .name = "az-snp-vtpm",
    .help =
        "  JSON as Trustee's attester writes it on Azure, version 1 or 2: {\"version\", "
        "\"hcl_report\",\n"
        "  \"vcek\", \"tpm_quote\"}. --report-data is the nonce: extraData of the quote, all of "
        "it, "
        "and in\n"
        "  version 2 user-data as well. Files in DIR: ask.pem and crl.der as for snp; pcrs.json "
        "as for tpm.\n"
        "  Policy keys: those of snp, for the hardware report, and of tpm, for the quote.\n",
    .verify = verify,
};
