/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/snp_policy.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

enum {
    TURIN_CHIP_ID_SIZE = 8,
};

static const struct {
    uint64_t bit;
    const char *field;
} policy_bits[] = {
    {SNP_POLICY_SMT, "policy.smt"},
    {SNP_POLICY_MIGRATE_MA, "policy.migrate_ma"},
    {SNP_POLICY_DEBUG, "policy.debug"},
    {SNP_POLICY_SINGLE_SOCKET, "policy.single_socket"},
    {SNP_POLICY_CXL, "policy.cxl"},
    {SNP_POLICY_AES_256_XTS, "policy.aes_256_xts"},
    {SNP_POLICY_RAPL_DISABLED, "policy.rapl_disabled"},
    {SNP_POLICY_CIPHERTEXT, "policy.ciphertext_hiding"},
    {SNP_POLICY_NO_SWAP, "policy.page_swap_disabled"},
    {UINT64_MAX, "policy"},
};

const struct snp_policy snp_policy_strict = {
    .version_min = SNP_VERSION_CPUID,
    .keys = BIT(SNP_VCEK),
    .products = BIT(SNP_MILAN) | BIT(SNP_GENOA) | BIT(SNP_TURIN),
    .policy_zero = SNP_POLICY_DEBUG | SNP_POLICY_MIGRATE_MA,
};

static bool listed(const uint8_t *value, const void *list, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(value, (const uint8_t *) list + i * size, size) == 0)
            return true;
    return false;
}

int snp_policy_admit(const struct snp_policy *policy, const struct snp_report *report,
                     struct evidence_verdict *verdict)
{
    enum snp_key key = snp_report_key(report);

    if (report->version < policy->version_min)
        return evidence_fail_field(verdict, APPRAISAL_POLICY, "version",
                                   "the report is of version %u, the policy wants %u or newer",
                                   report->version, policy->version_min);
    if (!(policy->keys & BIT(key)))
        return evidence_fail_field(verdict, APPRAISAL_POLICY, "signer_info.signing_key",
                                   "the report is signed by a %s, which the policy does not allow",
                                   key == SNP_VCEK ? "VCEK" : "VLEK");
    return 0;
}

static bool chip_listed(const struct snp_policy *policy, const struct snp_report *report,
                        enum snp_product product)
{
    size_t size = product == SNP_TURIN ? TURIN_CHIP_ID_SIZE : SNP_CHIP_ID_SIZE;

    for (size_t i = 0; i < policy->chip_count; i++)
        if (memcmp(report->chip_id, policy->chips[i], size) == 0)
            return true;
    return !policy->chip_count;
}

static bool csp_listed(const struct snp_policy *policy, const char *csp_id)
{
    const char *const *id = policy->csp_ids;

    for (; id && *id; id++)
        if (text_equal(*id, csp_id))
            return true;
    return !policy->csp_ids;
}

int snp_policy_hardware(const struct snp_policy *policy, const struct snp_report *report,
                        const struct snp_certificate *certificate, struct evidence_verdict *verdict)
{
    if (!(policy->products & BIT(certificate->product)))
        return evidence_fail_field(verdict, APPRAISAL_HARDWARE, "product",
                                   "product %s is not on the allow-list",
                                   snp_product_name(certificate->product));
    /* With a VLEK nothing but the report vouches for chip_id, and it may be masked. */
    if (policy->chip_count && certificate->key != SNP_VCEK)
        return evidence_fail_field(verdict, APPRAISAL_HARDWARE, "chip_id",
                                   "the policy lists chips, and a VLEK does not vouch for chip_id");
    if (!chip_listed(policy, report, certificate->product))
        return evidence_fail_field(verdict, APPRAISAL_HARDWARE, "chip_id",
                                   "chip_id is not on the allow-list");
    if (certificate->key == SNP_VLEK && !csp_listed(policy, certificate->csp_id))
        return evidence_fail_field(verdict, APPRAISAL_HARDWARE, "certificate.csp_id",
                                   "the VLEK of '%s' is not on the allow-list",
                                   certificate->csp_id);
    return 0;
}

static int check_floor(const struct snp_tcb *tcb, const struct snp_tcb *min, const char *field,
                       struct evidence_verdict *verdict)
{
    const struct {
        const char *name;
        uint8_t found, wanted;
    } components[] = {
        {"fmc", tcb->fmc, min->fmc},
        {"bootloader", tcb->bootloader, min->bootloader},
        {"tee", tcb->tee, min->tee},
        {"snp", tcb->snp, min->snp},
        {"microcode", tcb->microcode, min->microcode},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(components); i++)
        if (components[i].found < components[i].wanted)
            return evidence_fail_field(
                verdict, APPRAISAL_TCB, field, "%s: %s is %u, below the floor %u", field,
                components[i].name, components[i].found, components[i].wanted);
    return 0;
}

/* All four: reported is what the key vouches for, committed what the firmware cannot go back
 * behind, launch what started this guest. */
int snp_policy_tcb(const struct snp_policy *policy, const struct snp_report *report,
                   enum snp_product product, struct evidence_verdict *verdict)
{
    const struct {
        const char *field;
        const uint8_t *raw;
    } all[] = {
        {"reported_tcb", report->reported_tcb},
        {"committed_tcb", report->committed_tcb},
        {"launch_tcb", report->launch_tcb},
        {"current_tcb", report->current_tcb},
    };
    struct snp_tcb tcb;

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        if (snp_tcb_parse(product, all[i].raw, all[i].field, &tcb, verdict) < 0 ||
            check_floor(&tcb, &policy->tcb_min[product], all[i].field, verdict) < 0)
            return -1;
    return 0;
}

static const char *policy_field(uint64_t bits)
{
    size_t i = 0;

    while (!(policy_bits[i].bit & bits))
        i++;
    return policy_bits[i].field;
}

static int check_guest_policy(const struct snp_policy *policy, uint64_t found,
                              struct evidence_verdict *verdict)
{
    uint64_t set = found & policy->policy_zero, clear = ~found & policy->policy_one;
    unsigned major = found >> 8 & 0xff, minor = found & 0xff;

    if (found & ~SNP_POLICY_KNOWN)
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "policy",
                                   "the guest's policy has bits that are not known here: "
                                   "0x%016" PRIx64,
                                   found);
    if (!(found & SNP_POLICY_ONE))
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "policy",
                                   "bit 17 of the guest's policy, always set, is not");
    if (set)
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, policy_field(set),
                                   "%s is allowed by the guest's policy, 0x%016" PRIx64,
                                   policy_field(set), found);
    if (clear)
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, policy_field(clear),
                                   "%s is not set in the guest's policy, 0x%016" PRIx64,
                                   policy_field(clear), found);
    if (major < policy->abi_major_min ||
        (major == policy->abi_major_min && minor < policy->abi_minor_min))
        return evidence_fail_field(
            verdict, APPRAISAL_ATTRIBUTES, "policy.abi",
            "the guest's policy asks for ABI %u.%u, at least %u.%u is wanted", major, minor,
            policy->abi_major_min, policy->abi_minor_min);
    return 0;
}

/* The firmware does not start a guest that asks for a newer one; a report that says so is odd. */
static int check_abi(const struct snp_report *report, struct evidence_verdict *verdict)
{
    unsigned major = report->policy >> 8 & 0xff, minor = report->policy & 0xff;
    const struct snp_firmware *firmware = &report->current;

    if (firmware->major > major || (firmware->major == major && firmware->minor >= minor))
        return 0;
    return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "current.version",
                               "the guest's policy asks for ABI %u.%u, the firmware is %u.%u",
                               major, minor, firmware->major, firmware->minor);
}

static int check_author(const struct snp_policy *policy, const struct snp_report *report,
                        struct evidence_verdict *verdict)
{
    static const uint8_t none[SNP_KEY_DIGEST_SIZE];
    const uint8_t *digest = report->author_key_digest;

    if (!(report->signer_info & SNP_SIGNER_AUTHOR_KEY)) {
        if (memcmp(digest, none, sizeof(none)) == 0)
            return 0;
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "author_key_digest",
                                   "author_key_digest is not zero, and author_key_en is not set");
    }
    if (listed(digest, policy->author_keys, policy->author_key_count, SNP_KEY_DIGEST_SIZE))
        return 0;
    return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "author_key_digest",
                               "the guest was started with an author key that is not allowed");
}

int snp_policy_attributes(const struct snp_policy *policy, const struct snp_report *report,
                          struct evidence_verdict *verdict)
{
    if (check_guest_policy(policy, report->policy, verdict) < 0 || check_abi(report, verdict) < 0)
        return -1;
    if (policy->platform_one & ~report->platform_info)
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "platform_info",
                                   "platform_info is 0x%" PRIx64 ", without 0x%" PRIx64,
                                   report->platform_info,
                                   policy->platform_one & ~report->platform_info);
    if (report->vmpl != policy->vmpl)
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "vmpl",
                                   "vmpl is %u, not %u: another software asked for the report",
                                   report->vmpl, policy->vmpl);
    if (report->guest_svn < policy->guest_svn_min)
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "guest_svn",
                                   "guest_svn is %u, below %u", report->guest_svn,
                                   policy->guest_svn_min);
    return check_author(policy, report, verdict);
}

int snp_policy_content(const struct snp_policy *policy, const struct snp_report *report,
                       struct evidence_verdict *verdict)
{
    static const uint8_t none[SNP_HOST_DATA_SIZE];
    const uint8_t *host_data = policy->host_data ? policy->host_data : none;

    if (!(policy->skip & SNP_SKIP_MEASUREMENT) &&
        !listed(report->measurement, policy->measurements, policy->measurement_count,
                SNP_MEASUREMENT_SIZE))
        return evidence_fail_field(verdict, APPRAISAL_MEASUREMENT, "measurement",
                                   "measurement is not a reference value");
    if (!(policy->skip & SNP_SKIP_HOST_DATA) &&
        memcmp(report->host_data, host_data, SNP_HOST_DATA_SIZE) != 0)
        return evidence_fail_field(verdict, APPRAISAL_HARDWARE_INITDATA, "host_data",
                                   "host_data is not what it has to be");
    return 0;
}
