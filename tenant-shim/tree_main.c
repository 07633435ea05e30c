/* SPDX-License-Identifier: Apache-2.0 */
/* The walker's process: mounts what has to be mounted, where nobody else sees it, and walks. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "io/fd.h"
#include "tree.h"

enum { WHERE_MAX = 1024 * 1024, DATA_MAX = 4096 };

#define PLACE     "/tmp" /* covered in our own mount namespace */
#define READ_ONLY (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

struct plan {
    unsigned long flags;
    const char *directory; /* to bind instead of the source, or NULL */
    char data[DATA_MAX];
    size_t length;
};

static int add_data(struct plan *plan, const char *text, struct error *err)
{
    size_t length = strlen(text), comma = plan->length ? 1 : 0;

    if (length + comma + 1 > sizeof(plan->data) - plan->length)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "more mount options than the kernel takes");
    if (comma)
        plan->data[plan->length++] = ',';
    memcpy(plan->data + plan->length, text, length + 1);
    plan->length += length;
    return 0;
}

/* Those that a reader need not obey, or that say "writable", are left out. */
static bool is_flag(const char *option, unsigned long *flags)
{
    static const struct {
        const char *name;
        unsigned long flag;
    } known[] = {
        {"bind", MS_BIND}, {"rbind", MS_BIND}, {"ro", 0},          {"rw", 0},
        {"nosuid", 0},     {"nodev", 0},       {"noexec", 0},      {"relatime", 0},
        {"noatime", 0},    {"defaults", 0},    {"strictatime", 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (text_equal(option, known[i].name)) {
            *flags |= known[i].flag;
            return true;
        }
    }
    return false;
}

/* The directory that all of a list's have in common, with a slash at its end. */
static size_t common_prefix(const char *list)
{
    size_t length = strcspn(list, ":");

    for (const char *one = list; one; one = strchr(one, ':')) {
        one += *one == ':';
        size_t same = 0;

        while (same < length && one[same] == list[same])
            same++;
        length = same;
    }
    while (length > 0 && list[length - 1] != '/')
        length--;
    return length;
}

/* An overlay is read, not written: its upper directory becomes the topmost of the lower ones. Long
 * lists fit only by names that are relative to where they all are. */
static int add_layers(struct plan *plan, const char *upper, const char *lower, struct error *err)
{
    scoped(freep) char *all = upper ? xformat("%s:%s", upper, lower) : xstrdup(lower);
    scoped(freep) char *option = NULL;
    size_t prefix = common_prefix(all), used;

    if (all[0] != '/' || strchr(all, '\\') || prefix == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "an overlay's directories are not absolute");
    option = xformat("lowerdir=%s", all);
    used = strlen("lowerdir=");
    for (char *one = all; one; one = strchr(one, ':')) {
        size_t length;

        one += *one == ':';
        length = strcspn(one, ":");
        if (used > strlen("lowerdir="))
            option[used++] = ':';
        if (length == prefix)
            option[used++] = '.';
        memcpy(option + used, one + prefix, length - prefix);
        used += length - prefix;
    }
    option[used] = '\0';
    all[prefix] = '\0';
    if (chdir(all) < 0)
        return error_errno(err, errno, "enter '%s'", all);
    return add_data(plan, option, err);
}

static int make_plan(const struct js *mount, struct plan *plan, struct error *err)
{
    const struct js *options = js_get(mount, "options");
    bool overlay = text_equal(js_get_string(mount, "type"), "overlay");
    const char *upper = NULL, *lower = NULL;

    for (size_t i = 0; i < js_length(options); i++) {
        const char *option = js_string(js_at(options, i));

        if (!option)
            return error_set(err, STATUS_INVALID_ARGUMENT, "a mount option is not a string");
        if (overlay && text_starts(option, "lowerdir="))
            lower = option + strlen("lowerdir=");
        else if (overlay && text_starts(option, "upperdir="))
            upper = option + strlen("upperdir=");
        else if ((overlay && text_starts(option, "workdir=")) || is_flag(option, &plan->flags))
            continue;
        else if (add_data(plan, option, err) < 0)
            return -1;
    }
    if (!overlay)
        return 0;
    if (!lower)
        return error_set(err, STATUS_INVALID_ARGUMENT, "an overlay without lowerdir");
    if (!upper && !strchr(lower, ':')) { /* the kernel wants two: one directory is no overlay */
        plan->flags = MS_BIND;
        plan->directory = lower;
        return 0;
    }
    return add_layers(plan, upper, lower, err);
}

static int bind_read_only(const char *source, struct error *err)
{
    if (mount(source, PLACE, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, PLACE, NULL, MS_BIND | MS_REMOUNT | READ_ONLY, NULL) < 0)
        return error_errno(err, errno, "bind '%s'", source);
    return 0;
}

static int mount_one(const struct js *what, struct error *err)
{
    const char *type = js_get_string(what, "type"), *source = js_get_string(what, "source");
    struct plan plan = {0};

    if (!type || !source)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a mount without type or source");
    if (make_plan(what, &plan, err) < 0)
        return -1;
    if (plan.flags & MS_BIND || text_equal(type, "bind"))
        return bind_read_only(plan.directory ? plan.directory : source, err);
    if (mount(source, PLACE, type, READ_ONLY, plan.data) < 0)
        return error_errno(err, errno, "mount a filesystem of type '%s'", type);
    return 0;
}

/* In a namespace that ends with this process; nothing goes back to the node's. */
static int mount_all(const struct js *mounts, struct error *err)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_errno(err, errno, "make a mount namespace");
    for (size_t i = 0; i < js_length(mounts); i++) {
        if (mount_one(js_at(mounts, i), err) < 0)
            return -1;
    }
    return 0;
}

static int read_where(struct js **ret, struct error *err)
{
    scoped(freep) char *text = xalloc(WHERE_MAX);
    size_t length = 0;
    ssize_t n;

    while ((n = read(STDIN_FILENO, text + length, WHERE_MAX - length)) > 0)
        length += (size_t) n;
    if (n < 0)
        return error_errno(err, errno, "read what to walk");
    return js_parse(text, length, ret, err);
}

static int walk(struct error *err)
{
    scoped(js_freep) struct js *where = NULL;
    scoped(closep) int root = -1;
    const char *directory;

    if (read_where(&where, err) < 0)
        return -1;
    directory = js_get_string(where, "directory");
    if (!directory) {
        if (mount_all(js_get(where, "mounts"), err) < 0)
            return -1;
        directory = PLACE;
    }
    root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(err, errno, "open '%s'", directory);
    return tree_write(root, STDOUT_FILENO, err);
}

bool tree_is_walker(int argc, char *argv[])
{
    return argc == 2 && text_equal(argv[0], "cleave-tree") && text_equal(argv[1], "walk");
}

int tree_main(void)
{
    struct error err;

    fd_close_from(3, NULL, 0); /* it reads what others wrote: nothing of the shim's is open here */
    (void) prctl(PR_SET_NAME, "cleave-tree");
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (walk(&err) == 0)
        return EXIT_SUCCESS;
    (void) dprintf(STDERR_FILENO, "%s", err.message);
    return EXIT_FAILURE;
}
