/* SPDX-License-Identifier: Apache-2.0 */
/* What the validator lets through, and what makes it drop the peer. */
#include <dirent.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "message.h"
#include "suite.h"

/* A message under construction. */
static struct {
    struct fuse_in_header header;
    uint8_t body[8192];
} built;
static struct message parsed;

static void begin(uint32_t opcode)
{
    memset(&built, 0, sizeof(built));
    built.header = (struct fuse_in_header){.len = sizeof(built.header),
                                           .opcode = opcode,
                                           .unique = 7,
                                           .nodeid = 9,
                                           .uid = 1,
                                           .gid = 2};
}

static void add(const void *bytes, size_t size)
{
    memcpy((uint8_t *) &built + built.header.len, bytes, size);
    built.header.len += (uint32_t) size;
}

static enum message_verdict verdict(void)
{
    return message_parse(&built, built.header.len, &parsed);
}

static enum message_verdict verdict_of_name(const char *name, size_t size)
{
    begin(FUSE_LOOKUP);
    add(name, size);
    return verdict();
}

START_TEST(a_message_is_taken_apart)
{
    const struct fuse_rename2_in in = {.newdir = 11, .flags = 1};

    begin(FUSE_RENAME2);
    add(&in, sizeof(in));
    add("old", 4);
    add("new", 4);
    ck_assert_int_eq(verdict(), MESSAGE_GOOD);
    ck_assert_uint_eq(parsed.opcode, FUSE_RENAME2);
    ck_assert_uint_eq(parsed.unique, 7);
    ck_assert_uint_eq(parsed.node, 9);
    ck_assert_uint_eq(parsed.uid, 1);
    ck_assert_uint_eq(parsed.gid, 2);
    ck_assert_uint_eq(((const struct fuse_rename2_in *) parsed.body)->newdir, 11);
    ck_assert_str_eq(parsed.name, "old");
    ck_assert_str_eq(parsed.other, "new");
    ck_assert_uint_eq(parsed.length, 0);
}
END_TEST

START_TEST(a_name_is_one_component)
{
    ck_assert_int_eq(verdict_of_name("a", 2), MESSAGE_GOOD);
    ck_assert_int_eq(verdict_of_name("...", 4), MESSAGE_GOOD);
    ck_assert_int_eq(verdict_of_name("..data", 7), MESSAGE_GOOD);
    ck_assert_int_eq(verdict_of_name("", 1), MESSAGE_MALFORMED);
    ck_assert_int_eq(verdict_of_name(".", 2), MESSAGE_MALFORMED);
    ck_assert_int_eq(verdict_of_name("..", 3), MESSAGE_MALFORMED);
    ck_assert_int_eq(verdict_of_name("a/b", 4), MESSAGE_MALFORMED);
    ck_assert_int_eq(verdict_of_name("/", 2), MESSAGE_MALFORMED);
    ck_assert_int_eq(verdict_of_name("a", 1), MESSAGE_MALFORMED); /* no NUL */
    ck_assert_int_eq(verdict_of_name("a\0b", 4), MESSAGE_MALFORMED);
    ck_assert_int_eq(verdict_of_name("a\0", 3), MESSAGE_MALFORMED);
    ck_assert_int_eq(verdict_of_name("", 0), MESSAGE_MALFORMED);
}
END_TEST

START_TEST(a_new_name_is_one_component_too)
{
    const struct fuse_rename_in in = {.newdir = 1};

    begin(FUSE_RENAME);
    add(&in, sizeof(in));
    add("a\0..", 5);
    ck_assert_int_eq(verdict(), MESSAGE_MALFORMED);
    begin(FUSE_RENAME);
    add(&in, sizeof(in));
    add("a", 2);
    ck_assert_int_eq(verdict(), MESSAGE_MALFORMED);
}
END_TEST

START_TEST(the_text_of_a_link_may_be_anything)
{
    begin(FUSE_SYMLINK);
    add("a\0../../b", 10);
    ck_assert_int_eq(verdict(), MESSAGE_GOOD);
    ck_assert_str_eq(parsed.other, "../../b");
}
END_TEST

START_TEST(names_have_an_end)
{
    char name[MESSAGE_NAME_MAX + 2];

    memset(name, 'n', sizeof(name));
    name[MESSAGE_NAME_MAX] = '\0';
    ck_assert_int_eq(verdict_of_name(name, MESSAGE_NAME_MAX + 1), MESSAGE_GOOD);
    name[MESSAGE_NAME_MAX] = 'n';
    name[MESSAGE_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(verdict_of_name(name, MESSAGE_NAME_MAX + 2), MESSAGE_MALFORMED);
}
END_TEST

/* The case that made a library write memory of its own into a file. */
START_TEST(a_write_has_as_much_as_it_claims)
{
    struct fuse_write_in in = {.size = 60000};

    begin(FUSE_WRITE);
    add(&in, sizeof(in));
    add("x", 1);
    ck_assert_int_eq(verdict(), MESSAGE_MALFORMED);
    in.size = 1;
    begin(FUSE_WRITE);
    add(&in, sizeof(in));
    add("x", 1);
    ck_assert_int_eq(verdict(), MESSAGE_GOOD);
    ck_assert_uint_eq(parsed.length, 1);
    ck_assert_int_eq(parsed.data[0], 'x');
    in.size = 0;
    begin(FUSE_WRITE);
    add(&in, sizeof(in));
    add("x", 1);
    ck_assert_int_eq(verdict(), MESSAGE_MALFORMED);
}
END_TEST

START_TEST(an_attribute_has_as_much_as_it_claims)
{
    uint32_t in[2] = {5, 0};

    begin(FUSE_SETXATTR);
    add(in, sizeof(in));
    add("user.a\0value", 12);
    ck_assert_int_eq(verdict(), MESSAGE_GOOD);
    ck_assert_str_eq(parsed.name, "user.a");
    ck_assert_uint_eq(parsed.length, 5);
    in[0] = 6;
    begin(FUSE_SETXATTR);
    add(in, sizeof(in));
    add("user.a\0value", 12);
    ck_assert_int_eq(verdict(), MESSAGE_MALFORMED);
}
END_TEST

START_TEST(as_many_are_forgotten_as_are_named)
{
    struct fuse_batch_forget_in in = {.count = 2};
    const struct fuse_forget_one one[2] = {{1, 1}, {2, 2}};

    begin(FUSE_BATCH_FORGET);
    add(&in, sizeof(in));
    add(one, sizeof(one));
    ck_assert_int_eq(verdict(), MESSAGE_GOOD);
    in.count = 0x10000002; /* times 16 is 32 in as many bits as a length has */
    begin(FUSE_BATCH_FORGET);
    add(&in, sizeof(in));
    add(one, sizeof(one));
    ck_assert_int_eq(verdict(), MESSAGE_MALFORMED);
}
END_TEST

START_TEST(a_read_asks_for_what_fits_into_an_answer)
{
    struct fuse_read_in in = {.size = MESSAGE_DATA_MAX};

    begin(FUSE_READ);
    add(&in, sizeof(in));
    ck_assert_int_eq(verdict(), MESSAGE_GOOD);
    in.size++;
    for (int opcode = FUSE_READ; opcode <= FUSE_READDIR; opcode += FUSE_READDIR - FUSE_READ) {
        begin((uint32_t) opcode);
        add(&in, sizeof(in));
        ck_assert_int_eq(verdict(), MESSAGE_MALFORMED);
    }
}
END_TEST

START_TEST(the_length_is_the_length)
{
    begin(FUSE_READLINK);
    ck_assert_int_eq(verdict(), MESSAGE_GOOD);
    ck_assert_int_eq(message_parse(&built, sizeof(built.header) - 1, &parsed), MESSAGE_MALFORMED);
    ck_assert_int_eq(message_parse(&built, sizeof(built.header) + 1, &parsed), MESSAGE_MALFORMED);
    add("", 1);
    ck_assert_int_eq(verdict(), MESSAGE_MALFORMED);
    begin(FUSE_GETATTR);
    add("1234567", 8);
    ck_assert_int_eq(verdict(), MESSAGE_MALFORMED); /* half of the structure */
}
END_TEST

START_TEST(extensions_were_not_agreed_on)
{
    begin(FUSE_READLINK);
    built.header.total_extlen = 1;
    ck_assert_int_eq(verdict(), MESSAGE_MALFORMED);
}
END_TEST

START_TEST(what_is_not_served_is_said_to_be_so)
{
    static const uint32_t opcodes[] = {
        0,           7,         FUSE_GETLK,         FUSE_ACCESS,      FUSE_BMAP,
        FUSE_IOCTL,  FUSE_POLL, FUSE_NOTIFY_REPLY,  FUSE_READDIRPLUS, FUSE_COPY_FILE_RANGE,
        FUSE_SYNCFS, CUSE_INIT, FUSE_SETUPMAPPING,  FUSE_TMPFILE,     UINT32_MAX,
        52,          100,       FUSE_REMOVEMAPPING, 0x80000000,       INT32_MAX,
    };

    for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
        begin(opcodes[i]);
        add("whatever", 8);
        ck_assert_int_eq(verdict(), MESSAGE_UNSUPPORTED);
        ck_assert_uint_eq(parsed.unique, 7);
        ck_assert_ptr_null(parsed.body);
    }
}
END_TEST

/* ---- what the fuzzers start from ------------------------------------------------------------- */

static bool is_served(unsigned opcode)
{
    begin(opcode);
    return verdict() != MESSAGE_UNSUPPORTED;
}

/* A request of the file, as fuzz_share_server.c takes it: {opcode, node, length}, body. */
static void count_requests(const uint8_t *data, size_t size, int *good)
{
    for (; size >= 3 && size - 3 >= data[2]; size -= 3u + data[2], data += 3 + data[2]) {
        begin(data[0]);
        add(data + 3, data[2]);
        good[data[0]] += verdict() == MESSAGE_GOOD;
    }
}

/* As fuzz_share_message.c takes it: the opcode, the body. */
static void count_message(const uint8_t *data, size_t size, int *good)
{
    begin(data[0]);
    if (size - 1 <= sizeof(built.body))
        add(data + 1, size - 1);
    good[data[0]] += verdict() == MESSAGE_GOOD;
}

START_TEST(every_opcode_is_in_the_corpora)
{
    static const struct {
        const char *name;
        void (*count)(const uint8_t *data, size_t size, int *good);
    } corpora[] = {{"share_message", count_message}, {"share_server", count_requests}};
    scoped(freep) char *path = xformat("%s/%s", SHARE_CORPORA, corpora[_i].name);
    int good[256] = {0}, served = 0;
    const struct dirent *entry;
    DIR *dir = opendir(path);
    struct error err;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir))) {
        scoped(freep) char *file = xformat("%s/%s", path, entry->d_name);
        scoped(freep) char *data = NULL;
        size_t size;

        if (entry->d_name[0] == '.')
            continue;
        ck_assert_int_eq(file_read(file, 1 << 20, &data, &size, &err), 0);
        if (size > 0)
            corpora[_i].count((const uint8_t *) data, size, good);
    }
    (void) closedir(dir);
    for (unsigned opcode = 0; opcode < ARRAY_LENGTH(good); opcode++) {
        served += is_served(opcode);
        ck_assert_msg(!is_served(opcode) || opcode == FUSE_INIT || good[opcode] > 0,
                      "opcode %u is not in %s", opcode, path);
    }
    ck_assert_int_eq(served, 37);
}
END_TEST

int main(void)
{
    TCase *tests = suite_case(
        &(struct suite){.name = "share_message"},
        (const TTest *[]){
            a_message_is_taken_apart, a_name_is_one_component, a_new_name_is_one_component_too,
            the_text_of_a_link_may_be_anything, names_have_an_end, a_write_has_as_much_as_it_claims,
            an_attribute_has_as_much_as_it_claims, as_many_are_forgotten_as_are_named,
            a_read_asks_for_what_fits_into_an_answer, the_length_is_the_length,
            extensions_were_not_agreed_on, what_is_not_served_is_said_to_be_so, NULL});

    tcase_add_loop_test(tests, every_opcode_is_in_the_corpora, 0, 2);
    return suite_run_case("share_message", tests);
}
