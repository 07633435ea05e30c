/* SPDX-License-Identifier: Apache-2.0 */
/* `cleave check tenant`: what says which guests are good, and what the vendors say about them. */
#include "checks.h"

#include <stdint.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/reference_values.h"
#include "reference_file.h"

enum { DAYS_LEFT_MIN = 14, SECONDS_OF_A_DAY = 86400 };

static const char *const collateral[] = {"tcb_info.json", "qe_identity.json", "tcb_signing.pem",
                                         "pck_crl.der", "root_crl.der"};

/* Evidence that proves nothing has no reference values; a type that nobody knows is another row's.
 */
static bool is_needed(const struct node *node)
{
    const struct evidence_type *type = evidence_find_name(node->tenant.evidence);

    return type && !type->insecure;
}

static bool has_section(const struct reference_values *values, const char *evidence)
{
    const struct {
        const char *name;
        const void *section;
    } sections[] = {
        {"snp", reference_values_snp(values)},
        {"tdx", reference_values_tdx(values)},
        {"tpm", reference_values_tpm(values)},
        {"az-snp-vtpm", reference_values_az_snp(values)},
        {"az-tdx-vtpm", reference_values_az_tdx(values)},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(sections); i++)
        if (text_equal(sections[i].name, evidence))
            return sections[i].section;
    return false;
}

static int load(const struct node *node, struct reference_values **ret, struct error *err)
{
    scoped(freep) char *path = node_path(node, node->tenant.reference_values);
    scoped(freep) char *keys = node_path(node, node->tenant.reference_keys);

    return reference_file_load(path, keys, ret, err);
}

static void judge(const struct node *node, const struct reference_values *values,
                  struct check_result *result)
{
    int64_t left = reference_values_not_after(values) - clock_wall_ns() / 1000000000;
    const char *id = reference_values_id(values);
    char until[DATE_SIZE];

    date_print(reference_values_not_after(values), until);
    if (left < 0) {
        check_fail(result, "'%s' has expired on %s: every guest is refused", id, until);
        check_advise(result, "install newer reference values, with a higher serial");
    } else if (is_needed(node) && !has_section(values, node->tenant.evidence)) {
        check_fail(result, "'%s' has no section \"%s\": every guest is refused", id,
                   node->tenant.evidence);
        check_advise(result, "add the section, raise the serial, sign again; or set evidence");
    } else if (left < (int64_t) DAYS_LEFT_MIN * SECONDS_OF_A_DAY) {
        check_warn(result, "'%s' expires on %s: from then on every guest is refused", id, until);
        check_advise(result, "install newer reference values, with a higher serial");
    } else {
        check_ok(result, "'%s', serial %llu, until %s", id,
                 (unsigned long long) reference_values_serial(values), until);
    }
}

void check_reference_values(struct node *node, struct check_result *result)
{
    scoped(reference_values_freep) struct reference_values *values = NULL;
    scoped(freep) char *path = node_path(node, node->tenant.reference_values);
    struct error err;

    if (!is_needed(node) && !file_exists(path))
        return;
    if (load(node, &values, &err) == 0) {
        judge(node, values, result);
        return;
    }
    check_fail(result, "%s: every guest is refused", err.message);
    check_advise(result, "docs/reference-values.md has the format, and how a file is signed");
}

/* ---- endorsements ---------------------------------------------------------------------------- */

static bool is_there(const char *directory, const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", directory, name);
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
}

static const struct snp_policy *snp_of(const struct reference_values *values, const char *evidence)
{
    if (text_equal(evidence, "snp"))
        return reference_values_snp(values);
    if (text_equal(evidence, "az-snp-vtpm") && reference_values_az_snp(values))
        return reference_values_az_snp(values)->snp;
    return NULL;
}

static const struct tdx_policy *tdx_of(const struct reference_values *values, const char *evidence)
{
    if (text_equal(evidence, "tdx"))
        return reference_values_tdx(values);
    if (text_equal(evidence, "az-tdx-vtpm") && reference_values_az_tdx(values))
        return reference_values_az_tdx(values)->tdx;
    return NULL;
}

/* What the reference values demand, and nothing of the kind is there. NULL: all is there. */
static const char *missing(const struct reference_values *values, const char *evidence,
                           const char *directory)
{
    const struct snp_policy *snp = snp_of(values, evidence);
    const struct tdx_policy *tdx = tdx_of(values, evidence);

    if (snp && !is_there(directory, "ask.pem"))
        return "ask.pem";
    if (snp && snp->crl == SNP_CRL_REQUIRED && !is_there(directory, "crl.der"))
        return "crl.der";
    if (tdx && tdx->collateral == TDX_COLLATERAL_REQUIRED && !is_there(directory, collateral[0]))
        return collateral[0];
    return NULL;
}

/* NULL: all or none. */
static const char *missing_collateral(const char *directory)
{
    const char *name = NULL;
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(collateral); i++) {
        if (is_there(directory, collateral[i]))
            count++;
        else
            name = collateral[i];
    }
    return count ? name : NULL;
}

void check_endorsements(struct node *node, struct check_result *result)
{
    scoped(reference_values_freep) struct reference_values *values = NULL;
    scoped(freep) char *directory = node_path(node, node->tenant.endorsements);
    const char *name = missing_collateral(directory);
    struct error err;

    if (name) {
        check_fail(result, "%s is missing or empty in %s", name, node->tenant.endorsements);
        check_advise(result, "Intel's collateral is all five files or none");
        return;
    }
    if (!is_needed(node) || load(node, &values, &err) < 0)
        return;
    name = missing(values, node->tenant.evidence, directory);
    if (!name) {
        check_ok(result, "what the reference values ask for is in %s", node->tenant.endorsements);
        return;
    }
    check_fail(result, "%s is missing or empty in %s, and the reference values ask for it", name,
               node->tenant.endorsements);
    check_advise(result, "fetch it from the vendor; docs/attestation.md says what each file is");
}
