/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_content.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "volumes.h"

enum { STAGE_SIZE = 64, NAME_SIZE = 256 };

struct volume_content {
    const char *path;
    int fd;
    uint64_t serial; /* of what is in place; 0: nothing is */
    char current[STAGE_SIZE];
    uint64_t coming; /* of what comes in; 0: nothing does */
    char stage[STAGE_SIZE];
    int stage_fd;
    size_t bytes, entries;
};

struct volume_content *volume_content_new(const char *path, int fd)
{
    struct volume_content *content = xnew(struct volume_content);

    content->path = path;
    content->fd = fd;
    content->stage_fd = -1;
    return content;
}

void volume_content_free(struct volume_content *content)
{
    if (!content)
        return;
    closep(&content->stage_fd);
    free(content);
}

bool volume_content_is_there(const struct volume_content *content)
{
    return content->serial != 0;
}

static void remove_inside(const struct volume_content *content, const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", content->path, name);
    struct error ignored;

    if (*name)
        (void) !file_remove_tree(path, &ignored);
}

static void abandon(struct volume_content *content)
{
    closep(&content->stage_fd);
    content->stage_fd = -1;
    if (content->coming)
        remove_inside(content, content->stage);
    content->coming = 0;
}

/* ---- what comes in ---- */

static int check_path(const char *path, struct error *err)
{
    if (strlen(path) > VOLUMES_PATH_MAX || text_starts(path, ".."))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is no path of a volume", path);
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, "/");

        if (length == 0 || length >= NAME_SIZE || (length == 1 && at[0] == '.') ||
            (length == 2 && at[0] == '.' && at[1] == '.') || (at[length] == '/' && !at[length + 1]))
            return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is no path of a volume", path);
        at += length + (at[length] == '/');
    }
    return 0;
}

static int check_target(const struct volumes_entry *entry, struct error *err)
{
    const char *target = entry->data;

    for (const char *at = target; *at; at += strcspn(at, "/"), at += *at == '/') {
        if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0'))
            target = "/";
    }
    if (*target == '\0' || *target == '/' || entry->length > VOLUMES_PATH_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the link '%.64s' leads out of the volume",
                         entry->path);
    return 0;
}

/* The directory that the entry is to be in, and its name there. */
static int open_parent(const struct volume_content *content, const char *path, int *ret,
                       const char **ret_name, struct error *err)
{
    const char *slash = strrchr(path, '/');
    scoped(freep) char *parent = slash ? xstrndup(path, (size_t) (slash - path)) : xstrdup(".");
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    int fd = (int) syscall(SYS_openat2, content->stage_fd, parent, &how, sizeof(how));

    if (fd < 0)
        return error_errno(err, errno, "what '%.64s' is in did not come before it", path);
    *ret = fd;
    *ret_name = slash ? slash + 1 : path;
    return 0;
}

static int dress(int fd, const struct volumes_entry *entry, struct error *err)
{
    mode_t bits = entry->type == VOLUMES_DIRECTORY ? 07777 : 0777;

    if (fchown(fd, entry->uid, entry->gid) < 0 || fchmod(fd, entry->mode & bits) < 0)
        return error_errno(err, errno, "set owner and mode of '%.64s'", entry->path);
    return 0;
}

static int make_file(int parent, const char *name, const struct volumes_entry *entry,
                     struct error *err)
{
    scoped(closep) int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_errno(err, errno, "make '%.64s'", entry->path);
    if (entry->length && fd_write_full(fd, entry->data, entry->length, err) < 0)
        return error_wrap(err, "'%.64s'", entry->path);
    return dress(fd, entry, err);
}

static int make_directory(int parent, const char *name, const struct volumes_entry *entry,
                          struct error *err)
{
    if (mkdirat(parent, name, 0700) < 0)
        return error_errno(err, errno, "make '%.64s'", entry->path);
    scoped(closep) int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "open '%.64s'", entry->path);
    return dress(fd, entry, err);
}

static int make_link(int parent, const char *name, const struct volumes_entry *entry,
                     struct error *err)
{
    if (check_target(entry, err) < 0)
        return -1;
    if (symlinkat(entry->data, parent, name) < 0 ||
        fchownat(parent, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "make '%.64s'", entry->path);
    return 0;
}

static int make_entry(struct volume_content *content, const struct volumes_entry *entry,
                      struct error *err)
{
    scoped(closep) int parent = -1;
    const char *name = entry->path; /* or behind its last slash */

    if (++content->entries > VOLUMES_ENTRIES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d files", VOLUMES_ENTRIES_MAX);
    if (entry->length > VOLUMES_BYTES_MAX - content->bytes)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d MiB",
                         VOLUMES_BYTES_MAX >> 20);
    content->bytes += entry->length;
    if (check_path(entry->path, err) < 0)
        return -1;
    if (*entry->path == '\0' && entry->type == VOLUMES_DIRECTORY)
        return dress(content->stage_fd, entry, err);
    if (open_parent(content, entry->path, &parent, &name, err) < 0)
        return -1;
    switch (entry->type) {
    case VOLUMES_FILE:
        return make_file(parent, name, entry, err);
    case VOLUMES_LINK:
        return make_link(parent, name, entry, err);
    default:
        return make_directory(parent, name, entry, err);
    }
}

static int begin(struct volume_content *content, uint64_t serial, struct error *err)
{
    time_t now = time(NULL);
    struct tm tm;
    size_t length;

    abandon(content);
    length = strftime(content->stage, sizeof(content->stage), "..%Y_%m_%d_%H_%M_%S",
                      gmtime_r(&now, &tm));
    (void) snprintf(content->stage + length, sizeof(content->stage) - length, ".%" PRIu64, serial);
    if (mkdirat(content->fd, content->stage, 0755) < 0)
        return error_errno(err, errno, "make '%s'", content->stage);
    content->coming = serial;
    content->bytes = content->entries = 0;
    content->stage_fd = openat(content->fd, content->stage,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (content->stage_fd < 0)
        return error_errno(err, errno, "open '%s'", content->stage);
    return 0;
}

/* ---- taking its place ---- */

static bool stage_has(const struct volume_content *content, const char *name)
{
    struct stat st;

    return fstatat(content->stage_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

typedef int name_fn(const struct volume_content *content, const char *name, struct error *err);

/* Members whose names are not the volume's own ("..data"). */
static int each_name(const struct volume_content *content, int directory, name_fn *fn,
                     struct error *err)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    int r = 0;

    if (!stream) {
        closep(&fd);
        return error_errno(err, errno, "list the volume");
    }
    for (struct dirent *entry; r == 0 && (entry = readdir(stream));) {
        if (!text_starts(entry->d_name, "..") && !text_equal(entry->d_name, "."))
            r = fn(content, entry->d_name, err);
    }
    closedir(stream);
    return r;
}

static int show(const struct volume_content *content, const char *name, struct error *err)
{
    scoped(freep) char *target = xformat("..data/%s", name);

    if (symlinkat(target, content->fd, name) < 0 && errno != EEXIST)
        return error_errno(err, errno, "show '%.64s'", name);
    return 0;
}

static int hide(const struct volume_content *content, const char *name, struct error *err)
{
    if (!stage_has(content, name) && unlinkat(content->fd, name, 0) < 0)
        return error_errno(err, errno, "remove '%.64s'", name);
    return 0;
}

/* The one moment in which the content changes is the rename. */
static int commit(struct volume_content *content, struct error *err)
{
    if (unlinkat(content->fd, "..data_tmp", 0) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove '..data_tmp'");
    if (symlinkat(content->stage, content->fd, "..data_tmp") < 0 ||
        renameat(content->fd, "..data_tmp", content->fd, "..data") < 0)
        return error_errno(err, errno, "put '..data' in place");
    remove_inside(content, content->current);
    memcpy(content->current, content->stage, sizeof(content->current));
    content->serial = content->coming;
    content->coming = 0;
    if (each_name(content, content->stage_fd, show, err) < 0 ||
        each_name(content, content->fd, hide, err) < 0)
        return -1;
    return 0;
}

static int take_part(struct volume_content *content, const struct volumes_put *put,
                     struct error *err)
{
    if (put->first && begin(content, put->serial, err) < 0)
        return -1;
    for (size_t i = 0; i < put->count; i++) {
        if (make_entry(content, &put->entries[i], err) < 0)
            return -1;
    }
    return put->last ? commit(content, err) : 0;
}

int volume_content_put(struct volume_content *content, const struct volumes_put *put,
                       struct error *err)
{
    if (put->serial == 0 || put->serial < content->serial)
        return error_set(err, STATUS_INVALID_ARGUMENT, "there is a newer content");
    if (put->serial == content->serial)
        return 0;
    if (!put->first && put->serial != content->coming)
        return error_set(err, STATUS_FAILED_PRECONDITION, "its first part is missing");
    if (take_part(content, put, err) < 0) {
        abandon(content);
        return -1;
    }
    if (put->last)
        abandon(content);
    return 0;
}
