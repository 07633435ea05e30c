/* SPDX-License-Identifier: Apache-2.0 */
/* What is not exactly a firmware as a VMM reads it is refused, with the field. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "measure/memory_range.h"
#include "measure/ovmf_table.h"
#include "measure/sev_metadata.h"
#include "measure/tdvf_metadata.h"
#include "ovmf_fixture.h"
#include "suite.h"

static uint8_t image[OVMF_SIZE];
static struct ovmf_table table;
static struct sev_metadata sev;
static struct tdvf_metadata tdvf;
static struct error err;

static void setup(void)
{
    ovmf_make(image);
}

static int read_sev(void)
{
    if (ovmf_table_open(&table, image, sizeof(image), &err) < 0)
        return -1;
    return sev_metadata_read(&table, &sev, &err);
}

static int read_tdvf(void)
{
    if (ovmf_table_open(&table, image, sizeof(image), &err) < 0)
        return -1;
    return tdvf_metadata_read(&table, &tdvf, &err);
}

START_TEST(metadata_are_found_by_the_table)
{
    ck_assert_msg(read_sev() == 0, "%s", err.message);
    ck_assert_uint_eq(sev.count, 6);
    ck_assert_uint_eq(sev.sections[4].start, 0x80f000);
    ck_assert_uint_eq(sev.sections[5].size, 0x2000);
    ck_assert_uint_eq(sev.reset_address, 0x80b004);
    ck_assert_uint_eq(sev.hash_table, 0x80fc00);
    ck_assert_msg(read_tdvf() == 0, "%s", err.message);
    ck_assert_uint_eq(tdvf.count, 6);
    ck_assert_uint_eq(tdvf_metadata_find(&tdvf, TDVF_TD_HOB)->address, 0x809000);
    ck_assert_uint_eq(tdvf_metadata_find(&tdvf, TDVF_BFV)->attributes, TDVF_MEASURED);
}
END_TEST

struct damage {
    size_t at;
    unsigned width;
    uint64_t value;
    const char *says;
};

static void check_refused(int (*read)(void), const struct damage *damage)
{
    ovmf_make(image);
    ovmf_put(image, damage->at, damage->value, damage->width);
    err = (struct error){0};
    ck_assert_msg(read() < 0, "taken: 0x%zx", damage->at);
    ck_assert_msg(strstr(err.message, damage->says), "0x%zx: '%s' lacks '%s'", damage->at,
                  err.message, damage->says);
}

#define CHECK_REFUSED(read, damages)                                                               \
    for (size_t i = 0; i < ARRAY_LENGTH(damages); i++)                                             \
    check_refused(read, &(damages)[i])

START_TEST(a_table_that_does_not_add_up_is_refused)
{
    static const struct damage damages[] = {
        {OVMF_FOOTER_AT + 2, 1, 0, "no table of GUIDs"},
        {OVMF_FOOTER_AT, 2, 0, "length of the firmware's table is 0,"},
        {OVMF_FOOTER_AT, 2, 17, "length of the firmware's table is 17,"},
        {OVMF_FOOTER_AT, 2, OVMF_FOOTER_AT + 19, "length of the firmware's table is"},
        {OVMF_FOOTER_AT, 2, 18 + 10, "begins with 10 bytes that are no entry"},
        {OVMF_FOOTER_AT, 2, 18 + 22 + 5, "begins with 5 bytes that are no entry"},
        {OVMF_RESET_AT, 2, 0, "the length of the entry at 0x1fbc of the firmware is 0,"},
        {OVMF_RESET_AT, 2, 17, "is 17, not 18 to"},
        {OVMF_RESET_AT, 2, 0xffff, "is 65535, not 18 to"},
        {OVMF_TDX_ENTRY_AT, 2, 23, "is 23, not 18 to 22"},
        {OVMF_TDX_ENTRY_AT, 2, 21, "begins with 1 bytes that are no entry"},
    };

    CHECK_REFUSED(read_sev, damages);
    CHECK_REFUSED(read_tdvf, damages);
}
END_TEST

START_TEST(an_entry_that_is_there_twice_is_refused)
{
    memcpy(image + OVMF_OTHER_AT + 2, image + OVMF_RESET_AT + 2, 16);
    ck_assert_int_lt(read_sev(), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'SEV-ES reset block' twice"));
}
END_TEST

START_TEST(a_firmware_of_any_other_size_is_refused)
{
    static const size_t sizes[] = {0, 1, OVMF_SIZE - 1, OVMF_SIZE + 1,
                                   (size_t) OVMF_SIZE_MAX + MEMORY_PAGE};

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        ck_assert_int_lt(ovmf_table_open(&table, image, sizes[i], &err), 0);
        ck_assert_ptr_nonnull(strstr(err.message, "not whole pages"));
    }
    /* Its end alone has a table, too, but no place that is told by its distance from the end. */
    ck_assert_int_eq(ovmf_table_open(&table, image + MEMORY_PAGE, MEMORY_PAGE, &err), 0);
    ck_assert_int_eq(sev_metadata_read(&table, &sev, &err), 0);
    ck_assert_int_lt(tdvf_metadata_read(&table, &tdvf, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "TDVF section 0: DataOffset 0x1000"));
}
END_TEST

START_TEST(sev_metadata_that_do_not_add_up_are_refused)
{
    static const struct damage damages[] = {
        {OVMF_SEV_ENTRY_AT + 2, 1, 0, "no entry 'SEV metadata'"},
        {OVMF_SEV_ENTRY_AT - 4, 4, OVMF_SIZE + 1, "SEV metadata begins 8193 bytes before"},
        {OVMF_SEV_ENTRY_AT - 4, 4, 15, "SEV metadata begins 15 bytes before"},
        {OVMF_SEV_ENTRY_AT - 4, 4, 0xffffffff, "SEV metadata begins 4294967295 bytes before"},
        {OVMF_SEV_ENTRY_AT - 4, 4, 16, "no signature 'ASEV'"},
        {OVMF_SEV_AT, 1, 'a', "no signature 'ASEV'"},
        {OVMF_SEV_AT + 4, 4, 87, "size of the SEV metadata is 87"},
        {OVMF_SEV_AT + 8, 4, 2, "version of the SEV metadata is 2"},
        {OVMF_SEV_AT + 12, 4, 0, "has 0 sections"},
        {OVMF_SEV_AT + 12, 4, 5, "size of the SEV metadata is 88"},
        {OVMF_SEV_AT + 12, 4, 0x15555556, "has 357913942 sections"},
        {OVMF_SEV_SECTIONS_AT, 4, 0x800001, "SEV section 0: address 0x800001"},
        {OVMF_SEV_SECTIONS_AT + 4, 4, 0x9001, "SEV section 0: address 0x800000, size 0x9001: not"},
        {OVMF_SEV_SECTIONS_AT + 4, 4, 0, "SEV section 0: address 0x800000, size 0x0: not"},
        {OVMF_SEV_SECTIONS_AT + 4, 4, 0xfffff000, "size 0xfffff000: reaches into the firmware"},
        {OVMF_SEV_SECTIONS_AT, 4, 0xffffe000, "reaches into the firmware"},
        {OVMF_SEV_SECTIONS_AT + 4, 4, 0x5000000, "more than 67108864 bytes"},
        {OVMF_SEV_SECTIONS_AT + 4, 4, 0xb000, "SEV section 1: address 0x80a000, size 0x3000: over"},
        {OVMF_SEV_SECTIONS_AT + 8, 4, 0, "SEV section 0: type 0 is unknown"},
        {OVMF_SEV_SECTIONS_AT + 8, 4, 5, "SEV section 0: type 5 is unknown"},
        {OVMF_SEV_SECTIONS_AT + 8, 4, 2, "SEV section 0: a section of type 2 has one page"},
        {OVMF_SEV_SECTIONS_AT + 12 * 3 + 8, 4, 2, "SEV section 3: type 2 a second time"},
        {OVMF_SEV_SECTIONS_AT + 12 * 3, 4, 0x80d000, "SEV section 3: address 0x80d000, size"},
        {OVMF_HASHES_AT - 8, 4, 0x80efff, "SEV hash table, address 0x80efff"},
        {OVMF_HASHES_AT - 8, 4, 0xfffffff0, "SEV hash table, address 0xfffffff0"},
        {OVMF_HASHES_AT - 4, 4, 175, "size 0xaf, does not lie in SEV section 4"},
        {OVMF_HASHES_AT - 4, 4, 0x401, "size 0x401, does not lie in SEV section 4"},
        {OVMF_HASHES_AT + 2, 1, 0, "SEV hash table, address 0x0"},
    };

    CHECK_REFUSED(read_sev, damages);
}
END_TEST

START_TEST(entries_of_another_length_are_refused)
{
    /* The entry grows into the one below, which nobody knows. */
    ovmf_put(image, OVMF_HASHES_AT, 18 + 8 + 18 + 3, 2);
    ck_assert_int_lt(read_sev(), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'SEV hash table' of the firmware's table has 29"));
    ovmf_make(image);
    ovmf_put(image, OVMF_RESET_AT, 18 + 4 + 18 + 8, 2);
    ck_assert_int_lt(read_sev(), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'SEV-ES reset block' of the firmware's table has"));
    ovmf_make(image);
    ovmf_put(image, OVMF_SEV_ENTRY_AT, 18 + 4 + 18 + 4, 2);
    ck_assert_int_lt(read_sev(), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'SEV metadata' of the firmware's table has 26"));
}
END_TEST

START_TEST(tdx_metadata_that_do_not_add_up_are_refused)
{
    static const struct damage damages[] = {
        {OVMF_TDX_ENTRY_AT + 2, 1, 0, "no entry 'TDX metadata'"},
        {OVMF_TDX_ENTRY_AT - 4, 4, OVMF_SIZE, "no GUID before it"},
        {OVMF_TDX_ENTRY_AT - 4, 4, 8, "TDX metadata begins 8 bytes before"},
        {OVMF_TDX_AT - 1, 1, 0, "no GUID before it"},
        {OVMF_TDX_AT, 1, 't', "no signature 'TDVF'"},
        {OVMF_TDX_AT + 4, 4, 207, "length of the TDX metadata is 207"},
        {OVMF_TDX_AT + 8, 4, 0, "version of the TDX metadata is 0"},
        {OVMF_TDX_AT + 12, 4, 0, "NumberOfSectionEntries of the TDX metadata is 0"},
        {OVMF_TDX_AT + 12, 4, 0x8000006, "NumberOfSectionEntries of the TDX metadata is 134217734"},
        {OVMF_TDX_SECTIONS_AT, 4, 0x1001, "TDVF section 0: DataOffset 0x1001"},
        {OVMF_TDX_SECTIONS_AT, 4, 0xffffffff, "TDVF section 0: DataOffset 0xffffffff"},
        {OVMF_TDX_SECTIONS_AT + 4, 4, 0x800, "TDVF section 0: RawDataSize 0x800 of a BFV"},
        {OVMF_TDX_SECTIONS_AT + 4, 4, 0, "TDVF section 0: RawDataSize 0x0 of a BFV"},
        {OVMF_TDX_SECTIONS_AT + 8, 8, 0xfffff800, "TDVF section 0: MemoryAddress 0xfffff800"},
        {OVMF_TDX_SECTIONS_AT + 8, 8, UINT64_C(0xfffffffffffff000), "beyond 4 GiB"},
        {OVMF_TDX_SECTIONS_AT + 16, 8, 0, "MemoryDataSize 0x0: not whole pages"},
        {OVMF_TDX_SECTIONS_AT + 16, 8, UINT64_C(0xfffffffffffff000), "more than 67108864 bytes"},
        {OVMF_TDX_SECTIONS_AT + 24, 4, 4, "TDVF section 0: type 4 is none that QEMU takes"},
        {OVMF_TDX_SECTIONS_AT + 24, 4, 1, "TDVF section 1: a second CFV"},
        {OVMF_TDX_SECTIONS_AT + 28, 4, 2, "TDVF section 0: attributes 0x2"},
        {OVMF_TDX_SECTIONS_AT + 28, 4, 3, "TDVF section 0: attributes 0x3"},
        {OVMF_TDX_SECTIONS_AT + 32 + 8, 8, 0xfffff000, "TDVF section 1: MemoryAddress 0xfffff000"},
        {OVMF_TDX_SECTIONS_AT + 64 + 16, 8, 0x4000000, "all together are more than"},
        {OVMF_TDX_SECTIONS_AT + 64 + 4, 4, 0x10000, "RawDataSize 0x10000 of a temporary memory"},
        {OVMF_TDX_SECTIONS_AT + 64 + 24, 4, 2, "TDVF section 4: a second TD HOB (section 2)"},
        {OVMF_TDX_SECTIONS_AT + 64 + 28, 4, 1, "has no contents to measure"},
        {OVMF_TDX_SECTIONS_AT + 128 + 24, 4, 3, "no section of type 0 (BFV) or 2 (TD HOB)"},
        {OVMF_TDX_SECTIONS_AT + 128 + 16, 8, 0x3000, "TDVF section 4: MemoryAddress 0x809000"},
    };

    CHECK_REFUSED(read_tdvf, damages);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        metadata_are_found_by_the_table,
        a_table_that_does_not_add_up_is_refused,
        an_entry_that_is_there_twice_is_refused,
        a_firmware_of_any_other_size_is_refused,
        sev_metadata_that_do_not_add_up_are_refused,
        entries_of_another_length_are_refused,
        tdx_metadata_that_do_not_add_up_are_refused,
        NULL,
    };

    return suite_run_with(&(struct suite){.name = "ovmf", .setup = setup}, tests);
}
