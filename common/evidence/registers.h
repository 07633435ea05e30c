/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The measurement registers of one bank: PCRs 0 to 23, or RTMR0 to RTMR3. */
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct finding;

enum { REGISTERS_MAX = 24, REGISTERS_JSON_MAX = 65536 };

enum registers_kind { REGISTERS_PCR, REGISTERS_RTMR };

struct registers {
    enum registers_kind kind;
    enum digest_type type;
    uint32_t set; /* bit n: register n has been extended, is quoted, or has a reference value */
    uint8_t values[REGISTERS_MAX][SHA384_SIZE]; /* the first registers_size() bytes of each */
};

void registers_init(struct registers *registers, enum registers_kind kind, enum digest_type type);
size_t registers_count(enum registers_kind kind);          /* 24 or 4 */
size_t registers_size(enum digest_type type);              /* of a value: 32 or 48 */
const char *registers_bank(enum digest_type type);         /* "sha256" */
const char *registers_kind_name(enum registers_kind kind); /* "PCR" */

/* value = hash(value || digest) */
void registers_extend(struct registers *registers, unsigned index, const uint8_t *digest);

/* Reference values: {"sha256": {"0": "<hex>", ...}, "sha384": ...}; the bank of ret's type, which
 * must be there. Indices are decimal without a leading zero, nothing else may stand in it. */
int registers_parse(const char *text, size_t length, struct registers *ret, struct finding *finding)
    __attribute__((warn_unused_result));

/* What a log makes of the registers, against the reference: each listed one has its value, no other
 * one is touched. */
int registers_match(const struct registers *found, const struct registers *reference,
                    struct finding *finding) __attribute__((warn_unused_result));

/* What was quoted, against the reference: each listed one is quoted and has its value. */
int registers_cover(const struct registers *quoted, const struct registers *reference,
                    struct finding *finding) __attribute__((warn_unused_result));

/* Several values that a register may have; of bank SHA-256. */
struct registers_lists {
    uint32_t set; /* those that have a list */
    struct registers_list {
        const uint8_t (*values)[SHA256_SIZE];
        size_t count;
    } lists[REGISTERS_MAX];
};

/* What was quoted, against these: each listed one is quoted and has one of its values. */
int registers_allow(const struct registers *quoted, const struct registers_lists *lists,
                    struct finding *finding) __attribute__((warn_unused_result));

/* What was quoted, against what a log replays to: each quoted one has the value of the replay, but
 * for those of the mask `except` (of PCR 10, which is the kernel's own, firmware keeps no log). */
int registers_prove(const struct registers *quoted, const struct registers *replayed,
                    uint32_t except, struct finding *finding) __attribute__((warn_unused_result));
