/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "record.h"
#include "request.h"
#include "shim/host_conf.h"

#define SUFFIX ".scratch"

static const char *directory_of(const struct host_conf *conf, const struct request *request)
{
    return request->scratch ? request->scratch : conf->scratch_directory;
}

static int name_file(const struct host_conf *conf, const struct request *request,
                     char ret[SCRATCH_PATH_SIZE], struct error *err)
{
    return text_format(ret, SCRATCH_PATH_SIZE, err, "%s/%s" SUFFIX, directory_of(conf, request),
                       request->id);
}

/* QEMU may run as a user of its own, who has to get to the file and need not see what else is
 * there. Ours may be stricter from before; a directory of the administrator's choice is theirs. */
static int make_directory(const char *directory, struct error *err)
{
    static const char *const ours[] = {"/var/lib/cleave", "/var/lib/cleave/h", HOST_CONF_SCRATCH};

    if (file_make_directories(directory, 0711, err) < 0)
        return -1;
    for (size_t i = 0; text_equal(directory, HOST_CONF_SCRATCH) && i < ARRAY_LENGTH(ours); i++)
        if (chmod(ours[i], 0711) < 0)
            return error_errno(err, errno, "open the way to '%s'", directory);
    return 0;
}

int scratch_make(const struct host_conf *conf, const struct request *request,
                 char ret[SCRATCH_PATH_SIZE], struct error *err)
{
    scoped(closep) int fd = -1;

    if (name_file(conf, request, ret, err) < 0 ||
        make_directory(directory_of(conf, request), err) < 0 ||
        scratch_remove(conf, request, err) < 0)
        return -1;
    fd = open(ret, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, errno, "make the guest's scratch disk '%s'", ret);
    if (ftruncate(fd, (off_t) conf->scratch) < 0)
        return error_errno(err, errno,
                           "give '%s' %llu MiB (machine.scratch): choose a smaller size, or a file "
                           "system that has so large files",
                           ret, (unsigned long long) (conf->scratch >> 20));
    return 0;
}

int scratch_remove(const struct host_conf *conf, const struct request *request, struct error *err)
{
    char path[SCRATCH_PATH_SIZE];

    if (name_file(conf, request, path, err) < 0)
        return -1;
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove '%s'", path);
    return 0;
}

/* The directory of a sandbox is made before its disk. */
static void sweep_one(int directory, const char *name)
{
    scoped(freep) char *id = xstrndup(name, strlen(name) - strlen(SUFFIX));
    char path[RECORD_PATH_SIZE];
    struct error none;

    if (record_directory(id, path, &none) < 0 || file_exists(path))
        return;
    log_warn("scratch disk '%s' belongs to no sandbox: removed", name);
    (void) unlinkat(directory, name, 0);
}

int scratch_sweep(const struct host_conf *conf, struct error *err)
{
    DIR *directory = opendir(conf->scratch_directory);
    const struct dirent *entry;

    if (!directory && errno == ENOENT)
        return 0;
    if (!directory)
        return error_errno(err, errno, "list '%s'", conf->scratch_directory);
    while ((entry = readdir(directory)))
        if (text_ends(entry->d_name, SUFFIX))
            sweep_one(dirfd(directory), entry->d_name);
    closedir(directory);
    return 0;
}
