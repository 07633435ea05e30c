/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A TDREPORT: what the TDX module says about a trust domain to its own processor, under a key that
 * never leaves it. Nobody else can verify one. What can be is the quote that was made of it: here
 * is whether the two are about the same. */
#include <stddef.h>
#include <stdint.h>

struct finding;
struct tdx_body;

enum { TD_REPORT_SIZE = 1024 };

/* The fields of both, byte by byte, and the two hashes by which a TDREPORT holds together. Nothing
 * is proven by it: the quote has to be verified. */
int td_report_check(const uint8_t report[TD_REPORT_SIZE], const struct tdx_body *body,
                    struct finding *finding) __attribute__((warn_unused_result));
