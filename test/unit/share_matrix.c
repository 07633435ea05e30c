/* SPDX-License-Identifier: Apache-2.0 */
#include "share_matrix.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/scoped.h"
#include "share_record.h"

static void renames(void)
{
    DO(mkdir("d", 0755));
    DO(mkdir("e", 0755));
    DO(share_put("a", "one"));
    DO(share_put("b", "two"));
    DO(share_put("d/x", "three"));
    DO(rename("a", "b"));
    VALUE(share_first_bytes("b"));
    DO(rename("a", "c"));
    DO(rename("b", "b"));
    DO(rename("b", "d"));
    DO(rename("d", "b"));
    DO(rename("e", "d"));
    DO(rename("d", "e"));
    VALUE(stat_of("e/x").st_size);
    DO(rename("e", "e/sub"));
    DO(rename("e/x", "x"));
    DO(share_put("y", "four"));
    DO(renameat2(AT_FDCWD, "x", AT_FDCWD, "y", RENAME_NOREPLACE));
    DO(renameat2(AT_FDCWD, "x", AT_FDCWD, "y", RENAME_EXCHANGE));
    VALUE(share_first_bytes("x"));
    VALUE(share_first_bytes("y"));
    DO(renameat2(AT_FDCWD, "e", AT_FDCWD, "y", RENAME_EXCHANGE));
    VALUE(S_ISDIR(stat_of("y").st_mode));
    VALUE(stat_of(".").st_nlink);
}

static void unlinks(void)
{
    int fd;
    struct stat stat;
    char text[8] = "";

    DO(share_put("a", "alive"));
    DO(fd = open("a", O_RDWR | O_CLOEXEC));
    DO(unlink("a"));
    DO(unlink("a"));
    DO(fstat(fd, &stat));
    VALUE(stat.st_nlink);
    DO(pwrite(fd, "A", 1, 0));
    VALUE(pread(fd, text, 5, 0));
    VALUE(strcmp(text, "Alive"));
    DO(ftruncate(fd, 2));
    DO(fchmod(fd, 0600));
    DO(close(fd));
    DO(mkdir("d", 0755));
    DO(share_put("d/x", ""));
    DO(unlink("d"));
    DO(rmdir("d"));
    DO(rmdir("d/x"));
    DO(unlink("d/x"));
    DO(rmdir("d"));
    DO(unlink("nothing"));
}

static void links(void)
{
    char text[16] = "";

    DO(share_put("a", "linked"));
    DO(link("a", "b"));
    VALUE(stat_of("a").st_nlink);
    VALUE(stat_of("a").st_ino == stat_of("b").st_ino);
    DO(link("a", "b"));
    DO(mkdir("d", 0755));
    DO(link("d", "e"));
    DO(symlink("a", "s"));
    DO(symlink("a", "s"));
    VALUE(readlink("s", text, sizeof(text)));
    VALUE(stat_of("s").st_size);
    VALUE(share_first_bytes("s"));
    DO(open("s", O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    DO(link("s", "t"));
    VALUE(S_ISLNK(stat_of("t").st_mode));
    DO(symlink("loop", "loop"));
    VALUE(share_first_bytes("loop"));
    DO(symlink("../../../../../../../../nowhere", "out"));
    VALUE(share_first_bytes("out"));
    DO(symlink("", "empty"));
    DO(readlink("a", text, sizeof(text)));
    DO(unlink("a"));
    VALUE(stat_of("b").st_nlink);
    VALUE(share_first_bytes("s"));
    DO(lchown("s", USER, GROUP));
    VALUE(stat_of("s").st_uid);
}

static void permissions(void)
{
    DO(share_put("private", "x"));
    DO(chmod("private", 0600));
    DO(mkdir("sticky", 0755));
    DO(chmod("sticky", 01777));
    DO(share_put("sticky/roots", "x"));
    VALUE(open_as(USER, "new", O_WRONLY | O_CREAT));
    VALUE(open_as(USER, "private", O_RDONLY));
    VALUE(open_as(USER, "sticky/own", O_WRONLY | O_CREAT));
    VALUE(stat_of("sticky/own").st_uid);
    VALUE(stat_of("sticky/own").st_gid);
    AS(USER, unlink("sticky/roots"));
    AS(USER, rename("sticky/roots", "sticky/mine"));
    AS(OTHER, unlink("sticky/own"));
    AS(USER, chmod("sticky/roots", 0777));
    AS(USER, chown("sticky/own", OTHER, -1));
    AS(USER, chmod("sticky/own", 0640));
    AS(OTHER, truncate("sticky/own", 1));
    AS(USER, mkdir("sticky/dir", 0700));
    AS(USER, symlink("x", "sticky/link"));
    VALUE(stat_of("sticky/link").st_uid);
    AS(USER, mkfifo("sticky/fifo", 0600));
    VALUE(stat_of("sticky/fifo").st_uid);
    AS(OTHER, faccessat(AT_FDCWD, "sticky/dir", X_OK, AT_EACCESS));
    VALUE(stat_of("sticky/dir").st_mode);
    AS(OTHER, mkdir("sticky/dir/sub", 0700));
    AS(USER, unlink("sticky/own"));
}

/* What Kubernetes' fsGroup is: a supplementary group, and directories with the set-group-id bit. */
static void fs_group(void)
{
    const gid_t group = FS_GROUP;

    DO(mkdir("d", 0755));
    DO(chown("d", 0, FS_GROUP));
    DO(chmod("d", 02775));
    VALUE(open_as(USER, "d/denied", O_WRONLY | O_CREAT));
    ck_assert_int_eq(setgroups(1, &group), 0);
    VALUE(open_as(USER, "d/granted", O_WRONLY | O_CREAT));
    AS(USER, mkdir("d/sub", 0755));
    ck_assert_int_eq(setgroups(0, NULL), 0);
    VALUE(stat_of("d/granted").st_uid);
    VALUE(stat_of("d/granted").st_gid);
    VALUE(stat_of("d/sub").st_gid);
    VALUE(stat_of("d/sub").st_mode);
}

static void modes(void)
{
    int fd;

    (void) umask(027);
    DO(fd = open("a", O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    DO(close(fd));
    DO(mkdir("d", 0777));
    DO(mknod("n", S_IFREG | 0666, 0));
    (void) umask(022);
    VALUE(stat_of("a").st_mode);
    VALUE(stat_of("d").st_mode);
    VALUE(stat_of("n").st_mode);
    DO(chmod("a", 04755));
    VALUE(stat_of("a").st_mode);
    DO(chown("a", USER, GROUP));
    VALUE(stat_of("a").st_mode);
    DO(chmod("a", 06777));
    VALUE(open_as(OTHER, "a", O_WRONLY));
    become(OTHER, OTHER);
    fd = open("a", O_WRONLY | O_CLOEXEC);
    DO(write(fd, "x", 1));
    close(fd);
    become_root();
    VALUE(stat_of("a").st_mode);
    DO(chmod("a", 04777));
    AS(OTHER, truncate("a", 0));
    VALUE(stat_of("a").st_mode);
    DO(fd = open("r", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    DO(write(fd, "x", 1));
    DO(close(fd));
    DO(open("r", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
}

static void truncates(void)
{
    int fd;
    char text[8] = "";

    DO(share_put("a", "12345678"));
    DO(truncate("a", 3));
    DO(truncate("a", 6));
    DO(fd = open("a", O_RDONLY | O_CLOEXEC));
    VALUE(read(fd, text, sizeof(text)));
    VALUE(memcmp(text, "123\0\0\0", 6));
    DO(ftruncate(fd, 0));
    DO(write(fd, "x", 1));
    DO(close(fd));
    DO(truncate("a", -1));
    DO(mkdir("d", 0755));
    DO(truncate("d", 0));
    DO(open("d", O_WRONLY | O_CLOEXEC));
    DO(truncate("nothing", 0));
    DO(fd = open("a", O_WRONLY | O_TRUNC | O_CLOEXEC));
    VALUE(stat_of("a").st_size);
    DO(pwrite(fd, "end", 3, 100000));
    VALUE(stat_of("a").st_size);
    DO(close(fd));
}

static void appends(void)
{
    int one, two;

    DO(one = open("a", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    DO(two = open("a", O_WRONLY | O_APPEND | O_CLOEXEC));
    for (int i = 0; i < 10; i++) {
        DO(write(one, "11", 2));
        DO(write(two, "2", 1));
    }
    DO(pwrite(one, "3", 1, 0));
    VALUE(stat_of("a").st_size);
    VALUE(share_first_bytes("a"));
    VALUE(lseek(two, 0, SEEK_CUR));
    DO(close(one));
    DO(close(two));
}

static void holes(void)
{
    char byte = 'x';
    int fd;

    DO(fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    DO(ftruncate(fd, 1024 * 1024));
    DO(pwrite(fd, "x", 1, 512 * 1024));
    VALUE(lseek(fd, 0, SEEK_DATA));
    VALUE(lseek(fd, 512 * 1024, SEEK_HOLE));
    DO(lseek(fd, 2 * 1024 * 1024, SEEK_DATA));
    DO(fallocate(fd, 0, 0, 2 * 1024 * 1024));
    VALUE(stat_of("a").st_size);
    DO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 512 * 1024, 4096));
    VALUE(pread(fd, &byte, 1, 512 * 1024));
    VALUE(byte);
    DO(fallocate(fd, 0, -1, 10));
    DO(fsync(fd));
    DO(fdatasync(fd));
    DO(close(fd));
}

static void on_alarm(int number)
{
    (void) number;
}

static void locks(void)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    int one, two, pipes[2], status;
    pid_t child;

    DO(share_put("a", "x"));
    DO(one = open("a", O_RDONLY | O_CLOEXEC));
    DO(two = open("a", O_RDONLY | O_CLOEXEC));
    DO(flock(one, LOCK_SH | LOCK_NB));
    DO(flock(two, LOCK_SH | LOCK_NB));
    DO(flock(two, LOCK_EX | LOCK_NB));
    DO(flock(one, LOCK_UN));
    DO(flock(two, LOCK_EX | LOCK_NB));
    DO(flock(one, LOCK_SH | LOCK_NB));
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    (void) ualarm(50000, 50000);
    DO(flock(one, LOCK_EX));
    (void) ualarm(0, 0);
    ck_assert_int_eq(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        (void) close(two);
        (void) !write(pipes[1], "x", 1);
        _exit(flock(one, LOCK_EX) < 0);
    }
    (void) !read(pipes[0], &status, 1);
    DO(close(two)); /* the parent's: the child still has it until it closes its own */
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    VALUE(WEXITSTATUS(status));
    DO(two = open("a", O_RDONLY | O_CLOEXEC));
    DO(flock(two, LOCK_SH | LOCK_NB));
    DO(close(one));
    DO(flock(two, LOCK_EX | LOCK_NB));
    DO(close(two));
}

static void maps(void)
{
    char *shared, *private, text[8] = "";
    int fd;

    DO(fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    DO(ftruncate(fd, 8192));
    shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    VALUE(shared != MAP_FAILED && private != MAP_FAILED);
    memcpy(shared + 4094, "mapped", 6);
    DO(pread(fd, text, 6, 4094));
    VALUE(memcmp(text, "mapped", 6));
    DO(msync(shared, 8192, MS_SYNC));
    DO(pwrite(fd, "W", 1, 4094));
    VALUE(shared[4094]);
    memcpy(private, "never", 5);
    VALUE(share_first_bytes("a"));
    DO(munmap(shared, 8192));
    DO(munmap(private, 8192));
    DO(close(fd));
    VALUE(stat_of("a").st_size);
}

/* The page that a mapping made dirty goes where it belongs, although the handle appends. */
static void map_of_appended(void)
{
    char *shared;
    int fd;

    DO(share_put("a", "12345678"));
    DO(fd = open("a", O_RDWR | O_APPEND | O_CLOEXEC));
    shared = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memcpy(shared, "mapp", 4);
    DO(msync(shared, 8, MS_SYNC));
    DO(munmap(shared, 8));
    DO(write(fd, "9", 1));
    DO(close(fd));
    VALUE(stat_of("a").st_size);
    VALUE(share_first_bytes("a"));
}

static void times(void)
{
    const struct timespec set[] = {{.tv_sec = 1000, .tv_nsec = 7}, {.tv_sec = 2000, .tv_nsec = 9}};
    const struct timespec half[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 3000}};

    DO(share_put("a", "x"));
    DO(utimensat(AT_FDCWD, "a", set, 0));
    VALUE(stat_of("a").st_atim.tv_sec);
    VALUE(stat_of("a").st_mtim.tv_nsec);
    DO(utimensat(AT_FDCWD, "a", half, 0));
    VALUE(stat_of("a").st_atim.tv_nsec);
    VALUE(stat_of("a").st_mtim.tv_sec);
    DO(symlink("a", "s"));
    DO(utimensat(AT_FDCWD, "s", set, AT_SYMLINK_NOFOLLOW));
    VALUE(stat_of("s").st_mtim.tv_sec);
    AS(USER, utimensat(AT_FDCWD, "a", set, 0));
    DO(share_put("a", "y"));
    VALUE(stat_of("a").st_mtim.tv_sec > 3000);
    DO(utimensat(AT_FDCWD, "a", NULL, 0));
}

static void attributes(void)
{
    char text[64] = "";

    DO(share_put("a", "x"));
    DO(setxattr("a", "user.one", "1", 1, 0));
    DO(setxattr("a", "user.one", "2", 1, XATTR_CREATE));
    DO(setxattr("a", "user.two", "22", 2, XATTR_REPLACE));
    DO(setxattr("a", "user.two", "22", 2, 0));
    VALUE(getxattr("a", "user.two", NULL, 0));
    VALUE(getxattr("a", "user.two", text, sizeof(text)));
    DO(getxattr("a", "user.two", text, 1));
    DO(getxattr("a", "user.none", text, sizeof(text)));
    VALUE(listxattr("a", NULL, 0));
    VALUE(listxattr("a", text, sizeof(text)));
    DO(listxattr("a", text, 3));
    DO(removexattr("a", "user.one"));
    DO(removexattr("a", "user.one"));
    DO(mkdir("d", 0755));
    DO(setxattr("d", "user.one", "1", 1, 0));
    DO(mkfifo("f", 0644));
    DO(setxattr("f", "user.one", "1", 1, 0));
}

static void directories(void)
{
    struct dirent *entry;
    char name[300];
    long count = 0, sum = 0, same = 0, at;
    DIR *dir;

    for (int i = 0; i < 1500; i++) {
        (void) snprintf(name, sizeof(name), "file-%d-with-a-name", i);
        ck_assert_int_eq(share_put(name, ""), 0);
    }
    dir = opendir(".");
    while ((entry = readdir(dir))) {
        count++;
        for (const char *c = entry->d_name; *c; c++)
            sum += *c;
        same += entry->d_ino == stat_of(entry->d_name).st_ino;
    }
    VALUE(count);
    VALUE(sum);
    VALUE(same);
    rewinddir(dir);
    (void) readdir(dir);
    at = telldir(dir);
    entry = readdir(dir);
    (void) snprintf(name, sizeof(name), "%s", entry->d_name);
    for (int i = 0; i < 700; i++)
        (void) readdir(dir);
    seekdir(dir, at);
    VALUE(strcmp(readdir(dir)->d_name, name));
    DO(fsync(dirfd(dir)));
    DO(closedir(dir));
    VALUE(stat_of("file-7-with-a-name").st_size);
}

static void names(void)
{
    char longest[257];

    memset(longest, 'n', sizeof(longest));
    longest[256] = '\0';
    DO(share_put(longest, "x"));
    longest[255] = '\0';
    DO(share_put(longest, "x"));
    VALUE(share_first_bytes(longest));
    DO(share_put("a", "x"));
    DO(mkdir("a/b", 0755));
    DO(mkdir("b/", 0755));
    DO(open("a/", O_RDONLY | O_CLOEXEC));
    DO(open("", O_RDONLY | O_CLOEXEC));
    DO(mkdir("..", 0755));
    DO(rmdir("."));
    DO(mkdir("b/../c", 0755));
    DO(share_put("c/\xff\xfe\n", "x"));
    VALUE(share_first_bytes("c/\xff\xfe\n"));
}

static void specials(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "sock"};
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd;

    DO(mkfifo("fifo", 0640));
    VALUE(stat_of("fifo").st_mode);
    DO(fd = open("fifo", O_RDWR | O_CLOEXEC));
    DO(write(fd, "x", 1));
    DO(close(fd));
    DO(bind(server, (const struct sockaddr *) &address, sizeof(address)));
    DO(listen(server, 1));
    DO(connect(client, (const struct sockaddr *) &address, sizeof(address)));
    DO(bind(client, (const struct sockaddr *) &address, sizeof(address)));
    close(server);
    close(client);
}

static void large(void)
{
    enum { SIZE = 3 * 1024 * 1024 + 17 };
    char *out = malloc(SIZE), *in = malloc(SIZE);
    int fd, copy;

    for (size_t i = 0; i < SIZE; i++)
        out[i] = (char) (i * 2654435761u >> 13);
    DO(fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    VALUE(pwrite(fd, out, SIZE, 5));
    VALUE(pread(fd, in, SIZE, 5));
    VALUE(memcmp(in, out, SIZE));
    DO(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    VALUE(pread(fd, in, SIZE, 5));
    VALUE(memcmp(in, out, SIZE));
    DO(copy = open("b", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    VALUE(copy_file_range(fd, &(off_t){5}, copy, NULL, 100000, 0));
    VALUE(stat_of("b").st_size);
    DO(close(copy));
    DO(close(fd));
    free(in);
    free(out);
}

static void record_locks(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    int fd;

    DO(fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    DO(fcntl(fd, F_SETLK, &lock));
    DO(fcntl(fd, F_GETLK, &lock));
    VALUE(lock.l_type);
    DO(close(fd));
}

const struct share_case share_matrix[] = {
    {"renames", renames},
    {"unlinks", unlinks},
    {"links", links},
    {"permissions", permissions},
    {"fs_group", fs_group},
    {"modes", modes},
    {"truncates", truncates},
    {"appends", appends},
    {"holes", holes},
    {"locks", locks},
    {"maps", maps},
    {"map_of_appended", map_of_appended},
    {"times", times},
    {"attributes", attributes},
    {"directories", directories},
    {"names", names},
    {"specials", specials},
    {"large", large},
    {"record_locks", record_locks},
};

const size_t share_matrix_length = ARRAY_LENGTH(share_matrix);
