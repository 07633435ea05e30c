/* SPDX-License-Identifier: Apache-2.0 */
/* The text that is cut out is the member that a parser of the whole finds, and no document makes
 * the judge of it fall. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "evidence/signed_json.h"
#include "evidence/tdx_tcb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct js *body)
{
    static const uint8_t svn[TDX_SVN_SIZE] = {5, 1, 3}, zero[TDX_MEASUREMENT_SIZE];
    const struct tdx_body platform = {
        .tee_tcb_svn = svn, .mr_signer_seam = zero, .seam_attributes = zero};
    const struct sgx_report qe = {.misc_select = zero, .attributes = zero, .mr_signer = zero};
    const struct sgx_pck pck = {.pce_svn = 11, .components = {3, 3, 3, 3, 3, 3, 3, 3}};
    struct evidence_verdict verdict;
    enum tdx_status status;

    if (tdx_tcb_platform(body, &pck, &platform, &status, &verdict) == 0 && status == TDX_UNCHECKED)
        abort();
    if (tdx_tcb_enclave(body, &qe, &status, &verdict) == 0 && status == TDX_UNCHECKED)
        abort();
}

static void check(const uint8_t *data, size_t size, const char *name)
{
    scoped(js_freep) struct js *whole = NULL;
    scoped(js_freep) struct js *part = NULL;
    scoped(freep) char *of_whole = NULL;
    scoped(freep) char *of_part = NULL;
    struct signed_json json;
    struct error err;

    if (signed_json_split(data, size, name, &json, &err) < 0)
        return;
    if (js_parse((const char *) data, size, &whole, &err) < 0 ||
        signed_json_parse(&json, &part, &err) < 0)
        abort();
    of_whole = js_print_canonical(js_get(whole, name));
    of_part = js_print_canonical(part);
    if (strcmp(of_whole, of_part) != 0)
        abort();
    judge(part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size, "tcbInfo");
    check(data, size, "enclaveIdentity");
    return 0;
}
