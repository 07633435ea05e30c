/* SPDX-License-Identifier: Apache-2.0 */
/* A TDREPORT and the body of a quote: if they agree, they do so in each byte that both have. */
#include <stdlib.h>
#include <string.h>

#include "evidence/finding.h"
#include "evidence/td_report.h"
#include "evidence/tdx_quote.h"

enum { BODY_SIZE = 648 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t le64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (size_t i = 8; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *at = data + TD_REPORT_SIZE;
    struct finding finding = {0};

    if (size != TD_REPORT_SIZE + BODY_SIZE)
        return 0;
    const struct tdx_body body = {.type = TDX_BODY_1_5,
                                  .tee_tcb_svn = at,
                                  .mr_seam = at + 16,
                                  .mr_signer_seam = at + 64,
                                  .seam_attributes = at + 112,
                                  .td_attributes = le64(at + 120),
                                  .xfam = le64(at + 128),
                                  .mr_td = at + 136,
                                  .mr_config_id = at + 184,
                                  .mr_owner = at + 232,
                                  .mr_owner_config = at + 280,
                                  .rtmr = {at + 328, at + 376, at + 424, at + 472},
                                  .report_data = at + 520,
                                  .tee_tcb_svn2 = at + 584,
                                  .mr_service_td = at + 600};
    int rc = td_report_check(data, &body, &finding);
    bool same = memcmp(data + 128, at + 520, 64) == 0 && memcmp(data + 264, at, 120) == 0 &&
                memcmp(data + 384, at + 584, 16) == 0 && memcmp(data + 512, at + 120, 400) == 0 &&
                memcmp(data + 912, at + 600, 48) == 0;
    if ((rc == 0) != (finding.code == FINDING_NONE) || (rc == 0 && !same))
        abort();
    return 0;
}
