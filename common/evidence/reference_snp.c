/* SPDX-License-Identifier: Apache-2.0 */
/* The section "snp": what a policy for reports of SEV-SNP can ask for. */
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/reference_section.h"

enum { TURIN_CHIP_ID_SIZE = 8, CSP_IDS_MAX = 16, VMPL_MAX = 3 };

struct named_bit {
    const char *name;
    uint64_t bit;
};

static const struct named_bit guest_bits[] = {
    {"smt", SNP_POLICY_SMT},
    {"migrate_ma", SNP_POLICY_MIGRATE_MA},
    {"debug", SNP_POLICY_DEBUG},
    {"single_socket", SNP_POLICY_SINGLE_SOCKET},
    {"cxl", SNP_POLICY_CXL},
    {"aes_256_xts", SNP_POLICY_AES_256_XTS},
    {"rapl_disabled", SNP_POLICY_RAPL_DISABLED},
    {"ciphertext_hiding", SNP_POLICY_CIPHERTEXT},
    {"page_swap_disabled", SNP_POLICY_NO_SWAP},
};

static const struct named_bit platform_bits[] = {
    {"tsme", BIT(1)},
    {"ecc", BIT(2)},
    {"rapl_disabled", BIT(3)},
    {"ciphertext_hiding", BIT(4)},
    {"alias_check_complete", BIT(5)},
};

static const struct named_bit *find_bit(const struct named_bit *bits, size_t count,
                                        const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(bits[i].name, name))
            return &bits[i];
    return NULL;
}

static int read_measurements(const struct reference_target *target, const struct js *value,
                             struct error *err)
{
    struct reference_list list = {.size = SNP_MEASUREMENT_SIZE};
    struct snp_policy *policy = target->to;

    if (reference_read_list(value, target->arena, &list, err) < 0)
        return -1;
    policy->measurements = (const uint8_t(*)[SNP_MEASUREMENT_SIZE]) list.values;
    policy->measurement_count = list.count;
    return 0;
}

static int read_author_keys(const struct reference_target *target, const struct js *value,
                            struct error *err)
{
    struct reference_list list = {.size = SNP_KEY_DIGEST_SIZE};
    struct snp_policy *policy = target->to;

    if (reference_read_list(value, target->arena, &list, err) < 0)
        return -1;
    policy->author_keys = (const uint8_t(*)[SNP_KEY_DIGEST_SIZE]) list.values;
    policy->author_key_count = list.count;
    return 0;
}

/* 64 bytes, or the 8 that a Turin has. */
static int read_chip(const struct js *value, uint8_t to[SNP_CHIP_ID_SIZE], struct error *err)
{
    const char *text = js_string(value);
    bool is_short = text && strlen(text) == 2 * TURIN_CHIP_ID_SIZE;

    return reference_read_hex(value, to, is_short ? TURIN_CHIP_ID_SIZE : SNP_CHIP_ID_SIZE, err);
}

static int read_chips(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    struct snp_policy *policy = target->to;
    size_t count = js_length(value);
    uint8_t(*chips)[SNP_CHIP_ID_SIZE];

    if (js_type(value) != JS_ARRAY || !count || count > REFERENCE_LIST_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a list of 1 to %d is wanted",
                         REFERENCE_LIST_MAX);
    chips = reference_keep(target->arena, count * sizeof(*chips));
    for (size_t i = 0; i < count; i++)
        if (read_chip(js_at(value, i), chips[i], err) < 0)
            return error_wrap(err, "[%zu]", i);
    policy->chips = (const uint8_t(*)[SNP_CHIP_ID_SIZE]) chips;
    policy->chip_count = count;
    return 0;
}

static int find_product(const char *name, unsigned *ret, struct error *err)
{
    for (unsigned product = 0; product < SNP_PRODUCTS; product++) {
        if (!text_equal(name, snp_product_name(product)))
            continue;
        *ret = product;
        return 0;
    }
    return reference_error(err, "Milan, Genoa or Turin");
}

static int read_products(const struct reference_target *target, const struct js *value,
                         struct error *err)
{
    struct snp_policy *policy = target->to;
    unsigned product = 0;

    if (js_type(value) != JS_ARRAY || !js_length(value))
        return reference_error(err, "a list of products");
    for (size_t i = 0; i < js_length(value); i++) {
        if (find_product(js_string(js_at(value, i)), &product, err) < 0)
            return -1;
        policy->products |= BIT(product);
    }
    return 0;
}

static int read_keys(const struct reference_target *target, const struct js *value,
                     struct error *err)
{
    static const char *const words[2] = {[SNP_VCEK] = "vcek", [SNP_VLEK] = "vlek"};
    struct snp_policy *policy = target->to;
    unsigned key = 0;

    if (js_type(value) != JS_ARRAY || !js_length(value))
        return reference_error(err, "a list of vcek, vlek or both");
    policy->keys = 0;
    for (size_t i = 0; i < js_length(value); i++) {
        if (reference_read_word(js_at(value, i), words, &key, err) < 0)
            return -1;
        policy->keys |= BIT(key);
    }
    return 0;
}

static int read_csp_ids(const struct reference_target *target, const struct js *value,
                        struct error *err)
{
    struct snp_policy *policy = target->to;
    size_t count = js_length(value);
    const char *text;
    const char **ids;

    if (js_type(value) != JS_ARRAY || !count || count > CSP_IDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a list of 1 to %d is wanted", CSP_IDS_MAX);
    ids = reference_keep(target->arena, (count + 1) * sizeof(*ids));
    for (size_t i = 0; i < count; i++) {
        if (reference_read_text(js_at(value, i), &text, err) < 0)
            return error_wrap(err, "[%zu]", i);
        char *copy = reference_keep(target->arena, strlen(text) + 1);
        memcpy(copy, text, strlen(text) + 1);
        ids[i] = copy;
    }
    policy->csp_ids = ids;
    return 0;
}

/* ---- numbers and bits ------------------------------------------------------------------------ */

static int read_version(const struct reference_target *target, const struct js *value,
                        struct error *err)
{
    struct snp_policy *policy = target->to;
    uint64_t number;

    if (reference_read_number(value, SNP_VERSION_MAX, &number, err) < 0)
        return -1;
    policy->version_min = (uint32_t) number;
    return 0;
}

static int read_guest_svn(const struct reference_target *target, const struct js *value,
                          struct error *err)
{
    struct snp_policy *policy = target->to;
    uint64_t number;

    if (reference_read_number(value, UINT32_MAX, &number, err) < 0)
        return -1;
    policy->guest_svn_min = (uint32_t) number;
    return 0;
}

static int read_vmpl(const struct reference_target *target, const struct js *value,
                     struct error *err)
{
    struct snp_policy *policy = target->to;
    uint64_t number;

    if (reference_read_number(value, VMPL_MAX, &number, err) < 0)
        return -1;
    policy->vmpl = (uint32_t) number;
    return 0;
}

static int read_crl(const struct reference_target *target, const struct js *value,
                    struct error *err)
{
    static const char *const words[2] = {
        [SNP_CRL_IF_GIVEN] = "if-given", [SNP_CRL_REQUIRED] = "required"};
    struct snp_policy *policy = target->to;
    unsigned need;

    if (reference_read_word(value, words, &need, err) < 0)
        return -1;
    policy->crl = need;
    return 0;
}

static int read_platform(const struct reference_target *target, const struct js *value,
                         struct error *err)
{
    struct snp_policy *policy = target->to;

    if (js_type(value) != JS_ARRAY || !js_length(value))
        return reference_error(err, "a list of names of bits that have to be set");
    for (size_t i = 0; i < js_length(value); i++) {
        const struct named_bit *bit = find_bit(platform_bits, ARRAY_LENGTH(platform_bits),
                                               js_string(js_at(value, i)));

        if (!bit)
            return reference_error(
                err, "tsme, ecc, rapl_disabled, ciphertext_hiding or alias_check_complete");
        policy->platform_one |= bit->bit;
    }
    return 0;
}

static int read_abi(const struct js *value, struct snp_policy *policy, struct error *err)
{
    const char *text = js_string(value);
    unsigned major, minor;
    int end = -1;

    if (!text || strspn(text, "0123456789.") != strlen(text) ||
        sscanf(text, "%3u.%3u%n", &major, &minor, &end) != 2 || end < 0 || text[end] ||
        major > UINT8_MAX || minor > UINT8_MAX)
        return reference_error(err, "a version like \"1.55\"");
    policy->abi_major_min = (uint8_t) major;
    policy->abi_minor_min = (uint8_t) minor;
    return 0;
}

static int read_guest_bit(void *user, const char *key, struct js *value, struct error *err)
{
    const struct named_bit *bit = find_bit(guest_bits, ARRAY_LENGTH(guest_bits), key);
    struct snp_policy *policy = user;

    if (text_equal(key, "abi_min"))
        return read_abi(value, policy, err) < 0 ? error_wrap(err, "abi_min") : 0;
    if (!bit)
        return error_set(err, STATUS_INVALID_ARGUMENT, "there is no member '%s' in this format",
                         key);
    if (js_type(value) != JS_BOOLEAN && !text_equal(js_string(value), "any"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: true, false or \"any\" is wanted", key);
    if (js_type(value) == JS_BOOLEAN && !js_boolean(value, true))
        return 0;
    if (bit->bit & (SNP_POLICY_DEBUG | SNP_POLICY_MIGRATE_MA))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s cannot be allowed: %s could read the guest", key,
                         bit->bit == SNP_POLICY_DEBUG ? "the host" : "a migration agent");
    policy->policy_zero &= ~bit->bit;
    if (js_type(value) == JS_BOOLEAN)
        policy->policy_one |= bit->bit;
    return 0;
}

/* Exactly: what is not named has to be clear. */
static int read_guest_policy(const struct reference_target *target, const struct js *value,
                             struct error *err)
{
    struct snp_policy *policy = target->to;

    if (js_type(value) != JS_OBJECT)
        return reference_error(err, "an object");
    for (size_t i = 0; i < ARRAY_LENGTH(guest_bits); i++)
        policy->policy_zero |= guest_bits[i].bit;
    return js_each(value, read_guest_bit, policy, err);
}

static const struct reference_member members[] = {
    {"measurements", read_measurements, true},
    {"products", read_products, true},
    {"tcb_min", reference_tcb_read, true},
    {"guest_policy", read_guest_policy, true},
    {"chips", read_chips, false},
    {"keys", read_keys, false},
    {"csp_ids", read_csp_ids, false},
    {"report_version_min", read_version, false},
    {"guest_svn_min", read_guest_svn, false},
    {"author_keys", read_author_keys, false},
    {"platform_info", read_platform, false},
    {"vmpl", read_vmpl, false},
    {"crl", read_crl, false},
};

/* What one member cannot know of another. */
static int check(const struct js *section, const struct snp_policy *policy, struct error *err)
{
    const struct js *floors = js_get(section, "tcb_min");

    for (unsigned product = 0; product < SNP_PRODUCTS; product++) {
        const char *name = snp_product_name(product);

        if (!(policy->products & BIT(product)) == !js_get(floors, name))
            continue;
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "tcb_min: each product that is allowed has a floor (0 takes any), and no "
                         "other: %s",
                         name);
    }
    if (policy->chip_count && policy->keys & BIT(SNP_VLEK))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "chips: a VLEK does not vouch for a chip, so keys can only be vcek");
    if (policy->csp_ids && !(policy->keys & BIT(SNP_VLEK)))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "csp_ids: it says whose VLEK is allowed, and keys has no vlek");
    return 0;
}

int reference_snp_read(const struct js *section, struct reference_arena *arena,
                       struct snp_policy *ret, struct error *err)
{
    static const struct reference_members all = {members, ARRAY_LENGTH(members)};
    const struct reference_target target = {arena, ret};

    *ret = snp_policy_strict;
    ret->crl = SNP_CRL_REQUIRED;
    ret->products = 0;
    if (reference_read_members(section, &all, &target, err) < 0)
        return -1;
    return check(section, ret, err);
}
