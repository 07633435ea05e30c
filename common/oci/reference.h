/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Digests as OCI writes them: "sha256:" and 64 lower-case hexadecimal digits. No other algorithm.
 */
#include <stdbool.h>
#include <stdint.h>

struct error;

enum { REFERENCE_DIGEST_SIZE = 32, REFERENCE_DIGEST_TEXT = 7 + 64 + 1 /* with the NUL */ };

bool reference_is_digest(const char *text);
int reference_parse_digest(const char *text, uint8_t ret[REFERENCE_DIGEST_SIZE], struct error *err)
    __attribute__((warn_unused_result));
void reference_format_digest(const uint8_t digest[REFERENCE_DIGEST_SIZE],
                             char ret[REFERENCE_DIGEST_TEXT]);
/* The digits alone, inside text, which is a digest: a name in a blob store. */
const char *reference_digits(const char *text);
