/* SPDX-License-Identifier: Apache-2.0 */
#include "stub_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"

#define TOP "/sys/fs/cgroup"

enum { PATH_SIZE = 512, HIERARCHIES_MAX = 24, SWEEP_TRIES = 500 };

/* "memory", "cpu,cpuacct", "name=systemd"; "" is version 2. */
struct hierarchies {
    size_t count;
    char names[HIERARCHIES_MAX][64];
};

static bool is_unified(void)
{
    struct statfs fs;

    return statfs(TOP, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int hierarchies_list(struct hierarchies *ret, struct error *err)
{
    scoped(freep) char *text = NULL;
    size_t length;
    char *state = NULL;

    ret->count = 0;
    if (is_unified()) {
        ret->names[ret->count++][0] = '\0';
        return 0;
    }
    if (file_read("/proc/self/cgroup", 64 * 1024, &text, &length, err) < 0)
        return -1;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        char *name = strchr(line, ':');
        char *end = name ? strchr(name + 1, ':') : NULL;

        if (!end || end == name + 1 || ret->count == HIERARCHIES_MAX)
            continue;
        *end = '\0';
        if (text_format(ret->names[ret->count], sizeof(ret->names[0]), err, "%s", name + 1) < 0)
            return -1;
        ret->count++;
    }
    return 0;
}

static const char *directory_of(const char *hierarchy)
{
    const char *equals = strchr(hierarchy, '=');

    return equals ? equals + 1 : hierarchy; /* "name=systemd" */
}

static int path_of(char ret[PATH_SIZE], const char *hierarchy, const char *name, struct error *err)
{
    return text_format(ret, PATH_SIZE, err, TOP "/%s/%s", directory_of(hierarchy), name);
}

/* A cpuset starts without processors and then takes no process. */
static int inherit(const char *path, const char *file, struct error *err)
{
    scoped(freep) char *value = NULL;
    char from[PATH_SIZE], to[PATH_SIZE];
    size_t length;

    if (text_format(from, sizeof(from), err, "%s/../%s", path, file) < 0 ||
        text_format(to, sizeof(to), err, "%s/%s", path, file) < 0 ||
        file_read(from, 4096, &value, &length, err) < 0)
        return -1;
    return file_put(to, value, err);
}

int stub_cgroup_make(const char *name, struct error *err)
{
    struct hierarchies all;
    char path[PATH_SIZE];

    if (hierarchies_list(&all, err) < 0)
        return -1;
    stub_cgroup_sweep(name);
    for (size_t i = 0; i < all.count; i++) {
        if (path_of(path, all.names[i], name, err) < 0)
            return -1;
        if (mkdir(path, 0755) < 0)
            return error_errno(err, errno, "make '%s'", path);
        if (text_equal(all.names[i], "cpuset") &&
            (inherit(path, "cpuset.cpus", err) < 0 || inherit(path, "cpuset.mems", err) < 0))
            return -1;
    }
    return 0;
}

static int put_pid(const char *path, pid_t pid, struct error *err)
{
    char file[PATH_SIZE], text[32];

    if (text_format(file, sizeof(file), err, "%s/cgroup.procs", path) < 0 ||
        text_format(text, sizeof(text), err, "%d", (int) pid) < 0)
        return -1;
    return file_put(file, text, err);
}

int stub_cgroup_enter(const char *name, pid_t pid, struct error *err)
{
    struct hierarchies all;
    char path[PATH_SIZE];

    if (hierarchies_list(&all, err) < 0)
        return -1;
    for (size_t i = 0; i < all.count; i++)
        if (path_of(path, all.names[i], name, err) < 0 || put_pid(path, pid, err) < 0)
            return -1;
    return 0;
}

/* Each controller that the level above hands down. */
static void hand_down(const char *path)
{
    scoped(freep) char *list = NULL;
    char file[PATH_SIZE], word[64];
    struct error ignored;
    size_t length;
    char *state = NULL;

    if (text_format(file, sizeof(file), &ignored, "%s/cgroup.controllers", path) < 0 ||
        file_read(file, 4096, &list, &length, &ignored) < 0 ||
        text_format(file, sizeof(file), &ignored, "%s/cgroup.subtree_control", path) < 0)
        return;
    for (char *at = strtok_r(list, " \n", &state); at; at = strtok_r(NULL, " \n", &state))
        if (text_format(word, sizeof(word), &ignored, "+%s", at) == 0 &&
            file_put(file, word, &ignored) < 0)
            continue;
}

int stub_cgroup_settle(const char *name, pid_t pid, struct error *err)
{
    char path[PATH_SIZE], own[PATH_SIZE];

    if (!is_unified())
        return 0;
    if (path_of(path, "", name, err) < 0 ||
        text_format(own, sizeof(own), err, "%s/agent", path) < 0)
        return -1;
    if (mkdir(own, 0755) < 0)
        return error_errno(err, errno, "make '%s'", own);
    if (put_pid(own, pid, err) < 0)
        return -1;
    hand_down(TOP);
    hand_down(path);
    return 0;
}

static int mount_hierarchy(const char *target, const char *hierarchy, struct error *err)
{
    char path[PATH_SIZE], options[96];
    const char *none = text_starts(hierarchy, "name=") ? "none," : "";

    if (text_format(path, sizeof(path), err, "%s/%s", target, directory_of(hierarchy)) < 0 ||
        text_format(options, sizeof(options), err, "%s%s", none, hierarchy) < 0)
        return -1;
    if (mkdir(path, 0755) < 0 ||
        mount("cgroup", path, "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
        return error_errno(err, errno, "mount '%s'", path);
    /* "cpu,cpuacct" is found under either name, too. */
    if (!strchr(hierarchy, ','))
        return 0;
    scoped(freep) char *names = xstrdup(hierarchy);
    char *state = NULL;
    for (char *at = strtok_r(names, ",", &state); at; at = strtok_r(NULL, ",", &state)) {
        if (text_format(path, sizeof(path), err, "%s/%s", target, at) < 0)
            return -1;
        if (symlink(hierarchy, path) < 0)
            return error_errno(err, errno, "make '%s'", path);
    }
    return 0;
}

int stub_cgroup_mount(const char *target, struct error *err)
{
    struct hierarchies all;

    if (hierarchies_list(&all, err) < 0)
        return -1;
    if (is_unified()) {
        if (mount("cgroup2", target, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
            return error_errno(err, errno, "mount '%s'", target);
        return 0;
    }
    if (mount("cgroup", target, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") < 0)
        return error_errno(err, errno, "mount '%s'", target);
    for (size_t i = 0; i < all.count; i++)
        if (mount_hierarchy(target, all.names[i], err) < 0)
            return -1;
    return 0;
}

static void put_in(const char *path, const char *file, const char *value)
{
    char at[PATH_SIZE];
    struct error ignored;

    if (text_format(at, sizeof(at), &ignored, "%s/%s", path, file) < 0 ||
        file_put(at, value, &ignored) < 0)
        return;
}

static void kill_all(const char *path)
{
    char at[PATH_SIZE];
    struct error ignored;
    long pid;

    if (text_format(at, sizeof(at), &ignored, "%s/cgroup.procs", path) < 0)
        return;
    FILE *file = fopen(at, "re");
    if (!file)
        return;
    while (fscanf(file, "%ld", &pid) == 1)
        if (pid > 1)
            (void) kill((pid_t) pid, SIGKILL);
    (void) fclose(file);
}

/* Depth first. A frozen process of version 1 does not even die. */
static void sweep_tree(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    char below[PATH_SIZE];
    struct error ignored;

    if (!directory)
        return;
    put_in(path, "freezer.state", "THAWED");
    put_in(path, "cgroup.freeze", "0");
    kill_all(path);
    while ((entry = readdir(directory)))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
            text_format(below, sizeof(below), &ignored, "%s/%s", path, entry->d_name) == 0)
            sweep_tree(below);
    closedir(directory);
    (void) rmdir(path);
}

void stub_cgroup_sweep(const char *name)
{
    struct hierarchies all;
    char path[PATH_SIZE];
    struct error ignored;
    bool left = true;

    if (hierarchies_list(&all, &ignored) < 0)
        return;
    for (int i = 0; left && i < SWEEP_TRIES; i++) {
        left = false;
        for (size_t j = 0; j < all.count; j++) {
            if (path_of(path, all.names[j], name, &ignored) < 0 || !file_exists(path))
                continue;
            sweep_tree(path);
            left = left || file_exists(path);
        }
        if (left)
            (void) nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
}
