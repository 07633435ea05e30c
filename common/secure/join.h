/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How a second connection proves that it belongs to an appraised one: a mac under a key that only
 * the two ends of the control connection can export. */
#include <stdint.h>

enum join_direction { JOIN_TO_GUEST = 1, JOIN_TO_TENANT = 2 };

struct join_statement {
    enum join_direction direction; /* load-bearing: a mac cannot be reflected */
    uint8_t class;
    uint16_t serial;
    uint8_t control_id[16];
    uint8_t nonce[32];
    uint8_t exporter[32]; /* of the new connection */
    uint8_t guest_spki[32];
    uint8_t tenant_spki[32];
};

/* key: exporter of the control connection with EXPORTER_LABEL_JOIN. */
void join_mac(const uint8_t key[32], const struct join_statement *statement, uint8_t ret[32]);
/* The first 16 bytes of SHA-256(E). */
void join_control_id(const uint8_t exporter[32], uint8_t ret[16]);
