/* SPDX-License-Identifier: Apache-2.0 */
/* A report of SEV-SNP, judged as type snp judges it, or a quote of TDX, judged as type tdx does,
 * vouches for the key that signed the quote of the vTPM. */
#include "base/error.h"
#include "base/json.h"
#include "evidence/azure_evidence.h"
#include "evidence/evidence.h"
#include "evidence/finding.h"
#include "evidence/reference_values.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"
#include "verify_quote.h"

/* Where a report of SEV-SNP, and a TDREPORT, has its report_data. */
static const size_t report_data_at[] = {[HCL_REPORT_SNP] = 0x50, [HCL_REPORT_TDX] = 0x80};

_Static_assert((int) SNP_REPORT_DATA_SIZE == (int) TDX_REPORT_DATA_SIZE, "one for both");

/* Keys of --set that are of quotes are not for the hardware's judge. */
static int split_policies(const struct verify_input *input, struct verify_quote *quote,
                          struct verify_input *inner, struct error *err)
{
    inner->policy_count = 0;
    for (size_t i = 0; i < input->policy_count; i++) {
        int rc = verify_quote_set(quote, input->policies[i], err);

        if (rc < 0)
            return -1;
        if (rc == 0)
            inner->policies[inner->policy_count++] = input->policies[i];
    }
    return 0;
}

/* DIR can be there for the quote of the vTPM alone: type tdx would miss its collateral then. */
static void find_collateral(struct verify_input *inner)
{
    if (inner->endorsements && !verify_has_any(inner, verify_tdx_collateral))
        inner->endorsements = NULL;
}

/* What the hardware's judge gets; borrows. */
static int make_inner(const struct verify_input *input, const struct azure_evidence *evidence,
                      struct verify_quote *quote, struct verify_input *ret, struct error *err)
{
    *ret = *input;
    azure_evidence_report_data(evidence, ret->report_data);
    ret->report_data_length = SNP_REPORT_DATA_SIZE;
    if (split_policies(input, quote, ret, err) < 0)
        return -1;
    if (evidence->hcl.type == HCL_REPORT_TDX) {
        ret->evidence.data = (char *) evidence->td_quote;
        ret->evidence.length = evidence->td_quote_size;
        find_collateral(ret);
        return 0;
    }
    ret->evidence.data = (char *) evidence->hcl.hardware;
    ret->evidence.length = evidence->hcl.hardware_size;
    ret->leaf.data = (char *) evidence->leaf;
    ret->leaf.length = evidence->leaf_size;
    return 0;
}

static void claim(const struct azure_evidence *evidence, const struct verify_quote *quote,
                  struct js *claims)
{
    struct js *list = js_copy(js_get(claims, "not_judged"));

    if (!quote->policy.reference && !quote->policy.lists)
        js_append(list, js_new_string("pcrs"));
    if (!quote->policy.reset_count)
        js_append(list, js_new_string("reset-count"));
    if (evidence->version < 2)
        js_append(list, js_new_string("user-data"));
    js_set(claims, "not_judged", list);
    js_set_integer(claims, "evidence_version", evidence->version);
    verify_quote_claim(quote, &evidence->quote, claims);
}

static int verify(const struct verify_input *input, const struct verify_type *hardware,
                  struct evidence_verdict *ret, struct js *claims, struct error *err)
{
    enum hcl_report_type type = hardware == &verify_tdx ? HCL_REPORT_TDX : HCL_REPORT_SNP;
    scoped(azure_evidence_fini) struct azure_evidence evidence = {0};
    struct finding finding = {0};
    struct verify_quote quote;
    struct verify_input inner;

    if (type == HCL_REPORT_SNP && !input->endorsements)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--endorsements is missing");
    if (verify_quote_init(&quote, input, err) < 0)
        return -1;
    if (azure_evidence_parse(input->evidence.data, input->evidence.length, type, &evidence,
                             &finding) < 0) {
        verify_set_finding(ret, &finding);
        return 0;
    }
    if (make_inner(input, &evidence, &quote, &inner, err) < 0 ||
        hardware->verify(&inner, ret, claims, err) < 0)
        return -1;
    claim(&evidence, &quote, claims);
    if (ret->failed == APPRAISAL_OK &&
        azure_evidence_check(&evidence, evidence.hcl.hardware + report_data_at[type], &quote.policy,
                             &finding) < 0)
        verify_set_finding(ret, &finding);
    verify_quote_judge(&quote, input, &evidence.quote, ret);
    return 0;
}

static bool choose_azure(const struct reference_azure *azure, struct verify_input *input)
{
    if (!azure)
        return false;
    input->snp = azure->snp;
    input->tdx = azure->tdx;
    input->tpm = &azure->tpm;
    return true;
}

static bool choose_snp(struct verify_input *input)
{
    return choose_azure(reference_values_az_snp(input->reference), input);
}

static bool choose_tdx(struct verify_input *input)
{
    return choose_azure(reference_values_az_tdx(input->reference), input);
}

static int verify_snp_vtpm(const struct verify_input *input, struct evidence_verdict *ret,
                           struct js *claims, struct error *err)
{
    return verify(input, &verify_snp, ret, claims, err);
}

static int verify_tdx_vtpm(const struct verify_input *input, struct evidence_verdict *ret,
                           struct js *claims, struct error *err)
{
    return verify(input, &verify_tdx, ret, claims, err);
}

const struct verify_type verify_az_snp_vtpm = {
    .name = "az-snp-vtpm",
    .choose = choose_snp,
    .help =
        "  JSON as Trustee's attester writes it on Azure, version 1 or 2: {\"version\", "
        "\"hcl_report\",\n"
        "  \"vcek\", \"tpm_quote\"}. --report-data is the nonce: extraData of the quote, all of "
        "it, and in\n"
        "  version 2 user-data as well. Files in DIR: ask.pem and crl.der as for snp; pcrs.json "
        "and\n"
        "  pcr_selection.txt as for tpm. Policy keys: those of snp, for the hardware report, "
        "and of tpm.\n",
    .verify = verify_snp_vtpm,
};

const struct verify_type verify_az_tdx_vtpm = {
    .name = "az-tdx-vtpm",
    .choose = choose_tdx,
    .help = "  The same of a trust domain: {\"version\", \"hcl_report\", \"td_quote\", "
            "\"tpm_quote\"}. The\n"
            "  TDREPORT in hcl_report must agree with td_quote. Files in DIR: collateral as for "
            "tdx; pcrs.json\n"
            "  and pcr_selection.txt as for tpm; none is needed. Policy keys: those of tdx, for "
            "td_quote, and of tpm.\n",
    .verify = verify_tdx_vtpm,
};
