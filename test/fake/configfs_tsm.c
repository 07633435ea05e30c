/* SPDX-License-Identifier: Apache-2.0 */
#define FUSE_USE_VERSION 35
#include "configfs_tsm.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <fuse3/fuse.h>

enum { DIRECTORIES_MAX = 16, NAME_SIZE = 64 };

struct directory {
    char name[NAME_SIZE];
    bool asked;
    unsigned generation;
    uint8_t pending[4096]; /* written, not closed yet */
    size_t pending_size;
    uint8_t question[64];
    bool answered;
    uint8_t *answer;
    size_t answer_size;
};

struct fake_tsm fake_tsm;
static struct directory directories[DIRECTORIES_MAX];
static struct fuse *fuse;
static pthread_t thread;

static const struct {
    const char *name;
    mode_t mode;
} files[] = {
    {"provider", 0444}, {"generation", 0444}, {"inblob", 0200},
    {"outblob", 0444},  {"auxblob", 0444},    {"privlevel", 0200},
};

/* libfuse does not free the request in which it is told of the end. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libfuse3";
}

static void must(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

static struct directory *find(const char *name, size_t length)
{
    for (int i = 0; i < DIRECTORIES_MAX; i++)
        if (strlen(directories[i].name) == length &&
            strncmp(directories[i].name, name, length) == 0)
            return &directories[i];
    return NULL;
}

/* "/name" or "/name/file". */
static int look(const char *path, struct directory **ret, const char **ret_file, mode_t *ret_mode)
{
    const char *slash = strchr(path + 1, '/');
    size_t length = slash ? (size_t) (slash - path - 1) : strlen(path + 1);

    *ret = length ? find(path + 1, length) : NULL;
    *ret_file = slash ? slash + 1 : NULL;
    *ret_mode = S_IFREG | 0600;
    if (strcmp(path, "/" FAKE_TD_DEVICE) == 0)
        return 0;
    *ret_mode = S_IFDIR | 0755;
    if (length && !*ret)
        return -ENOENT;
    if (!slash)
        return 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (strcmp(files[i].name, *ret_file) != 0 ||
            (strcmp(*ret_file, "auxblob") == 0 && !fake_tsm.certificates))
            continue;
        *ret_mode = S_IFREG | files[i].mode;
        return 0;
    }
    return -ENOENT;
}

static int on_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
    struct directory *directory;
    const char *file;

    memset(st, 0, sizeof(*st));
    st->st_nlink = 1;
    return look(path, &directory, &file, &st->st_mode);
}

static int on_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
    if (strcmp(path, "/") != 0)
        return 0;
    for (int i = 0; i < DIRECTORIES_MAX; i++)
        if (directories[i].name[0])
            fill(buffer, directories[i].name, NULL, 0, 0);
    return 0;
}

static int on_mkdir(const char *path, mode_t mode)
{
    struct directory *directory = find("", 0);

    if (strchr(path + 1, '/') || strlen(path + 1) >= NAME_SIZE)
        return -EINVAL;
    if (!directory)
        return -ENOSPC;
    memset(directory, 0, sizeof(*directory));
    (void) strcpy(directory->name, path + 1);
    fake_tsm.made++;
    return 0;
}

static int on_rmdir(const char *path)
{
    struct directory *directory = find(path + 1, strlen(path + 1));

    if (!directory)
        return -ENOENT;
    free(directory->answer);
    memset(directory, 0, sizeof(*directory));
    fake_tsm.removed++;
    return 0;
}

static int on_open(const char *path, struct fuse_file_info *info)
{
    struct directory *directory;
    const char *file;
    mode_t mode;

    info->direct_io = 1;
    return look(path, &directory, &file, &mode);
}

static int give(const void *data, size_t length, char *to, size_t size, off_t offset)
{
    size_t left = (size_t) offset < length ? length - (size_t) offset : 0;

    if (size > left)
        size = left;
    if (size)
        memcpy(to, (const char *) data + offset, size);
    return (int) size;
}

static int read_answer(struct directory *directory, char *to, size_t size, off_t offset)
{
    if (fake_tsm.would_block > 0 && fake_tsm.would_block--)
        return -EWOULDBLOCK;
    if (fake_tsm.interrupts > 0 && fake_tsm.interrupts--)
        return -EINTR;
    if (!directory->asked || fake_tsm.silent)
        return -EINVAL;
    if (fake_tsm.endless) {
        memset(to, 0, size);
        return (int) size;
    }
    if (!directory->answered) {
        directory->answer = malloc(FAKE_TSM_BLOB_MAX);
        must(directory->answer != NULL, "malloc");
        directory->answer_size = fake_tsm.report(directory->question, directory->answer);
        directory->answered = true;
    }
    return give(directory->answer, directory->answer_size, to, size, offset);
}

static int on_read(const char *path, char *to, size_t size, off_t offset,
                   struct fuse_file_info *info)
{
    struct directory *directory;
    const char *file;
    char text[32];
    mode_t mode;
    int rc = look(path, &directory, &file, &mode);

    if (rc < 0 || !file)
        return rc < 0 ? rc : -EINVAL;
    if (strcmp(file, "provider") == 0)
        return give(fake_tsm.provider, strlen(fake_tsm.provider), to, size, offset);
    if (strcmp(file, "auxblob") == 0)
        return give(fake_tsm.certificates, strlen(fake_tsm.certificates), to, size, offset);
    if (strcmp(file, "outblob") == 0)
        return read_answer(directory, to, size, offset);
    (void) snprintf(text, sizeof(text), "%u\n", directory->generation);
    return give(text, strlen(text), to, size, offset);
}

static int on_write(const char *path, const char *from, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    struct directory *directory;
    const char *file;
    mode_t mode;
    int rc = look(path, &directory, &file, &mode);

    if (rc < 0 || !file)
        return rc < 0 ? rc : -EINVAL;
    if (strcmp(file, "privlevel") == 0) {
        fake_tsm.levels++;
        return (int) size;
    }
    if (fake_tsm.taken_short > 0 && fake_tsm.taken_short--)
        size /= 2;
    if ((size_t) offset + size > sizeof(directory->pending))
        return -EFBIG;
    memcpy(directory->pending + offset, from, size);
    directory->pending_size = (size_t) offset + size;
    return (int) size;
}

/* The kernel takes a binary file when it is closed. */
static int on_flush(const char *path, struct fuse_file_info *info)
{
    struct directory *directory;
    const char *file;
    mode_t mode;
    size_t size;

    if (look(path, &directory, &file, &mode) < 0 || !directory || !directory->pending_size)
        return 0;
    size = directory->pending_size;
    directory->pending_size = 0;
    if (size > sizeof(directory->question))
        return -EINVAL;
    memset(directory->question, 0, sizeof(directory->question));
    memcpy(directory->question, directory->pending, size);
    directory->asked = true;
    directory->generation++;
    fake_tsm.questions++;
    fake_tsm.question_size = size;
    if (fake_tsm.strangers > 0 && fake_tsm.strangers--) {
        memset(directory->question, 0xee, sizeof(directory->question));
        directory->generation++;
    }
    return 0;
}

/* TDX_CMD_GET_REPORT0: 64 bytes of report data, 1024 of report. */
static int on_ioctl(const char *path, unsigned command, void *unused, struct fuse_file_info *info,
                    unsigned flags, void *data)
{
    uint8_t *bytes = data;

    if (strcmp(path, "/" FAKE_TD_DEVICE) != 0 || command != 0xc4405401)
        return -ENOTTY;
    if (fake_tsm.td_deaf)
        return -EIO;
    fake_tsm.td_questions++;
    memcpy(bytes + 64, fake_tsm.td_report, sizeof(fake_tsm.td_report));
    memcpy(bytes + 64 + 128, bytes, 64);
    bytes[64 + 128] ^= fake_tsm.td_other;
    return 0;
}

static const struct fuse_operations operations = {
    .getattr = on_getattr,
    .readdir = on_readdir,
    .mkdir = on_mkdir,
    .rmdir = on_rmdir,
    .open = on_open,
    .read = on_read,
    .write = on_write,
    .flush = on_flush,
    .ioctl = on_ioctl,
};

static void *serve(void *unused)
{
    (void) fuse_loop(fuse);
    return NULL;
}

void fake_tsm_mount(const char *directory)
{
    static char *arguments[] = {(char *) (uintptr_t) "configfs-tsm", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, arguments);

    must(unshare(CLONE_NEWNS) == 0, "unshare");
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "make mounts private");
    fuse = fuse_new(&args, &operations, sizeof(operations), NULL);
    must(fuse != NULL, "fuse_new");
    fuse_opt_free_args(&args);
    must(fuse_mount(fuse, directory) == 0, "fuse_mount");
    must(pthread_create(&thread, NULL, serve, NULL) == 0, "pthread_create");
}

void fake_tsm_unmount(void)
{
    fuse_exit(fuse);
    fuse_unmount(fuse);
    (void) pthread_join(thread, NULL);
    fuse_destroy(fuse);
    for (int i = 0; i < DIRECTORIES_MAX; i++)
        free(directories[i].answer);
    memset(directories, 0, sizeof(directories));
}

void fake_tsm_leave(const char *name)
{
    char path[NAME_SIZE + 1];

    (void) snprintf(path, sizeof(path), "/%s", name);
    must(on_mkdir(path, 0755) == 0, "leave a directory");
    fake_tsm.made--;
}

int fake_tsm_directories(void)
{
    int count = 0;

    for (int i = 0; i < DIRECTORIES_MAX; i++)
        count += directories[i].name[0] != '\0';
    return count;
}
