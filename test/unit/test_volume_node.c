/* SPDX-License-Identifier: Apache-2.0 */
/* The node's side of volumes: which path is what, and how it is read. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "suite.h"
#include "volume_source.h"
#include "volume_tree.h"

#define POD     "pods/b797732a-22f7-4dad-ae14-c5728f8baf55"
#define SANDBOX "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/abc"
#define CRI     "/var/lib/containerd/io.containerd.grpc.v1.cri"

static char root[64];

static void setup(void)
{
    strcpy(root, "/tmp/cleave-kubelet-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
    struct error err;

    ck_assert_int_eq(file_remove_tree(root, &err), 0);
}

static char *in_root(const char *path)
{
    return xformat("%s/%s", root, path);
}

static void make_directory(const char *path)
{
    scoped(freep) char *full = in_root(path);
    struct error err;

    ck_assert_msg(file_make_directories(full, 0755, &err) == 0, "%s", err.message);
}

static void write_file(const char *path, const void *data, size_t length)
{
    scoped(freep) char *full = in_root(path);
    struct error err;

    ck_assert_msg(file_write_atomic(full, data, length, 0640, &err) == 0, "%s", err.message);
}

static void make_link(const char *path, const char *target)
{
    scoped(freep) char *full = in_root(path);

    (void) unlink(full);
    ck_assert_int_eq(symlink(target, full), 0);
}

static struct volume_node node(void)
{
    return (struct volume_node){.kubelet_root = root,
                                .pod_uid = "b797732a-22f7-4dad-ae14-c5728f8baf55",
                                .container_id = "ctr1",
                                .sandbox_dir = SANDBOX};
}

static void expect_kind(const char *path, enum volume_kind kind, const char *inside)
{
    scoped(volume_source_clear) struct volume_source source = {0};
    struct volume_node here = node();
    struct error err;

    ck_assert_msg(volume_source_find(&here, path, &source, &err) == 0, "%s: %s", path, err.message);
    ck_assert_msg(source.kind == kind, "%s is %d", path, source.kind);
    if (inside)
        ck_assert_str_eq(source.path, inside);
}

static void expect_in_root(const char *path, enum volume_kind kind, const char *inside)
{
    scoped(freep) char *full = in_root(path);

    expect_kind(full, kind, inside);
}

START_TEST(kubelets_layout_tells_the_kind)
{
    expect_in_root(POD "/volumes/kubernetes.io~empty-dir/x", VOLUME_EMPTY, "");
    expect_in_root(POD "/volumes/kubernetes.io~empty-dir/x/a/b", VOLUME_EMPTY, "a/b");
    expect_in_root(POD "/volumes/kubernetes.io~configmap/x", VOLUME_LIVE, "");
    expect_in_root(POD "/volumes/kubernetes.io~secret/x", VOLUME_LIVE, "");
    expect_in_root(POD "/volumes/kubernetes.io~projected/kube-api-access-1", VOLUME_LIVE, "");
    expect_in_root(POD "/volumes/kubernetes.io~downward-api/x", VOLUME_LIVE, "");
    expect_in_root(POD "/volumes/kubernetes.io~configmap/x/key", VOLUME_ONCE, "");
}
END_TEST

static void expect_refused(const char *path, const char *words)
{
    scoped(volume_source_clear) struct volume_source source = {0};
    struct volume_node here = node();
    struct error err;

    ck_assert_msg(volume_source_find(&here, path, &source, &err) < 0, "%s", path);
    ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    ck_assert_msg(strstr(err.message, words), "%s: %s", path, err.message);
    ck_assert_msg(!path || strstr(err.message, path), "%s: %s", path, err.message);
}

static void expect_refused_in_root(const char *path, const char *words)
{
    scoped(freep) char *full = in_root(path);

    expect_refused(full, words);
}

START_TEST(what_has_a_file_system_behind_it_is_shared)
{
    static const char *const shared[] = {
        POD "/volumes/kubernetes.io~csi/x/mount",    POD "/volumes/kubernetes.io~nfs/x",
        POD "/volumes/kubernetes.io~local-volume/x", POD "/volumes/kubernetes.io~nfs/x/a/b",
        POD "/volume-subpaths/claim/one/0",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(shared); i++)
        expect_in_root(shared[i], VOLUME_SHARE, "");
    expect_kind("/srv", VOLUME_SHARE, "");
    expect_kind("/", VOLUME_SHARE, "");
    expect_kind("/devices", VOLUME_SHARE, "");
    expect_kind("/run/containerd/io.containerd.grpc.v1.cri/image-volumes/abc/0123", VOLUME_SHARE,
                "");
}
END_TEST

START_TEST(what_is_not_of_the_pod_is_refused_by_name)
{
    static const char *const kubelets[] = {
        "",
        "plugins/x",
        POD "",
        POD "/etc-hosts",
        POD "/volumes/kubernetes.io~empty-dir",
        POD "/volume-subpaths/keys/one",
        POD "/volume-subpaths/keys/one/0/more",
    };
    static const char *const others[] = {
        POD "x/volumes/kubernetes.io~empty-dir/x",
        "pods/another/volumes/kubernetes.io~secret/x",
        "pods/another",
        "pods",
    };
    static const char *const unclear[] = {
        POD "/volumes/kubernetes.io~empty-dir/../kubernetes.io~csi/x",
        POD "/volumes/kubernetes.io~empty-dir/x/../../../../other",
        POD "/volumes//kubernetes.io~empty-dir/x",
    };

    expect_refused(root, "kubelet's own state");
    for (size_t i = 1; i < ARRAY_LENGTH(kubelets); i++)
        expect_refused_in_root(kubelets[i], "kubelet's own state");
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        expect_refused_in_root(others[i], "another pod's");
    for (size_t i = 0; i < ARRAY_LENGTH(unclear); i++)
        expect_refused_in_root(unclear[i], "no plain absolute path");
    expect_refused("relative", "no plain absolute path");
    expect_refused("", "no plain absolute path");
    expect_refused(NULL, "no plain absolute path");
}
END_TEST

START_TEST(what_is_not_a_directory_of_files_is_refused_by_name)
{
    static const struct {
        const char *path, *words;
    } cases[] = {
        {"/proc", "view of this node's kernel"},
        {"/proc/sys/net", "view of this node's kernel"},
        {"/sys/fs/cgroup", "view of this node's kernel"},
        {"/dev", "devices of this node"},
        {"/dev/shm", "devices of this node"},
        {"/run/containerd/containerd.sock", "container runtime's own state"},
        {"/var/run/containerd/x", "container runtime's own state"},
        {"/var/lib/containers/storage", "container runtime's own state"},
        {SANDBOX "/hostname", "container runtime's own state"},
        {"/var/lib/cleave/t", "cleave's own state"},
        {"/etc/cleave", "cleave's own state"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        expect_refused(cases[i].path, cases[i].words);
}
END_TEST

/* containerd may have its state anywhere: where it is, the pod's own directory says. */
START_TEST(the_state_of_a_containerd_is_where_it_has_the_pods)
{
    struct volume_node here = node();
    struct volume_source source;
    struct error err;

    here.sandbox_dir = "/data/ctd/io.containerd.grpc.v1.cri/sandboxes/abc";
    ck_assert_int_lt(volume_source_find(&here, "/data/ctd/metadata.db", &source, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "container runtime's own state"));
}
END_TEST

START_TEST(without_a_uid_no_path_of_kubelet_is_the_pods)
{
    struct volume_node here = node();
    struct volume_source source;
    struct error err;

    here.pod_uid = "";
    scoped(freep) char *path = in_root("pods//volumes/kubernetes.io~secret/x");
    scoped(freep) char *other = in_root(POD "/volumes/kubernetes.io~secret/x");
    ck_assert_int_lt(volume_source_find(&here, path, &source, &err), 0);
    ck_assert_int_lt(volume_source_find(&here, other, &source, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "another pod's"));
}
END_TEST

START_TEST(an_images_volume_is_of_this_container)
{
    expect_kind(CRI "/containers/ctr1/volumes/0123", VOLUME_IMAGE, NULL);
    expect_refused(CRI "/containers/ctr2/volumes/0123", "own state");
    expect_refused(CRI "/containers/ctr1/volumes/a/b", "own state");
    expect_refused(CRI "/containers/ctr1/status", "own state");
    expect_refused(CRI "/containers/ctr1/volumes/", "own state");
}
END_TEST

START_TEST(a_sub_path_of_what_is_copied_is_copied_once)
{
    make_directory(POD "/volumes/kubernetes.io~secret/keys");
    make_directory(POD "/volume-subpaths/keys/one");
    expect_in_root(POD "/volume-subpaths/keys/one/0", VOLUME_ONCE, "");
}
END_TEST

/* The kernel's list is written by hand, so that nothing need be mounted: two names of one file. */
START_TEST(a_sub_path_of_an_empty_directory_is_found_by_the_list_of_mounts)
{
    scoped(volume_source_clear) struct volume_source source = {0};
    scoped(freep) char *list = in_root("mountinfo"), *text = NULL;
    scoped(freep) char *point = in_root(POD "/volume-subpaths/data/one/0");
    scoped(freep) char *real = in_root(POD "/volumes/kubernetes.io~empty-dir/data/with space/x");
    struct volume_node here = node();
    struct error err;

    make_directory(POD "/volumes/kubernetes.io~empty-dir/data/with space");
    make_directory(POD "/volume-subpaths/data/one");
    write_file(POD "/volumes/kubernetes.io~empty-dir/data/with space/x", "", 0);
    ck_assert_int_eq(link(real, point), 0);
    text = xformat(
        "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "broken line\n"
        "25 20 8:1 /\\1 %s\\0401\\ rw - ext4 /dev/sda1 rw\n"
        "30 20 9:9 %s/" POD "/volumes/kubernetes.io~empty-dir/data/with\\040space/x %s rw - "
        "tmpfs tmpfs rw\n"
        "40 20 8:1 %s/" POD "/volumes/kubernetes.io~empty-dir/data/with\\040space/x %s rw "
        "shared:1 - ext4 /dev/sda1 rw\n",
        point, root, point, root, point);
    write_file("mountinfo", text, strlen(text));
    here.mountinfo = list;
    ck_assert_msg(volume_source_find(&here, point, &source, &err) == 0, "%s", err.message);
    ck_assert_int_eq(source.kind, VOLUME_EMPTY);
    ck_assert_str_eq(source.path, "with space/x");
    ck_assert(text_ends(source.directory, "kubernetes.io~empty-dir/data"));

    /* kubelet's root may be behind a link, of which the kernel's list says nothing. */
    make_link("alias", ".");
    scoped(freep) char *alias = in_root("alias");
    scoped(freep) char *behind = in_root("alias/" POD "/volume-subpaths/data/one/0");
    here.kubelet_root = alias;
    volume_source_clear(&source);
    ck_assert_msg(volume_source_find(&here, behind, &source, &err) == 0, "%s", err.message);
    ck_assert_str_eq(source.path, "with space/x");

    here.kubelet_root = root;
    volume_source_clear(&source);
    write_file("mountinfo", text, strcspn(text, "\n") + 1);
    ck_assert_int_eq(volume_source_find(&here, point, &source, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "is not mounted"));
}
END_TEST

static void make_live(void)
{
    make_directory("v/..1/dir");
    write_file("v/..1/key", "value", 5);
    write_file("v/..1/dir/x", "nested", 6);
    write_file("v/..1/empty", "", 0);
    make_link("v/..1/link", "dir/x");
    make_link("v/..data", "..1");
    make_link("v/key", "..data/key");
}

static const struct volume_file *find(const struct volume_tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->count; i++) {
        if (text_equal(tree->files[i].path, path))
            return &tree->files[i];
    }
    ck_abort_msg("no '%s'", path);
    return NULL;
}

START_TEST(a_live_volume_is_read_with_modes_and_parents_first)
{
    scoped(volume_tree_freep) struct volume_tree *tree = NULL;
    scoped(freep) char *path = in_root("v");
    struct error err;

    make_live();
    ck_assert_msg(volume_tree_read_live(path, &tree, &err) == 0, "%s", err.message);
    ck_assert_str_eq(tree->version, "..1");
    ck_assert_uint_eq(tree->count, 6);
    ck_assert_str_eq(tree->files[0].path, "");
    ck_assert_str_eq(find(tree, "key")->data, "value");
    ck_assert_uint_eq(find(tree, "key")->mode, 0640);
    ck_assert_int_eq(find(tree, "dir")->type, VOLUME_DIRECTORY);
    ck_assert(find(tree, "dir") < find(tree, "dir/x"));
    ck_assert_int_eq(find(tree, "link")->type, VOLUME_LINK);
    ck_assert_str_eq(find(tree, "link")->data, "dir/x");
    ck_assert_uint_eq(find(tree, "empty")->length, 0);
    ck_assert_uint_eq(tree->bytes, 11);
}
END_TEST

static void expect_unreadable(const char *words)
{
    struct volume_tree *tree = NULL;
    scoped(freep) char *path = in_root("v");
    struct error err;

    ck_assert(volume_tree_read_live(path, &tree, &err) < 0);
    ck_assert_msg(strstr(err.message, words) && strstr(err.message, path), "%s", err.message);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    scoped(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
    strcpy(address.sun_path, path);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
}

START_TEST(what_cannot_be_copied_is_named)
{
    static char large[VOLUME_TREE_FILE_MAX + 1];
    scoped(freep) char *fifo = in_root("v/..1/fifo"), *data = in_root("v/..data");

    make_live();
    make_link("v/..1/link", "/etc/shadow");
    expect_unreadable("'link' leads out of it");
    make_link("v/..1/link", "../../x");
    expect_unreadable("'link' leads out of it");
    make_link("v/..1/link", "key");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    expect_unreadable("'fifo' is neither");
    ck_assert_int_eq(unlink(fifo), 0);
    make_socket(fifo);
    expect_unreadable("'fifo' is neither");
    ck_assert_int_eq(unlink(fifo), 0);
    write_file("v/..1/large", large, sizeof(large));
    expect_unreadable("'large' is larger than 1024 KiB");
    make_link("v/..data", "../v/..1");
    expect_unreadable("..data leads out of it");
    ck_assert_int_eq(unlink(data), 0);
    expect_unreadable("kubelet has not filled it");
}
END_TEST

START_TEST(a_part_is_a_file_or_a_directory)
{
    scoped(volume_tree_freep) struct volume_tree *file = NULL, *directory = NULL;
    scoped(freep) char *key = in_root("v/..1/key"), *dir = in_root("v/..1/dir");
    struct error err;

    make_live();
    ck_assert_int_eq(volume_tree_read_once(key, &file, &err), 0);
    ck_assert_uint_eq(file->count, 1);
    ck_assert_str_eq(file->files[0].path, "file");
    ck_assert_str_eq(file->files[0].data, "value");
    ck_assert_int_eq(volume_tree_read_once(dir, &directory, &err), 0);
    ck_assert_uint_eq(directory->count, 2);
    ck_assert_str_eq(directory->files[1].path, "x");
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "volume_node", .setup = setup, .teardown = teardown},
        (const TTest *[]){
            kubelets_layout_tells_the_kind, what_has_a_file_system_behind_it_is_shared,
            what_is_not_of_the_pod_is_refused_by_name,
            what_is_not_a_directory_of_files_is_refused_by_name,
            the_state_of_a_containerd_is_where_it_has_the_pods,
            without_a_uid_no_path_of_kubelet_is_the_pods, an_images_volume_is_of_this_container,
            a_sub_path_of_what_is_copied_is_copied_once,
            a_sub_path_of_an_empty_directory_is_found_by_the_list_of_mounts,
            a_live_volume_is_read_with_modes_and_parents_first, what_cannot_be_copied_is_named,
            a_part_is_a_file_or_a_directory, NULL});
}
