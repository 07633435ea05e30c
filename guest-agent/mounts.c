/* SPDX-License-Identifier: Apache-2.0 */
#include "mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "beneath.h"
#include "io/fd.h"
#include "share_name.h"
#include "volumes.h"

#define SHARED "cleave:share:"

enum { PATH_SIZE = 512, NAME_SIZE_MAX = 128, MOUNTS_MAX = 512 };

/* The directory is ours, but what is in it may have been seen by a container: links never hold. */
static int write_new(const char *path, const struct mounts_file *file, struct error *err)
{
    scoped(closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_errno(err, errno, "make '%s'", path);
    if (file->length && fd_write_full(fd, file->content, file->length, err) < 0)
        return error_wrap(err, "write '%s'", path);
    if (fchown(fd, file->uid, file->gid) < 0 || fchmod(fd, file->mode & 0777) < 0)
        return error_errno(err, errno, "set owner and mode of '%s'", path);
    return 0;
}

/* In the place of what an attempt that got no further has left. */
static int replace_file(const char *directory, const struct mounts_file *file, struct error *err)
{
    char path[PATH_SIZE];

    if (text_format(path, sizeof(path), err, "%s/%s", directory, file->name) < 0)
        return -1;
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove '%s'", path);
    return write_new(path, file, err);
}

static int make_file(const char *directory, const struct mounts_file *file, struct error *err)
{
    char path[PATH_SIZE];

    if (text_format(path, sizeof(path), err, "%s/%s", directory, file->name) < 0)
        return -1;
    return write_new(path, file, err);
}

static int make_directory(const char *path, struct error *err)
{
    return mkdir(path, 0711) < 0 ? error_errno(err, errno, "make '%s'", path) : 0;
}

static int make_shm(const char *directory, struct error *err)
{
    char path[PATH_SIZE], data[64];

    if (text_format(path, sizeof(path), err, "%s/shm", directory) < 0 ||
        text_format(data, sizeof(data), err, "mode=1777,size=%d", MOUNTS_SHM_SIZE) < 0)
        return -1;
    (void) umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    (void) rmdir(path);
    if (make_directory(path, err) < 0)
        return -1;
    if (mount("shm", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, data) < 0)
        return error_errno(err, errno, "mount '%s'", path);
    return 0;
}

int mounts_make_pod(const char *directory, const struct mounts_pod *pod, struct error *err)
{
    const char *name = pod->hostname ? pod->hostname : "";
    scoped(freep) char *hostname = xformat("%s\n", name);
    scoped(freep) char *hosts = xformat("127.0.0.1\tlocalhost\n"
                                        "::1\tlocalhost ip6-localhost ip6-loopback\n%s%s%s",
                                        *name ? "127.0.0.1\t" : "", name, *name ? "\n" : "");
    const struct mounts_file files[] = {
        {.name = "hostname", .content = hostname, .length = strlen(hostname), .mode = 0644},
        {.name = "resolv.conf",
         .content = pod->resolv_conf,
         .length = pod->resolv_conf_length,
         .mode = 0644},
        {.name = "hosts",
         .content = pod->hosts_length ? pod->hosts : hosts,
         .length = pod->hosts_length ? pod->hosts_length : strlen(hosts),
         .mode = 0644},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        if (files[i].length > MOUNTS_FILE_MAX)
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'%s' is larger than %d bytes",
                             files[i].name, MOUNTS_FILE_MAX);
        if (replace_file(directory, &files[i], err) < 0)
            return -1;
    }
    return make_shm(directory, err);
}

/* One component, nothing special about it. */
static int check_name(const char *name, struct error *err)
{
    if (!name || !*name || strlen(name) > NAME_SIZE_MAX || strchr(name, '/') ||
        text_equal(name, ".") || text_equal(name, ".."))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.128s' is no name of a file",
                         name ? name : "");
    return 0;
}

int mounts_make_container(const char *directory, const struct mounts_file *files, size_t count,
                          struct error *err)
{
    /* Whatever user the container's process is, it may leave its last words. */
    const struct mounts_file log = {.name = "termination-log", .mode = 0666};
    char path[PATH_SIZE];

    if (count > MOUNTS_FILES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d files", MOUNTS_FILES_MAX);
    if (make_file(directory, &log, err) < 0 ||
        text_format(path, sizeof(path), err, "%s/files", directory) < 0 ||
        make_directory(path, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (check_name(files[i].name, err) < 0)
            return -1;
        if (files[i].length > MOUNTS_FILE_MAX)
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'%s' is larger than %d bytes",
                             files[i].name, MOUNTS_FILE_MAX);
        if (make_file(path, &files[i], err) < 0)
            return -1;
    }
    return 0;
}

/* Where each source that we make lies. */
static int own_source(const char *source, const struct mounts_places *places, char *ret,
                      struct error *err)
{
    static const char *const of_pod[] = {"hosts", "resolv.conf", "hostname", "shm"};
    const char *name = source + strlen("cleave:");

    for (size_t i = 0; i < ARRAY_LENGTH(of_pod); i++)
        if (text_equal(name, of_pod[i]))
            return text_format(ret, PATH_SIZE, err, "%s/%s", places->pod_directory, name);
    if (text_equal(name, "termination-log"))
        return text_format(ret, PATH_SIZE, err, "%s/%s", places->container_directory, name);
    if (text_starts(name, "file:")) {
        name += strlen("file:");
        if (check_name(name, err) < 0)
            return -1;
        return text_format(ret, PATH_SIZE, err, "%s/files/%s", places->container_directory, name);
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "mount source '%s' is not known here", source);
}

/* File systems that name nothing outside of the container. */
static bool is_kernel_type(const char *type)
{
    static const char *const types[] = {"proc",   "sysfs",  "tmpfs",  "devpts",
                                        "mqueue", "cgroup", "cgroup2"};

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (text_equal(type, types[i]))
            return true;
    return false;
}

static bool has_option(const struct js *options, const char *name)
{
    for (size_t i = 0; i < js_length(options); i++) {
        if (text_equal(js_string(js_at(options, i)), name))
            return true;
    }
    return false;
}

static bool options_bind(const struct js *options)
{
    return has_option(options, "bind") || has_option(options, "rbind");
}

struct demand { /* on the options of a mount, whatever the spec says */
    const char *option, *opposite, *recursive_opposite;
};

static void enforce(struct js *mount, const struct demand *demand)
{
    struct js *options = js_get(mount, "options");

    for (size_t i = js_length(options); i-- > 0;) {
        const char *option = js_string(js_at(options, i));

        if (text_equal(option, demand->opposite) || text_equal(option, demand->recursive_opposite))
            js_remove_at(options, i);
    }
    if (!has_option(options, demand->option))
        js_append(options, js_new_string(demand->option));
}

/* Only the tenant writes to a copied volume. */
static const struct demand read_only = {"ro", "rw", "rrw"};
/* So the share's own mount is; the runtime sets all flags of a bind anew. */
static const struct demand of_share[] = {{"nosuid", "suid", "rsuid"}, {"nodev", "dev", "rdev"}};

static int open_image(const struct mounts_places *places, const char *destination, int *ret,
                      struct error *err)
{
    scoped(closep) int root = open(places->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (root < 0)
        return error_errno(err, errno, "open the container's root");
    return beneath_make_in_root(root, destination, ret, err);
}

static int open_volume(const struct mounts_places *places, const char *source, int *ret,
                       enum volumes_access *ret_access, struct error *err)
{
    size_t length = strcspn(source, "/");
    scoped(freep) char *name = xstrndup(source, length);

    return volumes_open(places->volumes, name, source[length] ? source + length + 1 : "", ret,
                        ret_access, err);
}

static const struct share_name *find_shared(const struct share_name *list, size_t count,
                                            const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(list[i].text, name))
            return &list[i];
    return NULL;
}

static int open_shared(const struct mounts_places *places, const char *name, int *ret,
                       struct error *err)
{
    const struct share_name *shared = find_shared(places->shared, places->shared_count, name);

    if (!shared || shared->fd < 0)
        return error_set(err, STATUS_NOT_FOUND, "live volume '%.100s' was not opened", name);
    *ret = fcntl(shared->fd, F_DUPFD_CLOEXEC, 3);
    return *ret < 0 ? error_errno(err, errno, "hold live volume '%s'", name) : 0;
}

static bool is_shared(const struct js *mount)
{
    return text_starts(js_get_string(mount, "source"), SHARED);
}

/* The sources that are opened here and not by the runtime. */
static bool is_held(const char *source)
{
    return text_starts(source, "cleave:volume:") || text_starts(source, SHARED) ||
           text_equal(source, "cleave:image");
}

static int open_held(const struct js *mount, const struct mounts_places *places, int *ret,
                     enum volumes_access *ret_access, struct error *err)
{
    static const char of_volume[] = "cleave:volume:";
    const char *source = js_get_string(mount, "source");

    if (text_starts(source, of_volume))
        return open_volume(places, source + strlen(of_volume), ret, ret_access, err);
    if (text_starts(source, SHARED))
        return open_shared(places, source + strlen(SHARED), ret, err);
    return open_image(places, js_get_string(mount, "destination"), ret, err);
}

static int hold(struct js *mount, const struct mounts_places *places, size_t index, char *ret_path,
                struct error *err)
{
    enum volumes_access access = VOLUMES_WRITABLE;
    scoped(closep) int fd = -1;
    struct js *options = js_get(mount, "options");

    if (js_type(options) != JS_ARRAY)
        js_set(mount, "options", js_new_array());
    if (open_held(mount, places, &fd, &access, err) < 0)
        return error_wrap(err, "mount '%s'", js_get_string(mount, "destination"));
    if (access == VOLUMES_READ_ONLY)
        enforce(mount, &read_only);
    for (size_t i = 0; is_shared(mount) && i < ARRAY_LENGTH(of_share); i++)
        enforce(mount, &of_share[i]);
    if (text_format(ret_path, PATH_SIZE, err, "%s/volumes", places->container_directory) < 0)
        return -1;
    if (mkdir(ret_path, 0711) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make '%s'", ret_path);
    if (text_format(ret_path, PATH_SIZE, err, "%s/volumes/%zu", places->container_directory,
                    index) < 0)
        return -1;
    return beneath_bind(fd, ret_path, err);
}

static int own_mount(struct js *mount, const char *path, struct error *err)
{
    struct js *options = js_get(mount, "options");
    struct statx stat;

    /* What is mounted there may be the tenant's node's, which is not asked here. */
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_TYPE, &stat) < 0 ||
        (!S_ISREG(stat.stx_mode) && !S_ISDIR(stat.stx_mode)))
        return error_set(err, STATUS_NOT_FOUND, "mount source '%s' was not handed over",
                         js_get_string(mount, "source"));
    js_set_string(mount, "source", path);
    js_set_string(mount, "type", "bind");
    if (options_bind(options))
        return 0;
    if (js_type(options) != JS_ARRAY) {
        js_set(mount, "options", js_new_array());
        options = js_get(mount, "options");
    }
    js_append(options, js_new_string("bind"));
    return 0;
}

static int rewrite_one(struct js *mount, const struct mounts_places *places, size_t index,
                       struct error *err)
{
    const char *source = js_get_string(mount, "source");
    const char *type = js_get_string(mount, "type");
    const char *destination;
    char path[PATH_SIZE];

    if (js_need_string(mount, "destination", &destination, err) < 0)
        return -1;
    if (source && text_starts(source, "cleave:")) {
        if (is_held(source) ? hold(mount, places, index, path, err) < 0
                            : own_source(source, places, path, err) < 0)
            return -1;
        return own_mount(mount, path, err);
    }
    if (is_kernel_type(type) && !options_bind(js_get(mount, "options")))
        return 0;
    return error_set(err, STATUS_PERMISSION_DENIED,
                     "mount of '%s' (type '%s') on '%s': the guest has no such source",
                     source ? source : "", type ? type : "", destination);
}

int mounts_shared(const struct js *mounts, struct share_name *ret, size_t *ret_count,
                  struct error *err)
{
    size_t count = 0;

    for (size_t i = 0; js_type(mounts) == JS_ARRAY && i < js_length(mounts); i++) {
        const char *source = js_get_string(js_at(mounts, i), "source");

        if (!source || !text_starts(source, SHARED) ||
            find_shared(ret, count, source + strlen(SHARED)))
            continue;
        if (count == SHARE_NAMES_MAX)
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d live volumes",
                             SHARE_NAMES_MAX);
        if (share_name_set(&ret[count], source + strlen(SHARED), err) < 0)
            return -1;
        count++;
    }
    *ret_count = count;
    return 0;
}

int mounts_rewrite(const struct js *mounts, const struct mounts_places *places, struct js **ret,
                   struct error *err)
{
    scoped(js_freep) struct js *copy = mounts ? js_copy(mounts) : js_new_array();

    if (js_type(copy) != JS_ARRAY || js_length(copy) > MOUNTS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'mounts' is no array of at most %d",
                         MOUNTS_MAX);
    for (size_t i = 0; i < js_length(copy); i++)
        if (rewrite_one(js_at(copy, i), places, i, err) < 0)
            return -1;
    *ret = take_ptr(copy);
    return 0;
}

static int unmake_one(const char *path, struct error *err)
{
    /* Detached: what still runs of the container must not keep its removal. */
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
        return error_errno(err, errno, "unmount '%s'", path);
    if (unlink(path) < 0 && errno != ENOENT && rmdir(path) < 0)
        return error_errno(err, errno, "remove '%s'", path);
    return 0;
}

int mounts_unmake(const char *container_directory, struct error *err)
{
    char directory[PATH_SIZE], path[PATH_SIZE];
    DIR *stream;
    int r = 0;

    if (text_format(directory, sizeof(directory), err, "%s/volumes", container_directory) < 0)
        return -1;
    stream = opendir(directory);
    if (!stream)
        return errno == ENOENT ? 0 : error_errno(err, errno, "open '%s'", directory);
    for (struct dirent *entry; r == 0 && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.')
            continue;
        r = text_format(path, sizeof(path), err, "%s/%s", directory, entry->d_name);
        if (r == 0)
            r = unmake_one(path, err);
    }
    closedir(stream);
    return r;
}

int mounts_termination_log(const char *container_directory, uint8_t **ret, size_t *ret_length,
                           struct error *err)
{
    scoped(freep) uint8_t *text = xalloc(MOUNTS_TERMINATION_LOG_MAX);
    char path[PATH_SIZE];
    struct stat st;
    ssize_t length;

    if (text_format(path, sizeof(path), err, "%s/termination-log", container_directory) < 0)
        return -1;
    scoped(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, errno, "open '%s'", path);
    off_t from = st.st_size > MOUNTS_TERMINATION_LOG_MAX ? st.st_size - MOUNTS_TERMINATION_LOG_MAX
                                                         : 0;
    do
        length = pread(fd, text, MOUNTS_TERMINATION_LOG_MAX, from);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return error_errno(err, errno, "read '%s'", path);
    *ret = take_ptr(text);
    *ret_length = (size_t) length;
    return 0;
}
