/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "evidence/reference_values.h"
#include "reference_fixture.h"
#include "secure/reference_store.h"
#include "suite.h"
#include "x509_fixture.h"

static char root[64];
static mbedtls_pk_context keys[2];
static struct reference_store *store;
static struct error err;

static char *in(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static void put(const char *name, const void *data, size_t length)
{
    ck_assert_msg(file_write_atomic(in(name), data, length, 0644, &err) == 0, "%s", err.message);
}

static struct reference_store *make_store(void)
{
    return reference_store_new(&(struct reference_store_paths){
        .values = in("values.json"),
        .keys = in("keys.pem"),
        .endorsements = in("endorsements"),
        .state = in("state"),
    });
}

static void put_keys(void)
{
    unsigned char pem[512];

    ck_assert_int_eq(mbedtls_pk_write_pubkey_pem(&keys[0], pem, sizeof(pem)), 0);
    put("keys.pem", pem, strlen((char *) pem));
}

static void setup(void)
{
    strcpy(root, "/tmp/test_reference.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        x509_key_ec(&keys[i], MBEDTLS_ECP_DP_SECP256R1);
    put_keys();
    store = make_store();
}

static void teardown(void)
{
    reference_store_free(store);
    ck_assert_int_eq(file_remove_tree(root, &err), 0);
}

static void sign(const char *text, mbedtls_pk_context *key)
{
    uint8_t hash[SHA256_SIZE], signature[128];
    size_t length = 0;

    digest_sha256(text, strlen(text), hash);
    ck_assert_int_eq(mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, sizeof(hash), signature,
                                     sizeof(signature), &length, x509_random, NULL),
                     0);
    put("values.json.sig", signature, length);
}

/* The whole file of the fixture with one edit, signed by the first key. */
static void install(const char *from, const char *to)
{
    scoped(freep) char *json = reference_json(from, to);

    put("values.json", json, strlen(json));
    sign(json, &keys[0]);
}

static const struct reference_values *taken(void)
{
    const struct reference_values *values = NULL;

    ck_assert_msg(reference_store_get(store, &values, &err) == 0, "%s", err.message);
    return values;
}

static void refused(enum status status, const char *text)
{
    const struct reference_values *values = NULL;

    ck_assert_int_lt(reference_store_get(store, &values, &err), 0);
    ck_assert_msg(strstr(err.message, text) && err.status == status, "%s: %s",
                  status_name(err.status), err.message);
    ck_assert_ptr_null(values);
}

/* As the next process on this node has it. */
static void start_over(void)
{
    reference_store_free(store);
    store = make_store();
}

START_TEST(values_that_are_signed_are_taken)
{
    const struct reference_values *values;

    install(NULL, NULL);
    values = taken();
    ck_assert_uint_eq(reference_values_serial(values), 3);
    ck_assert_uint_eq(reference_store_epoch_min(store, "prod", "db-0"), 7);
    ck_assert_uint_eq(reference_store_epoch_min(store, "prod", "web"), 0);
    ck_assert_uint_eq(reference_store_endorsements(store)->leaf.length, 0);
    /* Nothing has changed: they are the same. After the first call the state was new. */
    values = taken();
    ck_assert_ptr_eq(taken(), values);
}
END_TEST

START_TEST(a_generation_ends_with_its_content)
{
    uint64_t first;

    install(NULL, NULL);
    (void) taken();
    first = reference_store_generation(store);
    /* The state was written by that call. */
    (void) taken();
    ck_assert_uint_eq(reference_store_generation(store), first);
    /* The signature is another one, what it says is the same. */
    install(NULL, NULL);
    (void) taken();
    ck_assert_uint_eq(reference_store_generation(store), first);
    install("'serial':3", "'serial':4");
    (void) taken();
    ck_assert_uint_eq(reference_store_generation(store), first + 1);
    (void) unlink(in("values.json.sig"));
    refused(STATUS_NOT_FOUND, "values.json.sig");
    ck_assert_uint_eq(reference_store_generation(store), first + 1);
    install("'serial':3", "'serial':4");
    (void) taken();
    ck_assert_uint_eq(reference_store_generation(store), first + 1);
    ck_assert_int_eq(mkdir(in("endorsements"), 0700), 0);
    put("endorsements/crl.der", "a", 1);
    (void) taken();
    ck_assert_uint_eq(reference_store_generation(store), first + 2);
    put("endorsements/crl.der", "b", 1);
    (void) taken();
    ck_assert_uint_eq(reference_store_generation(store), first + 3);
}
END_TEST

START_TEST(each_file_that_is_not_there_is_named)
{
    install(NULL, NULL);
    (void) unlink(in("values.json"));
    refused(STATUS_NOT_FOUND, "values.json': reference values say");
    install(NULL, NULL);
    (void) unlink(in("values.json.sig"));
    refused(STATUS_NOT_FOUND, "values.json.sig': sign the values: openssl");
    install(NULL, NULL);
    (void) unlink(in("keys.pem"));
    refused(STATUS_NOT_FOUND, "keys.pem': it has the public keys");
    put_keys();
    (void) taken();
}
END_TEST

START_TEST(another_key_or_another_text_is_refused)
{
    scoped(freep) char *json = reference_json(NULL, NULL);

    install(NULL, NULL);
    sign(json, &keys[1]);
    refused(STATUS_UNAUTHENTICATED, "by none of the keys");
    sign(json, &keys[0]);
    (void) taken();
    json[strlen(json) - 1] = ' ';
    put("values.json", json, strlen(json));
    refused(STATUS_UNAUTHENTICATED, "by none of the keys");
    put("values.json.sig", "", 0);
    refused(STATUS_UNAUTHENTICATED, "signature of 0 bytes");
    put("values.json.sig", json, REFERENCE_VALUES_SIGNATURE_MAX + 1);
    refused(STATUS_RESOURCE_EXHAUSTED, "larger than");
    put("keys.pem", "x", 1);
    install(NULL, NULL);
    refused(STATUS_INVALID_ARGUMENT, "keys: something else");
}
END_TEST

START_TEST(a_signed_file_is_read_as_strictly)
{
    install("'crl':'if-given'", "'crl':'never'");
    refused(STATUS_INVALID_ARGUMENT, "values.json': reference values: snp: crl:");
    ck_assert(!file_exists(in("state/state")));
}
END_TEST

START_TEST(a_file_that_has_expired_is_refused)
{
    install("2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    refused(STATUS_FAILED_PRECONDITION, "has expired on 2026-01-01T00:00:00Z: install a newer one");
    /* And yet it was seen. */
    install("'serial':3", "'serial':2");
    refused(STATUS_FAILED_PRECONDITION, "rollback");
}
END_TEST

START_TEST(an_older_serial_is_a_rollback)
{
    install(NULL, NULL);
    (void) taken();
    install("'serial':3", "'serial':2");
    refused(STATUS_FAILED_PRECONDITION,
            "rollback: serial 3 of 'guest-image-2026.11' was seen on this node, this file has 2");
    start_over();
    refused(STATUS_FAILED_PRECONDITION, "rollback");
    install("'serial':3", "'serial':4");
    ck_assert_uint_eq(reference_values_serial(taken()), 4);
    install(NULL, NULL);
    refused(STATUS_FAILED_PRECONDITION, "rollback: serial 4");
    /* Another id is another line. */
    install("2026.11", "2026.12");
    ck_assert_str_eq(reference_values_id(taken()), "guest-image-2026.12");
    install("'serial':3", "'serial':3 ");
    refused(STATUS_FAILED_PRECONDITION, "rollback: serial 4");
}
END_TEST

START_TEST(one_serial_has_one_content)
{
    install(NULL, NULL);
    (void) taken();
    install("'revoked':['<e48>','<e32>']", "'revoked':[]");
    refused(STATUS_FAILED_PRECONDITION, "with another content: raise the serial");
    install(NULL, NULL);
    (void) taken();
}
END_TEST

START_TEST(another_process_may_see_the_newer_file_first)
{
    scoped(reference_store_freep) struct reference_store *other = make_store();
    const struct reference_values *values;

    install(NULL, NULL);
    (void) taken();
    install("'serial':3", "'serial':4");
    ck_assert_int_eq(reference_store_get(other, &values, &err), 0);
    install(NULL, NULL);
    refused(STATUS_FAILED_PRECONDITION, "rollback: serial 4");
}
END_TEST

START_TEST(a_file_that_changes_is_read_again)
{
    uint8_t digest[48];

    install("'revoked':['<e48>','<e32>']", "'revoked':[]");
    memset(digest, 0xee, sizeof(digest));
    ck_assert(!reference_values_revoked(taken(), digest, sizeof(digest)));
    install("'serial':3", "'serial':4");
    ck_assert(reference_values_revoked(taken(), digest, sizeof(digest)));
    (void) unlink(in("values.json"));
    refused(STATUS_NOT_FOUND, "values.json");
    ck_assert_uint_eq(reference_store_epoch_min(store, "prod", "db-0"), UINT64_MAX);
}
END_TEST

START_TEST(the_floor_of_an_epoch_never_sinks)
{
    install(NULL, NULL);
    (void) taken();
    install("'serial':3,'not_after':'2027-01-01T00:00:00Z','revoked':['<e48>','<e32>'],"
            "'epoch_min':{'prod/db-0':7,'prod/db-1':1}",
            "'serial':4,'not_after':'2027-01-01T00:00:00Z',"
            "'epoch_min':{'prod/db-0':5,'prod/db-1':9,'prod/db-2':2}");
    ck_assert_uint_eq(reference_values_epoch_min(taken(), "prod", "db-0"), 5);
    ck_assert_uint_eq(reference_store_epoch_min(store, "prod", "db-0"), 7);
    ck_assert_uint_eq(reference_store_epoch_min(store, "prod", "db-1"), 9);
    ck_assert_uint_eq(reference_store_epoch_min(store, "prod", "db-2"), 2);
    start_over();
    install("2026.11", "other");
    (void) taken();
    ck_assert_uint_eq(reference_store_epoch_min(store, "prod", "db-1"), 9);
    ck_assert_uint_eq(reference_store_epoch_min(store, "prod", "db-2"), 2);
}
END_TEST

/* ---- the state on the disk ------------------------------------------------------------------- */

START_TEST(a_damaged_state_is_no_new_start)
{
    scoped(freep) char *good = NULL;
    scoped(freep) char *bad = NULL;
    size_t length;

    install(NULL, NULL);
    (void) taken();
    ck_assert_int_eq(file_read(in("state/state"), 65536, &good, &length, &err), 0);
    bad = xmemdup(good, length);
    for (size_t i = 0; i < length; i += 17) {
        bad[i] ^= 1;
        put("state/state", bad, length);
        refused(STATUS_DATA_LOSS, "bring it back from a backup");
        bad[i] ^= 1;
    }
    for (size_t i = 0; i < length; i += 29) {
        put("state/state", good, i);
        refused(STATUS_DATA_LOSS, "is damaged");
    }
    put("state/state", good, length);
    (void) taken();
}
END_TEST

START_TEST(a_state_that_cannot_be_read_is_no_new_start)
{
    install(NULL, NULL);
    (void) taken();
    (void) unlink(in("state/state"));
    ck_assert_int_eq(mkdir(in("state/state"), 0700), 0);
    refused(STATUS_FAILED_PRECONDITION, "Is a directory");
}
END_TEST

/* The disk is full, or the process ends, before the new state has its name. */
START_TEST(what_could_not_be_written_was_not_seen)
{
    install(NULL, NULL);
    (void) taken();
    put("state/state.new-0123456789ab", "half of", 7);
    install("'serial':3", "'serial':4");
    (void) taken();
    install(NULL, NULL);
    refused(STATUS_FAILED_PRECONDITION, "rollback: serial 4");
}
END_TEST

extern int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

static const char *dies_at;

int __wrap_rename(const char *from, const char *to)
{
    if (dies_at && text_ends(to, dies_at))
        _exit(42);
    return __real_rename(from, to);
}

static int get_in_child(void)
{
    const struct reference_values *values;
    int status;
    pid_t child = fork();

    if (child == 0) {
        dies_at = "/state/state";
        _exit(reference_store_get(store, &values, &err) == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(a_crash_before_the_rename_leaves_the_old_state)
{
    install(NULL, NULL);
    (void) taken();
    install("'serial':3", "'serial':4");
    ck_assert_int_eq(get_in_child(), 42);
    /* Nothing was released by serial 4, so 3 still holds; and the lock is free. */
    install(NULL, NULL);
    ck_assert_uint_eq(reference_values_serial(taken()), 3);
    install("'serial':3", "'serial':4");
    ck_assert_uint_eq(reference_values_serial(taken()), 4);
    /* What was seen before is not written again. */
    ck_assert_int_eq(get_in_child(), 0);
}
END_TEST

START_TEST(two_processes_do_not_lose_what_the_other_saw)
{
    enum { PROCESSES = 4, SERIALS = 4 };
    scoped(freep) char *state = NULL;
    pid_t children[PROCESSES];
    size_t length;
    int status;

    install(NULL, NULL);
    (void) taken();
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        snprintf(root + strlen(root), 8, "/%d", i);
        for (int serial = 1; serial <= SERIALS; serial++) {
            scoped(freep) char *to = xformat("'id':'line-%d','serial':%d", i, serial);
            const struct reference_values *values;
            scoped(reference_store_freep) struct reference_store *own = NULL;

            if (file_make_directories(root, 0700, &err) < 0)
                _exit(2);
            put_keys();
            own = reference_store_new(&(struct reference_store_paths){
                .values = in("values.json"), .keys = in("keys.pem"), .state = in("../state")});
            install("'id':'guest-image-2026.11','serial':3", to);
            if (reference_store_get(own, &values, &err) < 0)
                _exit(1);
        }
        _exit(0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(file_read(in("state/state"), 65536, &state, &length, &err), 0);
    for (int i = 0; i < PROCESSES; i++) {
        scoped(freep) char *line = xformat("\"line-%d\":{", i);
        const char *at = strstr(state, line);

        ck_assert_msg(at && strstr(at, "\"serial\":4"), "%s is lost: %s", line, state);
    }
}
END_TEST

/* ---- endorsements ---------------------------------------------------------------------------- */

START_TEST(endorsements_come_along)
{
    static const char *const collateral[] = {"tcb_info.json", "qe_identity.json", "tcb_signing.pem",
                                             "pck_crl.der", "root_crl.der"};
    const struct evidence_endorsements *found;

    install(NULL, NULL);
    ck_assert_int_eq(mkdir(in("endorsements"), 0700), 0);
    put("endorsements/vlek.der", "vlek", 4);
    put("endorsements/ask.pem", "ask", 3);
    (void) taken();
    found = reference_store_endorsements(store);
    ck_assert_uint_eq(found->leaf.length, 4);
    ck_assert_mem_eq(found->leaf.data, "vlek", 4);
    ck_assert_uint_eq(found->issuers.length, 3);
    ck_assert_uint_eq(found->crl.length, 0);
    ck_assert_uint_eq(found->roots.length, 0);
    put("endorsements/vcek.der", "vc", 2);
    put("endorsements/crl.der", "crl", 3);
    (void) taken();
    ck_assert_mem_eq(reference_store_endorsements(store)->leaf.data, "vc", 2);
    ck_assert_uint_eq(reference_store_endorsements(store)->crl.length, 3);
    for (size_t i = 0; i < ARRAY_LENGTH(collateral); i++) {
        scoped(freep) char *name = xformat("endorsements/%s", collateral[i]);

        put(name, "c", 1);
        if (i + 1 < ARRAY_LENGTH(collateral))
            refused(STATUS_FAILED_PRECONDITION, "all files or none");
    }
    (void) taken();
    ck_assert_uint_eq(reference_store_endorsements(store)->root_crl.length, 1);
    put("endorsements/ask.pem", "", 0);
    refused(STATUS_INVALID_ARGUMENT, "ask.pem' is empty");
}
END_TEST

START_TEST(an_endorsement_that_is_too_large_is_refused)
{
    scoped(freep) char *large = xalloc(CHAIN_BUNDLE_MAX + 1);

    install(NULL, NULL);
    ck_assert_int_eq(mkdir(in("endorsements"), 0700), 0);
    put("endorsements/vcek.der", large, CHAIN_CERTIFICATE_MAX + 1);
    refused(STATUS_RESOURCE_EXHAUSTED, "vcek.der' is larger");
    (void) unlink(in("endorsements/vcek.der"));
    put("endorsements/ask.pem", large, CHAIN_BUNDLE_MAX + 1);
    refused(STATUS_RESOURCE_EXHAUSTED, "ask.pem' is larger");
}
END_TEST

START_TEST(roots_that_are_named_must_be_there)
{
    const struct reference_values *values;

    install(NULL, NULL);
    scoped(reference_store_freep) struct reference_store *own = reference_store_new(
        &(struct reference_store_paths){.values = in("values.json"),
                                        .keys = in("keys.pem"),
                                        .roots = in("roots.pem"),
                                        .state = in("state")});
    ck_assert_int_lt(reference_store_get(own, &values, &err), 0);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    put("roots.pem", "", 0);
    ck_assert_int_lt(reference_store_get(own, &values, &err), 0);
    ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    put("roots.pem", "root", 4);
    ck_assert_int_eq(reference_store_get(own, &values, &err), 0);
    ck_assert_uint_eq(reference_store_endorsements(own)->roots.length, 4);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "reference_store", .setup = setup, .teardown = teardown},
        (const TTest *[]){values_that_are_signed_are_taken,
                          a_generation_ends_with_its_content,
                          each_file_that_is_not_there_is_named,
                          another_key_or_another_text_is_refused,
                          a_signed_file_is_read_as_strictly,
                          a_file_that_has_expired_is_refused,
                          an_older_serial_is_a_rollback,
                          one_serial_has_one_content,
                          another_process_may_see_the_newer_file_first,
                          a_file_that_changes_is_read_again,
                          the_floor_of_an_epoch_never_sinks,
                          a_damaged_state_is_no_new_start,
                          a_state_that_cannot_be_read_is_no_new_start,
                          what_could_not_be_written_was_not_seen,
                          a_crash_before_the_rename_leaves_the_old_state,
                          two_processes_do_not_lose_what_the_other_saw,
                          endorsements_come_along,
                          an_endorsement_that_is_too_large_is_refused,
                          roots_that_are_named_must_be_there,
                          NULL});
}
