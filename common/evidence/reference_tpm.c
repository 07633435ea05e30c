/* SPDX-License-Identifier: Apache-2.0 */
/* The section "tpm", and those of Azure, where a report of the hardware vouches for the TPM. */
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/reference_section.h"

static const uint32_t all_pcrs = (1u << REGISTERS_MAX) - 1;

static int read_anchor(const struct reference_target *target, const struct js *value,
                       struct error *err)
{
    struct reference_tpm *tpm = target->to;

    if (!text_equal(js_string(value), "host-vtpm"))
        return reference_error(err, "\"host-vtpm\"");
    tpm->host_vtpm = true;
    return 0;
}

static int read_keys(const struct reference_target *target, const struct js *value,
                     struct error *err)
{
    struct reference_list list = {.size = TPM_KEY_SPKI_DIGEST_SIZE};
    struct reference_tpm *tpm = target->to;

    if (text_equal(js_string(value), "any")) {
        tpm->keys = REFERENCE_KEYS_ANY;
        return 0;
    }
    if (js_type(value) != JS_ARRAY)
        return reference_error(err, "\"any\", or a list of SHA-256 digests of public keys");
    if (reference_read_list(value, target->arena, &list, err) < 0)
        return -1;
    tpm->keys = REFERENCE_KEYS_LISTED;
    tpm->enrolled = (const uint8_t(*)[TPM_KEY_SPKI_DIGEST_SIZE]) list.values;
    tpm->enrolled_count = list.count;
    return 0;
}

struct pcrs {
    struct reference_arena *arena;
    struct registers_lists *lists;
};

/* "7", never "07" or "+7". */
static int read_index(const char *text, unsigned *ret, struct error *err)
{
    uint64_t index;

    if (!text_to_u64(text, &index) || index >= REGISTERS_MAX || (text[0] == '0' && text[1]))
        return error_set(err, STATUS_INVALID_ARGUMENT, "there is no PCR '%s'", text);
    *ret = (unsigned) index;
    return 0;
}

static int read_pcr(void *user, const char *key, struct js *value, struct error *err)
{
    struct reference_list list = {.size = SHA256_SIZE, .zero = REFERENCE_ZERO};
    const struct pcrs *pcrs = user;
    unsigned index = 0;

    if (read_index(key, &index, err) < 0)
        return -1;
    if (reference_read_list(value, pcrs->arena, &list, err) < 0)
        return error_wrap(err, "%s", key);
    pcrs->lists->set |= BIT(index);
    pcrs->lists->lists[index] = (struct registers_list){(const uint8_t(*)[SHA256_SIZE]) list.values,
                                                        list.count};
    return 0;
}

static int read_pcrs(const struct reference_target *target, const struct js *value,
                     struct error *err)
{
    struct reference_tpm *tpm = target->to;
    struct pcrs pcrs = {target->arena, &tpm->pcrs};

    if (js_type(value) != JS_OBJECT || !js_length(value))
        return reference_error(err, "an object of lists by PCR");
    return js_each(value, read_pcr, &pcrs, err);
}

static int read_selection(const struct reference_target *target, const struct js *value,
                          struct error *err)
{
    struct reference_tpm *tpm = target->to;
    uint64_t index;

    if (text_equal(js_string(value), "all")) {
        tpm->selection = all_pcrs;
        return 0;
    }
    if (js_type(value) != JS_ARRAY || !js_length(value))
        return reference_error(err, "\"all\", or a list of PCRs");
    for (size_t i = 0; i < js_length(value); i++) {
        if (reference_read_number(js_at(value, i), REGISTERS_MAX - 1, &index, err) < 0)
            return error_wrap(err, "[%zu]", i);
        tpm->selection |= BIT(index);
    }
    return 0;
}

static int read_load(const struct reference_target *target, const struct js *value,
                     struct error *err)
{
    struct reference_list list = {.size = SHA256_SIZE};
    struct registers_list *to = target->to;

    if (reference_read_list(value, target->arena, &list, err) < 0)
        return -1;
    *to = (struct registers_list){(const uint8_t(*)[SHA256_SIZE]) list.values, list.count};
    return 0;
}

static int read_cmdline(const struct reference_target *target, const struct js *value,
                        struct error *err)
{
    struct reference_tpm *tpm = target->to;

    return read_load(&(struct reference_target){target->arena, &tpm->cmdline}, value, err);
}

static int read_initrd(const struct reference_target *target, const struct js *value,
                       struct error *err)
{
    struct reference_tpm *tpm = target->to;

    return read_load(&(struct reference_target){target->arena, &tpm->initrd}, value, err);
}

static int read_loads(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    static const struct reference_member list[] = {
        {"cmdline", read_cmdline, true},
        {"initrd", read_initrd, true},
    };
    static const struct reference_members members = {list, ARRAY_LENGTH(list)};

    return reference_read_members(value, &members, target, err);
}

/* Which PCRs are to be quoted: those with values, if the file does not say. */
static int check_selection(struct reference_tpm *tpm, struct error *err)
{
    if (!tpm->selection)
        tpm->selection = tpm->pcrs.set;
    if (tpm->pcrs.set & ~tpm->selection)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "selection: a PCR of pcrs is not in it, so it would not be quoted");
    return 0;
}

int reference_tpm_read(const struct js *section, struct reference_arena *arena,
                       struct reference_tpm *ret, struct error *err)
{
    static const struct reference_member list[] = {
        {"trust_anchor", read_anchor, false},
        {"attestation_keys", read_keys, true},
        {"pcrs", read_pcrs, true},
        {"selection", read_selection, false},
        {"loads", read_loads, false},
    };
    static const struct reference_members members = {list, ARRAY_LENGTH(list)};
    const struct reference_target target = {arena, ret};

    if (reference_read_members(section, &members, &target, err) < 0)
        return -1;
    if (!ret->host_vtpm)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "trust_anchor is missing: a TPM that the host runs says what the host "
                         "wants it to say, it gives no protection from the host; whoever wants it "
                         "nevertheless has to write \"trust_anchor\": \"host-vtpm\"");
    return check_selection(ret, err);
}

/* ---- Azure ----------------------------------------------------------------------------------- */

static int read_azure_pcrs(const struct reference_target *target, const struct js *value,
                           struct error *err)
{
    struct reference_azure *azure = target->to;

    return read_pcrs(&(struct reference_target){target->arena, &azure->tpm}, value, err);
}

static int read_azure_selection(const struct reference_target *target, const struct js *value,
                                struct error *err)
{
    struct reference_azure *azure = target->to;

    return read_selection(&(struct reference_target){target->arena, &azure->tpm}, value, err);
}

static int read_azure_snp(const struct reference_target *target, const struct js *value,
                          struct error *err)
{
    struct reference_azure *azure = target->to;
    struct snp_policy *policy = reference_keep(target->arena, sizeof(*policy));

    azure->snp = policy;
    return reference_snp_read(value, target->arena, policy, err);
}

static int read_azure_tdx(const struct reference_target *target, const struct js *value,
                          struct error *err)
{
    struct reference_azure *azure = target->to;
    struct tdx_policy *policy = reference_keep(target->arena, sizeof(*policy));

    azure->tdx = policy;
    return reference_tdx_read(value, target->arena, policy, err);
}

static int read_azure(const struct js *section, const struct reference_member hardware,
                      const struct reference_target *target, struct error *err)
{
    const struct reference_member list[] = {
        hardware,
        {"pcrs", read_azure_pcrs, true},
        {"selection", read_azure_selection, false},
    };
    const struct reference_members members = {list, ARRAY_LENGTH(list)};
    struct reference_azure *azure = target->to;

    if (reference_read_members(section, &members, target, err) < 0)
        return -1;
    return check_selection(&azure->tpm, err);
}

int reference_azure_read_snp(const struct js *section, struct reference_arena *arena,
                             struct reference_azure *ret, struct error *err)
{
    return read_azure(section, (struct reference_member){"snp", read_azure_snp, true},
                      &(struct reference_target){arena, ret}, err);
}

int reference_azure_read_tdx(const struct js *section, struct reference_arena *arena,
                             struct reference_azure *ret, struct error *err)
{
    return read_azure(section, (struct reference_member){"tdx", read_azure_tdx, true},
                      &(struct reference_target){arena, ret}, err);
}
