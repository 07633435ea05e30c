/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* PEM by hand: the library passes over what it does not understand between two blocks. */
#include "evidence/evidence.h"

enum pem_result {
    PEM_TAKEN,
    PEM_OTHER,   /* something else stands there */
    PEM_DAMAGED, /* no base64, more than there is room for, or no end */
};

struct pem_block {
    const char *label; /* "CERTIFICATE": what is wanted */
    uint8_t *der;      /* room for the bytes */
    size_t room, length;
};

/* Without the white space at the beginning. */
struct chain_bytes pem_trimmed(struct chain_bytes text);
/* One block off the front of the text. */
enum pem_result pem_take(struct chain_bytes *text, struct pem_block *block)
    __attribute__((warn_unused_result));
