/* SPDX-License-Identifier: Apache-2.0 */
/* dm-integrity keeps, beside each block, what dm-crypt above it needs to know whether it is what
 * was written there: a nonce and a tag. The cipher is AEGIS-128: of what kernels have for this it
 * is the one that costs no more than XTS, which has no tags, and its nonces may be random. The
 * number of the block is part of what the tag covers. So the host cannot change a block, nor put
 * one in another's place. It can put back what was in the same place before: nothing on the disk
 * says how new it is, and what could say so would have to be kept in memory.
 *
 * Tags are written in place, without a journal: after a crash there is nobody who would read them.
 * The disk takes no discards: a tag that stands for "nothing here" would be one that the host may
 * write, too. */
#include "scratch_crypt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/random.h"
#include "base/scoped.h"
#include "base/text.h"

#define INTEGRITY_NAME "cleave-integrity"
/* A logon key: not even the root of the guest can read it back, and the table of the device, which
 * a container with guest_root might read, has only its name. */
#define KEY_TYPE "logon"
#define KEY_NAME "cleave:scratch"

enum {
    KEY_SIZE = 16,
    TAG_SIZE = 16 + 16, /* nonce and tag */
    SECTOR = 512,
    BLOCK = 4096,
    PARAMETERS_SIZE = 192,
    SIZE_MIN = 32 * 1024 * 1024,
};

static int measure(const char *device, uint64_t *ret, struct error *err)
{
    scoped(closep) int fd = open(device, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    uint64_t size;

    if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0)
        return error_errno(err, errno, "ask for the size of '%s'", device);
    if (size < SIZE_MIN)
        return error_set(err, STATUS_OUT_OF_RANGE, "the host has given %" PRIu64 " KiB, too few",
                         size / 1024);
    *ret = size / SECTOR;
    return 0;
}

/* How much room for blocks there is between the tags is the kernel's to say, once it has made a
 * small device of it. */
static int keep_tags(const char *device, char ret[MAPPER_PATH_SIZE], uint64_t *ret_sectors,
                     struct error *err)
{
    char parameters[PARAMETERS_SIZE], status[MAPPER_STATUS_SIZE];
    struct mapper_table table = {INTEGRITY_NAME, "integrity", BLOCK / SECTOR, parameters};
    uint64_t most = 0, mismatches;

    if (measure(device, &most, err) < 0 ||
        text_format(parameters, sizeof(parameters), err,
                    "%s 0 %d D 2 block_size:%d journal_sectors:8", device, TAG_SIZE, BLOCK) < 0 ||
        mapper_make(&table, ret, err) < 0 || mapper_status(table.name, status, err) < 0)
        return -1;
    if (sscanf(status, "%" SCNu64 " %" SCNu64, &mismatches, &table.sectors) != 2 ||
        table.sectors < BLOCK / SECTOR || table.sectors > most)
        return error_set(err, STATUS_INTERNAL, "the kernel finds no room on the disk ('%.64s')",
                         status);
    table.sectors -= table.sectors % (BLOCK / SECTOR);
    *ret_sectors = table.sectors;
    return mapper_change(&table, err);
}

/* In the keyring of this process, which ends soon. */
static int add_key(int32_t *ret, struct error *err)
{
    uint8_t key[KEY_SIZE];
    long id;

    random_bytes(key, sizeof(key));
    id = syscall(SYS_add_key, KEY_TYPE, KEY_NAME, key, sizeof(key), KEY_SPEC_PROCESS_KEYRING);
    explicit_bzero(key, sizeof(key));
    if (id < 0)
        return error_errno(err, errno, "give the kernel the key");
    *ret = (int32_t) id;
    return 0;
}

int scratch_crypt_make(const char *device, char ret[MAPPER_PATH_SIZE], struct error *err)
{
    char parameters[PARAMETERS_SIZE], tagged[MAPPER_PATH_SIZE];
    struct mapper_table table = {"cleave-scratch", "crypt", 0, parameters};
    int32_t key = 0;
    int made;

    if (keep_tags(device, tagged, &table.sectors, err) < 0 ||
        text_format(parameters, sizeof(parameters), err,
                    "capi:aegis128-random :%d:" KEY_TYPE ":" KEY_NAME " 0 %s 0 2 "
                    "integrity:%d:aead sector_size:%d",
                    KEY_SIZE, tagged, TAG_SIZE, BLOCK) < 0 ||
        add_key(&key, err) < 0)
        return -1;
    made = mapper_make(&table, ret, err);
    /* dm-crypt has a copy. */
    if (syscall(SYS_keyctl, KEYCTL_REVOKE, key) < 0 && made == 0)
        return error_errno(err, errno, "revoke the key");
    return made;
}
