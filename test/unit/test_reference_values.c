/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include "base/error.h"
#include "evidence/reference_values.h"
#include "reference_fixture.h"

static struct reference_values *parse(const char *from, const char *to)
{
    scoped(freep) char *json = reference_json(from, to);
    struct reference_values *values = NULL;
    struct error err = {0};
    int rc = reference_values_parse(json, strlen(json), &values, &err);

    ck_assert_msg(rc == 0, "%s: %s", to ? to : "", err.message);
    return values;
}

struct wrong {
    const char *from, *to;
    const char *text; /* part of the error, which names the member */
};

static void expect_each(const struct wrong *wrongs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scoped(freep) char *json = reference_json(wrongs[i].from, wrongs[i].to);
        scoped(reference_values_freep) struct reference_values *values = NULL;
        struct error err = {0};

        ck_assert_msg(reference_values_parse(json, strlen(json), &values, &err) < 0, "%s passed",
                      wrongs[i].to);
        ck_assert_msg(strstr(err.message, wrongs[i].text), "%s: %s", wrongs[i].to, err.message);
        ck_assert_ptr_null(values);
    }
}

static void expect_bytes(const void *found, uint8_t byte, size_t size)
{
    uint8_t bytes[64];

    memset(bytes, byte, sizeof(bytes));
    ck_assert_mem_eq(found, bytes, size);
}

START_TEST(a_file_says_who_it_is)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);

    ck_assert_str_eq(reference_values_id(values), "guest-image-2026.11");
    ck_assert_uint_eq(reference_values_serial(values), 3);
    ck_assert_int_eq(reference_values_not_after(values), 1798761600);
}
END_TEST

START_TEST(what_is_revoked_and_nothing_else_is)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    uint8_t digest[48];

    memset(digest, 0xee, sizeof(digest));
    ck_assert(reference_values_revoked(values, digest, 48));
    ck_assert(reference_values_revoked(values, digest, 32));
    ck_assert(!reference_values_revoked(values, digest, 47));
    ck_assert(!reference_values_revoked(values, digest, 20));
    digest[31] = 0;
    ck_assert(!reference_values_revoked(values, digest, 48));
    ck_assert(!reference_values_revoked(values, digest, 32));
}
END_TEST

START_TEST(a_pod_has_its_own_floor_of_the_epoch)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    uint64_t min = 0;

    ck_assert_uint_eq(reference_values_epoch_min(values, "prod", "db-0"), 7);
    ck_assert_uint_eq(reference_values_epoch_min(values, "prod", "db-1"), 1);
    ck_assert_uint_eq(reference_values_epoch_min(values, "prod", "db"), 0);
    ck_assert_uint_eq(reference_values_epoch_min(values, "test", "db-0"), 0);
    ck_assert_str_eq(reference_values_epoch_at(values, 1, &min), "prod/db-1");
    ck_assert_uint_eq(min, 1);
    ck_assert_ptr_null(reference_values_epoch_at(values, 2, &min));
}
END_TEST

START_TEST(all_of_snp_arrives)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    const struct snp_policy *snp = reference_values_snp(values);
    const struct snp_tcb milan = {0, 1, 2, 3, 4}, turin = {5, 6, 7, 8, 9};

    ck_assert_ptr_nonnull(snp);
    ck_assert_uint_eq(snp->version_min, 4);
    ck_assert_uint_eq(snp->keys, BIT(SNP_VCEK));
    ck_assert_uint_eq(snp->products, BIT(SNP_MILAN) | BIT(SNP_TURIN));
    ck_assert_uint_eq(snp->chip_count, 2);
    expect_bytes(snp->chips[0], 0xcc, 64);
    expect_bytes(snp->chips[1], 0xdd, 8);
    expect_bytes(snp->chips[1] + 8, 0, 56);
    ck_assert_mem_eq(&snp->tcb_min[SNP_MILAN], &milan, sizeof(milan));
    ck_assert_mem_eq(&snp->tcb_min[SNP_TURIN], &turin, sizeof(turin));
    ck_assert_uint_eq(snp->abi_major_min, 1);
    ck_assert_uint_eq(snp->abi_minor_min, 55);
    ck_assert_uint_eq(snp->policy_one, SNP_POLICY_SMT);
    ck_assert_uint_eq(snp->policy_zero, SNP_POLICY_MIGRATE_MA | SNP_POLICY_DEBUG | SNP_POLICY_CXL |
                                            SNP_POLICY_AES_256_XTS | SNP_POLICY_RAPL_DISABLED |
                                            SNP_POLICY_CIPHERTEXT | SNP_POLICY_NO_SWAP);
    ck_assert_uint_eq(snp->platform_one, BIT(2) | BIT(5));
    ck_assert_uint_eq(snp->vmpl, 1);
    ck_assert_uint_eq(snp->guest_svn_min, 6);
    ck_assert_uint_eq(snp->author_key_count, 1);
    expect_bytes(snp->author_keys[0], 0xaa, 48);
    ck_assert_uint_eq(snp->measurement_count, 2);
    expect_bytes(snp->measurements[0], 0x11, 48);
    expect_bytes(snp->measurements[1], 0x22, 48);
    ck_assert_int_eq(snp->crl, SNP_CRL_IF_GIVEN);
    ck_assert_uint_eq(snp->skip, 0);
    ck_assert_ptr_null(snp->host_data);
}
END_TEST

START_TEST(all_of_tdx_arrives)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    const struct tdx_policy *tdx = reference_values_tdx(values);

    ck_assert_ptr_nonnull(tdx);
    ck_assert_uint_eq(tdx->mr_td.count, 1);
    expect_bytes(tdx->mr_td.values[0], 0x33, 48);
    expect_bytes(tdx->mr_seam.values[0], 0x44, 48);
    ck_assert_uint_eq(tdx->rtmr[0].count, 0);
    ck_assert_uint_eq(tdx->rtmr[1].count, 2);
    expect_bytes(tdx->rtmr[1].values[1], 0x22, 48);
    ck_assert_uint_eq(tdx->rtmr[2].count, 1);
    expect_bytes(tdx->rtmr[2].values[0], 0, 48);
    /* Not named: untouched. */
    ck_assert_uint_eq(tdx->rtmr[3].count, 1);
    expect_bytes(tdx->rtmr[3].values[0], 0, 48);
    ck_assert_uint_eq(tdx->attributes->mask, UINT64_MAX);
    ck_assert_uint_eq(tdx->attributes->value, TDX_ATTRIBUTE_SEPT_VE_DISABLE);
    ck_assert_uint_eq(tdx->xfam->mask, 0xff);
    ck_assert_uint_eq(tdx->xfam->value, 0xe7);
    ck_assert_uint_eq(tdx->fmspc_count, 1);
    expect_bytes(tdx->fmspc[0], 0xbb, 6);
    ck_assert_uint_eq(tdx->chip_count, 1);
    expect_bytes(tdx->chips[0], 0x55, 16);
    ck_assert_uint_eq(tdx->also_accepted, BIT(TDX_UP_TO_DATE) | BIT(TDX_SW_HARDENING_NEEDED));
    ck_assert_int_eq(tdx->collateral, TDX_COLLATERAL_IF_GIVEN);
    ck_assert_uint_eq(tdx->evaluation_floor, 17);
    expect_bytes(tdx->svn_floor, 0, 16);
    expect_bytes(tdx->mr_owner, 0x66, 48);
    expect_bytes(tdx->mr_owner_config, 0x77, 48);
    expect_bytes(tdx->mr_service_td, 0x88, 48);
    ck_assert_uint_eq(tdx->skip, 0);
    ck_assert_ptr_null(tdx->report_data);
}
END_TEST

START_TEST(all_of_tpm_arrives)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    const struct reference_tpm *tpm = reference_values_tpm(values);

    ck_assert(tpm->host_vtpm);
    ck_assert_int_eq(tpm->keys, REFERENCE_KEYS_LISTED);
    ck_assert_uint_eq(tpm->enrolled_count, 1);
    expect_bytes(tpm->enrolled[0], 0x99, 32);
    ck_assert_uint_eq(tpm->selection, BIT(0) | BIT(8) | BIT(12));
    ck_assert_uint_eq(tpm->pcrs.set, BIT(0) | BIT(12));
    ck_assert_uint_eq(tpm->pcrs.lists[0].count, 2);
    expect_bytes(tpm->pcrs.lists[0].values[1], 0x22, 32);
    expect_bytes(tpm->pcrs.lists[12].values[0], 0, 32);
    ck_assert_uint_eq(tpm->cmdline.count, 1);
    ck_assert_uint_eq(tpm->initrd.count, 2);
    expect_bytes(tpm->cmdline.values[0], 0x55, 32);
    expect_bytes(tpm->initrd.values[1], 0x77, 32);
}
END_TEST

START_TEST(azure_has_its_own_hardware)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    const struct reference_azure *snp = reference_values_az_snp(values);
    const struct reference_azure *tdx = reference_values_az_tdx(values);

    ck_assert_ptr_null(snp->tdx);
    ck_assert_uint_eq(snp->snp->products, BIT(SNP_GENOA));
    ck_assert_uint_eq(snp->snp->keys, BIT(SNP_VLEK));
    ck_assert_str_eq(snp->snp->csp_ids[0], "azure");
    ck_assert_ptr_null(snp->snp->csp_ids[1]);
    ck_assert(!snp->tpm.host_vtpm);
    ck_assert_uint_eq(snp->tpm.selection, 0xffffff);
    ck_assert_uint_eq(snp->tpm.pcrs.set, BIT(4));
    ck_assert_ptr_null(tdx->snp);
    ck_assert_uint_eq(tdx->tdx->mr_td.count, 1);
    ck_assert_uint_eq(tdx->tpm.selection, BIT(4) | BIT(9));
}
END_TEST

START_TEST(what_is_not_said_is_strict)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    const struct snp_policy *snp = reference_values_az_snp(values)->snp;
    const struct tdx_policy *tdx = reference_values_az_tdx(values)->tdx;

    ck_assert_int_eq(snp->crl, SNP_CRL_REQUIRED);
    ck_assert_uint_eq(snp->version_min, SNP_VERSION_CPUID);
    ck_assert_uint_eq(snp->vmpl, 0);
    ck_assert_uint_eq(snp->policy_one, 0);
    ck_assert_uint_eq(snp->policy_zero, (SNP_POLICY_KNOWN ^ SNP_POLICY_ONE) & ~UINT64_C(0xffff));
    ck_assert_int_eq(tdx->collateral, TDX_COLLATERAL_REQUIRED);
    ck_assert_ptr_null(tdx->attributes);
    ck_assert_uint_eq(tdx->also_accepted, 0);
    for (size_t i = 0; i < TDX_RTMRS; i++)
        ck_assert_uint_eq(tdx->rtmr[i].count, 1);
}
END_TEST

START_TEST(a_type_without_a_section_is_not_there)
{
    static const char only[] = "{'format':'cleave-reference-values/1','id':'a','serial':0,"
                               "'not_after':'2027-01-01T00:00:00Z','tpm':{'trust_anchor':"
                               "'host-vtpm','attestation_keys':'any','pcrs':{'4':['<132>']}}}";
    scoped(reference_values_freep) struct reference_values *values = parse(reference_text, only);

    ck_assert_ptr_null(reference_values_snp(values));
    ck_assert_ptr_null(reference_values_tdx(values));
    ck_assert_ptr_null(reference_values_az_snp(values));
    ck_assert_ptr_null(reference_values_az_tdx(values));
    ck_assert_int_eq(reference_values_tpm(values)->keys, REFERENCE_KEYS_ANY);
    ck_assert_uint_eq(reference_values_tpm(values)->selection, BIT(4));
    ck_assert_uint_eq(reference_values_epoch_min(values, "prod", "db-0"), 0);
}
END_TEST

START_TEST(a_wrong_head_refuses_the_file)
{
    static const struct wrong wrongs[] = {
        {"values/1", "values/2", "format: \"cleave-reference-values/1\" is wanted"},
        {"'format':'cleave-reference-values/1',", "", "format is missing"},
        {"'id':'guest-image-2026.11',", "", "id is missing"},
        {"guest-image-2026.11", "", "id: 1 to 64"},
        {"guest-image-2026.11", "../../etc", "id: 1 to 64"},
        {"guest-image-2026.11", "a234567890123456789012345678901234567890123456789012345678901234x",
         "id: 1 to 64"},
        {"'serial':3,", "", "serial is missing"},
        {"'serial':3", "'serial':-1", "serial: a number"},
        {"'serial':3", "'serial':'3'", "serial: a number"},
        {"'serial':3", "'serial':3.0", "serial: a number"},
        {"'serial':3", "'serial':3,'serial':4", ""},
        {"'serial':3", "'serial':9223372036854775808", "serial: a number"},
        {"'not_after':'2027-01-01T00:00:00Z',", "", "not_after is missing"},
        {"2027-01-01T00:00:00Z", "2027-01-01", "not_after: a time"},
        {"2027-01-01T00:00:00Z", "2027-02-30T00:00:00Z", "not_after: a time"},
        {"2027-01-01T00:00:00Z", "2027-01-01T00:00:00+01:00", "not_after: a time"},
        {"'serial'", "'note':'x','serial'", "no member 'note'"},
        {"'<e32>']", "'<e20>']", "revoked: [1]: 64 or 96"},
        {"'<e32>']", "7]", "revoked: [1]: 64 or 96"},
        {"'<e32>']", "'<032>']", "revoked: [1]: zeros"},
        {"['<e48>','<e32>']", "'<e48>'", "revoked: a list"},
        {"{'prod/db-0':7,'prod/db-1':1}", "[]", "epoch_min: an object"},
        {"prod/db-0", "db-0", "epoch_min: 'db-0' is not"},
        {"prod/db-0", "prod/", "epoch_min: 'prod/' is not"},
        {"prod/db-0", "prod/db/0", "epoch_min: 'prod/db/0' is not"},
        {"prod/db-0':7", "prod/db-0':'7'", "epoch_min: prod/db-0: a number"},
        {"'<232>']}}}", "'<232>']}}", ""},
        {"'<232>']}}}", "'<232>']}}}{}", ""},
    };

    expect_each(wrongs, ARRAY_LENGTH(wrongs));
}
END_TEST

START_TEST(a_wrong_section_of_snp_refuses_the_file)
{
    static const struct wrong wrongs[] = {
        {"'measurements':['<148>','<248>'],", "", "snp: measurements is missing"},
        {"['<148>','<248>']", "[]", "snp: measurements: a list of 1 to"},
        {"['<148>','<248>']", "['<148>','<248>','0']", "snp: measurements: [2]: 96"},
        {"['<148>','<248>']", "['<147>']", "snp: measurements: [0]: 96"},
        {"'products':['Milan','Turin'],", "", "snp: products is missing"},
        {"['Milan','Turin']", "[]", "snp: products: a list"},
        {"['Milan','Turin']", "['Milan','Naples']", "snp: products: Milan, Genoa or Turin"},
        {"['Milan','Turin']", "['Milan']", "snp: tcb_min: each product"},
        {"['Milan','Turin']", "['Milan','Turin','Genoa']", "snp: tcb_min: each product"},
        {"'<c64>','<d08>'", "", "snp: chips: a list of 1 to"},
        {"'<d08>'", "'<d09>'", "snp: chips: [1]: 128"},
        {"'keys':['vcek']", "'keys':['vcek','vlek']", "snp: chips: a VLEK"},
        {"'keys':['vcek']", "'keys':['any']", "snp: keys: \"vcek\" or \"vlek\""},
        {"'keys':['vcek']", "'keys':[]", "snp: keys: a list"},
        {"'keys':['vcek']", "'csp_ids':['azure']", "snp: csp_ids: it says"},
        {"'keys':['vlek'],'csp_ids':['azure']", "'keys':['vlek'],'csp_ids':[1]",
         "az-snp-vtpm: snp: csp_ids: [0]: a text"},
        {"'microcode':4", "'microcode':256", "snp: tcb_min: Milan: microcode: a number up to 255"},
        {"'tee':2,", "", "snp: tcb_min: Milan: tee is missing"},
        {"'tee':2,", "'tee':2,'fmc':1,", "snp: tcb_min: Milan: there is no member 'fmc'"},
        {"'fmc':5,", "", "snp: tcb_min: Turin: fmc is missing"},
        {"'report_version_min':4", "'report_version_min':6", "snp: report_version_min: a number"},
        {"'guest_svn_min':6", "'guest_svn_min':4294967296", "snp: guest_svn_min: a number"},
        {"['<a48>']", "['<a32>']", "snp: author_keys: [0]: 96"},
        {"'ecc'", "'smt'", "snp: platform_info: tsme"},
        {"'vmpl':1", "'vmpl':4", "snp: vmpl: a number up to 3"},
        {"'crl':'if-given'", "'crl':'no'", "snp: crl: \"if-given\" or \"required\""},
        {"'guest_policy':{'smt'", "'guest_polizy':{'smt'", "snp: guest_policy is missing"},
        {"'smt':true", "'smt':1", "snp: guest_policy: smt: true, false"},
        {"'smt':true", "'smt':'yes'", "snp: guest_policy: smt: true, false"},
        {"'smt':true", "'smd':true", "snp: guest_policy: there is no member 'smd'"},
        {"'debug':false", "'debug':true", "snp: guest_policy: debug cannot be allowed"},
        {"'debug':false", "'debug':'any'", "snp: guest_policy: debug cannot be allowed"},
        {"'debug':false", "'migrate_ma':true", "snp: guest_policy: migrate_ma cannot"},
        {"'1.55'", "'1.256'", "snp: guest_policy: abi_min: a version"},
        {"'1.55'", "'1'", "snp: guest_policy: abi_min: a version"},
        {"'1.55'", "'1.55.1'", "snp: guest_policy: abi_min: a version"},
        {"'vmpl':1", "'vmpl':1,'vmpl':1", ""},
        {"'vmpl':1", "'vmpll':1", "snp: there is no member 'vmpll'"},
        {"'vmpl':1", "'skip':3", "snp: there is no member 'skip'"},
    };

    expect_each(wrongs, ARRAY_LENGTH(wrongs));
}
END_TEST

START_TEST(a_wrong_section_of_tdx_refuses_the_file)
{
    static const struct wrong wrongs[] = {
        {"'mr_td':['<348>'],", "", "tdx: mr_td is missing"},
        {"['<348>']", "['0']", "tdx: mr_td: [0]: 96"},
        {"['<448>']", "'<448>'", "tdx: mr_seam: a list"},
        {"'rtmr'", "'rtmrs'", "tdx: rtmr is missing"},
        {"'0':'any'", "'4':'any'", "tdx: rtmr: there is no RTMR '4'"},
        {"'0':'any'", "'00':'any'", "tdx: rtmr: there is no RTMR '00'"},
        {"'0':'any'", "'0':'all'", "tdx: rtmr: 0: a list"},
        {"'0':'any'", "'0':['any']", "tdx: rtmr: 0: [0]: 96"},
        {"'mask':'ffffffffffffffff',", "", "tdx: attributes: mask is missing"},
        {"'mask':'ffffffffffffffff'", "'mask':'ff'", "tdx: attributes: mask: 16"},
        {"'mask':'ffffffffffffffff'", "'mask':'0000000000000000'",
         "tdx: attributes: a bit of value"},
        {"'0000000010000000'", "'0000000010000001'", "tdx: attributes: value: debug"},
        {"'00000000000000e7'", "'00000000000001e7'", "tdx: xfam: a bit of value"},
        {"'xfam':{", "'xfam':{'any':1,", "tdx: xfam: there is no member 'any'"},
        {"['<b06>']", "['<b05>']", "tdx: fmspc: [0]: 12"},
        {"['<516>']", "['<515>']", "tdx: chips: [0]: 32"},
        {"'UpToDate',", "", "tdx: tcb_status: UpToDate has"},
        {"'SWHardeningNeeded'", "'Revoked'", "tdx: tcb_status: [1]"},
        {"'SWHardeningNeeded'", "'Unchecked'", "tdx: tcb_status: [1]"},
        {"'SWHardeningNeeded'", "null", "tdx: tcb_status: [1]"},
        {"'collateral':'if-given'", "'collateral':'never'", "tdx: collateral: \"if-given\""},
        {"'evaluation_min':17", "'evaluation_min':-17", "tdx: evaluation_min: a number"},
        {"'svn_min':'<016>'", "'svn_min':'<015>'", "tdx: svn_min: 32"},
        {"'mr_owner':'<648>'", "'mr_owner':'<632>'", "tdx: mr_owner: 96"},
        {"'mr_owner_config':'<748>'", "'mr_owner_config':null", "tdx: mr_owner_config: 96"},
        {"'mr_service_td':'<848>'", "'mr_service_td':['<848>']", "tdx: mr_service_td: 96"},
        {"'tdx':{'mr_td'", "'tdx':[],'tdx':{'mr_td'", ""},
        {"'mr_service_td'", "'debug'", "tdx: there is no member 'debug'"},
    };

    expect_each(wrongs, ARRAY_LENGTH(wrongs));
}
END_TEST

START_TEST(a_wrong_section_of_tpm_refuses_the_file)
{
    static const struct wrong wrongs[] = {
        {"'trust_anchor':'host-vtpm',", "", "no protection from the host"},
        {"'trust_anchor':'host-vtpm'", "'trust_anchor':'hardware'", "tpm: trust_anchor: \"host"},
        {"'attestation_keys':['<932>'],", "", "tpm: attestation_keys is missing"},
        {"['<932>']", "'all'", "tpm: attestation_keys: \"any\""},
        {"['<932>']", "[]", "tpm: attestation_keys: a list"},
        {"['<932>']", "['<948>']", "tpm: attestation_keys: [0]: 64"},
        {"'12':['0']", "'24':['0']", "tpm: pcrs: there is no PCR '24'"},
        {"'12':['0']", "'012':['0']", "tpm: pcrs: there is no PCR '012'"},
        {"'12':['0']", "'12':'0'", "tpm: pcrs: 12: a list"},
        {"'12':['0']", "'12':['1']", "tpm: pcrs: 12: [0]: 64"},
        {"[0,8,12]", "[0,8]", "tpm: selection: a PCR of pcrs"},
        {"[0,8,12]", "[0,8,12,24]", "tpm: selection: [3]: a number up to 23"},
        {"[0,8,12]", "[]", "tpm: selection: \"all\""},
        {"'cmdline':['<532>'],", "", "tpm: loads: cmdline is missing"},
        {"'cmdline':['<532>']", "'cmdline':['0']", "tpm: loads: cmdline: [0]: 64"},
        {"'loads':{'cmdline'", "'loads':{'kernel':['<532>'],'cmdline'",
         "tpm: loads: there is no member 'kernel'"},
        {"'pcrs':{'4':['<132>']},'sel", "'pcrs':{},'sel", "az-snp-vtpm: pcrs: an object"},
        {"'pcrs':{'4':['<132>']},'sel", "'trust_anchor':'host-vtpm','sel",
         "az-snp-vtpm: pcrs is missing"},
        {"'selection':'all'", "'attestation_keys':'any'",
         "az-snp-vtpm: there is no member 'attestation_keys'"},
        {"'az-tdx-vtpm':{'tdx'", "'az-tdx-vtpm':{'snp'", "az-tdx-vtpm: tdx is missing"},
        {"'az-snp-vtpm':{'snp'", "'az-snp':{'snp'", "there is no member 'az-snp'"},
    };

    expect_each(wrongs, ARRAY_LENGTH(wrongs));
}
END_TEST

START_TEST(a_file_without_any_section_is_refused)
{
    static const struct wrong wrong = {reference_text,
                                       "{'format':'cleave-reference-values/1','id':'a','serial':0,"
                                       "'not_after':'2027-01-01T00:00:00Z'}",
                                       "there is no section"};

    expect_each(&wrong, 1);
}
END_TEST

START_TEST(a_file_that_is_too_large_is_not_read)
{
    scoped(reference_values_freep) struct reference_values *values = NULL;
    scoped(freep) char *text = xalloc(REFERENCE_VALUES_MAX + 2);
    scoped(freep) char *json = reference_json(NULL, NULL);
    struct error err;

    memset(text, ' ', REFERENCE_VALUES_MAX + 1);
    memcpy(text, json, strlen(json));
    ck_assert_int_lt(reference_values_parse(text, REFERENCE_VALUES_MAX + 1, &values, &err), 0);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(reference_values_parse(text, REFERENCE_VALUES_MAX, &values, &err), 0);
}
END_TEST

/* ---- what was accepted, against what was withdrawn ------------------------------------------- */

START_TEST(a_report_with_a_revoked_digest_is_refused)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    struct snp_report report = {0};
    struct evidence_verdict verdict = {0};

    ck_assert_int_eq(reference_values_judge_snp(values, &report, &verdict), 0);
    memset(report.measurement, 0xee, sizeof(report.measurement));
    ck_assert_int_lt(reference_values_judge_snp(values, &report, &verdict), 0);
    ck_assert_int_eq(verdict.failed, APPRAISAL_MEASUREMENT);
    ck_assert_str_eq(verdict.field, "measurement");
    ck_assert_ptr_nonnull(strstr(verdict.text, "guest-image-2026.11"));
    memset(report.measurement, 0x11, sizeof(report.measurement));
    memset(report.host_data, 0xee, sizeof(report.host_data));
    ck_assert_int_lt(reference_values_judge_snp(values, &report, &verdict), 0);
    ck_assert_int_eq(verdict.failed, APPRAISAL_HARDWARE_INITDATA);
}
END_TEST

START_TEST(a_quote_with_a_revoked_digest_is_refused)
{
    static const uint8_t good[48], bad[48] = {[0 ... 47] = 0xee};
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    struct tdx_body body = {.mr_td = good, .mr_seam = good, .mr_config_id = good};
    const uint8_t **const parts[] = {&body.mr_td,        &body.mr_seam,  &body.rtmr[0],
                                     &body.rtmr[3],      &body.mr_owner, &body.mr_config_id,
                                     &body.mr_service_td};
    struct evidence_verdict verdict = {0};

    ck_assert_int_eq(reference_values_judge_tdx(values, &body, &verdict), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        *parts[i] = bad;
        ck_assert_int_lt(reference_values_judge_tdx(values, &body, &verdict), 0);
        *parts[i] = good;
    }
    ck_assert_int_eq(reference_values_judge_tdx(values, &body, &verdict), 0);
}
END_TEST

START_TEST(a_pcr_with_a_revoked_value_is_refused_if_it_is_quoted)
{
    scoped(reference_values_freep) struct reference_values *values = parse(NULL, NULL);
    struct evidence_verdict verdict = {0};
    struct registers quoted;

    registers_init(&quoted, REGISTERS_PCR, DIGEST_SHA256);
    memset(quoted.values[9], 0xee, SHA256_SIZE);
    quoted.set = BIT(4);
    ck_assert_int_eq(reference_values_judge_pcrs(values, &quoted, &verdict), 0);
    quoted.set |= BIT(9);
    ck_assert_int_lt(reference_values_judge_pcrs(values, &quoted, &verdict), 0);
    ck_assert_int_eq(verdict.failed, APPRAISAL_MEASUREMENT);
    ck_assert_str_eq(verdict.field, "register-value");
    ck_assert_ptr_nonnull(strstr(verdict.text, "PCR 9"));
}
END_TEST

int main(void)
{
    return suite_run(
        "reference_values",
        (const TTest *[]){
            a_file_says_who_it_is, what_is_revoked_and_nothing_else_is,
            a_pod_has_its_own_floor_of_the_epoch, all_of_snp_arrives, all_of_tdx_arrives,
            all_of_tpm_arrives, azure_has_its_own_hardware, what_is_not_said_is_strict,
            a_type_without_a_section_is_not_there, a_wrong_head_refuses_the_file,
            a_wrong_section_of_snp_refuses_the_file, a_wrong_section_of_tdx_refuses_the_file,
            a_wrong_section_of_tpm_refuses_the_file, a_file_without_any_section_is_refused,
            a_file_that_is_too_large_is_not_read, a_report_with_a_revoked_digest_is_refused,
            a_quote_with_a_revoked_digest_is_refused,
            a_pcr_with_a_revoked_value_is_refused_if_it_is_quoted, NULL});
}
