/* SPDX-License-Identifier: Apache-2.0 */
#include "tar.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "io/fd.h"

enum { BLOCK = 512, BUFFER = 64 * 1024, NAME = 100 };

#define OCTAL_7  UINT64_C(07777777)     /* what seven digits hold */
#define OCTAL_11 UINT64_C(077777777777) /* and eleven */

struct header {
    char name[NAME], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
    char linkname[NAME], magic[6], version[2], uname[32], gname[32], major[8], minor[8];
    char prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct tar {
    int fd;
    uint64_t left, padding; /* of the entry under way */
    uint8_t *records;
    size_t record_length;
    size_t used;
    uint8_t buffer[BUFFER];
};

struct tar *tar_new(int fd)
{
    struct tar *tar = xnew(struct tar);

    tar->fd = fd;
    return tar;
}

void tar_free(struct tar *tar)
{
    if (!tar)
        return;
    free(tar->records);
    free(tar);
}

static int flush(struct tar *tar, struct error *err)
{
    size_t used = tar->used;

    tar->used = 0;
    return used ? fd_write_full(tar->fd, tar->buffer, used, err) : 0;
}

static int put(struct tar *tar, const void *data, size_t length, struct error *err)
{
    const uint8_t *from = data;

    while (length > 0) {
        size_t room = BUFFER - tar->used, part = length < room ? length : room;

        memcpy(tar->buffer + tar->used, from, part);
        tar->used += part;
        from += part;
        length -= part;
        if (tar->used == BUFFER && flush(tar, err) < 0)
            return -1;
    }
    return 0;
}

static uint64_t padding_of(uint64_t size)
{
    return (BLOCK - size % BLOCK) % BLOCK;
}

static int put_padding(struct tar *tar, uint64_t size, struct error *err)
{
    static const uint8_t zeros[BLOCK];

    return put(tar, zeros, padding_of(size), err);
}

/* ---- pax records ------------------------------------------------------------------------------
 */

static size_t digits_of(size_t number)
{
    size_t digits = 1;

    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

/* "LENGTH KEY=VALUE\n", where the length counts itself. */
static int add_record(struct tar *tar, const struct tar_xattr *record, struct error *err)
{
    size_t body = 1 + strlen(record->name) + 1 + record->length + 1;
    size_t total = body + digits_of(body);
    int written;

    if (digits_of(total) != digits_of(body))
        total = body + digits_of(total);
    if (total > TAR_RECORDS_MAX - tar->record_length)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more attributes than an entry can have");
    tar->records = xrealloc(tar->records, tar->record_length + total + 1);
    written = sprintf((char *) tar->records + tar->record_length, "%zu %s=", total, record->name);
    memcpy(tar->records + tar->record_length + written, record->value, record->length);
    tar->record_length += total;
    tar->records[tar->record_length - 1] = '\n';
    return 0;
}

static int add_text(struct tar *tar, const char *key, const char *value, struct error *err)
{
    struct tar_xattr record = {key, value, strlen(value)};

    return add_record(tar, &record, err);
}

static int add_number(struct tar *tar, const char *key, uint64_t value, struct error *err)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long) value);
    return add_text(tar, key, text, err);
}

/* A time before 1970 with a part of a second counts backwards: 1 ns before it is -0.000000001. */
static int add_time(struct tar *tar, const struct tar_entry *entry, struct error *err)
{
    bool before = entry->modified < 0 && entry->modified_ns > 0;
    long long seconds = entry->modified + (before ? 1 : 0);
    unsigned ns = before ? 1000000000 - entry->modified_ns : entry->modified_ns;
    char text[48];

    snprintf(text, sizeof(text), "%s%lld.%09u", before && seconds == 0 ? "-" : "", seconds, ns);
    return add_text(tar, "mtime", text, err);
}

static bool time_fits(const struct tar_entry *entry)
{
    return entry->modified_ns == 0 && entry->modified >= 0 &&
           (uint64_t) entry->modified <= OCTAL_11;
}

static int collect_records(struct tar *tar, const struct tar_entry *entry, struct error *err)
{
    char key[300];

    tar->record_length = 0;
    if ((strlen(entry->path) > NAME && add_text(tar, "path", entry->path, err) < 0) ||
        (entry->target && strlen(entry->target) > NAME &&
         add_text(tar, "linkpath", entry->target, err) < 0) ||
        (entry->uid > OCTAL_7 && add_number(tar, "uid", entry->uid, err) < 0) ||
        (entry->gid > OCTAL_7 && add_number(tar, "gid", entry->gid, err) < 0) ||
        (entry->size > OCTAL_11 && add_number(tar, "size", entry->size, err) < 0) ||
        (!time_fits(entry) && add_time(tar, entry, err) < 0))
        return -1;
    for (size_t i = 0; i < entry->xattr_count; i++) {
        struct tar_xattr record = entry->xattrs[i];

        if (strchr(record.name, '=')) /* a reader takes the key to end there */
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "'%s' cannot be sent: its attribute '%s' has '=' in its name",
                             entry->path, record.name);
        if (snprintf(key, sizeof(key), "SCHILY.xattr.%s", record.name) >= (int) sizeof(key))
            return error_set(err, STATUS_INVALID_ARGUMENT, "an attribute's name is too long");
        record.name = key;
        if (add_record(tar, &record, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- headers ----------------------------------------------------------------------------------
 */

/* Width without the NUL; what does not fit stands in a record. */
static void set_octal(char *field, int width, uint64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%0*llo", width, (unsigned long long) value);
    memcpy(field, text, (size_t) width + 1);
}

static void set_text(char *field, const char *text)
{
    size_t length = strlen(text);

    memcpy(field, text, length < NAME ? length : NAME);
}

static int put_header(struct tar *tar, struct header *header, struct error *err)
{
    unsigned sum = 0;

    memcpy(header->magic, "ustar", 6);
    memcpy(header->version, "00", 2);
    memset(header->checksum, ' ', sizeof(header->checksum));
    for (size_t i = 0; i < sizeof(*header); i++)
        sum += ((const uint8_t *) header)[i];
    snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
    return put(tar, header, sizeof(*header), err);
}

static int put_records(struct tar *tar, struct error *err)
{
    struct header header = {.type = 'x'};

    if (tar->record_length == 0)
        return 0;
    set_text(header.name, "pax");
    set_octal(header.mode, 7, 0644);
    set_octal(header.uid, 7, 0);
    set_octal(header.gid, 7, 0);
    set_octal(header.size, 11, tar->record_length);
    set_octal(header.mtime, 11, 0);
    if (put_header(tar, &header, err) < 0 || put(tar, tar->records, tar->record_length, err) < 0)
        return -1;
    return put_padding(tar, tar->record_length, err);
}

int tar_entry(struct tar *tar, const struct tar_entry *entry, struct error *err)
{
    static const char types[] = {
        [TAR_FILE] = '0',      [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2',
        [TAR_DIRECTORY] = '5', [TAR_FIFO] = '6',
    };
    struct header header = {.type = types[entry->kind]};

    assert(tar->left == 0);
    assert(entry->kind == TAR_FILE || entry->size == 0);
    if (collect_records(tar, entry, err) < 0 || put_records(tar, err) < 0)
        return -1;
    set_text(header.name, entry->path);
    if (entry->target)
        set_text(header.linkname, entry->target);
    set_octal(header.mode, 7, entry->mode & 07777);
    set_octal(header.uid, 7, entry->uid <= OCTAL_7 ? entry->uid : 0);
    set_octal(header.gid, 7, entry->gid <= OCTAL_7 ? entry->gid : 0);
    set_octal(header.size, 11, entry->size <= OCTAL_11 ? entry->size : 0);
    set_octal(header.mtime, 11, time_fits(entry) ? (uint64_t) entry->modified : 0);
    tar->left = entry->size;
    tar->padding = padding_of(entry->size);
    return put_header(tar, &header, err);
}

int tar_data(struct tar *tar, const void *data, size_t length, struct error *err)
{
    assert(length <= tar->left);
    if (put(tar, data, length, err) < 0)
        return -1;
    tar->left -= length;
    if (tar->left > 0 || length == 0)
        return 0;
    return put_padding(tar, tar->padding ? BLOCK - tar->padding : 0, err);
}

int tar_finish(struct tar *tar, struct error *err)
{
    static const uint8_t end[2 * BLOCK];

    assert(tar->left == 0);
    if (put(tar, end, sizeof(end), err) < 0)
        return -1;
    return flush(tar, err);
}
