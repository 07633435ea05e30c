/* SPDX-License-Identifier: Apache-2.0 */
#include "share_record.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/scoped.h"
#include "share_matrix.h"

static char record[RECORD_SIZE];

void record_begin(void)
{
    memset(record, 0, sizeof(record));
}

const char *record_text(void)
{
    return record;
}

void record_add(const char *what, long value)
{
    size_t length = strlen(record);

    ck_assert_uint_lt(length + strlen(what) + 32, sizeof(record));
    (void) snprintf(record + length, sizeof(record) - length, "%s: %ld\n", what, value);
}

struct stat stat_of(const char *name)
{
    struct stat stat = {0};

    if (lstat(name, &stat) < 0)
        stat.st_mode = 0;
    return stat;
}

int share_put(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t done = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (fd >= 0)
        close(fd);
    return done < 0 ? -1 : 0;
}

long share_first_bytes(const char *name)
{
    char text[8] = "";
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    long value = 0;

    if (fd < 0)
        return -errno;
    if (read(fd, text, sizeof(text)) < 0)
        value = -errno;
    else
        memcpy(&value, text, sizeof(value));
    close(fd);
    return value;
}

void become(uid_t uid, gid_t gid)
{
    ck_assert_int_eq(setegid(gid), 0);
    ck_assert_int_eq(seteuid(uid), 0);
}

void become_root(void)
{
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
}

int open_as(uid_t uid, const char *name, int flags)
{
    scoped(closep) int fd = -1;
    int failed;

    become(uid, uid);
    fd = open(name, flags | O_CLOEXEC, 0644);
    failed = fd < 0 ? errno : 0;
    become_root();
    return failed;
}

char *share_case_run(const struct share_case *one, const char *place)
{
    scoped(freep) char *path = xformat("%s/%s", place, one->name);

    (void) umask(022);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    ck_assert_int_eq(chdir(path), 0);
    record_begin();
    one->run();
    ck_assert_int_eq(chdir("/"), 0);
    return xstrdup(record_text());
}
