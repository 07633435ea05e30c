/* SPDX-License-Identifier: Apache-2.0 */
/* A tree becomes a tar, and the guest's own unpacker makes the same tree of it. */
#include "suite.h"
#include "tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "layer_archive.h"
#include "layer_room.h"
#include "layer_tree.h"
#include <stdlib.h>

static char base[64], from[80], to[80], blob[80];

static void setup(void)
{
    strcpy(base, "/tmp/cleave-tree-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(from, sizeof(from), "%s/from", base);
    snprintf(to, sizeof(to), "%s/to", base);
    snprintf(blob, sizeof(blob), "%s/blob", base);
    ck_assert_int_eq(mkdir(from, 0755), 0);
    ck_assert_int_eq(mkdir(to, 0755), 0);
}

static void teardown(void)
{
    struct error err;

    ck_assert_int_eq(file_remove_tree(base, &err), 0);
}

static char *in(const char *directory, const char *name)
{
    static char path[4][8192];
    static unsigned next;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof(path[next]), "%s/%s", directory, name);
    return path[next];
}

static void put(const char *name, const char *content)
{
    FILE *file = fopen(in(from, name), "we");

    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    ck_assert_int_eq(fclose(file), 0);
}

static int write_blob(struct error *err)
{
    scoped(closep) int root = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    scoped(closep) int out = open(blob, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    return tree_write(root, out, err);
}

static void unpack(void)
{
    scoped(layer_archive_closep) struct layer_archive *archive = NULL;
    scoped(closep) int fd = open(blob, O_RDWR | O_CLOEXEC);
    scoped(closep) int root = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct layer_room room = {.limit = 256 << 20};
    struct layer_tree tree = {.root = root, .room = &room};
    uint8_t digest[SHA256_SIZE];
    struct error err;

    ck_assert_msg(layer_archive_open(fd, LAYER_PLAIN, &archive, &err) == 0, "%s", err.message);
    ck_assert_msg(layer_tree_unpack(&tree, archive, &err) == 0, "%s", err.message);
    ck_assert_msg(layer_archive_finish(archive, digest, &err) == 0, "%s", err.message);
    layer_tree_fini(&tree);
}

static void there_and_back(void)
{
    struct error err;

    ck_assert_msg(write_blob(&err) == 0, "%s", err.message);
    unpack();
}

static void assert_content(const char *name, const char *expected)
{
    scoped(freep) char *text = NULL;
    struct error err;
    size_t length;

    ck_assert_msg(file_read(in(to, name), 1 << 20, &text, &length, &err) == 0, "%s", err.message);
    ck_assert_str_eq(text, expected);
}

START_TEST(modes_owners_times_and_attributes_arrive)
{
    struct timespec times[2] = {{.tv_sec = 1234567890, .tv_nsec = 987654321},
                                {.tv_sec = 1234567890, .tv_nsec = 987654321}};
    struct stat st;
    char value[16];

    put("tool", "#!/bin/sh\n");
    ck_assert_int_eq(chown(in(from, "tool"), 3000000, 7), 0);
    ck_assert_int_eq(chmod(in(from, "tool"), 04751), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, in(from, "tool"), times, 0), 0);
    ck_assert_int_eq(mkdir(in(from, "drop"), 0700), 0);
    ck_assert_int_eq(chmod(in(from, "drop"), 01777), 0);
    ck_assert_int_eq(mkfifo(in(from, "pipe"), 0600), 0);
    ck_assert_int_eq(chmod(in(from, "pipe"), 0620), 0);
    ck_assert_int_eq(chmod(from, 0711), 0);
    ck_assert_int_eq(setxattr(in(from, "tool"), "trusted.secret", "x", 1, 0), 0);
    bool has_user = setxattr(in(from, "tool"), "user.colour", "a\0b", 3, 0) == 0;

    there_and_back();
    ck_assert_int_eq(lstat(in(to, "tool"), &st), 0);
    ck_assert_uint_eq(st.st_mode, S_IFREG | 04751);
    ck_assert_uint_eq(st.st_uid, 3000000);
    ck_assert_uint_eq(st.st_gid, 7);
    ck_assert_int_eq(st.st_mtim.tv_sec, 1234567890);
    ck_assert_int_eq(st.st_mtim.tv_nsec, 987654321);
    ck_assert_int_lt(getxattr(in(to, "tool"), "trusted.secret", value, sizeof(value)), 0);
    if (has_user) {
        ck_assert_int_eq(getxattr(in(to, "tool"), "user.colour", value, sizeof(value)), 3);
        ck_assert_mem_eq(value, "a\0b", 3);
    }
    ck_assert_int_eq(lstat(in(to, "drop"), &st), 0);
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 01777);
    ck_assert_int_eq(lstat(in(to, "pipe"), &st), 0);
    ck_assert_uint_eq(st.st_mode, S_IFIFO | 0620);
    ck_assert_int_eq(lstat(to, &st), 0);
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 0711);
}
END_TEST

START_TEST(hard_links_and_symlinks_stay_what_they_are)
{
    char target[512];
    struct stat one, two;
    ssize_t n;

    ck_assert_int_eq(mkdir(in(from, "bin"), 0755), 0);
    put("bin/many", "program");
    for (int i = 0; i < 600; i++) {
        char name[32];

        snprintf(name, sizeof(name), "bin/name-%d", i);
        ck_assert_int_eq(link(in(from, "bin/many"), in(from, name)), 0);
        snprintf(name, sizeof(name), "pair-%d", i);
        put(name, name);
        snprintf(name, sizeof(name), "pair-%d-too", i);
        char *pair = in(from, name);
        snprintf(name, sizeof(name), "pair-%d", i);
        ck_assert_int_eq(link(in(from, name), pair), 0);
    }
    ck_assert_int_eq(symlink("/etc/shadow", in(from, "out")), 0);
    ck_assert_int_eq(symlink("../../../../nowhere", in(from, "bin/nowhere")), 0);
    there_and_back();
    ck_assert_int_eq(lstat(in(to, "bin/many"), &one), 0);
    ck_assert_int_eq(lstat(in(to, "bin/name-599"), &two), 0);
    ck_assert_uint_eq(one.st_ino, two.st_ino);
    ck_assert_uint_eq(one.st_nlink, 601);
    assert_content("pair-599-too", "pair-599");
    ck_assert_int_eq(lstat(in(to, "pair-7"), &one), 0);
    ck_assert_uint_eq(one.st_nlink, 2);
    n = readlink(in(to, "out"), target, sizeof(target));
    ck_assert_int_eq(n, strlen("/etc/shadow"));
    n = readlink(in(to, "bin/nowhere"), target, sizeof(target));
    ck_assert_int_eq(n, strlen("../../../../nowhere"));
}
END_TEST

START_TEST(names_and_targets_of_any_length_and_bytes_arrive)
{
    char name[4096], longest[256], target[3000];
    size_t length = 0;

    for (size_t size = 98; size <= 103; size++) { /* around what a header holds */
        memset(longest, 'n', size);
        longest[size] = '\0';
        put(longest, "x");
    }
    memset(longest, 'd', 200);
    longest[200] = '\0';
    for (int depth = 0; depth < 8; depth++) {
        length += (size_t) snprintf(name + length, sizeof(name) - length, "%s%s", depth ? "/" : "",
                                    longest);
        ck_assert_int_eq(mkdir(in(from, name), 0755), 0);
    }
    snprintf(name + length, sizeof(name) - length, "/file");
    put(name, "deep");
    put("\xff\xfe\n", "bytes");
    memset(target, 't', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    ck_assert_int_eq(symlink(target, in(from, "link")), 0);
    there_and_back();
    assert_content(name, "deep");
    assert_content("\xff\xfe\n", "bytes");
    for (size_t size = 98; size <= 103; size++) {
        memset(longest, 'n', size);
        longest[size] = '\0';
        assert_content(longest, "x");
    }
    ck_assert_int_eq(readlink(in(to, "link"), name, sizeof(name)), sizeof(target) - 1);
}
END_TEST

START_TEST(sizes_around_a_block_arrive)
{
    static const size_t sizes[] = {0, 1, 511, 512, 513, 65535, 65536, 65537, 300000};
    scoped(freep) char *content = xalloc(300001);

    memset(content, 'z', 300000);
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        char name[32];

        snprintf(name, sizeof(name), "%zu", sizes[i]);
        content[sizes[i]] = '\0';
        put(name, content);
        content[sizes[i]] = 'z';
    }
    there_and_back();
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct stat st;
        char name[32];

        snprintf(name, sizeof(name), "%zu", sizes[i]);
        ck_assert_int_eq(lstat(in(to, name), &st), 0);
        ck_assert_int_eq(st.st_size, sizes[i]);
    }
}
END_TEST

START_TEST(devices_and_sockets_stay_behind)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    scoped(closep) int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", in(from, "socket"));
    ck_assert_int_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    ck_assert_int_eq(mknod(in(from, "null"), S_IFCHR | 0666, makedev(1, 3)), 0);
    ck_assert_int_eq(mknod(in(from, "disk"), S_IFBLK | 0600, makedev(7, 0)), 0);
    put("file", "x");
    there_and_back();
    ck_assert(!file_exists(in(to, "socket")) && !file_exists(in(to, "null")) &&
              !file_exists(in(to, "disk")));
    assert_content("file", "x");
}
END_TEST

START_TEST(another_mount_is_not_entered)
{
    ck_assert_int_eq(mkdir(in(from, "mnt"), 0750), 0);
    ck_assert_int_eq(mount("tmpfs", in(from, "mnt"), "tmpfs", 0, NULL), 0);
    put("mnt/secret", "of this node");
    put("file", "x");
    ck_assert_int_eq(mount("/etc/passwd", in(from, "file"), NULL, MS_BIND, NULL), 0);
    there_and_back();
    ck_assert_int_eq(umount2(in(from, "file"), MNT_DETACH), 0);
    ck_assert_int_eq(umount2(in(from, "mnt"), MNT_DETACH), 0);
    ck_assert(file_exists(in(to, "mnt")) && !file_exists(in(to, "mnt/secret")));
    ck_assert(!file_exists(in(to, "file")));
}
END_TEST

START_TEST(a_name_that_would_delete_is_refused)
{
    struct error err;

    ck_assert_int_eq(mkdir(in(from, "a"), 0755), 0);
    put("a/.wh.passwd", "");
    ck_assert(write_blob(&err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "a/.wh.passwd"));
}
END_TEST

/* A reader of the tar would take "user.a" for its name. */
START_TEST(an_attribute_that_would_arrive_under_another_name_is_refused)
{
    struct error err;

    put("file", "x");
    if (setxattr(in(from, "file"), "user.a=b", "value", 5, 0) < 0)
        return; /* this file system has none */
    ck_assert(write_blob(&err) < 0);
    ck_assert_ptr_nonnull(strstr(err.message, "user.a=b"));
}
END_TEST

START_TEST(a_file_with_less_in_it_than_it_says_is_no_file_of_zeros)
{
    scoped(closep) int root = open("/sys/kernel/mm/transparent_hugepage",
                                   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    scoped(closep) int out = open(blob, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct error err;

    if (root < 0)
        return;
    ck_assert(tree_write(root, out, &err) < 0);
    ck_assert_int_eq(err.status, STATUS_ABORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "got shorter"));
}
END_TEST

START_TEST(the_same_tree_gives_the_same_bytes)
{
    scoped(freep) char *first = NULL, *second = NULL;
    size_t first_length, second_length;
    struct error err;

    for (int i = 0; i < 200; i++) {
        char name[32];

        snprintf(name, sizeof(name), "%d", i * 7919 % 1000);
        put(name, name);
    }
    ck_assert_int_eq(write_blob(&err), 0);
    ck_assert_int_eq(file_read(blob, 1 << 24, &first, &first_length, &err), 0);
    ck_assert_int_eq(write_blob(&err), 0);
    ck_assert_int_eq(file_read(blob, 1 << 24, &second, &second_length, &err), 0);
    ck_assert_uint_eq(first_length, second_length);
    ck_assert(memcmp(first, second, first_length) == 0);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "tree", .setup = setup, .teardown = teardown},
        (const TTest *[]){modes_owners_times_and_attributes_arrive,
                          hard_links_and_symlinks_stay_what_they_are,
                          names_and_targets_of_any_length_and_bytes_arrive,
                          sizes_around_a_block_arrive, devices_and_sockets_stay_behind,
                          another_mount_is_not_entered, a_name_that_would_delete_is_refused,
                          an_attribute_that_would_arrive_under_another_name_is_refused,
                          a_file_with_less_in_it_than_it_says_is_no_file_of_zeros,
                          the_same_tree_gives_the_same_bytes, NULL});
}
