/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's own <resource><partition> cannot name this place: it appends ".partition" to each
 * component. So the process is moved out of libvirt's group; libvirt removes that one when empty,
 * unless it was started anew meanwhile: then it does not find the way back from the process to the
 * group, and leave() removes it. */
#include "cgroup_home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "request.h"

enum { PATH_SIZE = 1024, NOTES_MAX = 64 * 1024, BUSY_LOOKS = 20, BUSY_PAUSE_MS = 50 };
#define ROOT          "/sys/fs/cgroup"
#define LIBVIRTS      ".libvirt-qemu"
#define CGROUP_MAGIC  0x27e0eb
#define CGROUP2_MAGIC 0x63677270

struct notes {
    FILE *file;
};

static long magic_of(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 ? (long) fs.f_type : 0;
}

/* A new group of the cpuset hierarchy takes nobody before it has CPUs and memory nodes. */
static void inherit_cpuset(const char *path)
{
    static const char *const names[] = {"cpuset.cpus", "cpuset.mems"};
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        scoped(freep) char *value = NULL;
        char from[PATH_SIZE + 32], to[PATH_SIZE + 32];
        size_t length;

        snprintf(from, sizeof(from), "%s/../%s", path, names[i]);
        snprintf(to, sizeof(to), "%s/%s", path, names[i]);
        if (file_read(from, 4096, &value, &length, &err) == 0 && file_put(to, value, &err) < 0)
            log_debug("%s: %s", to, err.message);
    }
}

/* On cgroup v2 a child has a controller only if its parent passes it on. */
static void pass_on_controllers(const char *path)
{
    static const char *const controllers[] = {"+cpu", "+memory", "+pids"};
    char knob[PATH_SIZE + 32];
    struct error err;

    snprintf(knob, sizeof(knob), "%s/cgroup.subtree_control", path);
    /* One by one: the kernel takes all of a line or nothing, and one may be absent. */
    for (size_t i = 0; i < ARRAY_LENGTH(controllers); i++)
        if (file_put(knob, controllers[i], &err) < 0)
            log_debug("%s: %s: %s", knob, controllers[i], err.message);
}

static int make_group(char *path, size_t from, const struct notes *notes, struct error *err)
{
    bool unified = magic_of(ROOT) == CGROUP2_MAGIC;

    for (char *slash = path + from; slash; slash = strchr(slash + 1, '/')) {
        char *next = strchr(slash + 1, '/');

        if (next)
            *next = '\0';
        if (mkdir(path, 0755) == 0) {
            fprintf(notes->file, "%s\n", path);
            inherit_cpuset(path);
        } else if (errno != EEXIST) {
            return error_errno(err, errno, "make cgroup %s", path);
        }
        if (unified && next)
            pass_on_controllers(path);
        if (next)
            *next = '/';
    }
    return 0;
}

static int move_to(const char *path, const struct cgroup_members *members, struct error *err)
{
    char procs[PATH_SIZE + 32], text[16];

    snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
    for (size_t i = 0; i < ARRAY_LENGTH(members->pids); i++) {
        snprintf(text, sizeof(text), "%d", (int) members->pids[i]);
        if (members->pids[i] && file_put(procs, text, err) < 0)
            return -1;
    }
    return 0;
}

static int enter_one(const struct request *request, const char *hierarchy,
                     const struct cgroup_members *members, const struct notes *notes,
                     struct error *err)
{
    char path[PATH_SIZE];

    if (text_format(path, sizeof(path), err, "%s%s/cleave-%s", hierarchy, request->cgroup_parent,
                    request->id) < 0 ||
        make_group(path, strlen(hierarchy), notes, err) < 0)
        return -1;
    return move_to(path, members, err);
}

static int enter_all(const struct request *request, const struct cgroup_members *members,
                     const struct notes *notes, struct error *err)
{
    const struct dirent *entry;
    DIR *root;
    int failed = 0;

    if (magic_of(ROOT) == CGROUP2_MAGIC)
        return enter_one(request, ROOT, members, notes, err);
    root = opendir(ROOT);
    if (!root)
        return error_errno(err, errno, "open " ROOT);
    while (failed == 0 && (entry = readdir(root))) {
        char hierarchy[PATH_SIZE];

        snprintf(hierarchy, sizeof(hierarchy), ROOT "/%s", entry->d_name);
        /* Symbolic links (cpuacct -> cpu,cpuacct) would count twice. What QEMU may open is
         * libvirt's to say: in its own group of `devices` it stays. */
        if (entry->d_name[0] == '.' || entry->d_type == DT_LNK ||
            text_equal(entry->d_name, "devices") || magic_of(hierarchy) != CGROUP_MAGIC)
            continue;
        failed = enter_one(request, hierarchy, members, notes, err);
    }
    closedir(root);
    return failed;
}

/* line: "3:cpuset:/machine/qemu-1-cleave-x.libvirt-qemu/emulator", "0::/..." */
static void note_line(char *line, const struct notes *notes)
{
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(++controllers, ':') : NULL;
    char *end = path ? strstr(path, LIBVIRTS) : NULL;

    if (!end)
        return;
    *path++ = '\0';
    end[strlen(LIBVIRTS)] = '\0';
    if (magic_of(ROOT) == CGROUP2_MAGIC)
        fprintf(notes->file, ROOT "%s\n", path);
    else
        fprintf(notes->file, ROOT "/%s%s\n", controllers[0] ? controllers : "unified", path);
}

/* Noted first, so removed last: the machine's processes are gone by then. */
static void note_libvirts(pid_t pid, const struct notes *notes)
{
    scoped(freep) char *text = NULL;
    char path[64], *rest, *line;
    struct error err;

    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) pid);
    if (file_read(path, NOTES_MAX, &text, NULL, &err) < 0)
        return; /* enter_all() will say that it is gone */
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        note_line(line, notes);
}

static int notes_path(const struct request *request, char path[PATH_SIZE], struct error *err)
{
    return text_format(path, PATH_SIZE, err, "%s/cgroups", request->directory);
}

int cgroup_home_enter(const struct request *request, const struct cgroup_members *members,
                      struct error *err)
{
    struct notes notes;
    char path[PATH_SIZE];
    int failed;

    if (!request->cgroup_parent)
        return 0;
    if (notes_path(request, path, err) < 0)
        return -1;
    notes.file = fopen(path, "we");
    if (!notes.file)
        return error_errno(err, errno, "write %s", path);
    setvbuf(notes.file, NULL, _IOLBF, 0); /* on disk before the next group is made */
    note_libvirts(members->pids[0], &notes);
    failed = enter_all(request, members, &notes, err);
    fclose(notes.file);
    return failed;
}

/* A process that has just died may still be counted. */
static int remove_group(const char *path)
{
    const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000L};

    for (int i = 0; rmdir(path) < 0; i++) {
        if (errno == ENOENT)
            return 0;
        if (errno != EBUSY || i == BUSY_LOOKS)
            return -1;
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* Has groups for threads below it. It is gone, unless libvirt has lost it. */
static void remove_libvirts(const char *path)
{
    DIR *group = opendir(path);
    const struct dirent *entry;

    if (!group)
        return;
    while ((entry = readdir(group)))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            (void) unlinkat(dirfd(group), entry->d_name, AT_REMOVEDIR);
    closedir(group);
    if (rmdir(path) < 0 && errno != ENOENT)
        log_debug("remove %s: %s", path, strerror(errno));
}

/* The machine's own group must go; one above it may be somebody else's by now. */
static int remove_noted(const struct request *request, const char *path, struct error *err)
{
    scoped(freep) char *own = xformat("/cleave-%s", request->id);

    if (!text_starts(path, ROOT "/"))
        return 0;
    if (text_ends(path, LIBVIRTS)) {
        remove_libvirts(path);
        return 0;
    }
    if (!text_ends(path, own)) {
        if (rmdir(path) < 0)
            log_debug("remove %s: %s", path, strerror(errno));
        return 0;
    }
    return remove_group(path) < 0 ? error_errno(err, errno, "remove cgroup %s", path) : 0;
}

int cgroup_home_leave(const struct request *request, struct error *err)
{
    scoped(freep) char *text = NULL;
    char path[PATH_SIZE], *line;
    struct error none;
    size_t length;

    if (notes_path(request, path, err) < 0)
        return -1;
    if (file_read(path, NOTES_MAX, &text, &length, &none) < 0)
        return 0; /* it never entered */
    /* Last made, first removed. */
    while (length > 0) {
        if (text[length - 1] == '\n')
            text[--length] = '\0';
        line = memrchr(text, '\n', length);
        line = line ? line + 1 : text;
        if (remove_noted(request, line, err) < 0)
            return -1; /* the notes stay for the next attempt */
        length = (size_t) (line - text);
    }
    (void) unlink(path);
    return 0;
}
