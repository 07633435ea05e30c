/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs made here: read, replayed, each field wrong once, cut at each byte. The known answers
 * were computed without this code, by
 *
 *     import hashlib
 *     def replay(h, start, *events):
 *         value = start
 *         for data in events:
 *             value = hashlib.new(h, value + hashlib.new(h, data).digest()).digest()
 *         return value.hex()
 *     for h, size in ("sha256", 32), ("sha384", 48):
 *         zero = bytes(size)
 *         print(replay(h, zero[1:] + b"\3", b"version 1", bytes(4)))
 *         print(replay(h, zero, b"\0\0\1\0", bytes(4)))
 *         print(replay(h, zero, b"Calling EFI Application from Boot Option", bytes(4), b"PE hash"))
 *     print(replay("sha384", bytes(48), b"firmware", bytes(4)))
 *     print(replay("sha384", bytes(48), b"kernel"))
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/scoped.h"
#include "event_log_fixture.h"
#include "evidence/event_replay.h"
#include "evidence/finding.h"
#include "suite.h"

static const char pcr_0_sha256[] =
    "17f97fbde2f1195a555782c9bc45c6cc7d39f72d0670d8e1ab6f87ba2578e3ce";
static const char pcr_1_sha256[] =
    "8b3c038bfe4b88d4762cc8165982ba92a9bb5192b8867e00e01059b53ff9d06f";
static const char pcr_4_sha256[] =
    "e41e06d36572c062aed6174fc58da50caf45d782f64dc96897c44865c4e4267b";
static const char pcr_0_sha384[] = "e1b3ddbb2e05851839821dc9684308aece6a38c031f5487ff2ce5239a019e28"
                                   "4827456b4d56e974c2171271a8eef557b";
static const char pcr_1_sha384[] = "44464f19a71da3983fe1e2a118d0a9ea2aef1adad253fb5001c2c9c5ad95348"
                                   "32b56d08ad4661bf3b4936f50da0d8294";
static const char pcr_4_sha384[] = "46b78b2962394a583218e2b8655349977027f2dbf9758b321c45fc3beffb8d0"
                                   "fbb00cb04d9751f92c47782296991b4ec";
static const char rtmr_0[] = "a0b184d138187ee006428b34fcac78a918bb1750cdafbab4ca8d40965fc2fad2f25d5"
                             "3c9c8ac0aaf885c16326b29fcef";
static const char rtmr_1[] = "1eeb6482aa8e9f78d63bfcc444355072a3fbcfa80a234dfe66e86de8fe768831fc5e9"
                             "09fd47f40c2f803b321778f52f8";

enum { EV_S_CRTM_VERSION = 8, EV_IPL = 13, EV_EFI_BOOT_SERVICES_APPLICATION = 0x80000003 };

static const char action[] = "Calling EFI Application from Boot Option";
static const uint8_t separator[4];
/* GUID, 2 characters of name, 4 bytes of contents. */
static const uint8_t variable[32 + 4 + 4] = {[16] = 2, [24] = 4, [32] = 'B', [34] = 'o', [38] = 1};
static const uint8_t locality_3[] = "StartupLocality\0\3"; /* and a NUL that is not used */
enum { LOCALITY_SIZE = 17 };

static struct finding finding;

/* The events of the good log, by number. */
static const struct made_event good_events[] = {
    {0, EVENT_NO_ACTION, locality_3, LOCALITY_SIZE, NULL, 0},
    {0, EV_S_CRTM_VERSION, "version 1", 9, NULL, 0},
    {0, EVENT_SEPARATOR, separator, 4, NULL, 0},
    {1, EVENT_EFI_VARIABLE_BOOT, variable, sizeof(variable), variable + 36, 4},
    {1, EVENT_SEPARATOR, separator, 4, NULL, 0},
    {4, EVENT_EFI_ACTION, action, sizeof(action) - 1, NULL, 0},
    {4, EVENT_SEPARATOR, separator, 4, NULL, 0},
    {4, EV_EFI_BOOT_SERVICES_APPLICATION, "a label", 7, "PE hash", 7},
    {5, EVENT_NO_ACTION, "nobody knows what", 17, NULL, 0},
};
/* Offsets within the first event and the second. */
enum {
    SECOND = 73,
    COUNT = 8,
    FIRST_DIGEST = 12,
    DIGEST_SHA256_AT = 34,
    SIZE_AT = 118,
    DATA_AT = 122
};

static void make_good(struct made_log *log)
{
    *log = (struct made_log){0};
    put_spec_id(log);
    for (size_t i = 0; i < ARRAY_LENGTH(good_events); i++)
        put_event(log, &good_events[i]);
}

static void make_ccel(struct made_log *log)
{
    static const struct made_event events[] = {
        {1, EV_S_CRTM_VERSION, "firmware", 8, NULL, 0},
        {1, EVENT_SEPARATOR, separator, 4, NULL, 0},
        {2, EV_IPL, "kernel", 6, NULL, 0},
        {0, EVENT_NO_ACTION, "something", 9, NULL, 0},
    };

    *log = (struct made_log){.only_sha384 = 1};
    put_spec_id(log);
    for (size_t i = 0; i < ARRAY_LENGTH(events); i++)
        put_event(log, &events[i]);
}

/* From a copy of exactly that size, so that ASan sees the first byte behind it. */
static int replay(enum event_log_kind kind, const uint8_t *data, size_t size,
                  struct event_replay *ret)
{
    scoped(freep) uint8_t *copy = xmemdup(data, size ? size : 1);
    struct event_log log;

    finding = (struct finding){0};
    if (event_log_open(&log, kind, copy, size, &finding) < 0)
        return -1;
    return event_replay_run(ret, &log, &finding);
}

static int replay_log(enum event_log_kind kind, const struct made_log *log)
{
    struct event_replay out = {.type = DIGEST_SHA384, .data = EVENT_REPLAY_DATA_CHECKED};

    return replay(kind, log->data, log->size, &out);
}

static void ck_value(const struct event_replay *out, unsigned index, const char *expected)
{
    char hex[2 * SHA384_SIZE + 1];

    hex_encode(out->registers.values[index], registers_size(out->type), hex);
    ck_assert_str_eq(hex, expected);
}

static void ck_finding(enum finding_code code, const char *why)
{
    ck_assert_msg(finding.code == code, "%s: %s, not %s", finding_name(finding.code), finding.text,
                  finding_name(code));
    ck_assert_msg(strstr(finding.text, why), "'%s' is not in: %s", why, finding.text);
}

START_TEST(a_log_replays_to_its_pcrs_in_both_banks)
{
    struct event_replay out = {.type = DIGEST_SHA256, .data = EVENT_REPLAY_DATA_CHECKED};
    struct made_log log;

    make_good(&log);
    ck_assert_msg(replay(EVENT_LOG_TPM, log.data, log.size, &out) == 0, "%s", finding.text);
    ck_assert_uint_eq(out.events, ARRAY_LENGTH(good_events));
    ck_assert_uint_eq(out.locality, 3);
    ck_assert_uint_eq(out.registers.set, BIT(0) | BIT(1) | BIT(4));
    ck_value(&out, 0, pcr_0_sha256);
    ck_value(&out, 1, pcr_1_sha256);
    ck_value(&out, 4, pcr_4_sha256);
    out.type = DIGEST_SHA384;
    ck_assert_msg(replay(EVENT_LOG_TPM, log.data, log.size, &out) == 0, "%s", finding.text);
    ck_value(&out, 0, pcr_0_sha384);
    ck_value(&out, 1, pcr_1_sha384);
    ck_value(&out, 4, pcr_4_sha384);
}
END_TEST

START_TEST(a_ccel_replays_to_its_rtmrs)
{
    struct event_replay out = {.type = DIGEST_SHA384, .data = EVENT_REPLAY_DATA_CHECKED};
    struct made_log log;

    make_ccel(&log);
    for (size_t filled = 0; filled < 40; filled++) {
        memset(log.data + log.size, filled % 2 ? 0xff : 0, filled);
        ck_assert_msg(replay(EVENT_LOG_CCEL, log.data, log.size + filled, &out) == 0, "%s",
                      finding.text);
        ck_assert_uint_eq(out.events, 4);
        ck_assert_uint_eq(out.registers.set, BIT(0) | BIT(1));
        ck_value(&out, 0, rtmr_0);
        ck_value(&out, 1, rtmr_1);
    }
    out.type = DIGEST_SHA256;
    ck_assert_int_lt(replay(EVENT_LOG_CCEL, log.data, log.size, &out), 0);
    ck_finding(FINDING_LOG_BANK, "lists no sha256");
}
END_TEST

START_TEST(what_stands_behind_the_end_of_a_ccel_is_refused)
{
    struct made_log log;

    make_ccel(&log);
    for (unsigned fill = 0; fill < 2; fill++) {
        memset(log.data + log.size, fill ? 0xff : 0, 64);
        log.data[log.size + 63] = 7;
        log.size += 64;
        ck_assert_int_lt(replay_log(EVENT_LOG_CCEL, &log), 0);
        ck_finding(FINDING_LOG_TAIL, "ends before event 5");
        log.size -= 64;
    }
    /* The log of a TPM ends with its last byte. */
    make_good(&log);
    memset(log.data + log.size, 0xff, 64);
    log.size += 64;
    ck_assert_int_lt(replay_log(EVENT_LOG_TPM, &log), 0);
    ck_finding(FINDING_LOG_REGISTER, "event 10");
}
END_TEST

struct change {
    size_t offset, width;
    uint64_t value;
    enum finding_code code;
    const char *why;
};

static void each_is_refused(enum event_log_kind kind, const struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct made_log log;
        size_t size;

        kind == EVENT_LOG_TPM ? make_good(&log) : make_ccel(&log);
        size = log.size;
        ck_assert_int_eq(replay_log(kind, &log), 0);
        log.size = changes[i].offset;
        put_le(&log, changes[i].value, changes[i].width);
        log.size = size;
        ck_assert_msg(replay_log(kind, &log) < 0, "taken: change %zu: %s", i, changes[i].why);
        ck_finding(changes[i].code, changes[i].why);
    }
}

START_TEST(each_field_of_the_first_event_is_looked_at)
{
    static const struct change changes[] = {
        {0, 4, 1, FINDING_LOG_SPEC_ID, "register index is 1"},
        {4, 4, EV_S_CRTM_VERSION, FINDING_LOG_LEGACY, "no 'Spec ID Event03'"},
        {27, 1, 1, FINDING_LOG_SPEC_ID, "digest is not zero"},
        {28, 4, 40, FINDING_LOG_SPEC_ID, "vendorInfoSize"},
        {28, 4, 15, FINDING_LOG_LEGACY, "no 'Spec ID Event03'"},
        {28, 4, 27, FINDING_LOG_SPEC_ID, "too short"},
        {28, 4, 39, FINDING_LOG_SPEC_ID, "algorithm list"},
        {28, 4, 0xffffffff, FINDING_LOG_TRUNCATED, "event 0"},
        {46, 1, '2', FINDING_LOG_LEGACY, "no 'Spec ID Event03'"},
        {48, 4, 2, FINDING_LOG_SPEC_ID, "platformClass 2"},
        {52, 1, 1, FINDING_LOG_SPEC_ID, "version 2.1"},
        {53, 1, 1, FINDING_LOG_SPEC_ID, "version 1.0"},
        {55, 1, 3, FINDING_LOG_SPEC_ID, "uintnSize 3"},
        {56, 4, 0, FINDING_LOG_ALGORITHMS, "numberOfAlgorithms is 0"},
        {56, 4, 9, FINDING_LOG_ALGORITHMS, "numberOfAlgorithms is 9"},
        {56, 4, 4, FINDING_LOG_SPEC_ID, "algorithm list"},
        {56, 4, 0xffffffff, FINDING_LOG_ALGORITHMS, "numberOfAlgorithms is 4294967295"},
        {62, 2, 21, FINDING_LOG_ALGORITHMS, "0x0004 is 21, not 20"},
        {66, 2, 20, FINDING_LOG_ALGORITHMS, "0x000b is 20, not 32"},
        {70, 2, 47, FINDING_LOG_ALGORITHMS, "0x000c is 47, not 48"},
        {62, 2, 0, FINDING_LOG_ALGORITHMS, "0x0004 is 0"},
        {60, 4, 0x00410077, FINDING_LOG_ALGORITHMS, "0x0077 is 65"},
        {60, 4, EVENT_SHA256 | 32 << 16, FINDING_LOG_ALGORITHMS, "0x000b is listed twice"},
        {68, 4, EVENT_SHA512 | 64 << 16, FINDING_LOG_BANK, "lists no sha384"},
        {72, 1, 1, FINDING_LOG_SPEC_ID, "vendorInfoSize"},
    };

    each_is_refused(EVENT_LOG_TPM, changes, ARRAY_LENGTH(changes));
}
END_TEST

/* Of event 1. */
START_TEST(each_field_of_an_event_is_looked_at)
{
    static const struct change changes[] = {
        {SECOND, 4, 24, FINDING_LOG_REGISTER, "event 1: there is no PCR 24"},
        {SECOND, 4, 0xffffffff, FINDING_LOG_REGISTER, "event 1: there is no PCR 4294967295"},
        {SECOND + COUNT, 4, 2, FINDING_LOG_DIGESTS, "event 1: 2 digests"},
        {SECOND + COUNT, 4, 4, FINDING_LOG_DIGESTS, "event 1: 4 digests"},
        {SECOND + COUNT, 4, 0xffffffff, FINDING_LOG_DIGESTS, "event 1: 4294967295 digests"},
        {SECOND + FIRST_DIGEST, 2, EVENT_SM3, FINDING_LOG_DIGESTS, "event 1: digest of algorithm"},
        {SECOND + DIGEST_SHA256_AT, 2, EVENT_SHA1, FINDING_LOG_DIGESTS, "event 1: two digests"},
        {SECOND + SIZE_AT, 4, 0xffffffff, FINDING_LOG_EVENT_SIZE, "event 1: eventSize 4294967295"},
        {SECOND + SIZE_AT, 4, LOG_ROOM, FINDING_LOG_EVENT_SIZE, "event 1: eventSize 8192"},
        {SECOND + SIZE_AT, 4, 18, FINDING_LOG_LOCALITY, "event 1: StartupLocality of 18 bytes"},
        {SECOND, 4, 1, FINDING_LOG_LOCALITY, "event 1: StartupLocality at register index 1"},
        {SECOND + DATA_AT + 16, 1, 1, FINDING_LOG_LOCALITY, "event 1: StartupLocality is 1"},
    };

    each_is_refused(EVENT_LOG_TPM, changes, ARRAY_LENGTH(changes));
}
END_TEST

START_TEST(mrtd_and_registers_behind_rtmr3_are_refused)
{
    static const struct change changes[] = {
        {65, 4, 0, FINDING_LOG_REGISTER, "event 1: register index 0 is MRTD"},
        {65, 4, 5, FINDING_LOG_REGISTER, "event 1: register index 5"},
        {0, 4, 2, FINDING_LOG_SPEC_ID, "register index is 2"},
    };

    each_is_refused(EVENT_LOG_CCEL, changes, ARRAY_LENGTH(changes));
}
END_TEST

static void one_more_is_refused(struct made_log *log, const struct made_event *event,
                                enum finding_code code, const char *why)
{
    put_event(log, event);
    ck_assert_int_lt(replay_log(log->only_sha384 ? EVENT_LOG_CCEL : EVENT_LOG_TPM, log), 0);
    ck_finding(code, why);
}

START_TEST(a_second_spec_id_event_is_refused)
{
    static const struct made_event events[] = {
        {0, EVENT_NO_ACTION, "Spec ID Event03", 16, NULL, 0},
        {7, EVENT_NO_ACTION, "Spec ID Event02 and more", 24, NULL, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(events); i++) {
        struct made_log log;

        make_good(&log);
        one_more_is_refused(&log, &events[i], FINDING_LOG_SECOND_START, "event 10 is a second");
    }
}
END_TEST

START_TEST(locality_counts_once_and_only_before_pcr_0_is_extended)
{
    static const struct made_event locality = {0, EVENT_NO_ACTION, locality_3, LOCALITY_SIZE, NULL,
                                               0};
    static const struct made_event in_rtmr_0 = {1, EVENT_NO_ACTION, locality_3, LOCALITY_SIZE, NULL,
                                                0};
    struct made_log log = {0};

    make_good(&log);
    one_more_is_refused(&log, &locality, FINDING_LOG_LOCALITY, "event 10: StartupLocality for the");
    log = (struct made_log){0};
    put_spec_id(&log);
    put_event(&log, &locality);
    one_more_is_refused(&log, &locality, FINDING_LOG_LOCALITY, "event 2: StartupLocality for the");
    log = (struct made_log){0};
    put_spec_id(&log);
    put_event(&log, &good_events[1]);
    one_more_is_refused(&log, &locality, FINDING_LOG_LOCALITY, "event 2: StartupLocality behind");
    make_ccel(&log);
    one_more_is_refused(&log, &in_rtmr_0, FINDING_LOG_LOCALITY, "event 5: StartupLocality at");
}
END_TEST

START_TEST(registers_of_a_dynamic_launch_are_refused)
{
    for (unsigned index = 16; index <= 23; index++) {
        const struct made_event event = {index, EV_IPL, "x", 1, NULL, 0};
        struct made_log log;

        make_good(&log);
        if (index >= 17 && index <= 22) {
            one_more_is_refused(&log, &event, FINDING_LOG_REGISTER, "dynamic launch");
            continue;
        }
        put_event(&log, &event);
        ck_assert_int_eq(replay_log(EVENT_LOG_TPM, &log), 0);
    }
}
END_TEST

START_TEST(data_is_held_against_the_digest_where_the_type_defines_it)
{
    static const uint32_t hashed[] = {EVENT_SEPARATOR,          EVENT_EFI_VARIABLE_DRIVER_CONFIG,
                                      EVENT_EFI_VARIABLE_BOOT,  EVENT_EFI_ACTION,
                                      EVENT_EFI_VARIABLE_BOOT2, EVENT_EFI_VARIABLE_AUTHORITY};
    static const uint32_t labels[] = {EV_IPL, EV_EFI_BOOT_SERVICES_APPLICATION, 6};

    for (size_t i = 0; i < ARRAY_LENGTH(hashed); i++) {
        const struct made_event event = {7, hashed[i], "said", 4, "done", 4};
        struct event_replay out = {.type = DIGEST_SHA256};
        struct made_log log;

        make_good(&log);
        one_more_is_refused(&log, &event, FINDING_LOG_DATA, "event 10: the data");
        ck_assert_int_eq(replay(EVENT_LOG_TPM, log.data, log.size, &out), 0); /* if not asked for */
    }
    for (size_t i = 0; i < ARRAY_LENGTH(labels); i++) {
        const struct made_event event = {7, labels[i], "said", 4, "done", 4};
        struct made_log log;

        make_good(&log);
        put_event(&log, &event);
        ck_assert_int_eq(replay_log(EVENT_LOG_TPM, &log), 0);
    }
}
END_TEST

/* The contents alone may be what is hashed, but only those that the event's own lengths name. */
START_TEST(contents_of_a_variable_are_found_by_lengths_that_fit)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{16, 3}, {16, 1}, {23, 0x80}, {24, 3}, {24, 5}, {31, 0xff}};

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        uint8_t data[sizeof(variable)];
        const struct made_event event = {
            1, EVENT_EFI_VARIABLE_BOOT, data, sizeof(data), variable + 36, 4};
        struct made_log log;

        memcpy(data, variable, sizeof(data));
        data[wrong[i].at] = wrong[i].value;
        make_good(&log);
        one_more_is_refused(&log, &event, FINDING_LOG_DATA, "event 10");
    }
}
END_TEST

START_TEST(an_unknown_algorithm_is_skipped_by_its_declared_size)
{
    static const uint8_t digest[3] = {1, 2, 3};
    struct event_replay out = {.type = DIGEST_SHA384};
    struct made_log log = {.only_sha384 = 1};

    put_spec_id(&log);
    log.data[28] = 37;
    log.data[56] = 2;
    log.size--;
    put_le(&log, 0x7777 | (uint64_t) sizeof(digest) << 16, 4);
    put_le(&log, 0, 1);
    put_le(&log, 3, 4);
    put_le(&log, EV_IPL, 4);
    put_le(&log, 2, 4);
    put_le(&log, 0x7777, 2);
    put(&log, digest, sizeof(digest));
    put_le(&log, EVENT_SHA384, 2);
    put(&log, log.data, SHA384_SIZE);
    put_le(&log, 0, 4);
    ck_assert_msg(replay(EVENT_LOG_TPM, log.data, log.size, &out) == 0, "%s", finding.text);
    ck_assert_uint_eq(out.registers.set, BIT(3));
    log.data[69 + 12] = 0x78;
    ck_assert_int_lt(replay(EVENT_LOG_TPM, log.data, log.size, &out), 0);
    ck_finding(FINDING_LOG_DIGESTS, "event 1: digest of algorithm 0x7778");
}
END_TEST

static bool starts_event(const struct made_log *log, size_t at)
{
    for (size_t i = 1; i < log->events; i++)
        if (log->starts[i] == at)
            return true;
    return false;
}

/* A log cut between two events is a shorter log; it then has other registers. */
START_TEST(a_log_cut_at_any_byte_within_an_event_is_refused)
{
    struct event_replay out = {.type = DIGEST_SHA256};
    struct made_log log;

    make_good(&log);
    for (size_t size = 0; size < log.size; size++) {
        int rc = replay(EVENT_LOG_TPM, log.data, size, &out);

        ck_assert_msg((rc == 0) == starts_event(&log, size), "cut at %zu: %d", size, rc);
        ck_assert_msg(rc == 0 || finding.code == FINDING_LOG_TRUNCATED ||
                          finding.code == FINDING_LOG_EVENT_SIZE || size == 0,
                      "cut at %zu: %s", size, finding.text);
    }
    make_ccel(&log);
    out.type = DIGEST_SHA384;
    for (size_t size = 0; size < log.size; size++) {
        int rc = replay(EVENT_LOG_CCEL, log.data, size, &out);

        /* The first bytes of register index 0 look like the filling. */
        if (size > log.starts[4] && size <= log.starts[4] + 4)
            continue;
        ck_assert_msg((rc == 0) == starts_event(&log, size), "cut at %zu: %d", size, rc);
    }
}
END_TEST

START_TEST(size_is_bounded)
{
    scoped(freep) uint8_t *data = xalloc(EVENT_LOG_MAX + 1);
    struct event_log log;
    struct made_log made;

    make_ccel(&made);
    memcpy(data, made.data, made.size);
    ck_assert_int_lt(event_log_open(&log, EVENT_LOG_CCEL, data, EVENT_LOG_MAX + 1, &finding), 0);
    ck_finding(FINDING_LOG_SIZE, "1048577 bytes");
    ck_assert_int_eq(event_log_open(&log, EVENT_LOG_CCEL, data, EVENT_LOG_MAX, &finding), 0);
    ck_assert_int_lt(event_log_open(&log, EVENT_LOG_CCEL, data, 0, &finding), 0);
    ck_finding(FINDING_LOG_SIZE, "0 bytes");
}
END_TEST

static int parse(const char *text, struct registers *ret)
{
    registers_init(ret, REGISTERS_PCR, DIGEST_SHA256);
    return registers_parse(text, strlen(text), ret, &finding);
}

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(reference_values_are_read_strictly)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"", "reference values"},
        {"[]", "none for sha256"},
        {"{}", "none for sha256"},
        {"{\"sha384\":{}}", "none for sha256"},
        {"{\"sha256\":{}}", "none for sha256"},
        {"{\"sha256\":[\"" HEX_A "\"]}", "none for sha256"},
        {"{\"sha256\":{\"0\":\"" HEX_A "\"},\"sha1\":{}}", "sha1"},
        {"{\"sha256\":{\"24\":\"" HEX_A "\"}}", "no PCR '24'"},
        {"{\"sha256\":{\"01\":\"" HEX_A "\"}}", "no PCR '01'"},
        {"{\"sha256\":{\"\":\"" HEX_A "\"}}", "no PCR ''"},
        {"{\"sha256\":{\"-1\":\"" HEX_A "\"}}", "no PCR '-1'"},
        {"{\"sha256\":{\"0\":\"" HEX_A "aa\"}}", "PCR 0"},
        {"{\"sha256\":{\"0\":\"\"}}", "PCR 0"},
        {"{\"sha256\":{\"0\":0}}", "PCR 0 is no string"},
        {"{\"sha256\":{\"0\":\"" HEX_A "\",\"0\":\"" HEX_A "\"}}", "reference values"},
    };
    struct registers read;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ck_assert_msg(parse(wrong[i].text, &read) < 0, "taken: %s", wrong[i].text);
        ck_finding(FINDING_REFERENCE, wrong[i].why);
    }
    ck_assert_msg(parse("{\"sha256\":{\"0\":\"" HEX_A "\",\"23\":\"" HEX_A "\"}}", &read) == 0,
                  "%s", finding.text);
    ck_assert_uint_eq(read.set, BIT(0) | BIT(23));
    ck_assert_uint_eq(read.values[23][31], 0xaa);
    registers_init(&read, REGISTERS_RTMR, DIGEST_SHA384);
    ck_assert_int_lt(registers_parse("{\"sha384\":{\"4\":\"\"}}", 19, &read, &finding), 0);
    ck_finding(FINDING_REFERENCE, "no RTMR '4'");
}
END_TEST

static void good_registers(struct registers *ret)
{
    struct event_replay out = {.type = DIGEST_SHA256};
    struct made_log log;

    make_good(&log);
    ck_assert_int_eq(replay(EVENT_LOG_TPM, log.data, log.size, &out), 0);
    *ret = out.registers;
}

START_TEST(a_replay_is_held_against_reference_values)
{
    struct registers found, reference;

    good_registers(&found);
    reference = found;
    reference.set |= BIT(12); /* that it is still zero is a reference value too */
    ck_assert_int_eq(registers_match(&found, &reference, &finding), 0);
    reference.values[12][0] = 1;
    ck_assert_int_lt(registers_match(&found, &reference, &finding), 0);
    ck_finding(FINDING_REGISTER_VALUE, "PCR 12 of bank sha256 is 0000000000000000...");
    reference = found;
    reference.values[4][31] ^= 1;
    ck_assert_int_lt(registers_match(&found, &reference, &finding), 0);
    ck_finding(FINDING_REGISTER_VALUE, "PCR 4 of bank sha256");
    reference = found;
    reference.set &= ~BIT(1);
    ck_assert_int_lt(registers_match(&found, &reference, &finding), 0);
    ck_finding(FINDING_REGISTER_TOUCHED, "PCR 1 is extended");
}
END_TEST

START_TEST(a_replay_must_explain_what_is_quoted)
{
    struct registers replayed, quoted;

    good_registers(&replayed);
    quoted = replayed;
    quoted.set = BIT(0) | BIT(4) | BIT(9) | BIT(10);
    quoted.values[10][0] = 1;
    ck_assert_int_eq(registers_prove(&quoted, &replayed, BIT(10), &finding), 0);
    ck_assert_int_lt(registers_prove(&quoted, &replayed, 0, &finding), 0);
    ck_finding(FINDING_REGISTER_VALUE, "PCR 10");
    quoted.values[9][0] = 1; /* an extension that the log does not have */
    ck_assert_int_lt(registers_prove(&quoted, &replayed, BIT(10), &finding), 0);
    ck_finding(FINDING_REGISTER_VALUE, "PCR 9");
}
END_TEST

START_TEST(each_finding_has_a_name_and_a_check)
{
    for (int code = 0; code < FINDING_CODES; code++) {
        ck_assert_ptr_nonnull(finding_name(code));
        ck_assert_int_eq(finding_check(code) == APPRAISAL_OK, code == FINDING_NONE);
        for (int other = 0; other < code; other++)
            ck_assert_str_ne(finding_name(code), finding_name(other));
    }
    ck_assert_str_eq(finding_name(FINDING_CODES), "unknown");
}
END_TEST

int main(void)
{
    return suite_run(
        "event_log",
        (const TTest *[]){
            a_log_replays_to_its_pcrs_in_both_banks, a_ccel_replays_to_its_rtmrs,
            what_stands_behind_the_end_of_a_ccel_is_refused,
            each_field_of_the_first_event_is_looked_at, each_field_of_an_event_is_looked_at,
            mrtd_and_registers_behind_rtmr3_are_refused, a_second_spec_id_event_is_refused,
            locality_counts_once_and_only_before_pcr_0_is_extended,
            registers_of_a_dynamic_launch_are_refused,
            data_is_held_against_the_digest_where_the_type_defines_it,
            contents_of_a_variable_are_found_by_lengths_that_fit,
            an_unknown_algorithm_is_skipped_by_its_declared_size,
            a_log_cut_at_any_byte_within_an_event_is_refused, size_is_bounded,
            reference_values_are_read_strictly, a_replay_is_held_against_reference_values,
            a_replay_must_explain_what_is_quoted, each_finding_has_a_name_and_a_check, NULL});
}
