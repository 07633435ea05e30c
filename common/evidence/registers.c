/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/registers.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/finding.h"

static const char *const bank_names[] = {
    [DIGEST_SHA256] = "sha256",
    [DIGEST_SHA384] = "sha384",
};

void registers_init(struct registers *registers, enum registers_kind kind, enum digest_type type)
{
    *registers = (struct registers){.kind = kind, .type = type};
}

size_t registers_count(enum registers_kind kind)
{
    return kind == REGISTERS_PCR ? REGISTERS_MAX : 4;
}

size_t registers_size(enum digest_type type)
{
    return type == DIGEST_SHA256 ? SHA256_SIZE : SHA384_SIZE;
}

const char *registers_bank(enum digest_type type)
{
    return bank_names[type];
}

const char *registers_kind_name(enum registers_kind kind)
{
    return kind == REGISTERS_PCR ? "PCR" : "RTMR";
}

void registers_extend(struct registers *registers, unsigned index, const uint8_t *digest)
{
    size_t size = registers_size(registers->type);
    uint8_t joined[2 * SHA384_SIZE];

    assert(index < registers_count(registers->kind));
    memcpy(joined, registers->values[index], size);
    memcpy(joined + size, digest, size);
    if (registers->type == DIGEST_SHA256)
        digest_sha256(joined, 2 * size, registers->values[index]);
    else
        digest_sha384(joined, 2 * size, registers->values[index]);
    registers->set |= BIT(index);
}

/* "7", never "07" or "+7". */
static bool index_of(const char *key, size_t count, unsigned *ret)
{
    uint64_t index;

    if (!text_to_u64(key, &index) || index >= count || (key[0] == '0' && key[1]))
        return false;
    *ret = (unsigned) index;
    return true;
}

static int parse_register(void *user, const char *key, struct js *value, struct error *err)
{
    struct registers *registers = user;
    const char *text = js_string(value);
    unsigned index;

    if (!index_of(key, registers_count(registers->kind), &index))
        return error_set(err, STATUS_INVALID_ARGUMENT, "there is no %s '%s'",
                         registers_kind_name(registers->kind), key);
    if (!text)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s %u is no string",
                         registers_kind_name(registers->kind), index);
    if (hex_decode(text, registers->values[index], registers_size(registers->type), err) < 0)
        return error_wrap(err, "%s %u", registers_kind_name(registers->kind), index);
    registers->set |= BIT(index);
    return 0;
}

int registers_parse(const char *text, size_t length, struct registers *ret, struct finding *finding)
{
    static const char *const banks[] = {"sha256", "sha384", NULL};
    scoped(js_freep) struct js *root = NULL;
    struct registers read;
    struct error err;
    struct js *bank;

    registers_init(&read, ret->kind, ret->type);
    if (length > REGISTERS_JSON_MAX)
        return finding_set(finding, FINDING_REFERENCE, "reference values of %zu bytes, limit %d",
                           length, REGISTERS_JSON_MAX);
    if (js_parse(text, length, &root, &err) < 0 || js_only(root, banks, &err) < 0)
        return finding_set(finding, FINDING_REFERENCE, "reference values: %s", err.message);
    bank = js_get(root, bank_names[ret->type]);
    if (js_type(bank) != JS_OBJECT || js_length(bank) == 0)
        return finding_set(finding, FINDING_REFERENCE, "reference values: none for %s",
                           bank_names[ret->type]);
    if (js_each(bank, parse_register, &read, &err) < 0)
        return finding_set(finding, FINDING_REFERENCE, "reference values: %s: %s",
                           bank_names[ret->type], err.message);
    *ret = read;
    return 0;
}

static int same_value(const struct registers *found, const struct registers *expected, unsigned i,
                      const char *what, struct finding *finding)
{
    char hex[2 * 8 + 1];

    if (memcmp(found->values[i], expected->values[i], registers_size(found->type)) == 0)
        return 0;
    hex_encode(found->values[i], 8, hex);
    return finding_set(finding, FINDING_REGISTER_VALUE, "%s %u of bank %s is %s..., not %s",
                       registers_kind_name(found->kind), i, bank_names[found->type], hex, what);
}

static void same_shape(const struct registers *a, const struct registers *b)
{
    assert(a->kind == b->kind && a->type == b->type);
}

int registers_match(const struct registers *found, const struct registers *reference,
                    struct finding *finding)
{
    same_shape(found, reference);
    for (unsigned i = 0; i < registers_count(found->kind); i++) {
        if ((found->set & ~reference->set) & BIT(i))
            return finding_set(finding, FINDING_REGISTER_TOUCHED,
                               "%s %u is extended, but has no reference value",
                               registers_kind_name(found->kind), i);
        if ((reference->set & BIT(i)) &&
            same_value(found, reference, i, "the reference value", finding) < 0)
            return -1;
    }
    return 0;
}

int registers_cover(const struct registers *quoted, const struct registers *reference,
                    struct finding *finding)
{
    same_shape(quoted, reference);
    for (unsigned i = 0; i < registers_count(quoted->kind); i++) {
        if (!(reference->set & BIT(i)))
            continue;
        if (!(quoted->set & BIT(i)))
            return finding_set(finding, FINDING_QUOTE_PCRS,
                               "%s %u has a reference value, but is not quoted",
                               registers_kind_name(quoted->kind), i);
        if (same_value(quoted, reference, i, "the reference value", finding) < 0)
            return -1;
    }
    return 0;
}

static bool in_list(const uint8_t *value, const struct registers_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (memcmp(value, list->values[i], SHA256_SIZE) == 0)
            return true;
    return false;
}

int registers_allow(const struct registers *quoted, const struct registers_lists *lists,
                    struct finding *finding)
{
    assert(quoted->type == DIGEST_SHA256);
    for (unsigned i = 0; i < registers_count(quoted->kind); i++) {
        const char *kind = registers_kind_name(quoted->kind);
        char hex[2 * 8 + 1];

        if (!(lists->set & BIT(i)))
            continue;
        if (!(quoted->set & BIT(i)))
            return finding_set(finding, FINDING_QUOTE_PCRS,
                               "%s %u has reference values, but is not quoted", kind, i);
        if (in_list(quoted->values[i], &lists->lists[i]))
            continue;
        hex_encode(quoted->values[i], 8, hex);
        return finding_set(finding, FINDING_REGISTER_VALUE,
                           "%s %u of bank sha256 is %s..., which is none of its %zu reference "
                           "values",
                           kind, i, hex, lists->lists[i].count);
    }
    return 0;
}

int registers_prove(const struct registers *quoted, const struct registers *replayed,
                    uint32_t except, struct finding *finding)
{
    same_shape(quoted, replayed);
    for (unsigned i = 0; i < registers_count(quoted->kind); i++)
        if (((quoted->set & ~except) & BIT(i)) &&
            same_value(quoted, replayed, i, "what the log replays to", finding) < 0)
            return -1;
    return 0;
}
