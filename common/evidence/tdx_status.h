/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How current a platform is, in Intel's words. */

enum tdx_status {
    TDX_UNCHECKED, /* without collateral nobody knows */
    TDX_UP_TO_DATE,
    TDX_SW_HARDENING_NEEDED,
    TDX_CONFIGURATION_NEEDED,
    TDX_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TDX_OUT_OF_DATE,
    TDX_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TDX_REVOKED,
    TDX_STATUSES
};

const char *tdx_status_name(enum tdx_status status); /* "UpToDate" */
enum tdx_status tdx_status_find(const char *name);   /* TDX_UNCHECKED: there is none such */
/* Of a platform and one of its parts together, in either order. */
enum tdx_status tdx_status_join(enum tdx_status a, enum tdx_status b);
