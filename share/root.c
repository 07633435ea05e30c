/* SPDX-License-Identifier: Apache-2.0 */
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

/* Exists on every node; only in our own namespace is anything mounted on it. */
static const char place[] = "/run";

int root_make(struct root *ret, struct error *err)
{
    scoped(closep) int places = -1;

    if (mount("shares", place, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") < 0)
        return error_errno(err, errno, "mount the root of the shares");
    places = open_tree(AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (places < 0)
        return error_errno(err, errno, "keep the root of the shares");
    *ret = (struct root){.places = take_fd(places), .directory = -1};
    return 0;
}

void root_close(struct root *root)
{
    closep(&root->places);
    closep(&root->directory);
    *root = (struct root){-1, -1};
}

int root_enter(struct root *root, struct error *err)
{
    if (mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOSUID, NULL) < 0)
        return error_errno(err, errno, "make the root read-only");
    if (chdir(place) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return error_errno(err, errno, "leave the node's root");
    root->directory = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root->directory < 0 ? error_errno(err, errno, "open the root of the shares") : 0;
}

/* A mount needs something of its own kind to lie on. */
static int make_place(const struct root *root, int tree, const char *name, struct error *err)
{
    struct stat stat;
    int file;

    if (fstat(tree, &stat) < 0)
        return error_errno(err, errno, "look at the share '%s'", name);
    if (S_ISDIR(stat.st_mode))
        return mkdirat(root->places, name, 0755) < 0 ? error_errno(err, errno, "make '%s'", name)
                                                     : 0;
    file = openat(root->places, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0)
        return error_errno(err, errno, "make '%s'", name);
    (void) close(file);
    return 0;
}

static void remove_place(const struct root *root, const char *name)
{
    if (unlinkat(root->places, name, AT_REMOVEDIR) < 0 && errno == ENOTDIR)
        (void) unlinkat(root->places, name, 0);
}

int root_attach(const struct root *root, int tree, const char *name, struct error *err)
{
    char path[128];

    if (text_format(path, sizeof(path), err, "%s/%s", root->directory < 0 ? place : "", name) < 0 ||
        make_place(root, tree, name, err) < 0)
        return -1;
    if (move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0)
        return 0;
    (void) error_errno(err, errno, "attach the share '%s'", name);
    remove_place(root, name);
    return -1;
}

int root_detach(const struct root *root, const char *name, struct error *err)
{
    char path[128];

    if (text_format(path, sizeof(path), err, "/%s", name) < 0)
        return -1;
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        return error_errno(err, errno, "detach the share '%s'", name);
    remove_place(root, name);
    return 0;
}
