/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A file of reference values with every member in it, and one edit of it at a time. In the text '
 * stands for ", and A48 and the like for so many bytes in hexadecimal. */
#include <check.h>
#include <string.h>

#include "base/scoped.h"

static const char reference_text[] =
    "{'format':'cleave-reference-values/1','id':'guest-image-2026.11','serial':3,"
    "'not_after':'2027-01-01T00:00:00Z','revoked':['<e48>','<e32>'],"
    "'epoch_min':{'prod/db-0':7,'prod/db-1':1},"
    "'snp':{'measurements':['<148>','<248>'],'products':['Milan','Turin'],"
    "'chips':['<c64>','<d08>'],'keys':['vcek'],"
    "'tcb_min':{'Milan':{'bootloader':1,'tee':2,'snp':3,'microcode':4},"
    "'Turin':{'fmc':5,'bootloader':6,'tee':7,'snp':8,'microcode':9}},"
    "'report_version_min':4,'guest_svn_min':6,'author_keys':['<a48>'],"
    "'platform_info':['ecc','alias_check_complete'],"
    "'guest_policy':{'smt':true,'single_socket':'any','debug':false,'abi_min':'1.55'},"
    "'vmpl':1,'crl':'if-given'},"
    "'tdx':{'mr_td':['<348>'],'mr_seam':['<448>'],'rtmr':{'0':'any','1':['<148>','<248>'],"
    "'2':['0']},'attributes':{'mask':'ffffffffffffffff','value':'0000000010000000'},"
    "'xfam':{'mask':'00000000000000ff','value':'00000000000000e7'},"
    "'fmspc':['<b06>'],'chips':['<516>'],'tcb_status':['UpToDate','SWHardeningNeeded'],"
    "'collateral':'if-given','evaluation_min':17,'svn_min':'<016>','mr_owner':'<648>',"
    "'mr_owner_config':'<748>','mr_service_td':'<848>'},"
    "'tpm':{'trust_anchor':'host-vtpm','attestation_keys':['<932>'],"
    "'pcrs':{'0':['<132>','<232>'],'12':['0']},'selection':[0,8,12],"
    "'loads':{'cmdline':['<532>'],'initrd':['<632>','<732>']}},"
    "'az-snp-vtpm':{'snp':{'measurements':['<148>'],'products':['Genoa'],'keys':['vlek'],"
    "'csp_ids':['azure'],"
    "'tcb_min':{'Genoa':{'bootloader':0,'tee':0,'snp':0,'microcode':0}},'guest_policy':{}},"
    "'pcrs':{'4':['<132>']},'selection':'all'},"
    "'az-tdx-vtpm':{'tdx':{'mr_td':['<348>'],'rtmr':{}},'pcrs':{'4':['<132>'],'9':['<232>']}}}";

/* The text with its first `from`, if any, as `to`; the caller frees. */
static inline char *reference_edit(const char *text, const char *from, const char *to)
{
    const char *at = from ? strstr(text, from) : NULL;

    ck_assert_msg(!from || at, "'%s' is not in the text", from);
    return at ? xformat("%.*s%s%s", (int) (at - text), text, to, at + strlen(from)) : xstrdup(text);
}

/* As it stands in a file. "<e48>" is 48 times the digit e twice. */
static inline char *reference_json(const char *from, const char *to)
{
    scoped(freep) char *text = reference_edit(reference_text, from, to);
    char *json = xalloc(200 * strlen(text) + 1), *end = json;

    for (const char *at = text; *at; at++) {
        if (*at != '<') {
            *end++ = *at == '\'' ? '"' : *at;
            continue;
        }
        size_t digits = (size_t) ((at[2] - '0') * 10 + at[3] - '0') * 2;
        memset(end, at[1], digits);
        end += digits;
        at += 4;
    }
    return json;
}
