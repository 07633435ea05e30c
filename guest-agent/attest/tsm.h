/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Reports of the processor by the kernel's configfs-tsm: a directory per request, in which the
 * question is written and the answer is read. */
#include <stddef.h>
#include <stdint.h>

struct error;
struct evidence_output;

enum tsm_provider { TSM_SNP, TSM_TDX, TSM_PROVIDERS };
enum { TSM_REPORT_DATA_SIZE = 64 };

const char *tsm_provider_name(enum tsm_provider provider); /* "snp" */

struct tsm_request {
    const char *root; /* /sys/kernel/config/tsm/report */
    enum tsm_provider provider;
    const uint8_t *report_data; /* TSM_REPORT_DATA_SIZE bytes */
};

/* Which one this machine has. */
int tsm_find(const char *root, enum tsm_provider *ret, struct error *err)
    __attribute__((warn_unused_result));
/* The report and what comes with it, of that provider and of no other; it says the report data that
 * it was asked for. */
int tsm_report(const struct tsm_request *request, struct evidence_output *output, struct error *err)
    __attribute__((warn_unused_result));
/* -1 unless HOST_DATA of a report of TSM_SNP is the digest of these bytes. */
int tsm_check_host_data(const struct evidence_output *output, const void *initdata, size_t length,
                        struct error *err) __attribute__((warn_unused_result));
