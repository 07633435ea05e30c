/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include <zlib.h>

#include "account.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "layer_file.h"
#include "oci/reference.h"

enum { BLOCK = 512, TAR_MAX = 64 * 1024 };

static struct error err;
static char path[] = "/tmp/test_split_layer.XXXXXX";
static char tar[TAR_MAX];
static size_t length;

static void setup(void)
{
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    ck_assert_int_ge(close(mkstemp(path)), 0);
    memset(tar, 0, sizeof(tar));
    length = 0;
}

static void teardown(void)
{
    (void) unlink(path);
}

static void put(const char *name, char type, const char *content)
{
    char *header = tar + length;
    size_t size = content ? strlen(content) : 0;

    (void) snprintf(header, 100, "%s", name);
    (void) snprintf(header + 124, 12, "%011o", (unsigned) size);
    header[156] = type;
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    if (content)
        memcpy(header + BLOCK, content, size);
    length += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    ck_assert_uint_lt(length + 2 * BLOCK, sizeof(tar));
}

static int find_in(const void *file, size_t size, struct layer_file *ret)
{
    uint8_t digest[SHA256_SIZE];
    char diff_id[REFERENCE_DIGEST_TEXT];
    FILE *to = fopen(path, "w");

    ck_assert_uint_eq(fwrite(file, 1, size, to), size);
    ck_assert_int_eq(fclose(to), 0);
    digest_sha256(tar, length + 2 * BLOCK, digest);
    reference_format_digest(digest, diff_id);
    return layer_file_find(path, diff_id, "passwd", ret, &err);
}

static enum layer_file_state find(const char *text)
{
    struct layer_file file = {0};

    ck_assert_msg(find_in(tar, length + 2 * BLOCK, &file) == 0, "%s", err.message);
    ck_assert_msg(text_equal(file.text, text), "%s", file.text);
    free(file.text);
    return file.state;
}

START_TEST(a_file_is_found_by_any_spelling_of_its_name)
{
    static const char *const names[] = {"etc/passwd", "./etc/passwd", "/etc/passwd"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        memset(tar, 0, sizeof(tar));
        length = 0;
        put("etc/", '5', NULL);
        put("etc/passwd-", '0', "backup\n");
        put(names[i], '0', "root:x:0:0\n");
        put("etc/group", '0', "g\n");
        ck_assert_int_eq(find("root:x:0:0\n"), LAYER_FILE_THERE);
    }
}
END_TEST

START_TEST(a_name_may_stand_before_its_entry)
{
    put("x", 'x', "19 path=etc/passwd\n12 mtime=1\n");
    put("other", '0', "one\n");
    put("etc/passwd", '0', NULL);
    ck_assert_int_eq(find(""), LAYER_FILE_THERE); /* the last one counts */
    memset(tar, 0, sizeof(tar));
    length = 0;
    put("etc/passwd", '0', "two\n");
    put("x", 'L', "etc/other");
    put("etc/passwd", '0', "not it\n");
    ck_assert_int_eq(find("two\n"), LAYER_FILE_THERE);
    memset(tar, 0, sizeof(tar));
    length = 0;
    put("passwd", '0', "three\n");
    memcpy(tar + 345, "etc", 3); /* the prefix */
    ck_assert_int_eq(find("three\n"), LAYER_FILE_THERE);
}
END_TEST

START_TEST(what_a_layer_takes_away_is_gone)
{
    static const struct {
        const char *name;
        char type;
        enum layer_file_state state;
    } cases[] = {
        {"etc/.wh.passwd", '0', LAYER_FILE_GONE},
        {"etc/.wh..wh..opq", '0', LAYER_FILE_GONE},
        {".wh..wh..opq", '0', LAYER_FILE_GONE},
        {".wh.etc", '0', LAYER_FILE_GONE},
        {"etc/.wh.group", '0', LAYER_FILE_ABSENT},
        {"etc/passwd", '2', LAYER_FILE_LINK},
        {"etc/passwd", '1', LAYER_FILE_LINK},
        {"etc/passwd", '5', LAYER_FILE_LINK},
        {"etc", '2', LAYER_FILE_LINK},
        {"etc", '5', LAYER_FILE_ABSENT},
        {"var/etc/passwd", '0', LAYER_FILE_ABSENT},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        memset(tar, 0, sizeof(tar));
        length = 0;
        put(cases[i].name, cases[i].type, NULL);
        ck_assert_msg(find(NULL) == cases[i].state, "%s", cases[i].name);
    }
    put("etc/.wh..wh..opq", '0', NULL);
    put("etc/passwd", '0', "new\n");
    ck_assert_int_eq(find("new\n"), LAYER_FILE_THERE);
}
END_TEST

START_TEST(a_packed_layer_is_read)
{
    struct layer_file file = {0};
    char packed[TAR_MAX];
    FILE *from;
    gzFile to;
    size_t size;

    put("etc/passwd", '0', "root:x:0:0\n");
    to = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(to, tar, (unsigned) (length + 2 * BLOCK)), (int) length + 2 * BLOCK);
    ck_assert_int_eq(gzclose(to), Z_OK);
    from = fopen(path, "r");
    size = fread(packed, 1, sizeof(packed), from);
    (void) fclose(from);
    ck_assert_uint_lt(size, length);
    ck_assert_int_eq(find_in(packed, size, &file), 0);
    ck_assert_str_eq(file.text, "root:x:0:0\n");
    free(file.text);
    file = (struct layer_file){0};
    ck_assert_int_lt(find_in(packed, size - 12, &file), 0); /* cut off */
    ck_assert_ptr_null(file.text);
}
END_TEST

START_TEST(what_is_not_the_layer_is_refused)
{
    struct layer_file file = {0};

    put("etc/passwd", '0', "root:x:0:0\n");
    ck_assert_int_lt(find_in(tar, BLOCK + 3, &file), 0);
    ck_assert_int_lt(find_in(tar, 17, &file), 0);
    ck_assert_int_lt(find_in(tar, length, &file), 0); /* other bytes than those of the digest */
    ck_assert_ptr_nonnull(strstr(err.message, "its content is not sha256:"));
    memcpy(tar + 124, "77777777777", 11);
    ck_assert_int_lt(find_in(tar, length + 2 * BLOCK, &file), 0);
    memset(tar + 124, 0xff, 12);
    ck_assert_int_lt(find_in(tar, length + 2 * BLOCK, &file), 0);
    ck_assert_ptr_null(file.text);
}
END_TEST

#define PASSWD                                                                                     \
    "root:x:0:0:root:/root:/bin/sh\n\nbroken\nbad:x:-1:2\nbig:x:4294967296:1\nshop:x:1000:2000::/" \
    ":"                                                                                            \
    "/bin/sh\nagain:x:1000:3000"

START_TEST(a_user_is_looked_up_as_containerd_does)
{
    int64_t uid = -1, gid = -1;

    ck_assert_int_eq(account_group_of(PASSWD, 1000), 2000);
    ck_assert_int_eq(account_group_of(PASSWD, 7), 0);
    ck_assert_int_eq(account_group_of(NULL, 1000), 0);
    ck_assert_int_eq(account_find(PASSWD, "shop", &uid, &gid, &err), 0);
    ck_assert_int_eq(uid, 1000);
    ck_assert_int_eq(gid, 2000);
    ck_assert_int_eq(account_find(PASSWD, "again", &uid, &gid, &err), 0);
    ck_assert_int_eq(gid, 3000);
    for (const char *const *name =
             (const char *const[]){"nobody", "bad", "big", "broken", "", NULL};
         *name; name++)
        ck_assert_int_lt(account_find(PASSWD, *name, &uid, &gid, &err), 0);
    ck_assert_int_lt(account_find(NULL, "root", &uid, &gid, &err), 0);
    ck_assert_int_eq(gid, 3000);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "split_layer", .setup = setup, .teardown = teardown},
        (const TTest *[]){a_file_is_found_by_any_spelling_of_its_name,
                          a_name_may_stand_before_its_entry, what_a_layer_takes_away_is_gone,
                          a_packed_layer_is_read, what_is_not_the_layer_is_refused,
                          a_user_is_looked_up_as_containerd_does, NULL});
}
