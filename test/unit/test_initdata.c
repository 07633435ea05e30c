/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "secure/initdata.h"
#include "suite.h"

#define SPKI_A   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SPKI_B   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define PEER_A   "{\"role\":\"control\",\"spki_sha256\":\"" SPKI_A "\"}"
#define PEER_B   "{\"role\":\"observe\",\"spki_sha256\":\"" SPKI_B "\"}"
#define MANIFEST "\"cleave.manifest-digest\" = \"" SPKI_A "cccccccccccccccccccccccccccccccc\"\n"

static const char good[] =
    "version = \"0.1.0\"\n"
    "algorithm = \"sha384\"\n\n"
    "[data]\n"
    "\"cleave.sandbox-id\" = \"000102030405060708090a0b0c0d0e0f\"\n"
    "\"cleave.mode\" = \"open\"\n"
    "\"cleave.peers\" = '[" PEER_A "]'\n"
    "\"cleave.epoch\" = \"7\"\n"
    "\"cleave.limits\" = "
    "'{\"vcpus\":2,\"memory\":268435456,\"guest_root\":false,\"evidence\":\"sample\"}'\n"
    "\"cleave.network\" = \"none\"\n";

static struct error err;

/* good with its one `from` replaced. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);

    ck_assert_msg(at && !strstr(at + 1, from), "'%s' stands not once", from);
    return xformat("%.*s%s%s", (int) (at - good), good, to, at + strlen(from));
}

static int parse(const char *text)
{
    scoped(initdata_freep) struct initdata *initdata = NULL;

    return initdata_parse(text, strlen(text), &initdata, &err);
}

struct change {
    const char *from, *to, *why;
};

static void each_is_refused(const struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scoped(freep) char *text = changed(changes[i].from, changes[i].to);

        ck_assert_msg(parse(text) < 0, "accepted: %s", changes[i].to);
        ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
        ck_assert_msg(strstr(err.message, changes[i].why), "%s: %s", changes[i].to, err.message);
    }
}

START_TEST(a_good_one_is_read)
{
    scoped(initdata_freep) struct initdata *initdata = NULL;
    uint8_t digest[SHA384_SIZE], spki[32];

    ck_assert_msg(initdata_parse(good, strlen(good), &initdata, &err) == 0, "%s", err.message);
    const struct initdata_content *content = &initdata->content;
    ck_assert_int_eq(content->algorithm, INITDATA_SHA384);
    ck_assert_int_eq(content->mode, INITDATA_OPEN);
    ck_assert_int_eq(content->network, INITDATA_NETWORK_NONE);
    ck_assert_uint_eq(content->epoch, 7);
    ck_assert_uint_eq(content->sandbox_id[15], 15);
    ck_assert_uint_eq(content->peer_count, 1);
    ck_assert_uint_eq(content->limits.vcpus, 2);
    ck_assert_uint_eq(content->limits.memory, 256 << 20);
    ck_assert(!content->limits.guest_root);
    ck_assert_str_eq(content->limits.evidence, "sample");
    digest_sha384(good, strlen(good), digest);
    ck_assert_mem_eq(initdata->digest, digest, sizeof(digest));
    ck_assert_mem_eq(initdata->hardware_digest, digest, sizeof(digest));
    memset(spki, 0xaa, sizeof(spki));
    ck_assert_ptr_eq(initdata_peer(initdata, spki), &content->peers[0]);
    spki[31] ^= 1;
    ck_assert_ptr_null(initdata_peer(initdata, spki));
}
END_TEST

START_TEST(keys_of_others_are_let_through)
{
    scoped(freep) char *text = changed("[data]\n", "[data]\n\"policy.rego\" = \"x\"\n");

    ck_assert_msg(parse(text) == 0, "%s", err.message);
}
END_TEST

START_TEST(what_is_unknown_or_doubled_is_refused)
{
    static const struct change changes[] = {
        {"[data]\n", "[data]\n\"cleave.colour\" = \"x\"\n", "unknown key 'cleave.colour'"},
        {"[data]\n", "key = \"x\"\n[data]\n", "unknown key 'key'"},
        {"[data]\n", "[other]\na = \"x\"\n[data]\n", "unknown key 'a'"},
        {"[data]\n", "[data]\n\"cleave.epoch\" = \"8\"\n", "twice"},
        {"[data]\n", "[data]\n[data]\n", "twice"},
        {"\"cleave.epoch\" = \"7\"", "\"cleave.epoch\" = 7", "not a string"},
        {"\"vcpus\":2", "\"vcpus\":2,\"colour\":1", "colour"},
        {"\"vcpus\":2", "\"vcpus\":2,\"vcpus\":2", "twice"},
        {"\"role\":\"control\"", "\"role\":\"control\",\"name\":\"x\"", "name"},
    };

    each_is_refused(changes, ARRAY_LENGTH(changes));
}
END_TEST

START_TEST(what_is_missing_is_named)
{
    static const struct change changes[] = {
        {"version = \"0.1.0\"\n", "", "version"},
        {"algorithm = \"sha384\"\n", "", "algorithm is 'missing'"},
        {"\"cleave.sandbox-id\" = \"000102030405060708090a0b0c0d0e0f\"\n", "",
         "cleave.sandbox-id is missing"},
        {"\"cleave.mode\" = \"open\"\n", "", "cleave.mode is missing"},
        {"\"cleave.peers\" = '[" PEER_A "]'\n", "", "cleave.peers is missing"},
        {"\"cleave.epoch\" = \"7\"\n", "", "cleave.epoch is missing"},
        {"\"cleave.network\" = \"none\"\n", "", "cleave.network is missing"},
        {"\"vcpus\":2,", "", "vcpus"},
        {"\"memory\":268435456,", "", "memory"},
        {"\"guest_root\":false,", "", "guest_root"},
        {",\"evidence\":\"sample\"", "", "evidence"},
    };

    each_is_refused(changes, ARRAY_LENGTH(changes));
}
END_TEST

START_TEST(bad_values_are_refused)
{
    static const struct change changes[] = {
        {"0.1.0", "0.2.0", "version is '0.2.0'"},
        {"sha384", "sha512", "algorithm is 'sha512'"},
        {"000102030405060708090a0b0c0d0e0f", "000102", "cleave.sandbox-id"},
        {"000102030405060708090a0b0c0d0e0f", "zz0102030405060708090a0b0c0d0e0f", "sandbox-id"},
        {"\"open\"", "\"ajar\"", "cleave.mode is 'ajar'"},
        {"\"7\"", "\"-7\"", "cleave.epoch is '-7'"},
        {"\"7\"", "\"18446744073709551616\"", "cleave.epoch"},
        {"\"none\"", "\"bridge\"", "cleave.network is 'bridge'"},
        {"\"vcpus\":2", "\"vcpus\":\"2\"", "vcpus"},
        {"\"guest_root\":false", "\"guest_root\":0", "guest_root is not true or false"},
        {"\"sample\"", "\"trust-me\"", "no evidence type 'trust-me'"},
        {"'[" PEER_A "]'", "'[]'", "not a list of 1 to 9"},
        {"'[" PEER_A "]'", "'{}'", "not a list of 1 to 9"},
        {"'[" PEER_A "]'", "'[1]'", "not an object"},
        {"'[" PEER_A "]'", "'[" PEER_A "," PEER_A "]'", "named twice"},
        {"'[" PEER_A "]'", "'[" PEER_B "]'", "nobody with the role control"},
        {"\"role\":\"control\"", "\"role\":\"admin\"", "no role 'admin'"},
        {SPKI_A, "aa", "cleave.peers"},
    };

    each_is_refused(changes, ARRAY_LENGTH(changes));
}
END_TEST

START_TEST(a_tenth_peer_is_refused)
{
    scoped(freep) char *list = xformat("%s", PEER_A);

    for (int i = 1; i <= INITDATA_PEERS_MAX; i++) {
        scoped(freep) char *old = list;
        list = xformat("%s,{\"role\":\"audit\",\"spki_sha256\":\"%064d\"}", old, i);
        scoped(freep) char *text = changed(PEER_A, list);
        if (i < INITDATA_PEERS_MAX)
            ck_assert_msg(parse(text) == 0, "%s", err.message);
        else
            ck_assert_int_lt(parse(text), 0);
    }
    ck_assert_ptr_nonnull(strstr(err.message, "not a list of 1 to 9"));
}
END_TEST

START_TEST(a_manifest_goes_with_sealed_and_only_so)
{
    static const struct change changes[] = {
        {"\"open\"\n", "\"sealed\"\n", "goes with the mode sealed"},
        {"\"open\"\n", "\"open\"\n" MANIFEST, "goes with the mode sealed"},
        {"\"open\"\n", "\"sealed\"\n\"cleave.manifest-digest\" = \"aa\"\n", "manifest-digest"},
    };
    scoped(freep) char *sealed = changed("\"open\"\n", "\"sealed\"\n" MANIFEST);

    ck_assert_msg(parse(sealed) == 0, "%s", err.message);
    each_is_refused(changes, ARRAY_LENGTH(changes));
}
END_TEST

START_TEST(the_algorithm_follows_the_evidence)
{
    static const struct {
        const char *evidence, *algorithm;
        bool good;
    } cases[] = {
        {"snp", "sha256", true},    {"snp", "sha384", false},   {"tpm", "sha256", true},
        {"tpm", "sha384", false},   {"tdx", "sha384", true},    {"tdx", "sha256", false},
        {"az-snp", "sha256", true}, {"az-tdx", "sha256", true}, {"az-tdx", "sha384", false},
        {"sample", "sha256", true}, {"sample", "sha384", true},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scoped(freep) char *half = changed("\"sample\"", "\"@\"");
        char *at = strchr(half, '@');
        char *algorithm = strstr(half, "sha384");
        memcpy(algorithm, cases[i].algorithm, strlen(cases[i].algorithm));
        scoped(freep) char *text = xformat("%.*s%s%s", (int) (at - half), half, cases[i].evidence,
                                           at + 1);
        ck_assert_msg((parse(text) == 0) == cases[i].good, "%s with %s: %s", cases[i].evidence,
                      cases[i].algorithm, err.message);
        if (!cases[i].good)
            ck_assert_ptr_nonnull(strstr(err.message, "algorithm is"));
    }
}
END_TEST

START_TEST(sha256_is_padded_with_zeros)
{
    scoped(freep) char *text = changed("sha384", "sha256");
    scoped(initdata_freep) struct initdata *initdata = NULL;
    uint8_t expected[48] = {0};

    ck_assert_int_eq(initdata_parse(text, strlen(text), &initdata, &err), 0);
    digest_sha256(text, strlen(text), expected);
    ck_assert_mem_eq(initdata->hardware_digest, expected, sizeof(expected));
    digest_sha384(text, strlen(text), expected);
    ck_assert_mem_eq(initdata->digest, expected, sizeof(expected));
}
END_TEST

START_TEST(too_much_and_nothing_are_refused)
{
    scoped(initdata_freep) struct initdata *initdata = NULL;
    scoped(freep) char *large = xalloc(INITDATA_SIZE_MAX + 2);

    memcpy(large, good, sizeof(good));
    memset(large + strlen(good), '\n', INITDATA_SIZE_MAX + 1 - strlen(good));
    ck_assert_int_lt(initdata_parse(large, INITDATA_SIZE_MAX + 1, &initdata, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "16385 bytes, at most 16384"));
    ck_assert_int_eq(initdata_parse(large, INITDATA_SIZE_MAX, &initdata, &err), 0);
    initdata_free(take_ptr(initdata));
    ck_assert_int_lt(initdata_parse("", 0, &initdata, &err), 0);
    ck_assert_int_lt(initdata_parse(good, 40, &initdata, &err), 0);
}
END_TEST

START_TEST(what_is_made_is_read_back)
{
    struct initdata_content content = {
        .algorithm = INITDATA_SHA256,
        .mode = INITDATA_SEALED,
        .peers = {{.role = PEER_CONTROL, .spki = {1}}, {.role = PEER_AUDIT, .spki = {2}}},
        .peer_count = 2,
        .epoch = UINT64_MAX,
        .limits = {.vcpus = 1024, .memory = INT64_MAX, .guest_root = true, .evidence = "snp"},
        .network = INITDATA_NETWORK_TENANT,
    };
    scoped(initdata_freep) struct initdata *made = NULL, *again = NULL;

    memset(content.manifest_digest, 0xd1, sizeof(content.manifest_digest));
    ck_assert_msg(initdata_make(&content, &made, &err) == 0, "%s", err.message);
    ck_assert_mem_eq(made->content.peers, content.peers, 2 * sizeof(struct peer));
    ck_assert_mem_eq(made->content.manifest_digest, content.manifest_digest, 48);
    ck_assert_uint_eq(made->content.epoch, UINT64_MAX);
    ck_assert_uint_eq(made->content.limits.memory, INT64_MAX);
    ck_assert(made->content.limits.guest_root);
    ck_assert_int_eq(initdata_parse(made->bytes, made->length, &again, &err), 0);
    ck_assert_mem_eq(made->digest, again->digest, 48);
}
END_TEST

START_TEST(a_pod_is_sealed_as_its_initdata_says)
{
    struct initdata_content content = {
        .algorithm = INITDATA_SHA256,
        .peers = {{.role = PEER_CONTROL}},
        .peer_count = 1,
        .limits = {.vcpus = 1, .memory = 1, .evidence = "snp"},
    };
    scoped(initdata_freep) struct initdata *open = NULL, *sealed = NULL;
    uint8_t one[48], other[48];

    memset(one, 0xd1, sizeof(one));
    memset(other, 0xd1, sizeof(other));
    other[47] ^= 1;
    ck_assert_int_eq(initdata_make(&content, &open, &err), 0);
    content.mode = INITDATA_SEALED;
    memcpy(content.manifest_digest, one, sizeof(one));
    ck_assert_int_eq(initdata_make(&content, &sealed, &err), 0);
    ck_assert_int_eq(initdata_check_sealing(open, NULL, &err), 0);
    ck_assert_int_eq(initdata_check_sealing(sealed, one, &err), 0);
    ck_assert_int_lt(initdata_check_sealing(sealed, NULL, &err), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(err.message, "no annotation cleave.dev/manifest"));
    ck_assert_int_lt(initdata_check_sealing(open, one, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "the initdata says open"));
    ck_assert_int_lt(initdata_check_sealing(sealed, other, &err), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(err.message, "d1d1, and the pod with d1d1"));
    ck_assert_ptr_nonnull(strstr(err.message, "d1d0"));
}
END_TEST

START_TEST(what_could_not_be_read_is_not_made)
{
    struct initdata_content content = {
        .algorithm = INITDATA_SHA256,
        .peers = {{.role = PEER_CONTROL}},
        .peer_count = 1,
        .limits = {.vcpus = 1, .memory = 1, .evidence = "snp"},
    };
    struct initdata_content bad = content;
    scoped(initdata_freep) struct initdata *made = NULL;

    bad.algorithm = INITDATA_SHA384;
    ck_assert_int_lt(initdata_make(&bad, &made, &err), 0);
    bad = content;
    bad.limits.vcpus = 0;
    ck_assert_int_lt(initdata_make(&bad, &made, &err), 0);
    bad = content;
    bad.peer_count = 0;
    ck_assert_int_lt(initdata_make(&bad, &made, &err), 0);
    ck_assert_ptr_null(made);
    ck_assert_int_eq(initdata_make(&content, &made, &err), 0);
}
END_TEST

int main(void)
{
    return suite_run(
        "initdata",
        (const TTest *[]){
            a_good_one_is_read, keys_of_others_are_let_through,
            what_is_unknown_or_doubled_is_refused, what_is_missing_is_named, bad_values_are_refused,
            a_tenth_peer_is_refused, a_manifest_goes_with_sealed_and_only_so,
            the_algorithm_follows_the_evidence, sha256_is_padded_with_zeros,
            too_much_and_nothing_are_refused, what_is_made_is_read_back,
            a_pod_is_sealed_as_its_initdata_says, what_could_not_be_read_is_not_made, NULL});
}
