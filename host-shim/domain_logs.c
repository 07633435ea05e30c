/* SPDX-License-Identifier: Apache-2.0 */
#include "domain_logs.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "record.h"

#define PREFIX   "cleave-"
#define SUFFIX   ".log"
#define TPM_MARK "-swtpm"

enum { NAME_SIZE = 256, LOGS_MAX = 100000 };

struct entry {
    char name[NAME_SIZE];
    struct timespec written;
};

struct entries {
    struct entry *list;
    size_t count;
};

static void entries_fini(struct entries *entries)
{
    free(entries->list);
}

static bool is_sandbox(const char *name, size_t length)
{
    char id[NAME_SIZE], directory[RECORD_PATH_SIZE];
    struct error err;

    return text_format(id, sizeof(id), &err, "%.*s", (int) length, name) < 0 ||
           record_directory(id, directory, &err) < 0 || file_exists(directory);
}

/* "cleave-<id>.log", of a TPM "cleave-<id>-swtpm.log", or behind that what logrotate appends. */
static bool is_of_the_past(const char *name)
{
    const char *suffix = strstr(name, SUFFIX), *id = name + strlen(PREFIX);
    size_t length, of_tpm = strlen(TPM_MARK);

    if (!text_starts(name, PREFIX) || !suffix || suffix < id)
        return false;
    length = (size_t) (suffix - id);
    if (length > of_tpm && strncmp(suffix - of_tpm, TPM_MARK, of_tpm) == 0 &&
        is_sandbox(id, length - of_tpm))
        return false;
    return !is_sandbox(id, length);
}

static void add(struct entries *entries, int fd, const char *name)
{
    struct stat status;
    struct entry *entry;
    struct error err;

    if (entries->count == LOGS_MAX || !is_of_the_past(name) ||
        fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
        return;
    if ((entries->count & (entries->count - 1)) == 0)
        entries->list = xrealloc(entries->list,
                                 (entries->count ? 2 * entries->count : 1) * sizeof(*entry));
    entry = &entries->list[entries->count];
    if (text_format(entry->name, sizeof(entry->name), &err, "%s", name) < 0)
        return;
    entry->written = status.st_mtim;
    entries->count++;
}

static int newest_first(const void *a, const void *b)
{
    const struct timespec *x = &((const struct entry *) a)->written;
    const struct timespec *y = &((const struct entry *) b)->written;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? 1 : -1;
    return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

void domain_logs_trim(const char *directory, size_t keep)
{
    scoped(entries_fini) struct entries entries = {0};
    DIR *dir = opendir(directory);
    const struct dirent *found;

    if (!dir)
        return;
    while ((found = readdir(dir)))
        add(&entries, dirfd(dir), found->d_name);
    if (entries.count > keep)
        qsort(entries.list, entries.count, sizeof(*entries.list), newest_first);
    for (size_t i = keep; i < entries.count; i++)
        if (unlinkat(dirfd(dir), entries.list[i].name, 0) == 0)
            log_debug("removed the old log %s/%s", directory, entries.list[i].name);
    closedir(dir);
}
