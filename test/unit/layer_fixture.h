/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Layers made byte by byte, and a directory to unpack them into. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/scoped.h"

struct tar_entry {
    const char *name;
    char type; /* '0' file, '1' hard link, '2' symlink, '3' char, '5' directory, 'x' pax */
    unsigned mode;
    const char *target;
    const char *content;
    size_t claimed; /* size in the header, if not that of the content */
};

static void tar_octal(char *to, size_t width, uint64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%0*llo", (int) width - 1, (unsigned long long) value);
    memcpy(to, text, width - 1);
}

__attribute__((unused)) static void tar_add(struct writer *tar, const struct tar_entry *entry)
{
    char header[512] = {0};
    size_t length = entry->content ? strlen(entry->content) : 0;
    unsigned sum = 0;

    memcpy(header, entry->name, strnlen(entry->name, 100));
    tar_octal(header + 100, 8, entry->mode ? entry->mode : 0644);
    tar_octal(header + 108, 8, 0);
    tar_octal(header + 116, 8, 0);
    tar_octal(header + 124, 12, entry->claimed ? entry->claimed : length);
    tar_octal(header + 136, 12, 1700000000);
    memset(header + 148, ' ', 8);
    header[156] = entry->type ? entry->type : '0';
    if (entry->target)
        memcpy(header + 157, entry->target, strnlen(entry->target, 100));
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    for (size_t i = 0; i < sizeof(header); i++)
        sum += (unsigned char) header[i];
    tar_octal(header + 148, 7, sum);
    writer_bytes(tar, header, sizeof(header));
    writer_bytes(tar, entry->content ? entry->content : "", length);
    writer_zeros(tar, (512 - length % 512) % 512);
}

/* "17 path=..." records of a pax header, then the entry that they are for. */
__attribute__((unused)) static void tar_pax(struct writer *tar, const char *key, const char *value)
{
    char record[8192];
    size_t body = strlen(key) + strlen(value) + 3, length = body;

    while (length != body + (size_t) snprintf(NULL, 0, "%zu", length))
        length = body + (size_t) snprintf(NULL, 0, "%zu", length);
    snprintf(record, sizeof(record), "%zu %s=%s\n", length, key, value);
    tar_add(tar, &(struct tar_entry){.name = "pax", .type = 'x', .content = record});
}

__attribute__((unused)) static void tar_end(struct writer *tar)
{
    writer_zeros(tar, 1024);
}

__attribute__((unused)) static void digest_text(const void *data, size_t length, char ret[80])
{
    uint8_t digest[SHA256_SIZE];

    digest_sha256(data, length, digest);
    memcpy(ret, "sha256:", 7);
    hex_encode(digest, sizeof(digest), ret + 7);
}

/* <base>/layer is for the layer; <base>/secret must never change. */
struct sandbox_directory {
    char base[64];
    char layer[80];
    char secret[80];
};

__attribute__((unused)) static void sandbox_make(struct sandbox_directory *ret)
{
    strcpy(ret->base, "/tmp/cleave-layer-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(ret->base));
    snprintf(ret->layer, sizeof(ret->layer), "%s/layer", ret->base);
    snprintf(ret->secret, sizeof(ret->secret), "%s/secret", ret->base);
    ck_assert_int_eq(mkdir(ret->layer, 0755), 0);
    FILE *file = fopen(ret->secret, "we");
    ck_assert_ptr_nonnull(file);
    fputs("untouched", file);
    fclose(file);
}

/* Nothing but the two is there, and the secret is what it was. */
__attribute__((unused)) static void sandbox_check(const struct sandbox_directory *directory)
{
    scoped(freep) char *text = NULL;
    struct error err;
    struct stat st;
    size_t length;

    ck_assert_int_eq(file_read(directory->secret, 100, &text, &length, &err), 0);
    ck_assert_str_eq(text, "untouched");
    ck_assert_int_eq(stat(directory->secret, &st), 0);
    ck_assert_uint_eq(st.st_nlink, 1);
    ck_assert_int_eq(stat(directory->base, &st), 0);
    ck_assert_uint_eq(st.st_nlink, 3); /* one directory below */
}

__attribute__((unused)) static void sandbox_remove(const struct sandbox_directory *directory)
{
    struct error err;

    ck_assert_int_eq(file_remove_tree(directory->base, &err), 0);
}
