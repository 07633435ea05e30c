/* SPDX-License-Identifier: Apache-2.0 */
/* What programs do at the edges: flags of open(), rights that are missing, names that are too long,
 * directories that change while they are read. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/scoped.h"
#include "share_matrix.h"
#include "share_record.h"

static int open_and_close(const char *name, int flags)
{
    int fd = open(name, flags | O_CLOEXEC, 0644);

    if (fd >= 0)
        close(fd);
    return fd;
}

static void open_flags(void)
{
    DO(share_put("a", "content"));
    DO(mkdir("d", 0755));
    DO(symlink("a", "link"));
    DO(symlink("d", "way"));
    DO(symlink("missing", "dangling"));
    DO(open_and_close("a", O_WRONLY | O_CREAT | O_EXCL));
    DO(open_and_close("link", O_WRONLY | O_CREAT | O_EXCL));
    DO(open_and_close("dangling", O_WRONLY | O_CREAT | O_EXCL));
    DO(open_and_close("dangling", O_RDONLY));
    DO(open_and_close("dangling", O_WRONLY | O_CREAT));
    VALUE(S_ISREG(stat_of("missing").st_mode));
    DO(open_and_close("link", O_RDONLY | O_NOFOLLOW));
    DO(open_and_close("way", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
    DO(open_and_close("way/", O_RDONLY | O_NOFOLLOW));
    DO(open_and_close("link", O_PATH | O_NOFOLLOW));
    DO(open_and_close("a", O_RDONLY | O_DIRECTORY));
    DO(open_and_close("way", O_RDONLY | O_DIRECTORY));
    DO(open_and_close("none", O_RDONLY | O_DIRECTORY));
    DO(open_and_close("d", O_RDONLY | O_CREAT));
    DO(open_and_close("d", O_RDWR));
    DO(open_and_close("d", O_RDONLY | O_TRUNC));
    DO(open_and_close("new/", O_WRONLY | O_CREAT));
    DO(open_and_close("a/below", O_RDONLY));
    DO(open_and_close("a", O_RDWR | O_SYNC));
    DO(open_and_close("a", O_RDONLY | O_TRUNC));
    VALUE(stat_of("a").st_size);
}

static void open_rights(void)
{
    DO(share_put("own", "x"));
    DO(chown("own", USER, GROUP));
    DO(chmod("own", 0400));
    VALUE(open_as(USER, "own", O_RDONLY));
    VALUE(open_as(USER, "own", O_WRONLY));
    VALUE(open_as(USER, "own", O_RDONLY | O_TRUNC));
    VALUE(stat_of("own").st_size);
    DO(chmod("own", 0044));
    VALUE(open_as(USER, "own", O_RDONLY)); /* the owner's bits alone count */
    VALUE(open_as(OTHER, "own", O_RDONLY));
    DO(chmod("own", 0666));
    VALUE(open_as(OTHER, "own", O_RDONLY | O_NOATIME));
    VALUE(open_as(USER, "own", O_RDONLY | O_NOATIME));
    AS(OTHER, truncate("own", 5));
    AS(OTHER, chmod("own", 0600));
    AS(OTHER, chown("own", OTHER, OTHER));
    AS(USER, chown("own", -1, OTHER));
    AS(USER, chown("own", -1, GROUP));
    AS(USER, chown("own", USER, -1));
    AS(OTHER, setxattr("own", "user.a", "x", 1, 0));
    DO(chmod("own", 0644));
    AS(OTHER, setxattr("own", "user.b", "x", 1, 0));
    AS(OTHER, access("own", R_OK));
    AS(OTHER, eaccess("own", W_OK));
    AS(USER, eaccess("own", X_OK));
}

static void directory_rights(void)
{
    DO(mkdir("d", 0755));
    DO(share_put("d/x", "x"));
    DO(mkdir("d/e", 0777));
    AS(USER, unlink("d/x"));
    AS(USER, rmdir("d/e"));
    AS(USER, rename("d/x", "d/y"));
    AS(USER, link("d/x", "d/y"));
    AS(USER, symlink("x", "d/y"));
    AS(USER, mkdir("d/y", 0755));
    VALUE(open_as(USER, "d/y", O_WRONLY | O_CREAT));
    DO(chmod("d", 0744)); /* the names can be read, nothing can be reached */
    AS(USER, open_and_close("d", O_RDONLY | O_DIRECTORY));
    AS(USER, faccessat(AT_FDCWD, "d/x", F_OK, AT_EACCESS));
    VALUE(open_as(USER, "d/x", O_RDONLY));
    DO(chmod("d", 0711)); /* the other way round */
    AS(USER, open_and_close("d", O_RDONLY | O_DIRECTORY));
    VALUE(open_as(USER, "d/x", O_RDONLY));
    DO(chmod("d", 0000));
    VALUE(open_as(USER, "d/x", O_RDONLY));
    DO(open_and_close("d/x", O_RDONLY)); /* root's */
    DO(chmod("d", 01777));
    DO(mkdir("mine", 0777));
    DO(chmod("mine", 0777));
    AS(USER, rename("d/x", "mine/x")); /* sticky */
    AS(USER, share_put("mine/own", "x"));
    AS(USER, rename("mine/own", "d/x"));
    AS(USER, rename("mine/own", "d/own"));
    AS(OTHER, rename("d/own", "mine/own"));
}

static void set_id_bits(void)
{
    int fd;

    DO(share_put("a", "x"));
    DO(chown("a", USER, GROUP));
    DO(chmod("a", 06777));
    become(OTHER, OTHER);
    fd = open("a", O_RDWR | O_CLOEXEC);
    DO(ftruncate(fd, 10));
    become_root();
    VALUE(stat_of("a").st_mode);
    DO(chmod("a", 06777));
    become(OTHER, OTHER);
    DO(fallocate(fd, 0, 0, 100));
    become_root();
    VALUE(stat_of("a").st_mode);
    DO(chmod("a", 06777));
    become(OTHER, OTHER);
    DO(pwrite(fd, "", 0, 0));
    become_root();
    VALUE(stat_of("a").st_mode);
    become(OTHER, OTHER);
    DO(write(fd, "x", 1));
    DO(write(fd, "x", 1));
    become_root();
    VALUE(stat_of("a").st_mode);
    DO(chmod("a", 06777));
    DO(write(fd, "x", 1)); /* root's: they stay */
    VALUE(stat_of("a").st_mode);
    DO(close(fd));
    AS(USER, chown("a", -1, GROUP));
    VALUE(stat_of("a").st_mode);
    DO(chmod("a", 02767)); /* no right of the group to execute */
    DO(chown("a", USER, OTHER));
    VALUE(stat_of("a").st_mode);
    AS(USER, chmod("a", 02755)); /* not of that group */
    VALUE(stat_of("a").st_mode);
    DO(chmod("a", 06755));
    DO(share_put("a", "replaced"));
    VALUE(stat_of("a").st_mode);
}

static void set_id_directories(void)
{
    DO(mkdir("d", 0777));
    DO(chown("d", 0, FS_GROUP));
    DO(chmod("d", 02777));
    AS(USER, mkdir("d/e", 0770));
    VALUE(stat_of("d/e").st_mode);
    VALUE(stat_of("d/e").st_gid);
    AS(USER, share_put("d/e/x", "x"));
    VALUE(stat_of("d/e/x").st_gid);
    AS(USER, symlink("x", "d/e/l"));
    VALUE(stat_of("d/e/l").st_gid);
    AS(USER, mkfifo("d/e/f", 0666));
    VALUE(stat_of("d/e/f").st_gid);
    AS(USER, close(open("d/e/s", O_WRONLY | O_CREAT | O_CLOEXEC, 02775)));
    VALUE(stat_of("d/e/s").st_mode);
    DO(chown("d", USER, OTHER));
    VALUE(stat_of("d").st_mode);
    AS(OTHER, mkdir("d/o", 0700));
    VALUE(stat_of("d/o").st_gid);
}

static void times_of_others(void)
{
    const struct timespec set[] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
    const struct timespec now[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    const struct timespec none[] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    const struct timespec early[] = {{.tv_sec = -5}, {.tv_sec = -1000000}};
    const struct timespec bad[] = {{.tv_nsec = 1000000000}, {.tv_sec = 1}};
    struct timespec before;
    int fd;

    DO(share_put("a", "x"));
    DO(chown("a", USER, GROUP));
    DO(chmod("a", 0666));
    AS(OTHER, utimensat(AT_FDCWD, "a", set, 0));
    AS(OTHER, utimensat(AT_FDCWD, "a", now, 0));
    AS(OTHER, utimensat(AT_FDCWD, "a", none, 0));
    AS(USER, utimensat(AT_FDCWD, "a", set, 0));
    VALUE(stat_of("a").st_mtim.tv_sec);
    DO(utimensat(AT_FDCWD, "a", early, 0));
    VALUE(stat_of("a").st_mtim.tv_sec);
    DO(utimensat(AT_FDCWD, "a", bad, 0));
    DO(fd = open("a", O_RDONLY | O_CLOEXEC));
    DO(futimens(fd, set));
    VALUE(stat_of("a").st_mtim.tv_sec);
    DO(close(fd));
    DO(mkdir("d", 0755));
    DO(utimensat(AT_FDCWD, "d", set, 0));
    DO(share_put("d/x", ""));
    VALUE(stat_of("d").st_mtim.tv_sec > 2000);
    DO(utimensat(AT_FDCWD, "d", set, 0));
    DO(unlink("d/x"));
    VALUE(stat_of("d").st_mtim.tv_sec > 2000);
    before = stat_of("a").st_ctim;
    (void) usleep(20000);
    DO(chmod("a", 0600));
    VALUE(stat_of("a").st_ctim.tv_sec > before.tv_sec ||
          stat_of("a").st_ctim.tv_nsec > before.tv_nsec);
    VALUE(stat_of("a").st_mtim.tv_sec);
}

static void long_names(void)
{
    char name[300], path[PATH_MAX + 1], target[PATH_MAX + 1], read[PATH_MAX + 1];

    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    DO(share_put("a", "x"));
    DO(mkdir(name, 0755));
    DO(symlink("a", name));
    DO(link("a", name));
    DO(rename("a", name));
    DO(unlink(name));
    DO(mkfifo(name, 0600));
    name[255] = '\0';
    DO(mkdir(name, 0755));
    DO(rmdir(name));
    DO(symlink("a", name));
    DO(unlink(name));
    DO(rename("a", name));
    DO(rename(name, "a"));
    for (size_t i = 0; i + 2 < 255; i += 3)
        memcpy(name + i, "\xe2\x82\xac", 3);
    DO(share_put(name, "x"));
    VALUE(share_first_bytes(name));
    memset(path, '/', sizeof(path));
    memcpy(path, "a", 1);
    path[PATH_MAX] = '\0';
    DO(open_and_close(path, O_RDONLY));
    memset(target, 't', sizeof(target));
    target[PATH_MAX - 1] = '\0';
    DO(symlink(target, "longest"));
    VALUE(readlink("longest", read, sizeof(read)));
    VALUE(readlink("longest", read, 10));
    target[PATH_MAX - 1] = 't';
    target[PATH_MAX] = '\0';
    DO(symlink(target, "longer"));
}

static void ways_up(void)
{
    DO(mkdir("d", 0755));
    DO(mkdir("d/e", 0755));
    DO(share_put("d/x", "x"));
    VALUE(stat_of("d/e/..").st_ino == stat_of("d").st_ino);
    VALUE(stat_of("d/..").st_ino == stat_of(".").st_ino);
    DO(share_put("d/e/../y", "y"));
    VALUE(share_first_bytes("d/y"));
    DO(rmdir("d/e/."));
    DO(rmdir("d/e/.."));
    DO(unlink("d/.."));
    DO(rename("d/x", "d/e/.."));
    DO(rename("d/e/..", "z"));
    DO(rename("d", "d/e/f"));
    DO(rename("d/e", "."));
    DO(link("d/..", "up"));
    DO(symlink("..", "d/up"));
    VALUE(stat_of("d/up/d/x").st_size);
    DO(rmdir("d"));
    DO(unlink("d/y"));
    DO(rmdir("d/e"));
    DO(rename("d/x", "x"));
    DO(rmdir("d"));
    DO(unlink("d/up"));
    DO(rmdir("d"));
    VALUE(stat_of(".").st_nlink);
}

static void exchanges(void)
{
    DO(mkdir("d", 0755));
    DO(mkdir("e", 0755));
    DO(share_put("d/x", "one"));
    DO(share_put("a", "two"));
    DO(renameat2(AT_FDCWD, "d", AT_FDCWD, "e", RENAME_EXCHANGE));
    VALUE(share_first_bytes("e/x"));
    DO(renameat2(AT_FDCWD, "e/x", AT_FDCWD, "a", RENAME_EXCHANGE));
    VALUE(share_first_bytes("a"));
    DO(renameat2(AT_FDCWD, "e", AT_FDCWD, "e/x", RENAME_EXCHANGE));
    DO(renameat2(AT_FDCWD, "a", AT_FDCWD, "none", RENAME_EXCHANGE));
    DO(renameat2(AT_FDCWD, "none", AT_FDCWD, "a", RENAME_NOREPLACE));
    DO(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
    DO(renameat2(AT_FDCWD, "b", AT_FDCWD, "e", RENAME_NOREPLACE));
    DO(renameat2(AT_FDCWD, "b", AT_FDCWD, "a", RENAME_NOREPLACE | RENAME_EXCHANGE));
    DO(renameat2(AT_FDCWD, "b", AT_FDCWD, "a", 1 << 20));
    DO(link("b", "c"));
    DO(rename("b", "c")); /* both are the same file: nothing happens */
    VALUE(stat_of("b").st_nlink);
    DO(rename("e", "d"));
    DO(rename("d", "e"));
    DO(mkdir("e", 0755));
    DO(rename("e", "d"));
}

static void allocation(void)
{
    char text[8] = "";
    int fd;

    DO(fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    DO(pwrite(fd, "0123456789", 10, 0));
    DO(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1024 * 1024));
    VALUE(stat_of("a").st_size);
    VALUE(stat_of("a").st_blocks >= 2048);
    DO(fallocate(fd, FALLOC_FL_ZERO_RANGE, 2, 3));
    DO(pread(fd, text, 8, 0));
    VALUE(memcmp(text,
                 "01\0\0\0"
                 "567",
                 8));
    DO(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 20));
    VALUE(stat_of("a").st_size);
    DO(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 8192));
    VALUE(stat_of("a").st_size);
    DO(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
    DO(fallocate(fd, 0, 0, 0));
    DO(fallocate(fd, 0, 0, -1));
    DO(fallocate(fd, 0, INT64_MAX, 10));
    DO(posix_fallocate(fd, 0, 16384));
    VALUE(stat_of("a").st_size);
    DO(close(fd));
    DO(fd = open("a", O_RDONLY | O_CLOEXEC));
    DO(fallocate(fd, 0, 0, 10));
    DO(close(fd));
}

static void empty_while_reading(void)
{
    enum { FILES = 600 };
    struct dirent *entry;
    char name[64];
    long seen = 0;
    DIR *dir;

    DO(mkdir("d", 0755));
    for (int i = 0; i < FILES; i++) {
        (void) snprintf(name, sizeof(name), "d/some-longer-name-%d", i);
        ck_assert_int_eq(share_put(name, ""), 0);
    }
    dir = opendir("d");
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            seen++;
    VALUE(seen);
    rewinddir(dir);
    for (seen = 0; readdir(dir); seen++) {
    }
    VALUE(seen);
    DO(rmdir("d"));
    rewinddir(dir);
    VALUE(readdir(dir) == NULL);
    DO(openat(dirfd(dir), "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    VALUE(fstatat(dirfd(dir), ".", &(struct stat){0}, 0));
    DO(closedir(dir));
}

static void replaced_while_open(void)
{
    char text[8] = "";
    struct stat stat;
    int fd;

    DO(share_put("a", "old"));
    DO(share_put("b", "new"));
    DO(fd = open("a", O_RDWR | O_CLOEXEC));
    DO(rename("b", "a"));
    DO(pread(fd, text, 3, 0));
    VALUE(memcmp(text, "old", 3));
    DO(pwrite(fd, "OLD", 3, 0));
    DO(fstat(fd, &stat));
    VALUE(stat.st_nlink);
    VALUE(share_first_bytes("a"));
    DO(fchown(fd, USER, GROUP));
    DO(fchmod(fd, 0640));
    DO(fsetxattr(fd, "user.a", "x", 1, 0));
    VALUE(fgetxattr(fd, "user.a", text, sizeof(text)));
    DO(fstat(fd, &stat));
    VALUE(stat.st_uid);
    DO(linkat(AT_FDCWD, "/proc/self/fd/-1", AT_FDCWD, "c", AT_SYMLINK_FOLLOW));
    DO(fsync(fd));
    DO(close(fd));
}

static void shared_between_processes(void)
{
    char *here, text[16] = "";
    int fd, status;
    pid_t child;

    DO(fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    DO(ftruncate(fd, 4096));
    here = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    child = fork();
    if (child == 0) {
        int again = open("a", O_RDWR | O_CLOEXEC);
        char *there = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);

        memcpy(there, "from a child", 12);
        _exit(pwrite(again, "written", 7, 100) != 7);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    VALUE(status);
    VALUE(memcmp(here, "from a child", 12));
    VALUE(memcmp(here + 100, "written", 7));
    DO(close(fd)); /* the mapping stays */
    memcpy(here, "to the file", 11);
    DO(munmap(here, 4096));
    DO(fd = open("a", O_RDONLY | O_CLOEXEC));
    DO(read(fd, text, 11));
    VALUE(memcmp(text, "to the file", 11));
    here = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    VALUE(here == MAP_FAILED);
    DO(close(fd));
}

static void copies(void)
{
    int in, out, pipes[2];
    char text[8] = "";

    DO(share_put("a", "copied"));
    DO(in = open("a", O_RDONLY | O_CLOEXEC));
    DO(out = open("b", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    VALUE(sendfile(out, in, NULL, 100));
    VALUE(stat_of("b").st_size);
    DO(pipe(pipes));
    VALUE(splice(in, &(loff_t){0}, pipes[1], NULL, 6, 0));
    VALUE(splice(pipes[0], NULL, out, &(loff_t){3}, 6, 0));
    DO(pread(out, text, 8, 3));
    VALUE(memcmp(text, "copied", 6));
    VALUE(copy_file_range(in, &(loff_t){1}, out, &(loff_t){0}, 2, 0));
    VALUE(share_first_bytes("b"));
    DO(close(pipes[0]));
    DO(close(pipes[1]));
    DO(close(in));
    DO(close(out));
}

static void seeks(void)
{
    char text[8] = "";
    int fd;

    DO(fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    DO(ftruncate(fd, 100000));
    VALUE(lseek(fd, 0, SEEK_DATA) < 0 ? -errno : 0);
    VALUE(lseek(fd, 0, SEEK_HOLE));
    VALUE(lseek(fd, 100000, SEEK_HOLE) < 0 ? -errno : 0);
    VALUE(lseek(fd, -1, SEEK_DATA) < 0 ? -errno : 0);
    VALUE(lseek(fd, -10, SEEK_END));
    VALUE(lseek(fd, 5, SEEK_CUR));
    VALUE(lseek(fd, -1, SEEK_SET) < 0 ? -errno : 0);
    VALUE(lseek(fd, 0, 77) < 0 ? -errno : 0);
    VALUE(pread(fd, text, 8, 99998));
    VALUE(pread(fd, text, 8, 200000));
    VALUE(pread(fd, text, 8, -1) < 0 ? -errno : 0);
    DO(pwrite(fd, "x", 1, INT64_MAX));
    DO(ftruncate(fd, -1));
    DO(close(fd));
}

/* Past the page cache, as databases do. */
static void direct(void)
{
    enum { BLOCK = 4096 };
    static _Alignas(BLOCK) char block[2 * BLOCK];
    int fd;

    DO(fd = open("a", O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644));
    memset(block, 'b', sizeof(block));
    VALUE(pwrite(fd, block, sizeof(block), BLOCK));
    VALUE(stat_of("a").st_size);
    memset(block, 0, sizeof(block));
    VALUE(pread(fd, block, sizeof(block), 0));
    VALUE(block[BLOCK - 1]);
    VALUE(block[BLOCK]);
    VALUE(pread(fd, block, BLOCK, 3L * BLOCK));
    VALUE(share_first_bytes("a"));
    DO(close(fd));
}

static void room(void)
{
    struct statvfs info;

    DO(statvfs(".", &info));
    VALUE(info.f_bsize);
    VALUE(info.f_frsize);
    VALUE(info.f_blocks);
    VALUE(info.f_files);
    VALUE(info.f_namemax);
    VALUE(info.f_bavail <= info.f_bfree && info.f_bfree <= info.f_blocks);
}

static void large_attributes(void)
{
    static char value[70000], name[300] = "user.";
    char text[8];

    DO(share_put("a", "x"));
    memset(value, 'v', sizeof(value));
    memset(name + 5, 'n', sizeof(name) - 6);
    DO(setxattr("a", "user.empty", "", 0, 0));
    VALUE(getxattr("a", "user.empty", text, sizeof(text)));
    DO(setxattr("a", "user.", "x", 1, 0));
    DO(setxattr("a", "user.large", value, 3000, 0));
    VALUE(getxattr("a", "user.large", value, sizeof(value)));
    DO(setxattr("a", "user.beyond", value, 65537, 0));
    DO(setxattr("a", name, "x", 1, 0));
    name[255] = '\0';
    DO(setxattr("a", name, "x", 1, 0));
    DO(symlink("a", "s"));
    DO(lsetxattr("s", "user.a", "x", 1, 0));
    DO(lgetxattr("s", "user.a", text, sizeof(text)));
    DO(setxattr("a", "no.such", "x", 1, 0));
    DO(chmod("a", 0600));
    AS(USER, getxattr("a", "user.large", text, sizeof(text)));
    VALUE(listxattr("a", NULL, 0));
}

/* ---- access lists ---------------------------------------------------------------------------- */

struct access_list {
    uint32_t version;
    struct access_entry {
        uint16_t tag;
        uint16_t rights;
        uint32_t id;
    } entry[5];
};

/* Of the owner, of OTHER, of the group, the most that both may have, of all others. */
static struct access_list list_of(const uint16_t *rights)
{
    static const uint16_t tags[] = {0x01, 0x02, 0x04, 0x10, 0x20};
    struct access_list list = {.version = 2};

    for (size_t i = 0; i < ARRAY_LENGTH(tags); i++)
        list.entry[i] = (struct access_entry){tags[i], rights[i], i == 1 ? OTHER : UINT32_MAX};
    return list;
}

static void access_lists(void)
{
    const struct access_list one = list_of((const uint16_t[]){6, 4, 0, 4, 0});
    const struct access_list all = list_of((const uint16_t[]){7, 7, 5, 7, 0});
    char read[sizeof(one) * 2];

    DO(share_put("a", "x"));
    DO(setxattr("a", "system.posix_acl_access", &one, sizeof(one), 0));
    VALUE(stat_of("a").st_mode);
    VALUE(open_as(OTHER, "a", O_RDONLY));
    VALUE(open_as(OTHER, "a", O_WRONLY));
    VALUE(open_as(USER, "a", O_RDONLY));
    VALUE(getxattr("a", "system.posix_acl_access", read, sizeof(read)));
    VALUE(memcmp(read, &one, sizeof(one)));
    DO(chmod("a", 0600));
    VALUE(open_as(OTHER, "a", O_RDONLY));
    DO(chmod("a", 0660));
    VALUE(open_as(OTHER, "a", O_RDONLY));
    AS(OTHER, setxattr("a", "system.posix_acl_access", &all, sizeof(all), 0));
    DO(setxattr("a", "system.posix_acl_access", &one, 3, 0));
    DO(setxattr("a", "system.posix_acl_default", &one, sizeof(one), 0));
    VALUE(listxattr("a", NULL, 0));
    DO(removexattr("a", "system.posix_acl_access"));
    VALUE(stat_of("a").st_mode);
    VALUE(open_as(OTHER, "a", O_RDONLY));
    DO(getxattr("a", "system.posix_acl_access", read, sizeof(read)));
    DO(mkdir("d", 0755));
    DO(setxattr("d", "system.posix_acl_default", &all, sizeof(all), 0));
    DO(share_put("d/x", "x")); /* the mask of the process does not count here */
    VALUE(stat_of("d/x").st_mode);
    VALUE(getxattr("d/x", "system.posix_acl_access", read, sizeof(read)));
    VALUE(open_as(OTHER, "d/x", O_WRONLY));
    DO(mkdir("d/e", 0777));
    VALUE(stat_of("d/e").st_mode);
    VALUE(getxattr("d/e", "system.posix_acl_default", read, sizeof(read)));
    AS(OTHER, share_put("d/e/x", "x"));
    DO(mkfifo("d/f", 0666));
    VALUE(stat_of("d/f").st_mode);
}

const struct share_case share_edges[] = {
    {"open_flags", open_flags},
    {"open_rights", open_rights},
    {"directory_rights", directory_rights},
    {"set_id_bits", set_id_bits},
    {"set_id_directories", set_id_directories},
    {"times_of_others", times_of_others},
    {"long_names", long_names},
    {"ways_up", ways_up},
    {"exchanges", exchanges},
    {"allocation", allocation},
    {"empty_while_reading", empty_while_reading},
    {"replaced_while_open", replaced_while_open},
    {"shared_between_processes", shared_between_processes},
    {"copies", copies},
    {"seeks", seeks},
    {"direct", direct},
    {"room", room},
    {"large_attributes", large_attributes},
    {"access_lists", access_lists},
};

const size_t share_edges_length = ARRAY_LENGTH(share_edges);
