/* SPDX-License-Identifier: Apache-2.0 */
/* Real mounts, in a mount namespace of each test's own: as root only. */
#include "suite.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "layer_fixture.h"
#include "layer_store.h"
#include "rootfs.h"

static char base[64], directory[80];
static struct loop *loop;
static struct layer_store *store;
static char digests[4][80];
static struct rootfs_layer layers[4];
static size_t count;
static uint64_t room = 64 << 20;

static void setup(void)
{
    char path[80];
    struct error err;

    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    strcpy(base, "/tmp/cleave-root-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    ck_assert_int_eq(mount("t", base, "tmpfs", 0, NULL), 0);
    snprintf(path, sizeof(path), "%s/l", base);
    snprintf(directory, sizeof(directory), "%s/c", base);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    const struct layer_store_options options = {.directory = path};
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(layer_store_new(loop, &options, &store, &err), 0);
    count = 0;
}

static void teardown(void)
{
    layer_store_free(store);
    loop_free(loop);
    (void) umount2(base, MNT_DETACH);
    ck_assert_int_eq(rmdir(base), 0);
}

static void done(void *user, const struct error *err)
{
    ck_assert_msg(!err, "%s", err ? err->message : "");
    *(bool *) user = true;
}

static void add_layer(const struct tar_entry *entries)
{
    struct writer tar;
    struct layer_upload *upload;
    struct error err;
    bool written = false, finished = false;

    writer_init(&tar, 1 << 20);
    for (; entries->name; entries++)
        tar_add(&tar, entries);
    tar_end(&tar);
    digest_text(tar.data, tar.size, digests[count]);
    const struct layer_begin begin = {.digest = digests[count],
                                      .diff_id = digests[count],
                                      .media_type = "application/vnd.oci.image.layer.v1.tar",
                                      .size = tar.size};
    ck_assert_int_eq(layer_upload_begin(store, &begin, &upload, &err), 0);
    layer_upload_write(upload, tar.data, tar.size, done, &written);
    layer_upload_finish(upload, done, &finished);
    while (!finished)
        ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
    layer_upload_free(upload);
    writer_fini(&tar);
    layers[count] = (struct rootfs_layer){.digest = digests[count], .diff_id = digests[count]};
    count++;
}

static int mount_root(struct error *err)
{
    const struct rootfs_options options = {
        .directory = directory, .layers = layers, .count = count, .room = room};

    return rootfs_mount(store, &options, err);
}

static int look(const char *name, struct stat *ret)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/rootfs/%s", directory, name);
    return lstat(path, ret);
}

START_TEST(layers_are_stacked_and_whiteouts_hide)
{
    struct error err;
    struct stat st;

    add_layer((struct tar_entry[]){{.name = "a", .content = "lower"},
                                   {.name = "gone", .content = "x"},
                                   {.name = "d", .type = '5', .mode = 0755},
                                   {.name = "d/old", .content = "x"},
                                   {0}});
    add_layer((struct tar_entry[]){{.name = "a", .content = "up"},
                                   {.name = ".wh.gone"},
                                   {.name = "d", .type = '5', .mode = 0755},
                                   {.name = "d/.wh..wh..opq"},
                                   {.name = "d/new", .content = "x"},
                                   {0}});
    ck_assert_msg(mount_root(&err) == 0, "%s", err.message);
    ck_assert_int_eq(look("a", &st), 0);
    ck_assert_int_eq(st.st_size, 2);
    ck_assert_int_lt(look("gone", &st), 0);
    ck_assert_int_lt(look("d/old", &st), 0);
    ck_assert_int_eq(look("d/new", &st), 0);
    ck_assert_int_eq(rootfs_unmount(directory, &err), 0);
    ck_assert_int_eq(rmdir(directory), 0); /* nothing is left in it */
}
END_TEST

START_TEST(two_containers_do_not_see_each_others_writes)
{
    char other[80], path[128];
    struct error err;
    struct stat st;

    add_layer((struct tar_entry[]){{.name = "a", .content = "x"}, {0}});
    ck_assert_int_eq(mount_root(&err), 0);
    snprintf(path, sizeof(path), "%s/rootfs/mine", directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(other, sizeof(other), "%s/other", base);
    ck_assert_int_eq(mkdir(other, 0700), 0);
    strcpy(directory, other);
    ck_assert_int_eq(mount_root(&err), 0);
    ck_assert_int_eq(look("a", &st), 0);
    ck_assert_int_lt(look("mine", &st), 0);
}
END_TEST

START_TEST(a_directory_that_a_layer_only_implies_keeps_its_looks)
{
    struct error err;
    struct stat st;

    add_layer((struct tar_entry[]){{.name = "./", .type = '5', .mode = 0751},
                                   {.name = "tmp", .type = '5', .mode = 01777},
                                   {.name = "var", .type = '5', .mode = 0700},
                                   {0}});
    add_layer((struct tar_entry[]){{.name = "tmp/x", .content = "x"},
                                   {.name = "var", .type = '5', .mode = 0711},
                                   {.name = "var/y", .content = "y"},
                                   {0}});
    ck_assert_int_eq(mount_root(&err), 0);
    ck_assert_int_eq(look("tmp", &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 01777);
    ck_assert_int_eq(look("var", &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0711);
    ck_assert_int_eq(look("tmp/x", &st), 0);
}
END_TEST

START_TEST(a_layer_that_is_not_here_is_named_and_nothing_stays)
{
    struct error err;

    add_layer((struct tar_entry[]){{.name = "a", .content = "x"}, {0}});
    layers[count++] = (struct rootfs_layer){.digest = "sha256:00", .diff_id = "sha256:00"};
    ck_assert_int_eq(mount_root(&err), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "layer 'sha256:00' is not here"));
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

/* Writes until the disk is full; the bytes that went in. */
static size_t fill(const char *name)
{
    static char piece[64 * 1024];
    char path[256];
    size_t size = 0;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "%s/rootfs/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    while ((n = write(fd, piece, sizeof(piece))) > 0)
        size += (size_t) n;
    ck_assert_int_eq(errno, ENOSPC);
    close(fd);
    return size;
}

START_TEST(what_a_container_writes_is_bounded)
{
    char path[256];
    struct error err;
    int files = 0;

    room = 8 << 20;
    add_layer((struct tar_entry[]){{.name = "a", .content = "x"}, {0}});
    ck_assert_msg(mount_root(&err) == 0, "%s", err.message);
    ck_assert_uint_le(fill("big"), 7 << 20);
    snprintf(path, sizeof(path), "%s/rootfs/big", directory);
    ck_assert_int_eq(unlink(path), 0);
    for (int fd = 0; fd >= 0 && files < 2000; files++) {
        snprintf(path, sizeof(path), "%s/rootfs/%d", directory, files);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
    }
    ck_assert_int_eq(errno, ENOSPC);
    ck_assert_int_le(files, 1025); /* 8 KiB for each */
}
END_TEST

START_TEST(a_root_without_room_is_refused)
{
    struct error err;

    room = (1 << 20) - 1;
    add_layer((struct tar_entry[]){{.name = "a", .content = "x"}, {0}});
    ck_assert_int_eq(mount_root(&err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(err.message, "needs 1 MiB, has 0 MiB"));
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(a_layer_with_another_diff_id_is_refused)
{
    struct error err;

    add_layer((struct tar_entry[]){{.name = "a", .content = "x"}, {0}});
    add_layer((struct tar_entry[]){{.name = "b", .content = "x"}, {0}});
    layers[1].diff_id = digests[0];
    ck_assert_int_eq(mount_root(&err), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "does not unpack to"));
}
END_TEST

/* No room in memory is no matter then. What was written stays there for whoever removes it. */
START_TEST(with_a_disk_what_is_written_is_on_it)
{
    scoped(freep) char *disk = xformat("%s/disk", base);
    scoped(freep) char *upper = xformat("%s/upper/new", disk);
    scoped(freep) char *new = xformat("%s/rootfs/new", directory);
    struct rootfs_options options = {.directory = directory, .layers = layers, .disk = disk};
    struct error err;

    add_layer((struct tar_entry[]){{.name = "a", .content = "x"}, {0}});
    options.count = count;
    ck_assert_msg(rootfs_mount(store, &options, &err) == 0, "%s", err.message);
    ck_assert_int_eq(file_write_atomic(new, "1", 1, 0644, &err), 0);
    ck_assert(file_exists(upper));
    ck_assert_int_eq(rootfs_unmount(directory, &err), 0);
    ck_assert(file_exists(upper));
    ck_assert(!file_exists(new));
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        puts("rootfs: skipped, needs root");
        return EXIT_SUCCESS;
    }
    return suite_run_with(
        &(struct suite){.name = "rootfs", .setup = setup, .teardown = teardown},
        (const TTest *[]){
            layers_are_stacked_and_whiteouts_hide, two_containers_do_not_see_each_others_writes,
            a_directory_that_a_layer_only_implies_keeps_its_looks,
            a_layer_that_is_not_here_is_named_and_nothing_stays,
            a_layer_with_another_diff_id_is_refused, what_a_container_writes_is_bounded,
            a_root_without_room_is_refused, with_a_disk_what_is_written_is_on_it, NULL});
}
