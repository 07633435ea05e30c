/* SPDX-License-Identifier: Apache-2.0 */
/* Ids that a peer may forge: of files that it knows, and of files that are open. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "handles.h"
#include "nodes.h"
#include "suite.h"

static struct nodes *nodes;

static int open_path(const char *path)
{
    int fd = open(path, O_PATH | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void setup(void)
{
    struct error err;

    ck_assert_int_eq(nodes_new(open_path("/"), &nodes, &err), 0);
}

static void teardown(void)
{
    nodes_free(nodes);
}

static uint64_t hold(int fd)
{
    struct statx stat;
    uint64_t id = 0;

    ck_assert_int_eq(nodes_stat(fd, &stat), 0);
    ck_assert_int_eq(nodes_hold(nodes, &(struct node_found){fd, &stat, NODES_ROOT, "name"}, &id),
                     0);
    return id;
}

START_TEST(the_root_is_there_and_stays)
{
    const struct node *root = nodes_find(nodes, NODES_ROOT);

    ck_assert_ptr_nonnull(root);
    ck_assert(S_ISDIR(root->type));
    nodes_forget(nodes, NODES_ROOT, UINT64_MAX);
    ck_assert_ptr_eq(nodes_find(nodes, NODES_ROOT), root);
    ck_assert(is_open(root->fd));
}
END_TEST

START_TEST(the_same_file_is_the_same_node)
{
    int first = open_path("/dev/null"), second = open_path("/dev/null");
    uint64_t id = hold(first);

    ck_assert_uint_eq(hold(second), id);
    ck_assert(is_open(first) && !is_open(second));
    ck_assert_uint_eq(nodes_count(nodes), 2);
    nodes_forget(nodes, id, 1);
    ck_assert_ptr_nonnull(nodes_find(nodes, id));
    nodes_forget(nodes, id, 1);
    ck_assert_ptr_null(nodes_find(nodes, id));
    ck_assert(!is_open(first));
}
END_TEST

START_TEST(a_place_that_is_used_again_has_another_id)
{
    uint64_t old = hold(open_path("/dev/null")), next;

    nodes_forget(nodes, old, 1);
    next = hold(open_path("/dev/zero"));
    ck_assert_uint_eq((uint32_t) next, (uint32_t) old);
    ck_assert_uint_ne(next, old);
    ck_assert_ptr_null(nodes_find(nodes, old));
    ck_assert_ptr_nonnull(nodes_find(nodes, next));
}
END_TEST

START_TEST(forged_ids_find_nothing)
{
    uint64_t id = hold(open_path("/dev/null"));
    const uint64_t forged[] = {0,
                               2,
                               3,
                               id + 1,
                               id + (1ull << 32),
                               UINT64_MAX,
                               UINT32_MAX,
                               NODES_MAX,
                               NODES_ROOT + (1ull << 32),
                               id & UINT32_MAX,
                               (uint64_t) (uintptr_t) nodes};

    for (size_t i = 0; i < ARRAY_LENGTH(forged); i++) {
        ck_assert_ptr_null(nodes_find(nodes, forged[i]));
        nodes_forget(nodes, forged[i], 1);
    }
    ck_assert_ptr_nonnull(nodes_find(nodes, id));
    nodes_forget(nodes, id, UINT64_MAX); /* more than there are */
    ck_assert_ptr_null(nodes_find(nodes, id));
    ck_assert_uint_eq(nodes_count(nodes), 1);
}
END_TEST

/* No descriptor, but closed as one; so it cannot be parked either. */
static int hold_made_up(uint64_t inode, mode_t type, uint64_t *ret)
{
    struct statx stat = {.stx_ino = inode,
                         .stx_mode = (uint16_t) type,
                         .stx_mnt_id = nodes_find(nodes, NODES_ROOT)->mount};
    scoped(freep) char *name = xformat("%lu", (unsigned long) inode);

    return nodes_hold(nodes, &(struct node_found){1000000, &stat, NODES_ROOT, name}, ret);
}

START_TEST(nodes_that_cannot_be_parked_are_not_without_number)
{
    uint64_t id, first = 0;

    for (uint32_t i = 1; i < NODES_HELD_MAX; i++) {
        ck_assert_int_eq(hold_made_up(i, S_IFREG, &id), 0);
        first = first ? first : id;
    }
    ck_assert_int_eq(hold_made_up(NODES_HELD_MAX, S_IFREG, &id), -ENFILE);
    ck_assert_int_eq(hold_made_up(7, S_IFREG, &id), 0);
    nodes_forget(nodes, first, 1);
    ck_assert_int_eq(hold_made_up(NODES_HELD_MAX, S_IFREG, &id), 0);
}
END_TEST

/* The next that the guest is to forget. */
static const struct node *excess(void)
{
    const struct node *node = NULL;

    for (uint32_t i = 0; i < NODES_HELD_MAX && !node; i++)
        node = nodes_excess(nodes);
    return node;
}

START_TEST(what_was_used_longest_ago_is_asked_back_first)
{
    const struct node *node;
    uint64_t id, third = 0, sixth = 0;

    for (uint32_t i = 1; i < NODES_WATERMARK; i++) {
        ck_assert_int_eq(hold_made_up(i, i == 2 ? S_IFDIR : S_IFREG, &id), 0);
        third = i == 3 ? id : third;
        sixth = i == 6 ? id : sixth;
    }
    ck_assert_ptr_null(excess()); /* the root is one, too */
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_int_eq(hold_made_up(NODES_WATERMARK + i, S_IFREG, &id), 0);
    ck_assert_int_eq(hold_made_up(1, S_IFREG, &id), 0); /* again: now it is the newest */
    nodes_forget(nodes, third, 1);
    node = excess();
    ck_assert_str_eq(node->name, "4"); /* 2 is a directory, 3 is gone */
    ck_assert_uint_eq(node->parent, NODES_ROOT);
    ck_assert_str_eq(excess()->name, "5");
    ck_assert_int_eq(nodes_fd(nodes, sixth), 1000000);
    ck_assert_str_eq(excess()->name, "7");
    ck_assert_int_eq(hold_made_up(4, S_IFREG, &id), 0);
    for (int i = 0; (node = excess()); i++) {
        ck_assert_int_lt(i, NODES_WATERMARK + 4);
        ck_assert_str_ne(node->name, "5"); /* once is enough */
    }
    ck_assert_uint_gt(nodes_held(nodes), NODES_WATERMARK); /* nobody did forget */
}
END_TEST

/* ---- files of a real file system ------------------------------------------------------------- */

static char base[64];

/* Below a directory that a test made; held twice, as by two look-ups. */
static uint64_t hold_file(const char *name, int flags)
{
    scoped(freep) char *path = xformat("%s/%s", base, name);
    scoped(closep) int made = open(path, flags | O_CLOEXEC, 0644);
    struct statx stat;
    uint64_t id = 0;
    int fd;

    ck_assert_int_ge(made, 0);
    fd = open_path(path);
    ck_assert_int_eq(nodes_stat(fd, &stat), 0);
    ck_assert_int_eq(nodes_hold(nodes, &(struct node_found){fd, &stat, NODES_ROOT, name}, &id), 0);
    return id;
}

static void remove_file(const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", base, name);

    ck_assert_int_eq(unlink(path), 0);
}

static void setup_files(void)
{
    struct error err;

    strcpy(base, "/tmp/cleave-nodes-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    ck_assert_int_eq(nodes_new(open_path(base), &nodes, &err), 0);
}

static void teardown_files(void)
{
    struct error err;

    teardown();
    ck_assert_int_eq(file_remove_tree(base, &err), 0);
}

static void park(uint64_t id)
{
    const struct node *node = nodes_find(nodes, id);
    uint64_t other;

    for (uint32_t i = 0; nodes_held(nodes) <= NODES_WATERMARK; i++)
        ck_assert_int_eq(hold_made_up(1ull << 60 | i, S_IFREG, &other), 0);
    for (int i = 0; i < NODES_HELD_MAX && node->fd >= 0; i++)
        (void) nodes_excess(nodes);
    ck_assert_int_eq(node->fd, -1);
}

static ino_t inode_of(uint64_t id)
{
    struct stat stat;
    int fd = nodes_fd(nodes, id);

    if (fd < 0)
        return 0;
    ck_assert_int_eq(fstat(fd, &stat), 0);
    return stat.st_ino;
}

START_TEST(what_is_parked_is_found_again)
{
    uint64_t id = hold_file("a", O_RDWR | O_CREAT);
    const struct node *node = nodes_find(nodes, id);
    ino_t inode = inode_of(id);

    park(id);
    ck_assert_uint_eq(inode_of(id), inode);
    ck_assert_int_ge(node->fd, 0);
    park(id);
    ck_assert_uint_eq(hold_file("a", O_RDWR), id); /* by a look-up it is the same */
    ck_assert_int_ge(node->fd, 0);
    park(id);
    nodes_forget(nodes, id, 2);
    ck_assert_ptr_null(nodes_find(nodes, id));
}
END_TEST

START_TEST(what_is_parked_and_unlinked_is_there_while_it_is_open)
{
    uint64_t id = hold_file("a", O_RDWR | O_CREAT);
    scoped(freep) char *path = xformat("%s/a", base);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ino_t inode = inode_of(id);

    park(id);
    remove_file("a");
    ck_assert_uint_eq(inode_of(id), inode);
    park(id);
    close(fd);
    ck_assert_int_eq(nodes_fd(nodes, id), -ESTALE);
}
END_TEST

/* A file system uses the number of an inode again. */
START_TEST(what_is_parked_does_not_become_another_file)
{
    uint64_t id = hold_file("a", O_RDWR | O_CREAT), next = 0;
    ino_t inode = nodes_find(nodes, id)->inode;

    park(id);
    remove_file("a");
    for (int i = 0; i < 2000 && nodes_find(nodes, next ? next : id)->inode != inode; i++) {
        scoped(freep) char *name = xformat("%d", i);

        next = hold_file(name, O_RDWR | O_CREAT);
    }
    next = next ? next : hold_file("b", O_RDWR | O_CREAT);
    ck_assert_uint_ne(next, id);
    ck_assert_int_eq(nodes_fd(nodes, id), -ESTALE);
    ck_assert_int_ge(nodes_fd(nodes, next), 0);
    nodes_forget(nodes, id, 1);
    ck_assert_int_ge(nodes_fd(nodes, next), 0);
}
END_TEST

START_TEST(a_handle_is_of_its_kind_and_its_time)
{
    struct handles *handles = handles_new();
    int fd = open_path("/dev/null");
    uint64_t id, next;

    ck_assert_int_eq(handles_find(handles, HANDLE_FILE, 0), -EBADF);
    ck_assert_int_eq(handles_hold(handles, HANDLE_FILE, fd, &id), 0);
    ck_assert_int_eq(handles_find(handles, HANDLE_FILE, id), fd);
    ck_assert_int_eq(handles_find(handles, HANDLE_DIRECTORY, id), -EBADF);
    ck_assert_int_eq(handles_close(handles, HANDLE_DIRECTORY, id), -EBADF);
    ck_assert_int_eq(handles_find(handles, HANDLE_FILE, (uint64_t) fd), -EBADF);
    ck_assert_int_eq(handles_close(handles, HANDLE_FILE, id), 0);
    ck_assert(!is_open(fd));
    ck_assert_int_eq(handles_close(handles, HANDLE_FILE, id), -EBADF);
    ck_assert_int_eq(handles_hold(handles, HANDLE_FILE, open_path("/dev/null"), &next), 0);
    ck_assert_uint_ne(next, id);
    ck_assert_int_eq(handles_find(handles, HANDLE_FILE, id), -EBADF);
    for (int i = 1; i < HANDLES_MAX; i++)
        ck_assert_int_eq(handles_hold(handles, HANDLE_FILE, 1000000, &id), 0);
    ck_assert_int_eq(handles_hold(handles, HANDLE_FILE, 1000000, &id), -ENFILE);
    handles_free(handles);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_root_is_there_and_stays,
                                  the_same_file_is_the_same_node,
                                  a_place_that_is_used_again_has_another_id,
                                  forged_ids_find_nothing,
                                  nodes_that_cannot_be_parked_are_not_without_number,
                                  what_was_used_longest_ago_is_asked_back_first,
                                  a_handle_is_of_its_kind_and_its_time,
                                  NULL};
    const TTest *const parked[] = {what_is_parked_is_found_again,
                                   what_is_parked_and_unlinked_is_there_while_it_is_open,
                                   what_is_parked_does_not_become_another_file, NULL};
    int failed = suite_run_with(&(struct suite){"share_nodes", setup, teardown, 0}, tests);

    if (geteuid() != 0) /* a handle is opened with CAP_DAC_READ_SEARCH */
        return failed;
    return suite_run_with(&(struct suite){"share_nodes_parked", setup_files, teardown_files, 0},
                          parked) ||
           failed;
}
