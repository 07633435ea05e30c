/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"
#include "base/guest_disk.h"
#include "base/scoped.h"
#include "disks.h"

static char path[64];
static struct disks disks;

static void setup(void)
{
    strcpy(path, "/tmp/cleave-disk-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void teardown(void)
{
    disks_fini(&disks);
    unlink(path);
}

static enum boot_code add(const void *data, size_t length)
{
    struct error err;
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, length, file), length);
    fclose(file);
    return disks_add(&disks, path, &err);
}

static enum boot_code add_initdata(const char *text)
{
    scoped(freep) uint8_t *disk = NULL;
    struct error err;
    size_t size;

    ck_assert_int_eq(guest_initdata_write(text, strlen(text), &disk, &size, &err), 0);
    return add(disk, size);
}

static enum boot_code add_network(void)
{
    struct guest_net net = {.mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .address_count = 1};
    uint8_t block[GUEST_DISK_BLOCK];
    struct error err;

    net.addresses[0] = (struct guest_address){
        .family = AF_INET, .prefix = 24, .address = {10, 0, 0, 5}, .gateway = {10, 0, 0, 1}};
    ck_assert_msg(guest_net_write(&net, block, &err) == 0, "%s", err.message);
    return add(block, sizeof(block));
}

static enum boot_code check(void)
{
    struct error err;

    return disks_check(&disks, &err);
}

START_TEST(both_disks_in_either_order_are_enough)
{
    ck_assert_int_eq(add_network(), BOOT_OK);
    ck_assert_int_eq(add("nothing of ours", 15), BOOT_OK);
    ck_assert_int_eq(add_initdata("exact bytes"), BOOT_OK);
    ck_assert_int_eq(check(), BOOT_OK);
    ck_assert_uint_eq(disks.initdata_length, strlen("exact bytes"));
    ck_assert_mem_eq(disks.initdata, "exact bytes", disks.initdata_length);
    ck_assert_uint_eq(disks.network_length, GUEST_DISK_BLOCK);
}
END_TEST

START_TEST(a_missing_disk_is_named)
{
    ck_assert_int_eq(check(), BOOT_INITDATA_ABSENT);
    ck_assert_int_eq(add_initdata("x"), BOOT_OK);
    ck_assert_int_eq(check(), BOOT_NETWORK_ABSENT);
}
END_TEST

START_TEST(a_second_disk_of_a_kind_is_refused)
{
    ck_assert_int_eq(add_initdata("x"), BOOT_OK);
    ck_assert_int_eq(add_initdata("x"), BOOT_INITDATA_DOUBLED);
    ck_assert_int_eq(add_network(), BOOT_OK);
    ck_assert_int_eq(add_network(), BOOT_NETWORK_DOUBLED);
}
END_TEST

START_TEST(a_malformed_disk_is_refused_and_not_ignored)
{
    uint8_t block[GUEST_DISK_BLOCK] = "CLEAVINI";

    ck_assert_int_eq(add(block, sizeof(block)), BOOT_INITDATA_MALFORMED);
    memcpy(block, "CLEAVNET", 8);
    ck_assert_int_eq(add(block, sizeof(block)), BOOT_NETWORK_MALFORMED);
    ck_assert_int_eq(add("CLEAVINI", 8), BOOT_INITDATA_MALFORMED);
    ck_assert_int_eq(add("CLEAVNET", 8), BOOT_NETWORK_MALFORMED);
}
END_TEST

START_TEST(a_malformed_second_disk_counts_as_a_second)
{
    uint8_t block[GUEST_DISK_BLOCK] = "CLEAVINI";

    ck_assert_int_eq(add_initdata("x"), BOOT_OK);
    ck_assert_int_eq(add(block, sizeof(block)), BOOT_INITDATA_DOUBLED);
}
END_TEST

START_TEST(a_device_that_is_not_there_carries_nothing)
{
    struct error err;

    ck_assert_int_eq(disks_add(&disks, "/dev/does-not-exist", &err), BOOT_OK);
    ck_assert_int_eq(check(), BOOT_INITDATA_ABSENT);
}
END_TEST

START_TEST(one_disk_is_for_scratch_by_its_serial_number)
{
    struct error err;

    ck_assert_int_eq(disks_add_scratch(&disks, "/dev/vda", "cleave-init", &err), BOOT_OK);
    ck_assert_int_eq(disks_add_scratch(&disks, "/dev/vda", "", &err), BOOT_OK);
    ck_assert_ptr_null(disks.scratch);
    ck_assert_int_eq(disks_add_scratch(&disks, "/dev/vdc", "cleave-scratch", &err), BOOT_OK);
    ck_assert_str_eq(disks.scratch, "/dev/vdc");
    ck_assert_int_eq(disks_add_scratch(&disks, "/dev/vdd", "cleave-scratch", &err),
                     BOOT_SCRATCH_DOUBLED);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "disks", .setup = setup, .teardown = teardown},
        (const TTest *[]){
            both_disks_in_either_order_are_enough, a_missing_disk_is_named,
            a_second_disk_of_a_kind_is_refused, a_malformed_disk_is_refused_and_not_ignored,
            a_malformed_second_disk_counts_as_a_second, a_device_that_is_not_there_carries_nothing,
            one_disk_is_for_scratch_by_its_serial_number, NULL});
}
