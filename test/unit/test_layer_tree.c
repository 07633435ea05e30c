/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <fcntl.h>

#include "layer_archive.h"
#include "layer_fixture.h"
#include "layer_room.h"
#include "layer_tree.h"

static struct sandbox_directory sandbox;
static struct writer tar;
static struct layer_tree tree;
static struct layer_room room;

static void setup(void)
{
    sandbox_make(&sandbox);
    writer_init(&tar, 64 << 20);
    room = (struct layer_room){.limit = 16 << 20};
    tree = (struct layer_tree){.room = &room};
}

static void teardown(void)
{
    sandbox_check(&sandbox);
    sandbox_remove(&sandbox);
    writer_fini(&tar);
    layer_tree_fini(&tree);
}

static void add(const char *name, char type, const char *target, const char *content)
{
    tar_add(&tar, &(struct tar_entry){.name = name,
                                      .type = type,
                                      .mode = type == '5' ? 0755 : 0644,
                                      .target = target,
                                      .content = content});
}

static int unpack(struct error *err)
{
    scoped(layer_archive_closep) struct layer_archive *archive = NULL;
    scoped(closep) int blob = open(sandbox.base, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    scoped(closep) int root = open(sandbox.layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint8_t digest[SHA256_SIZE], is[SHA256_SIZE];

    tar_end(&tar);
    ck_assert_int_ge(blob, 0);
    ck_assert_int_ge(root, 0);
    ck_assert_int_eq(write(blob, tar.data, tar.size), (int) tar.size);
    tree.root = root;
    if (layer_archive_open(blob, LAYER_PLAIN, &archive, err) < 0 ||
        layer_tree_unpack(&tree, archive, err) < 0 || layer_archive_finish(archive, is, err) < 0)
        return -1;
    digest_sha256(tar.data, tar.size, digest);
    ck_assert_mem_eq(is, digest, sizeof(is));
    return 0;
}

static void refused(enum status status, const char *part)
{
    struct error err;

    ck_assert_int_eq(unpack(&err), -1);
    ck_assert_msg(strstr(err.message, part), "'%s' does not say '%s'", err.message, part);
    ck_assert_msg(err.status == status, "%s: %s", status_name(err.status), err.message);
}

static void accepted(void)
{
    struct error err;

    ck_assert_msg(unpack(&err) == 0, "%s", err.message);
}

static struct stat look(const char *name)
{
    char path[256];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", sandbox.layer, name);
    ck_assert_msg(lstat(path, &st) == 0, "%s is not there", name);
    return st;
}

static bool absent(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", sandbox.layer, name);
    return access(path, F_OK) < 0;
}

static bool opaque(const char *name)
{
    char path[256], value[4];

    snprintf(path, sizeof(path), "%s/%s", sandbox.layer, name);
    return getxattr(path, "trusted.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

static bool is_whiteout(const char *name)
{
    struct stat st = look(name);

    return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

START_TEST(files_directories_and_links_are_made)
{
    add("./", '5', NULL, NULL);
    add("./etc/", '5', NULL, NULL);
    add("./etc/motd", '0', NULL, "hello");
    add("etc/same", '1', "etc/motd", NULL);
    add("/etc/link", '2', "/etc/motd", NULL);
    tar_add(&tar, &(struct tar_entry){.name = "bin/su", .mode = 04755, .content = "su"});
    accepted();
    ck_assert_int_eq(look("etc/motd").st_size, 5);
    ck_assert_uint_eq(look("etc/same").st_ino, look("etc/motd").st_ino);
    ck_assert(S_ISLNK(look("etc/link").st_mode));
    ck_assert_uint_eq(look("bin/su").st_mode & 07777, 04755);
    ck_assert_int_eq(look("etc/motd").st_mtime, 1700000000);
    ck_assert_uint_eq(tree.implied_count, 1);
    ck_assert_str_eq(tree.implied[0], "bin");
}
END_TEST

START_TEST(a_name_with_dot_dot_is_refused)
{
    add("../secret", '0', NULL, "pwned");
    refused(STATUS_INVALID_ARGUMENT, "leaves the layer");
}
END_TEST

START_TEST(dot_dot_is_refused_even_where_it_is_harmless)
{
    add("a/../b", '0', NULL, "x");
    refused(STATUS_INVALID_ARGUMENT, "leaves the layer");
}
END_TEST

START_TEST(an_absolute_name_stays_inside)
{
    char name[100];

    snprintf(name, sizeof(name), "%s", sandbox.secret);
    add(name, '0', NULL, "pwned");
    accepted();
    ck_assert_int_eq(look(sandbox.secret + 1).st_size, 5);
}
END_TEST

START_TEST(a_symlink_that_points_out_leads_inside)
{
    add("out", '2', sandbox.base, NULL);
    add("up", '2', "../..", NULL);
    add("out/secret", '0', NULL, "pwned");
    refused(STATUS_INVALID_ARGUMENT, "'out' is used as a directory");
}
END_TEST

START_TEST(a_relative_symlink_that_climbs_stops_at_the_root)
{
    add("up", '2', "../../../../..", NULL);
    add("up/secret", '0', NULL, "inside");
    accepted();
    ck_assert_int_eq(look("secret").st_size, 6);
}
END_TEST

START_TEST(a_file_replaces_a_symlink_and_not_what_it_points_to)
{
    add("x", '2', sandbox.secret, NULL);
    add("x", '0', NULL, "pwned");
    accepted();
    ck_assert(S_ISREG(look("x").st_mode));
}
END_TEST

START_TEST(a_directory_replaces_a_symlink)
{
    add("x", '2', sandbox.base, NULL);
    add("x", '5', NULL, NULL);
    add("x/secret", '0', NULL, "inside");
    accepted();
    ck_assert(S_ISDIR(look("x").st_mode));
}
END_TEST

START_TEST(a_hard_link_to_the_outside_is_refused)
{
    add("x", '1', sandbox.secret, NULL);
    refused(STATUS_NOT_FOUND, "link 'x'");
}
END_TEST

START_TEST(a_hard_link_with_dot_dot_is_refused)
{
    add("x", '1', "../secret", NULL);
    refused(STATUS_INVALID_ARGUMENT, "leaves the layer");
}
END_TEST

START_TEST(a_hard_link_through_a_symlink_stays_inside)
{
    add("out", '2', sandbox.base, NULL);
    add("x", '1', "out/secret", NULL);
    refused(STATUS_NOT_FOUND, "link 'x'");
}
END_TEST

START_TEST(a_hard_link_to_a_symlink_links_the_symlink)
{
    add("out", '2', sandbox.secret, NULL);
    add("x", '1', "out", NULL);
    accepted();
    ck_assert(S_ISLNK(look("x").st_mode));
}
END_TEST

START_TEST(a_hard_link_to_itself_changes_nothing)
{
    add("x", '0', NULL, "here");
    add("x", '1', "./x", NULL);
    accepted();
    ck_assert_int_eq(look("x").st_size, 4);
}
END_TEST

START_TEST(device_nodes_are_left_out)
{
    add("dev/sda", '3', NULL, NULL);
    add("dev/vda", '4', NULL, NULL);
    accepted();
    ck_assert(absent("dev/sda"));
    ck_assert(absent("dev/vda"));
}
END_TEST

START_TEST(a_whiteout_becomes_a_device_that_overlayfs_knows)
{
    add("etc/", '5', NULL, NULL);
    add("etc/.wh.passwd", '0', NULL, NULL);
    accepted();
    ck_assert(is_whiteout("etc/passwd"));
    ck_assert(absent("etc/.wh.passwd"));
}
END_TEST

START_TEST(an_opaque_mark_becomes_an_attribute)
{
    add("etc/", '5', NULL, NULL);
    add("etc/.wh..wh..opq", '0', NULL, NULL);
    add("etc/.wh..wh.plnk", '0', NULL, NULL);
    accepted();
    ck_assert(opaque("etc"));
}
END_TEST

START_TEST(a_whiteout_does_not_hide_its_own_layer)
{
    add("a", '0', NULL, "new");
    add(".wh.a", '0', NULL, NULL);
    add(".wh.b", '0', NULL, NULL);
    add("b", '0', NULL, "new");
    add("d", '5', NULL, NULL);
    add(".wh.d", '0', NULL, NULL);
    add(".wh.e", '0', NULL, NULL);
    add("e/f", '0', NULL, "new");
    accepted();
    ck_assert_int_eq(look("a").st_size, 3);
    ck_assert_int_eq(look("b").st_size, 3);
    ck_assert(opaque("d"));
    ck_assert(opaque("e"));
}
END_TEST

START_TEST(a_whiteout_of_nothing_is_refused)
{
    add("x/.wh...", '0', NULL, NULL);
    refused(STATUS_INVALID_ARGUMENT, "hides nothing");
}
END_TEST

START_TEST(attributes_that_overlayfs_obeys_are_dropped)
{
    tar_pax(&tar, "SCHILY.xattr.trusted.overlay.redirect", "/../secret");
    add("d", '5', NULL, NULL);
    tar_pax(&tar, "SCHILY.xattr.user.note", "kept");
    add("f", '0', NULL, "x");
    accepted();
    char path[256], value[64];
    snprintf(path, sizeof(path), "%s/d", sandbox.layer);
    ck_assert_int_lt(getxattr(path, "trusted.overlay.redirect", value, sizeof(value)), 0);
    snprintf(path, sizeof(path), "%s/f", sandbox.layer);
    ck_assert_int_eq(getxattr(path, "user.note", value, sizeof(value)), 4);
}
END_TEST

START_TEST(names_that_the_locale_cannot_say_keep_their_bytes)
{
    tar_pax(&tar, "path", "Ärger/naïve");
    add("ascii", '0', NULL, "x");
    accepted();
    ck_assert_int_eq(look("Ärger/naïve").st_size, 1);
}
END_TEST

START_TEST(a_file_may_not_replace_a_directory)
{
    add("d/", '5', NULL, NULL);
    add("d", '0', NULL, "x");
    refused(STATUS_INVALID_ARGUMENT, "replaces a directory");
}
END_TEST

START_TEST(the_root_may_not_become_a_link)
{
    add("./", '2', "/", NULL);
    refused(STATUS_INVALID_ARGUMENT, "replaces the root");
}
END_TEST

START_TEST(a_name_too_long_is_refused)
{
    char name[5000];

    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 100; i < sizeof(name) - 1; i += 100)
        name[i] = '/';
    tar_pax(&tar, "path", name);
    add("short", '0', NULL, "x");
    refused(STATUS_INVALID_ARGUMENT, "name");
}
END_TEST

START_TEST(a_file_larger_than_the_room_is_refused_with_numbers)
{
    size_t size = 20 << 20;
    char *content = xalloc(size + 1);

    memset(content, 'z', size);
    add("big", '0', NULL, content);
    free(content);
    refused(STATUS_RESOURCE_EXHAUSTED, "needs more than 16 MiB, has 16 MiB");
    ck_assert_uint_le(tree.taken, 16 << 20);
}
END_TEST

START_TEST(a_claimed_size_takes_no_room_by_itself)
{
    tar_add(&tar, &(struct tar_entry){.name = "big", .claimed = 8ull << 30, .content = "small"});
    refused(STATUS_INVALID_ARGUMENT, "read the layer");
    ck_assert_uint_lt(tree.taken, 1 << 20);
}
END_TEST

START_TEST(an_implied_directory_that_is_described_later_is_not_implied)
{
    add("a/b/c", '0', NULL, "x");
    add("a", '5', NULL, NULL);
    accepted();
    ck_assert_uint_eq(tree.implied_count, 1);
    ck_assert_str_eq(tree.implied[0], "a/b");
}
END_TEST

START_TEST(garbage_is_refused)
{
    for (int i = 0; i < 2048; i++)
        writer_u8(&tar, (uint8_t) (i * 7 + 1));
    refused(STATUS_INVALID_ARGUMENT, "read the layer");
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "layer_tree", .setup = setup, .teardown = teardown},
        (const TTest *[]){files_directories_and_links_are_made,
                          a_name_with_dot_dot_is_refused,
                          dot_dot_is_refused_even_where_it_is_harmless,
                          an_absolute_name_stays_inside,
                          a_symlink_that_points_out_leads_inside,
                          a_relative_symlink_that_climbs_stops_at_the_root,
                          a_file_replaces_a_symlink_and_not_what_it_points_to,
                          a_directory_replaces_a_symlink,
                          a_hard_link_to_the_outside_is_refused,
                          a_hard_link_with_dot_dot_is_refused,
                          a_hard_link_through_a_symlink_stays_inside,
                          a_hard_link_to_a_symlink_links_the_symlink,
                          a_hard_link_to_itself_changes_nothing,
                          device_nodes_are_left_out,
                          a_whiteout_becomes_a_device_that_overlayfs_knows,
                          an_opaque_mark_becomes_an_attribute,
                          a_whiteout_does_not_hide_its_own_layer,
                          a_whiteout_of_nothing_is_refused,
                          attributes_that_overlayfs_obeys_are_dropped,
                          names_that_the_locale_cannot_say_keep_their_bytes,
                          a_file_may_not_replace_a_directory,
                          the_root_may_not_become_a_link,
                          a_name_too_long_is_refused,
                          a_file_larger_than_the_room_is_refused_with_numbers,
                          a_claimed_size_takes_no_room_by_itself,
                          an_implied_directory_that_is_described_later_is_not_implied,
                          garbage_is_refused,
                          NULL});
}
