/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"
#include "secure/key.h"
#include "secure/mint.h"
#include "suite.h"

static char root[64], directory[80], epochs[80];
static struct error err;

static void setup(void)
{
    strcpy(root, "/tmp/test_mint.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    snprintf(directory, sizeof(directory), "%s/t", root);
    snprintf(epochs, sizeof(epochs), "%s/epoch", root);
}

static void teardown(void)
{
    ck_assert_int_eq(file_remove_tree(root, &err), 0);
}

static struct mint_options options(void)
{
    return (struct mint_options){
        .directory = directory,
        .epochs = epochs,
        .pod_namespace = "prod",
        .pod_name = "web",
        .limits = {.vcpus = 1, .memory = 1 << 28, .evidence = "sample"},
        .network = INITDATA_NETWORK_NONE,
        .mode = INITDATA_OPEN,
    };
}

static uint64_t next(const char *name)
{
    uint64_t epoch = 0;

    ck_assert_msg(epoch_next(epochs, "prod", name, &epoch, &err) == 0, "%s", err.message);
    return epoch;
}

static char *store_of(const char *pod)
{
    uint8_t digest[SHA256_SIZE];
    char name[2 * SHA256_SIZE + 1];

    digest_sha256(pod, strlen(pod), digest);
    hex_encode(digest, sizeof(digest), name);
    return xformat("%s/%s", epochs, name);
}

START_TEST(a_mint_makes_a_key_and_initdata_that_names_it)
{
    const struct mint_options wanted = options();
    scoped(initdata_freep) struct initdata *initdata = NULL;
    scoped(key_freep) struct key *key = NULL;
    struct mint mint;
    struct stat st;

    ck_assert_msg(mint_make(&wanted, &mint, &err) == 0, "%s", err.message);
    ck_assert_int_eq(initdata_load(mint.initdata_path, &initdata, &err), 0);
    ck_assert_int_eq(key_load(mint.key_path, &key, &err), 0);
    const struct peer *peer = initdata_peer(initdata, key_spki(key));
    ck_assert_ptr_nonnull(peer);
    ck_assert_int_eq(peer->role, PEER_CONTROL);
    ck_assert_uint_eq(initdata->content.peer_count, 1);
    ck_assert_int_eq(stat(mint.key_path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(mint_remove(directory, mint.sandbox_id, &err), 0);
    ck_assert(!file_exists(mint.key_path));
    ck_assert_int_eq(mint_remove(directory, mint.sandbox_id, &err), 0);
    ck_assert_int_lt(mint_remove(directory, "../x", &err), 0);
    mint_fini(&mint);
}
END_TEST

START_TEST(two_mints_share_nothing_and_count_upwards)
{
    const struct mint_options wanted = options();
    struct mint first, second;

    ck_assert_int_eq(mint_make(&wanted, &first, &err), 0);
    ck_assert_int_eq(mint_make(&wanted, &second, &err), 0);
    ck_assert_uint_eq(first.epoch, 1);
    ck_assert_uint_eq(second.epoch, 2);
    ck_assert_uint_eq(second.initdata->content.epoch, 2);
    ck_assert_str_ne(first.sandbox_id, second.sandbox_id);
    ck_assert_mem_ne(first.initdata->content.peers[0].spki, second.initdata->content.peers[0].spki,
                     32);
    ck_assert_int_eq(mint_remove(directory, first.sandbox_id, &err), 0);
    ck_assert_uint_eq(next("web"), 3); /* what is removed is counted all the same */
    mint_fini(&first);
    mint_fini(&second);
}
END_TEST

START_TEST(extra_peers_are_named_and_bounded)
{
    struct mint_options wanted = options();
    struct peer peers[INITDATA_PEERS_MAX];
    struct mint mint;

    for (size_t i = 0; i < ARRAY_LENGTH(peers); i++) {
        peers[i].role = PEER_OBSERVE;
        memset(peers[i].spki, (int) i + 1, sizeof(peers[i].spki));
    }
    wanted.extra_peers = peers;
    wanted.extra_peer_count = INITDATA_PEERS_MAX - 1;
    ck_assert_int_eq(mint_make(&wanted, &mint, &err), 0);
    ck_assert_uint_eq(mint.initdata->content.peer_count, INITDATA_PEERS_MAX);
    ck_assert_int_eq(initdata_peer(mint.initdata, peers[7].spki)->role, PEER_OBSERVE);
    mint_fini(&mint);
    wanted.extra_peer_count = INITDATA_PEERS_MAX;
    ck_assert_int_lt(mint_make(&wanted, &mint, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "more than 8 extra peers"));
}
END_TEST

START_TEST(each_pod_has_its_own_epoch)
{
    ck_assert_uint_eq(next("web"), 1);
    ck_assert_uint_eq(next("web"), 2);
    ck_assert_uint_eq(next("db"), 1);
    ck_assert_uint_eq(next("web"), 3);
}
END_TEST

START_TEST(names_that_cannot_be_a_pods_are_refused)
{
    static const char *const bad[][2] = {
        {"", "a"}, {"a", ""}, {"a/b", "c"}, {"a", "b/c"}, {NULL, "a"}};
    uint64_t epoch;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_int_lt(epoch_next(epochs, bad[i][0], bad[i][1], &epoch, &err), 0);
}
END_TEST

static void store_is_refused(const char *content, size_t length, enum status status)
{
    scoped(freep) char *store = store_of("prod/web");
    scoped(freep) char *after = NULL;
    uint64_t epoch = 99;
    size_t after_length;

    ck_assert_int_eq(file_write_atomic(store, content, length, 0600, &err), 0);
    ck_assert_int_lt(epoch_next(epochs, "prod", "web", &epoch, &err), 0);
    ck_assert_msg(err.status == status, "%s", err.message);
    ck_assert_uint_eq(epoch, 99);
    ck_assert_int_eq(file_read(store, 1024, &after, &after_length, &err), 0);
    ck_assert_uint_eq(after_length, length); /* nobody mended it */
}

START_TEST(a_damaged_store_never_starts_over)
{
    next("web");
    store_is_refused("", 0, STATUS_DATA_LOSS);
    store_is_refused("\n", 1, STATUS_DATA_LOSS);
    store_is_refused("seven\n", 6, STATUS_DATA_LOSS);
    store_is_refused("-1\n", 3, STATUS_DATA_LOSS);
    store_is_refused("7\0008\n", 4, STATUS_DATA_LOSS);
    store_is_refused("1111111111111111111111111111111111111", 37, STATUS_RESOURCE_EXHAUSTED);
    store_is_refused("18446744073709551615\n", 21, STATUS_OUT_OF_RANGE);
}
END_TEST

/* An error that is not "no such file": here a store that is a loop of links, which even root cannot
 * read. */
START_TEST(a_store_that_cannot_be_read_never_starts_over)
{
    scoped(freep) char *store = store_of("prod/web");
    uint64_t epoch = 99;

    ck_assert_uint_eq(next("web"), 1);
    ck_assert_int_eq(unlink(store), 0);
    ck_assert_int_eq(symlink(store, store), 0);
    ck_assert_int_lt(epoch_next(epochs, "prod", "web", &epoch, &err), 0);
    ck_assert_int_ne(err.status, STATUS_NOT_FOUND);
    ck_assert_uint_eq(epoch, 99);
}
END_TEST

/* Whoever counts at the same time gets another number. */
START_TEST(counting_is_locked)
{
    enum { CHILDREN = 4, EACH = 25 };
    int status;

    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid > 0)
            continue;
        uint64_t before = 0, epoch;
        for (int k = 0; k < EACH; k++, before = epoch)
            if (epoch_next(epochs, "prod", "web", &epoch, &err) < 0 || epoch <= before)
                _exit(1);
        _exit(0);
    }
    for (int i = 0; i < CHILDREN; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_uint_eq(next("web"), CHILDREN * EACH + 1);
}
END_TEST

START_TEST(a_counter_waits_for_the_lock)
{
    scoped(freep) char *lock_path = xformat("%s/lock", epochs);
    int lock, status;

    next("web");
    ck_assert_int_eq(file_lock(lock_path, &lock, &err), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        uint64_t epoch;
        close(lock); /* the parent's lock is on the open file, which the child shares */
        _exit(epoch_next(epochs, "prod", "web", &epoch, &err) < 0 || epoch != 2);
    }
    usleep(100 * 1000); /* it may not end meanwhile: too short a time lets a defect pass, no more */
    ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
    close(lock);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "mint", .setup = setup, .teardown = teardown},
        (const TTest *[]){
            a_mint_makes_a_key_and_initdata_that_names_it,
            two_mints_share_nothing_and_count_upwards, extra_peers_are_named_and_bounded,
            each_pod_has_its_own_epoch, names_that_cannot_be_a_pods_are_refused,
            a_damaged_store_never_starts_over, a_store_that_cannot_be_read_never_starts_over,
            counting_is_locked, a_counter_waits_for_the_lock, NULL});
}
