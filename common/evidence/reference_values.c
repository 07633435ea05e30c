/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/reference_values.h"

#include "base/date.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/reference_section.h"

enum { REVOKED_MAX = 1024, EPOCHS_MAX = 4096, POD_NAME_MAX = 253 };

#define FORMAT "cleave-reference-values/1"

struct digest_value {
    uint8_t bytes[SHA384_SIZE];
    size_t size;
};

struct epoch {
    char *pod;
    uint64_t min;
};

enum section {
    SECTION_SNP,
    SECTION_TDX,
    SECTION_TPM,
    SECTION_AZ_SNP,
    SECTION_AZ_TDX,
};

struct reference_values {
    struct reference_arena arena;
    char id[REFERENCE_VALUES_ID_MAX + 1];
    uint64_t serial;
    int64_t not_after;
    struct digest_value *revoked;
    size_t revoked_count;
    struct epoch *epochs;
    size_t epoch_count;
    unsigned sections; /* BIT(enum section) of those that are there */
    struct snp_policy snp;
    struct tdx_policy tdx;
    struct reference_tpm tpm;
    struct reference_azure az_snp, az_tdx;
};

static int read_format(const struct reference_target *target, const struct js *value,
                       struct error *err)
{
    (void) target;
    return text_equal(js_string(value), FORMAT) ? 0 : reference_error(err, "\"" FORMAT "\"");
}

static int read_id(const struct reference_target *target, const struct js *value, struct error *err)
{
    struct reference_values *values = target->to;
    const char *text = js_string(value);

    if (!text || strlen(text) > REFERENCE_VALUES_ID_MAX || !text_is_identifier(text))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "1 to %d letters and digits, with single '.', '-' or '_' between them, "
                         "are wanted",
                         REFERENCE_VALUES_ID_MAX);
    memcpy(values->id, text, strlen(text) + 1);
    return 0;
}

static int read_serial(const struct reference_target *target, const struct js *value,
                       struct error *err)
{
    struct reference_values *values = target->to;

    return reference_read_number(value, INT64_MAX, &values->serial, err);
}

static int read_not_after(const struct reference_target *target, const struct js *value,
                          struct error *err)
{
    struct reference_values *values = target->to;
    const char *text = js_string(value);

    if (!text || !date_parse(text, &values->not_after))
        return reference_error(err, "a time like \"2027-01-01T00:00:00Z\"");
    return 0;
}

static bool is_zero(const struct digest_value *digest)
{
    static const uint8_t zero[SHA384_SIZE];

    return memcmp(digest->bytes, zero, digest->size) == 0;
}

static int read_digest(const struct js *value, struct digest_value *ret, struct error *err)
{
    const char *text = js_string(value);

    ret->size = text && strlen(text) == 2 * SHA256_SIZE ? SHA256_SIZE : SHA384_SIZE;
    if (!text || hex_decode(text, ret->bytes, ret->size, err) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%d or %d hexadecimal digits are wanted",
                         2 * SHA256_SIZE, 2 * SHA384_SIZE);
    if (is_zero(ret))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "zeros cannot be revoked: registers that are not used have them");
    return 0;
}

static int read_revoked(const struct reference_target *target, const struct js *value,
                        struct error *err)
{
    struct reference_values *values = target->to;
    size_t count = js_length(value);

    if (js_type(value) != JS_ARRAY || count > REVOKED_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a list of at most %d is wanted",
                         REVOKED_MAX);
    values->revoked = reference_keep(target->arena, (count + 1) * sizeof(*values->revoked));
    for (size_t i = 0; i < count; i++)
        if (read_digest(js_at(value, i), &values->revoked[i], err) < 0)
            return error_wrap(err, "[%zu]", i);
    values->revoked_count = count;
    return 0;
}

static bool is_pod(const char *text)
{
    const char *slash = strchr(text, '/');

    return slash && slash != text && slash[1] && !strchr(slash + 1, '/') &&
           (size_t) (slash - text) <= POD_NAME_MAX && strlen(slash + 1) <= POD_NAME_MAX;
}

static int read_epoch(void *user, const char *key, struct js *value, struct error *err)
{
    const struct reference_target *target = user;
    struct reference_values *values = target->to;
    struct epoch *epoch = &values->epochs[values->epoch_count];

    if (!is_pod(key))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not namespace/name of a pod", key);
    if (reference_read_number(value, INT64_MAX, &epoch->min, err) < 0)
        return error_wrap(err, "%s", key);
    epoch->pod = reference_keep(target->arena, strlen(key) + 1);
    memcpy(epoch->pod, key, strlen(key) + 1);
    values->epoch_count++;
    return 0;
}

static int read_epochs(const struct reference_target *target, const struct js *value,
                       struct error *err)
{
    struct reference_values *values = target->to;
    size_t count = js_length(value);

    if (js_type(value) != JS_OBJECT || count > EPOCHS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "an object of at most %d pods is wanted",
                         EPOCHS_MAX);
    values->epochs = reference_keep(target->arena, (count + 1) * sizeof(*values->epochs));
    return js_each(value, read_epoch, (void *) target, err);
}

static int read_snp(const struct reference_target *target, const struct js *value,
                    struct error *err)
{
    struct reference_values *values = target->to;

    values->sections |= BIT(SECTION_SNP);
    return reference_snp_read(value, target->arena, &values->snp, err);
}

static int read_tdx(const struct reference_target *target, const struct js *value,
                    struct error *err)
{
    struct reference_values *values = target->to;

    values->sections |= BIT(SECTION_TDX);
    return reference_tdx_read(value, target->arena, &values->tdx, err);
}

static int read_tpm(const struct reference_target *target, const struct js *value,
                    struct error *err)
{
    struct reference_values *values = target->to;

    values->sections |= BIT(SECTION_TPM);
    return reference_tpm_read(value, target->arena, &values->tpm, err);
}

static int read_az_snp(const struct reference_target *target, const struct js *value,
                       struct error *err)
{
    struct reference_values *values = target->to;

    values->sections |= BIT(SECTION_AZ_SNP);
    return reference_azure_read_snp(value, target->arena, &values->az_snp, err);
}

static int read_az_tdx(const struct reference_target *target, const struct js *value,
                       struct error *err)
{
    struct reference_values *values = target->to;

    values->sections |= BIT(SECTION_AZ_TDX);
    return reference_azure_read_tdx(value, target->arena, &values->az_tdx, err);
}

static const struct reference_member list[] = {
    {"format", read_format, true},
    {"id", read_id, true},
    {"serial", read_serial, true},
    {"not_after", read_not_after, true},
    {"revoked", read_revoked, false},
    {"epoch_min", read_epochs, false},
    {"snp", read_snp, false},
    {"tdx", read_tdx, false},
    {"tpm", read_tpm, false},
    {"az-snp-vtpm", read_az_snp, false},
    {"az-tdx-vtpm", read_az_tdx, false},
};

static int read_all(const struct js *root, struct reference_values *values, struct error *err)
{
    static const struct reference_members members = {list, ARRAY_LENGTH(list)};
    const struct reference_target target = {&values->arena, values};

    /* Of another format nothing can be said. */
    if (js_type(root) == JS_OBJECT && js_get(root, "format") &&
        read_format(&target, js_get(root, "format"), err) < 0)
        return error_wrap(err, "format");
    if (reference_read_members(root, &members, &target, err) < 0)
        return -1;
    if (!values->sections)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "there is no section of any type of evidence: nothing would be accepted");
    return 0;
}

int reference_values_parse(const char *text, size_t length, struct reference_values **ret,
                           struct error *err)
{
    scoped(reference_values_freep) struct reference_values *values = NULL;
    scoped(js_freep) struct js *root = NULL;

    if (length > REFERENCE_VALUES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "reference values of %zu bytes, at most %d are taken", length,
                         REFERENCE_VALUES_MAX);
    values = xnew(struct reference_values);
    if (js_parse(text, length, &root, err) < 0 || read_all(root, values, err) < 0)
        return error_wrap(err, "reference values");
    *ret = take_ptr(values);
    return 0;
}

void reference_values_free(struct reference_values *values)
{
    if (!values)
        return;
    reference_arena_fini(&values->arena);
    free(values);
}

const char *reference_values_id(const struct reference_values *values)
{
    return values->id;
}

uint64_t reference_values_serial(const struct reference_values *values)
{
    return values->serial;
}

int64_t reference_values_not_after(const struct reference_values *values)
{
    return values->not_after;
}

bool reference_values_revoked(const struct reference_values *values, const uint8_t *digest,
                              size_t length)
{
    for (size_t i = 0; i < values->revoked_count; i++)
        if (values->revoked[i].size == length &&
            memcmp(values->revoked[i].bytes, digest, length) == 0)
            return true;
    return false;
}

size_t reference_values_revoked_count(const struct reference_values *values)
{
    return values->revoked_count;
}

uint64_t reference_values_epoch_min(const struct reference_values *values,
                                    const char *pod_namespace, const char *pod_name)
{
    scoped(freep) char *pod = xformat("%s/%s", pod_namespace, pod_name);

    for (size_t i = 0; i < values->epoch_count; i++)
        if (text_equal(values->epochs[i].pod, pod))
            return values->epochs[i].min;
    return 0;
}

const char *reference_values_epoch_at(const struct reference_values *values, size_t index,
                                      uint64_t *ret)
{
    if (index >= values->epoch_count)
        return NULL;
    *ret = values->epochs[index].min;
    return values->epochs[index].pod;
}

static const void *section(const struct reference_values *values, enum section which,
                           const void *there)
{
    return values->sections & BIT(which) ? there : NULL;
}

const struct snp_policy *reference_values_snp(const struct reference_values *values)
{
    return section(values, SECTION_SNP, &values->snp);
}

const struct tdx_policy *reference_values_tdx(const struct reference_values *values)
{
    return section(values, SECTION_TDX, &values->tdx);
}

const struct reference_tpm *reference_values_tpm(const struct reference_values *values)
{
    return section(values, SECTION_TPM, &values->tpm);
}

const struct reference_azure *reference_values_az_snp(const struct reference_values *values)
{
    return section(values, SECTION_AZ_SNP, &values->az_snp);
}

const struct reference_azure *reference_values_az_tdx(const struct reference_values *values)
{
    return section(values, SECTION_AZ_TDX, &values->az_tdx);
}
