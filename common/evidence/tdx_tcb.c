/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Levels are listed from the newest downwards; the first whose every SVN the platform reaches is
 * the platform's. TEE_TCB_SVN of the body holds the module's SVN [0] and its major version [1],
 * then SVNs of the platform. A module of major version 1 or later has its levels in
 * tdxModuleIdentities, and the platform's levels are then compared without these two bytes.
 *
 * A signature by Intel does not make a document well-formed: what is not as expected is an error,
 * never a default.
 */
#include "evidence/tdx_tcb.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"

enum { COMPONENTS = SGX_PCK_COMPONENTS, MASKED_MAX = 16 };

static const char tcb_info[] = "tcb_info_format", identity[] = "qe_identity_format";

struct level {
    uint8_t sgx[COMPONENTS], tdx[COMPONENTS];
    uint16_t pce_svn;
};

static int malformed(const char *field, const struct error *err, struct evidence_verdict *verdict)
{
    return evidence_fail_field(verdict, APPRAISAL_FORMAT, field, "%s: %s", field, err->message);
}

static int need_hex(const struct js *object, const char *key, void *ret, size_t size,
                    struct error *err)
{
    const char *text = NULL;

    if (js_need_string(object, key, &text, err) < 0)
        return -1;
    return hex_decode(text, ret, size, err) < 0 ? error_wrap(err, "%s", key) : 0;
}

static int need_svn(const struct js *object, const char *key, int64_t max, uint16_t *ret,
                    struct error *err)
{
    int64_t value;

    if (js_need_integer(object, key, 0, max, &value, err) < 0)
        return -1;
    *ret = (uint16_t) value;
    return 0;
}

static int need_components(const struct js *tcb, const char *key, uint8_t ret[COMPONENTS],
                           struct error *err)
{
    const struct js *list = js_get(tcb, key);
    uint16_t svn;

    if (js_type(list) != JS_ARRAY || js_length(list) != COMPONENTS)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is not a list of %d", key, COMPONENTS);
    for (size_t i = 0; i < COMPONENTS; i++) {
        if (need_svn(js_at(list, i), "svn", UINT8_MAX, &svn, err) < 0)
            return error_wrap(err, "%s", key);
        ret[i] = (uint8_t) svn;
    }
    return 0;
}

static int need_status(const struct js *level, enum tdx_status *ret, struct error *err)
{
    const char *name;

    if (js_need_string(level, "tcbStatus", &name, err) < 0)
        return -1;
    if (tdx_status_find(name) == TDX_UNCHECKED)
        return error_set(err, STATUS_INVALID_ARGUMENT, "tcbStatus '%s' is not known", name);
    *ret = tdx_status_find(name);
    return 0;
}

static int need_levels(const struct js *object, const struct js **ret, struct error *err)
{
    const struct js *levels = js_get(object, "tcbLevels");

    if (js_type(levels) != JS_ARRAY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "tcbLevels is not a list");
    *ret = levels;
    return 0;
}

static int need_level(const struct js *level, struct level *ret, struct error *err)
{
    const struct js *tcb = js_get(level, "tcb");

    if (need_components(tcb, "sgxtcbcomponents", ret->sgx, err) < 0 ||
        need_components(tcb, "tdxtcbcomponents", ret->tdx, err) < 0 ||
        need_svn(tcb, "pcesvn", UINT16_MAX, &ret->pce_svn, err) < 0)
        return -1;
    return 0;
}

static bool reaches(const uint8_t *has, const uint8_t *wanted, size_t from)
{
    for (size_t i = from; i < COMPONENTS; i++)
        if (has[i] < wanted[i])
            return false;
    return true;
}

static int match_platform(const struct js *info, const struct sgx_pck *pck,
                          const struct tdx_body *body, enum tdx_status *ret,
                          struct evidence_verdict *verdict)
{
    size_t from = body->tee_tcb_svn[1] > 0 ? 2 : 0;
    const struct js *levels = NULL;
    struct level level = {0};
    struct error err;

    if (need_levels(info, &levels, &err) < 0)
        return malformed(tcb_info, &err, verdict);
    for (size_t i = 0; i < js_length(levels); i++) {
        if (need_level(js_at(levels, i), &level, &err) < 0)
            return malformed(tcb_info, &err, verdict);
        if (!reaches(pck->components, level.sgx, 0) || pck->pce_svn < level.pce_svn ||
            !reaches(body->tee_tcb_svn, level.tdx, from))
            continue;
        if (need_status(js_at(levels, i), ret, &err) < 0)
            return malformed(tcb_info, &err, verdict);
        return 0;
    }
    return evidence_fail_field(verdict, APPRAISAL_TCB, "tcb_level",
                               "tcb_level: the platform is below every level of tcbInfo");
}

/* The levels of a module or an enclave know one number, the ISVSVN. */
static int match_isv(const struct js *object, uint16_t svn, const char *field, enum tdx_status *ret,
                     struct evidence_verdict *verdict)
{
    const struct js *levels = NULL;
    struct error err;
    uint16_t wanted = 0;

    if (need_levels(object, &levels, &err) < 0)
        return malformed(field, &err, verdict);
    for (size_t i = 0; i < js_length(levels); i++) {
        const struct js *level = js_at(levels, i);

        if (need_svn(js_get(level, "tcb"), "isvsvn", UINT16_MAX, &wanted, &err) < 0)
            return malformed(field, &err, verdict);
        if (svn < wanted)
            continue;
        return need_status(level, ret, &err) < 0 ? malformed(field, &err, verdict) : 0;
    }
    return evidence_fail_field(verdict, APPRAISAL_TCB,
                               field == identity ? "qe_isvsvn" : "module_isvsvn",
                               "isvsvn %u is below every level of the %s", svn,
                               field == identity ? "QE identity" : "TDX module");
}

/* object.KEY, as far as object.KEY_MASK goes. */
static int match_masked(const struct js *object, const char *const key[2], const uint8_t *found,
                        size_t size, bool *ret, struct error *err)
{
    uint8_t value[MASKED_MAX], mask[MASKED_MAX];

    if (need_hex(object, key[0], value, size, err) < 0 ||
        need_hex(object, key[1], mask, size, err) < 0)
        return -1;
    *ret = true;
    for (size_t i = 0; i < size; i++)
        if ((found[i] & mask[i]) != (value[i] & mask[i]))
            *ret = false;
    return 0;
}

static int check_module(const struct js *module, const struct tdx_body *body,
                        struct evidence_verdict *verdict)
{
    static const char *const attributes[] = {"attributes", "attributesMask"};
    uint8_t signer[TDX_MEASUREMENT_SIZE];
    struct error err;
    bool same;

    if (need_hex(module, "mrsigner", signer, sizeof(signer), &err) < 0 ||
        match_masked(module, attributes, body->seam_attributes, 8, &same, &err) < 0)
        return malformed(tcb_info, &err, verdict);
    if (memcmp(signer, body->mr_signer_seam, sizeof(signer)) != 0)
        return evidence_fail_field(verdict, APPRAISAL_TCB, "module_mrsigner",
                                   "mr_signer_seam is not mrsigner of the TDX module");
    if (!same)
        return evidence_fail_field(verdict, APPRAISAL_TCB, "module_attributes",
                                   "seam_attributes are not those of the TDX module");
    return 0;
}

static const struct js *find_module(const struct js *info, const char *id)
{
    const struct js *list = js_get(info, "tdxModuleIdentities");

    for (size_t i = 0; i < js_length(list); i++)
        if (text_equal(js_get_string(js_at(list, i), "id"), id))
            return js_at(list, i);
    return NULL;
}

static int match_module(const struct js *info, const struct tdx_body *body, enum tdx_status *ret,
                        struct evidence_verdict *verdict)
{
    const struct js *module;
    char id[8];

    if (body->tee_tcb_svn[1] == 0) { /* its SVN is part of the platform's levels */
        *ret = TDX_UP_TO_DATE;
        return check_module(js_get(info, "tdxModule"), body, verdict);
    }
    (void) snprintf(id, sizeof(id), "TDX_%02X", body->tee_tcb_svn[1]);
    module = find_module(info, id);
    if (!module)
        return evidence_fail_field(verdict, APPRAISAL_TCB, "module_identity",
                                   "tcbInfo does not know the TDX module %s", id);
    if (check_module(module, body, verdict) < 0)
        return -1;
    return match_isv(module, body->tee_tcb_svn[0], tcb_info, ret, verdict);
}

static int check_platform(const struct js *info, const struct sgx_pck *pck,
                          struct evidence_verdict *verdict)
{
    uint8_t fmspc[SGX_FMSPC_SIZE], pce_id[SGX_PCE_ID_SIZE];
    struct error err;

    if (need_hex(info, "fmspc", fmspc, sizeof(fmspc), &err) < 0 ||
        need_hex(info, "pceId", pce_id, sizeof(pce_id), &err) < 0)
        return malformed(tcb_info, &err, verdict);
    if (memcmp(fmspc, pck->fmspc, sizeof(fmspc)) != 0)
        return evidence_fail_field(verdict, APPRAISAL_TCB, "fmspc",
                                   "fmspc of tcbInfo is not that of the PCK certificate");
    if (memcmp(pce_id, pck->pce_id, sizeof(pce_id)) != 0)
        return evidence_fail_field(verdict, APPRAISAL_TCB, "pce_id",
                                   "pceId of tcbInfo is not that of the PCK certificate");
    return 0;
}

int tdx_tcb_platform(const struct js *info, const struct sgx_pck *pck, const struct tdx_body *body,
                     enum tdx_status *ret, struct evidence_verdict *verdict)
{
    enum tdx_status platform = TDX_UNCHECKED, module = TDX_UNCHECKED;

    if (check_platform(info, pck, verdict) < 0 || match_module(info, body, &module, verdict) < 0 ||
        match_platform(info, pck, body, &platform, verdict) < 0)
        return -1;
    *ret = tdx_status_join(platform, module);
    return 0;
}

int tdx_tcb_enclave(const struct js *qe_identity, const struct sgx_report *qe, enum tdx_status *ret,
                    struct evidence_verdict *verdict)
{
    static const char *const misc[] = {"miscselect", "miscselectMask"};
    static const char *const attributes[] = {"attributes", "attributesMask"};
    uint8_t signer[32];
    bool misc_same, attributes_same;
    int64_t product = 0;
    struct error err;

    if (need_hex(qe_identity, "mrsigner", signer, sizeof(signer), &err) < 0 ||
        js_need_integer(qe_identity, "isvprodid", 0, UINT16_MAX, &product, &err) < 0 ||
        match_masked(qe_identity, misc, qe->misc_select, 4, &misc_same, &err) < 0 ||
        match_masked(qe_identity, attributes, qe->attributes, 16, &attributes_same, &err) < 0)
        return malformed(identity, &err, verdict);
    if (memcmp(signer, qe->mr_signer, sizeof(signer)) != 0)
        return evidence_fail_field(verdict, APPRAISAL_TCB, "qe_mrsigner",
                                   "mrsigner of the QE is not that of its identity");
    if (product != qe->isv_prod_id)
        return evidence_fail_field(verdict, APPRAISAL_TCB, "qe_isvprodid",
                                   "isvprodid of the QE is %u, its identity says %d",
                                   qe->isv_prod_id, (int) product);
    if (!misc_same)
        return evidence_fail_field(verdict, APPRAISAL_TCB, "qe_miscselect",
                                   "miscselect of the QE is not that of its identity");
    if (!attributes_same)
        return evidence_fail_field(verdict, APPRAISAL_TCB, "qe_attributes",
                                   "attributes of the QE are not those of its identity");
    return match_isv(qe_identity, qe->isv_svn, identity, ret, verdict);
}
