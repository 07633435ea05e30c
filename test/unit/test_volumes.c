/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of volumes: what a tenant may put where, and when readers see it. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "beneath.h"
#include "suite.h"
#include "volumes.h"

enum { ROOM = 64 * 1024 * 1024 };

static char base[64];
static struct volumes *volumes;

static void setup(void)
{
    strcpy(base, "/tmp/cleave-volumes-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    volumes = volumes_new(base);
}

static void teardown(void)
{
    scoped(freep) char *empty = xformat("%s/empty", base);
    struct error err;

    volumes_free(volumes);
    (void) umount2(empty, MNT_DETACH);
    ck_assert_int_eq(file_remove_tree(base, &err), 0);
}

static struct volumes_entry file(const char *path, const char *text)
{
    return (struct volumes_entry){.path = path,
                                  .type = VOLUMES_FILE,
                                  .mode = 0400,
                                  .uid = 1000,
                                  .gid = 7,
                                  .data = text,
                                  .length = strlen(text)};
}

static struct volumes_entry directory(const char *path, mode_t mode)
{
    return (struct volumes_entry){.path = path, .type = VOLUMES_DIRECTORY, .mode = mode};
}

static struct volumes_entry linked(const char *path, const char *target)
{
    return (struct volumes_entry){
        .path = path, .type = VOLUMES_LINK, .data = target, .length = strlen(target)};
}

static int put(uint64_t serial, const struct volumes_entry *entries, size_t count, const char *part,
               struct error *err)
{
    struct volumes_put put = {.name = "conf",
                              .mode = 0755,
                              .serial = serial,
                              .first = strchr(part, 'f') != NULL,
                              .last = strchr(part, 'l') != NULL,
                              .entries = entries,
                              .count = count};

    return volumes_put_copied(volumes, &put, ROOM, err);
}

static void must_put(uint64_t serial, const struct volumes_entry *entries, size_t count,
                     const char *part)
{
    struct error err;

    ck_assert_msg(put(serial, entries, count, part, &err) == 0, "%s", err.message);
}

static void must_refuse(const struct volumes_entry *entry, enum status status, const char *words)
{
    static uint64_t serial = 100;
    struct error err;

    ck_assert_msg(put(serial++, entry, 1, "fl", &err) < 0, "'%s' passed", entry->path);
    ck_assert_msg(err.status == status && strstr(err.message, words), "'%s': %s", entry->path,
                  err.message);
}

static void expect(const char *path, const char *text)
{
    scoped(freep) char *full = xformat("%s/conf/%s", base, path), *found = NULL;
    struct error err;
    size_t length;

    ck_assert_msg(file_read(full, 4096, &found, &length, &err) == 0, "%s", err.message);
    ck_assert_str_eq(found, text);
}

static bool exists(const char *path)
{
    scoped(freep) char *full = xformat("%s/conf/%s", base, path);
    struct stat st;

    return lstat(full, &st) == 0;
}

START_TEST(content_comes_in_parts_and_is_there_at_once)
{
    const struct volumes_entry first[] = {directory("", 02750), directory("dir", 0700)};
    const struct volumes_entry second[] = {file("dir/nested", "deep"), file("key", "value"),
                                           linked("alias", "dir/nested")};
    scoped(freep) char *key = xformat("%s/conf/key", base),
                       *data = xformat("%s/conf/..data/.", base);
    struct error err;
    struct stat st;
    enum volumes_access access;
    int fd;

    must_put(1, first, 2, "f");
    ck_assert(!exists("..data") && !exists("dir"));
    ck_assert_int_eq(volumes_open(volumes, "conf", "", &fd, &access, &err), -1);
    must_put(1, second, 3, "l");
    expect("key", "value");
    expect("dir/nested", "deep");
    expect("..data/alias", "deep");
    ck_assert_int_eq(stat(key, &st), 0);
    ck_assert(st.st_uid == 1000 && st.st_gid == 7 && (st.st_mode & 07777) == 0400);
    ck_assert_int_eq(stat(data, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 02750);
    ck_assert_int_eq(volumes_open(volumes, "conf", "..data/key", &fd, &access, &err), 0);
    ck_assert_int_eq(access, VOLUMES_READ_ONLY);
    close(fd);
}
END_TEST

START_TEST(a_new_content_replaces_the_old_one_as_a_whole)
{
    const struct volumes_entry one[] = {file("a", "1"), file("old", "x")};
    const struct volumes_entry two[] = {file("a", "2"), file("new", "y")};
    scoped(freep) char *data = xformat("%s/conf/..data", base);
    char before[64] = "", after[64] = "";

    must_put(1, one, 2, "fl");
    ck_assert_int_gt(readlink(data, before, sizeof(before) - 1), 0);
    must_put(2, two, 1, "f");
    expect("a", "1"); /* until all of it is here */
    expect("old", "x");
    must_put(2, two + 1, 1, "l");
    expect("a", "2");
    expect("new", "y");
    ck_assert(!exists("old"));
    ck_assert_int_gt(readlink(data, after, sizeof(after) - 1), 0);
    ck_assert(!exists(before) && exists(after));
    ck_assert(text_starts(after, ".."));
}
END_TEST

START_TEST(parts_that_do_not_belong_together_are_refused)
{
    const struct volumes_entry one = file("a", "1"), two = file("b", "2");
    struct error err;

    ck_assert_int_eq(put(1, &one, 1, "l", &err), -1); /* no first part */
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    must_put(2, &one, 1, "f");
    ck_assert_int_eq(put(3, &two, 1, "l", &err), -1); /* of another content */
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    must_put(2, &two, 1, "l");
    must_put(2, &one, 1, "fl"); /* said again: in place already */
    expect("b", "2");
    ck_assert_int_eq(put(1, &one, 1, "fl", &err), -1); /* an old one that was late */
    ck_assert_ptr_nonnull(strstr(err.message, "newer"));
    ck_assert_int_eq(put(0, &one, 1, "fl", &err), -1);
    must_put(4, &one, 1, "f"); /* given up for the next one */
    must_put(5, &two, 1, "fl");
    ck_assert(!exists("a"));
}
END_TEST

START_TEST(paths_and_links_that_lead_out_are_refused)
{
    static const char *const paths[] = {"/a",  "..",      "../a", "..data",      "..data/a", "a//b",
                                        "a/",  "a/../b",  "a/..", "./a",         "a/./b",    "a/.",
                                        "..x", "../../a", "/",    "a/b/../../.."};
    static const char *const targets[] = {"/etc/passwd", "..", "../x", "a/../../b",
                                          "a/..",        "/",  ""};
    const struct volumes_entry good = file("a", "1");
    const struct volumes_entry through[] = {directory("d", 0755), linked("l", "d"),
                                            file("l/x", "out")};
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        const struct volumes_entry entry = file(paths[i], "x");

        must_refuse(&entry, STATUS_INVALID_ARGUMENT, "no path of a volume");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        const struct volumes_entry entry = linked("link", targets[i]);

        must_refuse(&entry, STATUS_INVALID_ARGUMENT, "leads out of the volume");
    }
    ck_assert_int_eq(put(1000, through, 3, "fl", &err), -1); /* links are not followed */
    ck_assert_int_eq(put(1001, &(struct volumes_entry){.path = "no/parent"}, 1, "fl", &err), -1);
    must_put(1002, &good, 1, "fl"); /* and nothing of them is left in the way */
    expect("a", "1");
}
END_TEST

START_TEST(sizes_and_counts_are_bounded)
{
    static char large[VOLUMES_BYTES_MAX / 4 + 1];
    struct volumes_entry four[4];
    scoped(freep) struct volumes_entry *many = xnew_array(struct volumes_entry,
                                                          VOLUMES_ENTRIES_MAX + 1);
    struct error err;

    for (size_t i = 0; i < 4; i++) {
        four[i] = file(&"a\0b\0c\0d"[2 * i], "");
        four[i].data = large;
        four[i].length = sizeof(large);
    }
    ck_assert_int_eq(put(1, four, 4, "fl", &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(err.message, "4 MiB"));
    for (size_t i = 0; i <= VOLUMES_ENTRIES_MAX; i++)
        many[i] = file(xformat("%zu", i), "");
    ck_assert_int_eq(put(2, many, VOLUMES_ENTRIES_MAX + 1, "fl", &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    for (size_t i = 0; i <= VOLUMES_ENTRIES_MAX; i++)
        free((char *) (uintptr_t) many[i].path);
    ck_assert(!exists("..data"));
}
END_TEST

START_TEST(names_and_their_number_are_bounded)
{
    static const char *const wrong[] = {"", ".", "..", "a/b", "../x", "a b"};
    const struct volumes_entry entry = file("a", "1");
    struct volumes_put one = {
        .serial = 1, .first = true, .last = true, .entries = &entry, .count = 1};
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        one.name = wrong[i];
        ck_assert_int_eq(volumes_put_copied(volumes, &one, ROOM, &err), -1);
        ck_assert_int_eq(volumes_put_empty(volumes, &one, ROOM, &err), -1);
        ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < VOLUMES_MAX; i++) {
        scoped(freep) char *name = xformat("v%zu", i);

        one.name = name;
        ck_assert_int_eq(volumes_put_copied(volumes, &one, ROOM, &err), 0);
    }
    one.name = "another";
    ck_assert_int_eq(volumes_put_copied(volumes, &one, ROOM, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

START_TEST(an_empty_volume_is_made_once_and_has_a_size)
{
    struct volumes_put put = {.name = "empty", .mode = 02770, .gid = 7, .size = 2 * 1024 * 1024};
    scoped(freep) char *inside = xformat("%s/empty/kept", base);
    scoped(freep) char *path = xformat("%s/empty", base);
    scoped(freep) char *sub = xformat("%s/empty/a/b", base);
    enum volumes_access access;
    struct error err;
    struct stat st;
    int fd;

    if (volumes_put_empty(volumes, &put, ROOM, &err) < 0 && strstr(err.message, "not permitted"))
        return; /* without the power to mount */
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(st.st_gid == 7 && (st.st_mode & 07777) == 02770);
    ck_assert_int_eq(file_write_atomic(inside, "x", 1, 0600, &err), 0);
    put.mode = 0700;
    ck_assert_int_eq(volumes_put_empty(volumes, &put, ROOM, &err), 0);
    ck_assert(file_exists(inside));
    ck_assert_int_eq(volumes_open(volumes, "empty", "a/b", &fd, &access, &err), 0);
    ck_assert_int_eq(access, VOLUMES_WRITABLE);
    close(fd);
    ck_assert_int_eq(stat(sub, &st), 0);
    ck_assert(st.st_gid == 7 && (st.st_mode & 07777) == 02770); /* as what it is in */
    put.serial = 1;
    put.first = put.last = true;
    ck_assert_int_eq(volumes_put_copied(volumes, &put, ROOM, &err), -1); /* of another kind */
    put.name = "none";
    ck_assert_int_eq(volumes_put_empty(volumes, &put, 1000, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

START_TEST(what_a_container_left_there_leads_nowhere)
{
    struct volumes_put put = {.name = "empty", .mode = 0777};
    static const char *const targets[] = {"/", "/etc", "..", "../conf", "/proc/self/root"};
    scoped(freep) char *link = xformat("%s/empty/link", base);
    scoped(freep) char *real = xformat("%s/empty/real", base);
    enum volumes_access access;
    struct error err;
    int fd;

    if (volumes_put_empty(volumes, &put, ROOM, &err) < 0 && strstr(err.message, "not permitted"))
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        ck_assert_int_eq(symlink(targets[i], link), 0);
        ck_assert_int_eq(volumes_open(volumes, "empty", "link", &fd, &access, &err), -1);
        ck_assert_int_eq(err.status, STATUS_PERMISSION_DENIED);
        ck_assert_int_eq(volumes_open(volumes, "empty", "link/x", &fd, &access, &err), -1);
        ck_assert_int_eq(unlink(link), 0);
    }
    ck_assert_int_eq(mkdir(real, 0700), 0);
    ck_assert_int_eq(symlink("real", link), 0);
    ck_assert_int_eq(volumes_open(volumes, "empty", "link", &fd, &access, &err), 0);
    close(fd);
    ck_assert_int_eq(volumes_open(volumes, "empty", "../conf", &fd, &access, &err), -1);
    ck_assert_int_eq(volumes_open(volumes, "nobody", "", &fd, &access, &err), -1);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
}
END_TEST

static volatile bool racing;

/* A container that waits for the agent's new directory and puts another one in its place. */
static void *exchange(void *user)
{
    const int *directory = user;

    while (racing) {
        if (renameat2(*directory, "private", *directory, "sub", RENAME_EXCHANGE) == 0)
            break;
        sched_yield(); /* or the directory's lock is never free */
    }
    return NULL;
}

START_TEST(a_directory_is_never_opened_to_others_by_a_race)
{
    struct volumes_put put = {.name = "conf", .mode = 0777};
    scoped(closep) int directory = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct error err;

    ck_assert_int_eq(fchmod(directory, put.mode), 0);
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        struct stat st;
        int fd;

        ck_assert_int_eq(mkdirat(directory, "private", 0700), 0);
        scoped(closep) int private = openat(directory, "private", O_RDONLY | O_CLOEXEC);
        racing = true;
        ck_assert_int_eq(pthread_create(&thread, NULL, exchange, &directory), 0);
        ck_assert_int_eq(beneath_make(directory, "sub", &fd, &err), 0);
        close(fd);
        racing = false;
        pthread_join(thread, NULL);
        ck_assert_int_eq(fstat(private, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0700);
        ck_assert_int_eq(unlinkat(directory, "private", AT_REMOVEDIR), 0);
        ck_assert_int_eq(unlinkat(directory, "sub", AT_REMOVEDIR), 0);
    }
}
END_TEST

START_TEST(what_is_made_looks_like_what_it_is_in)
{
    static const struct {
        mode_t mode;
        uid_t uid;
        gid_t gid;
    } looks[] = {
        {0777, 0, 0}, {02770, 0, 2000}, {01777, 1000, 1000}, {0750, 1000, 0}, {0555, 0, 5}};
    scoped(closep) int top = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const mode_t mask = umask(077);
    struct error err;
    struct stat st;
    int fd;

    for (size_t i = 0; i < ARRAY_LENGTH(looks); i++) {
        scoped(freep) char *name = xformat("%zu", i);

        ck_assert_int_eq(mkdirat(top, name, 0700), 0);
        scoped(closep) int in = openat(top, name, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(fchown(in, looks[i].uid, looks[i].gid), 0);
        ck_assert_int_eq(fchmod(in, looks[i].mode), 0);
        ck_assert_msg(beneath_make(in, "a/b", &fd, &err) == 0, "%s", err.message);
        ck_assert_int_eq(fstat(fd, &st), 0);
        close(fd);
        ck_assert_uint_eq(st.st_mode & 07777, looks[i].mode);
        ck_assert(st.st_uid == looks[i].uid && st.st_gid == looks[i].gid);
    }
    ck_assert_int_eq(mkdirat(top, "odd", 0700), 0); /* its owner may not write there */
    scoped(closep) int odd = openat(top, "odd", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fchown(odd, 1000, 1000), 0);
    ck_assert_int_eq(fchmod(odd, 0555), 0);
    ck_assert_int_eq(beneath_make(odd, "x", &fd, &err), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    close(fd);
    ck_assert(st.st_uid == 0 && st.st_gid == 1000 && (st.st_mode & 07777) == 0555);
    ck_assert_uint_eq(umask(mask), 077);
}
END_TEST

START_TEST(a_copy_needs_room_in_the_guest)
{
    const struct volumes_entry entries[] = {file("a", "1"), file("b", "2")};
    struct volumes_put put = {
        .name = "conf", .serial = 1, .first = true, .last = true, .entries = entries, .count = 2};
    struct error err;

    ck_assert_int_eq(volumes_put_copied(volumes, &put, 8192, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert(!exists("..data"));
    ck_assert_int_eq(volumes_put_copied(volumes, &put, 16384, &err), 0);
}
END_TEST

START_TEST(an_empty_volume_is_on_the_disk_unless_memory_was_asked_for)
{
    scoped(freep) char *disk = xformat("%s/disk", base), *path = xformat("%s/empty", base);
    scoped(freep) char *on_disk = xformat("%s/empty", disk);
    struct volumes_put wanted = {.name = "empty", .mode = 02770, .gid = 7};
    struct volumes_put in_memory = {.name = "memory", .mode = 0777, .size = 1 << 20};
    scoped(freep) char *memory = xformat("%s/memory", base);
    struct volumes_about about;
    struct stat st, there;
    struct error err;

    ck_assert_int_eq(mkdir(disk, 0711), 0);
    volumes_use_disk(volumes, disk);
    ck_assert_msg(volumes_put_empty(volumes, &wanted, 0, &err) == 0, "%s", err.message);
    ck_assert_int_eq(volumes_put_empty(volumes, &in_memory, 0, &err), -1);
    ck_assert_msg(volumes_put_empty(volumes, &in_memory, ROOM, &err) == 0, "%s", err.message);
    ck_assert_int_eq(stat(path, &st) + stat(on_disk, &there), 0);
    ck_assert(st.st_dev == there.st_dev && st.st_ino == there.st_ino);
    ck_assert_int_eq(there.st_mode & 07777, 02770);
    ck_assert_int_eq(there.st_gid, 7);
    ck_assert_int_eq(stat(memory, &st), 0);
    ck_assert(st.st_dev != there.st_dev);
    ck_assert(volumes_look(volumes, "empty", &about) && !about.is_in_memory);
    ck_assert(volumes_look(volumes, "memory", &about) && about.is_in_memory);
    (void) umount2(memory, MNT_DETACH);
}
END_TEST

static uint64_t size_of(const char *path)
{
    struct statfs fs;

    ck_assert_int_eq(statfs(path, &fs), 0);
    return (uint64_t) fs.f_blocks * (uint64_t) fs.f_bsize;
}

START_TEST(what_is_in_memory_can_be_limited_and_never_grows)
{
    struct volumes_put put = {.name = "empty", .mode = 02770, .gid = 7, .size = 8 << 20};
    scoped(freep) char *path = xformat("%s/empty", base);
    struct volumes_about about;
    struct error err;
    struct stat st;

    ck_assert(!volumes_look(volumes, "empty", &about));
    ck_assert_int_eq(volumes_limit(volumes, "empty", 1 << 20, &err), -1);
    if (volumes_put_empty(volumes, &put, ROOM, &err) < 0 && strstr(err.message, "not permitted"))
        return; /* without the power to mount */
    ck_assert(volumes_look(volumes, "empty", &about) && !about.is_copied && about.is_in_memory);
    ck_assert_msg(volumes_limit(volumes, "empty", 1 << 20, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(size_of(path), 1 << 20);
    ck_assert_int_eq(volumes_limit(volumes, "empty", 4 << 20, &err), 0);
    ck_assert_uint_eq(size_of(path), 1 << 20);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(st.st_gid == 7 && (st.st_mode & 07777) == 02770);
    (void) umount2(path, MNT_DETACH);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "volumes", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){content_comes_in_parts_and_is_there_at_once,
                          a_new_content_replaces_the_old_one_as_a_whole,
                          parts_that_do_not_belong_together_are_refused,
                          paths_and_links_that_lead_out_are_refused, sizes_and_counts_are_bounded,
                          names_and_their_number_are_bounded,
                          an_empty_volume_is_made_once_and_has_a_size,
                          what_a_container_left_there_leads_nowhere,
                          a_directory_is_never_opened_to_others_by_a_race,
                          what_is_made_looks_like_what_it_is_in, a_copy_needs_room_in_the_guest,
                          an_empty_volume_is_on_the_disk_unless_memory_was_asked_for,
                          what_is_in_memory_can_be_limited_and_never_grows, NULL});
}
