/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* RFC 4648 section 5: what JWK writes without padding and Azure's attester with it. */
#include <stddef.h>
#include <stdint.h>

struct error;

/* Refuses more than `limit` decoded bytes before allocating. */
int base64url_decode(const char *text, size_t limit, uint8_t **ret, size_t *ret_length,
                     struct error *err) __attribute__((warn_unused_result));
