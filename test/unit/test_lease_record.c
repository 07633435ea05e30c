/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/lease_record.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "suite.h"

static char root[64];
static char *path;
static struct lease_record *record;
static struct error err;

static void setup(void)
{
    strcpy(root, "/tmp/test_lease_record.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    path = lease_record_path(root, "00112233445566778899aabbccddeeff");
    record = NULL;
}

static void teardown(void)
{
    lease_record_close(record);
    free(path);
    ck_assert_int_eq(file_remove_tree(root, &err), 0);
}

static struct lease_holder holder(uint8_t instance, uint64_t epoch)
{
    struct lease_holder ret = {.epoch = epoch};

    memset(ret.sandbox_id, 0xab, sizeof(ret.sandbox_id));
    memset(ret.instance, instance, sizeof(ret.instance));
    return ret;
}

static void claim(uint8_t instance, uint64_t epoch)
{
    const struct lease_holder who = holder(instance, epoch);

    lease_record_close(record);
    record = NULL;
    ck_assert_msg(lease_record_claim(path, &who, &record, &err) == 0, "%s", err.message);
    ck_assert(lease_record_holds(record));
}

static void expect_refusal(uint8_t instance, uint64_t epoch, enum status status, const char *word)
{
    const struct lease_holder who = holder(instance, epoch);
    struct lease_record *none = NULL;

    ck_assert(lease_record_claim(path, &who, &none, &err) < 0);
    ck_assert_ptr_null(none);
    ck_assert_msg(err.status == status && strstr(err.message, word), "%s: %s",
                  status_name(err.status), err.message);
}

static void revoke_it(void)
{
    ck_assert_msg(lease_record_revoke(path, &err) == 0, "%s", err.message);
}

static void damage(off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    ck_assert(pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    ck_assert(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

START_TEST(numbers_grow_and_are_never_given_twice)
{
    uint64_t number = 0, before = 0;

    setup();
    claim(1, 1);
    for (int i = 0; i < 3 * LEASE_NUMBERS; i++) {
        ck_assert(lease_record_next(record, &number, &err) == 0);
        ck_assert_uint_gt(number, before);
        before = number;
    }
    revoke_it();
    claim(2, 2); /* who gave some of the last ones may have died before he could say so */
    ck_assert(lease_record_next(record, &number, &err) == 0);
    ck_assert_uint_gt(number, before);
    teardown();
}
END_TEST

START_TEST(another_instance_is_refused)
{
    setup();
    claim(1, 1);
    expect_refusal(2, 1, STATUS_FAILED_PRECONDITION, "another instance");
    expect_refusal(2, 2, STATUS_FAILED_PRECONDITION, "another instance");
    ck_assert(lease_record_holds(record));
    teardown();
}
END_TEST

START_TEST(nobody_is_adopted)
{
    setup();
    claim(1, 1);
    expect_refusal(1, 1, STATUS_FAILED_PRECONDITION, "another process");
    teardown();
}
END_TEST

START_TEST(a_revocation_by_another_process_is_seen_at_once)
{
    uint64_t number;
    int status;
    pid_t pid;

    setup();
    claim(1, 1);
    ck_assert(lease_record_next(record, &number, &err) == 0);
    pid = fork();
    if (pid == 0)
        _exit(lease_record_revoke(path, &err) != 0);
    ck_assert(waitpid(pid, &status, 0) == pid && status == 0);
    ck_assert(!lease_record_holds(record));
    ck_assert(lease_record_next(record, &number, &err) < 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    teardown();
}
END_TEST

START_TEST(what_was_revoked_stays_so)
{
    setup();
    claim(1, 5);
    revoke_it();
    revoke_it();
    expect_refusal(1, 5, STATUS_FAILED_PRECONDITION, "has ended");
    expect_refusal(1, 6, STATUS_FAILED_PRECONDITION, "has ended");
    expect_refusal(2, 4, STATUS_FAILED_PRECONDITION, "epoch");
    claim(2, 5);
    teardown();
}
END_TEST

static void forge_boot(void)
{
    uint8_t bytes[152];
    int fd = open(path, O_RDWR);

    ck_assert(pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes));
    bytes[80] ^= 1;
    digest_sha256(bytes, 120, bytes + 120);
    ck_assert(pwrite(fd, bytes, sizeof(bytes), 0) == sizeof(bytes));
    close(fd);
}

START_TEST(what_was_held_before_a_reboot_has_ended)
{
    setup();
    claim(1, 5);
    forge_boot();
    expect_refusal(1, 6, STATUS_FAILED_PRECONDITION, "has ended");
    expect_refusal(2, 4, STATUS_FAILED_PRECONDITION, "epoch");
    claim(2, 5);
    expect_refusal(3, 5, STATUS_FAILED_PRECONDITION, "another instance");
    teardown();
}
END_TEST

START_TEST(a_takeover_ends_the_former_holder)
{
    struct lease_record *former;

    setup();
    claim(1, 1);
    former = record;
    record = NULL;
    revoke_it();
    claim(2, 1);
    ck_assert(!lease_record_holds(former));
    lease_record_close(former);
    teardown();
}
END_TEST

START_TEST(a_later_claim_is_not_the_former_holders)
{
    struct lease_record *former;

    setup();
    claim(1, 1);
    former = record;
    record = NULL;
    revoke_it();
    claim(2, 1);
    revoke_it();
    claim(1, 1);
    ck_assert(!lease_record_holds(former));
    lease_record_close(former);
    teardown();
}
END_TEST

START_TEST(a_damaged_record_is_nobodys)
{
    setup();
    for (off_t at = 0; at < 152; at++) {
        claim(1, 1);
        damage(at);
        expect_refusal(2, 9, STATUS_DATA_LOSS, "damaged");
        ck_assert(unlink(path) == 0);
    }
    teardown();
}
END_TEST

START_TEST(a_torn_record_is_nobodys)
{
    setup();
    for (off_t length = 1; length < 152; length++) {
        claim(1, 1);
        lease_record_close(record);
        record = NULL;
        ck_assert(truncate(path, length) == 0);
        expect_refusal(2, 9, STATUS_DATA_LOSS, "damaged");
        ck_assert(unlink(path) == 0);
    }
    teardown();
}
END_TEST

START_TEST(a_damaged_record_gives_no_more_numbers)
{
    uint64_t number;
    int given = 0;

    setup();
    claim(1, 1);
    damage(40);
    while (given <= LEASE_NUMBERS && lease_record_next(record, &number, &err) == 0)
        given++;
    ck_assert_int_le(given, LEASE_NUMBERS);
    ck_assert(!lease_record_holds(record));
    revoke_it();
    ck_assert(!lease_record_holds(record));
    teardown();
}
END_TEST

START_TEST(a_record_that_was_removed_is_nobodys)
{
    uint64_t number;
    int given = 0;

    setup();
    claim(1, 1);
    ck_assert(unlink(path) == 0);
    while (given <= LEASE_NUMBERS && lease_record_next(record, &number, &err) == 0)
        given++;
    ck_assert_int_le(given, LEASE_NUMBERS);
    ck_assert(!lease_record_holds(record));
    claim(2, 1);
    teardown();
}
END_TEST

START_TEST(a_locked_record_is_waited_for_only_so_long)
{
    int fd;

    setup();
    claim(1, 1);
    fd = open(path, O_RDWR);
    ck_assert(flock(fd, LOCK_EX) == 0);
    ck_assert(lease_record_revoke(path, &err) < 0);
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    ck_assert(!lease_record_holds(record));
    expect_refusal(2, 1, STATUS_UNAVAILABLE, "locked");
    close(fd);
    revoke_it();
    teardown();
}
END_TEST

START_TEST(an_absent_record_needs_no_revocation)
{
    setup();
    revoke_it();
    ck_assert(!file_exists(path));
    teardown();
}
END_TEST

START_TEST(a_link_in_its_place_is_refused)
{
    setup();
    ck_assert(symlink("/tmp", path) == 0);
    const struct lease_holder who = holder(1, 1);
    ck_assert(lease_record_claim(path, &who, &record, &err) < 0);
    ck_assert(lease_record_revoke(path, &err) < 0);
    teardown();
}
END_TEST

int main(void)
{
    return suite_run(
        "lease_record",
        (const TTest *[]){
            numbers_grow_and_are_never_given_twice, another_instance_is_refused, nobody_is_adopted,
            a_revocation_by_another_process_is_seen_at_once, what_was_revoked_stays_so,
            what_was_held_before_a_reboot_has_ended, a_takeover_ends_the_former_holder,
            a_later_claim_is_not_the_former_holders, a_damaged_record_is_nobodys,
            a_torn_record_is_nobodys, a_record_that_was_removed_is_nobodys,
            a_damaged_record_gives_no_more_numbers, a_locked_record_is_waited_for_only_so_long,
            an_absent_record_needs_no_revocation, a_link_in_its_place_is_refused, NULL});
}
