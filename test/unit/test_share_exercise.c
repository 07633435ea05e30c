/* SPDX-License-Identifier: Apache-2.0 */
/* Any order of reads, writes, mappings, lengths and holes, on a share and in a local directory,
 * beside what the file should be. SHARE_SEED repeats a run, SHARE_ROUNDS makes it longer:
 * make check-unit SHARE_ROUNDS=1000000. */
#include <check.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/scoped.h"
#include "share_fixture.h"
#include "suite.h"

enum { SIZE_MAX_OF_IMAGE = 192 * 1024, HANDLES = 3, ROUNDS = 2500, LOOK_EVERY = 500 };

static struct share_fixture fixture;
static char path[128], node_path[128]; /* of the file; as the node has it */
static int handle[HANDLES];            /* the last one appends */
static uint8_t image[SIZE_MAX_OF_IMAGE], got[SIZE_MAX_OF_IMAGE];
static size_t length;

static void setup(void)
{
    share_fixture_start(&fixture);
    share_fixture_mount(&fixture);
}

static void teardown(void)
{
    share_fixture_stop(&fixture);
}

static size_t below(size_t limit)
{
    return (size_t) random() % limit;
}

/* Small ones, ones of pages, ones that are neither. */
static size_t some_size(size_t at)
{
    size_t room = SIZE_MAX_OF_IMAGE - at;
    size_t size = 1 + (below(4) == 0 ? below(room) : below(3) == 0 ? 4095 : below(300));

    return size < room ? size : room;
}

static size_t some_place(void)
{
    size_t at = below(SIZE_MAX_OF_IMAGE - 1);

    return below(3) == 0 ? at & ~(size_t) 4095 : at;
}

static void scribble(uint8_t *to, size_t size)
{
    uint8_t value = (uint8_t) random(), step = (uint8_t) (random() | 1);

    for (size_t i = 0; i < size; i++, value += step)
        to[i] = value;
}

static void grow(size_t end)
{
    length = end > length ? end : length;
}

static void open_handle(int which)
{
    handle[which] = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (which == HANDLES - 1 ? O_APPEND : 0),
                         0644);
    ck_assert_int_ge(handle[which], 0);
}

static int some_handle(void)
{
    return handle[below(HANDLES - 1)];
}

/* ---- what is done ---------------------------------------------------------------------------- */

static void do_write(size_t at, size_t size)
{
    scribble(image + at, size);
    ck_assert_int_eq(pwrite(some_handle(), image + at, size, (off_t) at), (ssize_t) size);
    grow(at + size);
}

static void do_write_parts(size_t at, size_t size)
{
    size_t half = size / 2;
    const struct iovec parts[] = {{image + at, half}, {image + at + half, size - half}};

    scribble(image + at, size);
    ck_assert_int_eq(pwritev(some_handle(), parts, 2, (off_t) at), (ssize_t) size);
    grow(at + size);
}

static void do_append(size_t at, size_t size)
{
    if (length + size > SIZE_MAX_OF_IMAGE)
        return;
    scribble(image + length, size);
    ck_assert_int_eq(pwrite(handle[HANDLES - 1], image + length, size, (off_t) at), (ssize_t) size);
    grow(length + size);
}

static void do_read(size_t at, size_t size)
{
    size_t there = at >= length ? 0 : length - at < size ? length - at : size;

    ck_assert_int_eq(pread(handle[below(HANDLES)], got, size, (off_t) at), (ssize_t) there);
    ck_assert_mem_eq(got, image + at, there);
}

static void do_map(size_t at, size_t size)
{
    uint8_t *map;

    if (at + size > length)
        return;
    map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, some_handle(), 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
    ck_assert_mem_eq(map + at, image + at, size);
    scribble(map + at, size);
    memcpy(image + at, map + at, size);
    if (below(4) == 0)
        ck_assert_int_eq(msync(map, length, MS_SYNC), 0);
    ck_assert_int_eq(munmap(map, length), 0);
}

static void do_truncate(size_t at, size_t size)
{
    if (at < length)
        memset(image + at, 0, length - at);
    ck_assert_int_eq(size % 2 ? truncate(path, (off_t) at) : ftruncate(some_handle(), (off_t) at),
                     0);
    length = at;
}

static void allocate(int mode, size_t at, size_t size)
{
    ck_assert_int_eq(fallocate(some_handle(), mode, (off_t) at, (off_t) size), 0);
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        memset(image + at, 0, size);
    if (!(mode & FALLOC_FL_KEEP_SIZE))
        grow(at + size);
}

static void do_allocate(size_t at, size_t size)
{
    allocate(below(2) ? FALLOC_FL_KEEP_SIZE : 0, at, size);
}

static void do_punch(size_t at, size_t size)
{
    allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, size);
}

static void do_zero(size_t at, size_t size)
{
    allocate(FALLOC_FL_ZERO_RANGE | (below(2) ? FALLOC_FL_KEEP_SIZE : 0), at, size);
}

static void do_reopen(size_t at, size_t size)
{
    int which = (int) ((at + size) % HANDLES);

    ck_assert_int_eq(close(handle[which]), 0);
    open_handle(which);
}

static void do_drop_cache(size_t at, size_t size)
{
    ck_assert_int_eq(fdatasync(some_handle()), 0);
    ck_assert_int_eq(posix_fadvise(some_handle(), (off_t) at, (off_t) size, POSIX_FADV_DONTNEED),
                     0);
}

static void do_look(size_t at, size_t size)
{
    struct stat stat;

    (void) at;
    ck_assert_int_eq(size % 2 ? lstat(path, &stat) : fstat(some_handle(), &stat), 0);
    ck_assert_uint_eq((size_t) stat.st_size, length);
}

static const struct {
    void (*run)(size_t at, size_t size);
    int weight;
} operations[] = {
    {do_write, 6}, {do_write_parts, 2}, {do_append, 3},     {do_read, 8},
    {do_map, 4},   {do_truncate, 2},    {do_allocate, 1},   {do_punch, 2},
    {do_zero, 1},  {do_reopen, 2},      {do_drop_cache, 2}, {do_look, 3},
};

static void do_one(void)
{
    int total = 0, chosen;
    size_t at = some_place(), size = some_size(at);

    for (size_t i = 0; i < ARRAY_LENGTH(operations); i++)
        total += operations[i].weight;
    chosen = (int) below((size_t) total);
    for (size_t i = 0; i < ARRAY_LENGTH(operations); i++) {
        chosen -= operations[i].weight;
        if (chosen < 0) {
            operations[i].run(at, size);
            return;
        }
    }
}

static void look_from_the_node(void)
{
    scoped(closep) int fd = open(node_path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(fsync(handle[0]), 0);
    ck_assert_int_eq(read(fd, got, sizeof(got)), (ssize_t) length);
    ck_assert_mem_eq(got, image, length);
}

static long number(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text ? strtol(text, NULL, 10) : otherwise;
}

static long seed, rounds;

START_TEST(a_file_is_what_was_made_of_it)
{
    static const char *const places[][2] = {{"mnt/rw", "rw"}, {"local", "local"}};

    (void) snprintf(path, sizeof(path), "%s/%s/file", fixture.base, places[_i][0]);
    (void) snprintf(node_path, sizeof(node_path), "%s/%s/file", fixture.base, places[_i][1]);
    for (int i = 0; i < HANDLES; i++)
        open_handle(i);
    srandom((unsigned) seed);
    for (long i = 0; i < rounds; i++) {
        do_one();
        if (i % LOOK_EVERY == 0)
            look_from_the_node();
    }
    look_from_the_node();
    for (int i = 0; i < HANDLES; i++)
        close(handle[i]);
}
END_TEST

int main(void)
{
    const TTest *const none[] = {NULL};
    const struct suite suite = {"share_exercise", setup, teardown, 60};
    TCase *tests;

    if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) < 0) {
        puts("skipped: needs root and /dev/fuse");
        return EXIT_SUCCESS;
    }
    seed = number("SHARE_SEED", (long) time(NULL));
    rounds = number("SHARE_ROUNDS", ROUNDS);
    (void) printf("SHARE_SEED=%ld SHARE_ROUNDS=%ld\n", seed, rounds);
    (void) fflush(stdout);
    tests = suite_case(&suite, none);
    tcase_set_timeout(tests, 60 + (double) rounds / 20);
    tcase_add_loop_test(tests, a_file_is_what_was_made_of_it, 0, 2);
    return suite_run_case(suite.name, tests);
}
