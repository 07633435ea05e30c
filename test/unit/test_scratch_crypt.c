/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel is asked for when a scratch disk is made, and with which key. The device itself:
 * test_scratch.py. */
#include "scratch_crypt.h"

#include <linux/fs.h>
#include <linux/keyctl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "mapper.h"
#include "suite.h"

enum { KEY_SIZE = 16, KEYS = 4, TABLES = 8, DISK = 64 * 1024 * 1024 };

static uint8_t keys[KEYS][KEY_SIZE];
static unsigned added, revoked, made;
static char tables[TABLES][192];
static struct error err;

/* ---- the kernel ------------------------------------------------------------------------------ */

long __wrap_syscall(long number, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

long __wrap_syscall(long number, ...)
{
    const char *type, *name;
    const uint8_t *key;
    va_list args;

    ck_assert(number == SYS_add_key || number == SYS_keyctl);
    va_start(args, number);
    if (number == SYS_keyctl) {
        ck_assert_int_eq(va_arg(args, int), KEYCTL_REVOKE);
        ck_assert_int_eq(va_arg(args, int32_t), (int32_t) added);
        va_end(args);
        revoked++;
        return 0;
    }
    type = va_arg(args, const char *);
    name = va_arg(args, const char *);
    key = va_arg(args, const uint8_t *);
    ck_assert_uint_eq(va_arg(args, size_t), KEY_SIZE);
    ck_assert_int_eq(va_arg(args, int), KEY_SPEC_PROCESS_KEYRING);
    va_end(args);
    ck_assert_str_eq(type, "logon"); /* which nobody can read back */
    ck_assert_str_eq(name, "cleave:scratch");
    memcpy(keys[added], key, KEY_SIZE);
    return ++added;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list args;

    (void) fd;
    ck_assert_uint_eq(request, BLKGETSIZE64);
    va_start(args, request);
    *va_arg(args, uint64_t *) = DISK;
    va_end(args);
    return 0;
}

int mapper_make(const struct mapper_table *table, char ret[MAPPER_PATH_SIZE], struct error *e)
{
    (void) e;
    (void) snprintf(ret, MAPPER_PATH_SIZE, "/dev/dm-%u", made);
    (void) snprintf(tables[made++], sizeof(tables[0]), "%s %s", table->target, table->parameters);
    return 0;
}

int mapper_change(const struct mapper_table *table, struct error *e)
{
    (void) table;
    (void) e;
    return 0;
}

int mapper_status(const char *name, char ret[MAPPER_STATUS_SIZE], struct error *e)
{
    (void) name;
    (void) e;
    (void) snprintf(ret, MAPPER_STATUS_SIZE, "0 %d -", DISK / 512 - 4096);
    return 0;
}

/* ---- what holds ------------------------------------------------------------------------------ */

static void make(void)
{
    char path[MAPPER_PATH_SIZE];

    ck_assert_msg(scratch_crypt_make("/dev/null", path, &err) == 0, "%s", err.message);
}

START_TEST(each_disk_has_a_key_of_its_own)
{
    static const uint8_t none[KEY_SIZE];

    for (unsigned i = 0; i < KEYS; i++) {
        make();
        ck_assert_uint_eq(added, i + 1);
        ck_assert_uint_eq(revoked, i + 1); /* dm-crypt has it */
        ck_assert_mem_ne(keys[i], none, KEY_SIZE);
        for (unsigned j = 0; j < i; j++)
            ck_assert_mem_ne(keys[i], keys[j], KEY_SIZE);
        made = 0;
    }
}
END_TEST

START_TEST(the_table_names_the_key_and_has_no_byte_of_it)
{
    char hex[2 * KEY_SIZE + 1];

    make();
    ck_assert_uint_eq(made, 2);
    ck_assert_ptr_nonnull(strstr(tables[0], "integrity /dev/null 0 32 D "));
    ck_assert_ptr_nonnull(strstr(tables[1], "crypt capi:aegis128-random :16:logon:cleave:scratch 0 "
                                            "/dev/dm-0 0 "));
    for (unsigned i = 0; i < KEY_SIZE; i++)
        (void) snprintf(hex + 2 * i, 3, "%02x", keys[0][i]);
    ck_assert_ptr_null(strstr(tables[1], hex));
}
END_TEST

int main(void)
{
    return suite_run("scratch_crypt",
                     (const TTest *[]){each_disk_has_a_key_of_its_own,
                                       the_table_names_the_key_and_has_no_byte_of_it, NULL});
}
