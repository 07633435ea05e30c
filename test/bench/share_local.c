/* SPDX-License-Identifier: Apache-2.0 */
/* What the live share costs without a guest and a channel: cleave-share over /dev/fuse on this
 * machine, against a bind mount of the same directory, in turns.
 *
 *   bench-share-local BLOCKS
 *
 * prints a line of JSON for each measure: the medians of both, the median of the blocks' ratios
 * (local / share: 1 is as fast), and the server's CPU time for one turn; then its memory. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "samples.h"
#include "share_fixture.h"
#include "suite.h"

enum { MIB = 1024 * 1024, BIG = 16 * MIB, ENTRIES = 1000, BLOCKS_MAX = 1000 };

static uint8_t buffer[MIB];

static void give_up(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int open_file(const char *name, int flags)
{
    int fd = open(name, flags | O_CLOEXEC, 0644);

    if (fd < 0)
        give_up(name);
    return fd;
}

static void read_whole(int fd, size_t size, size_t step)
{
    for (size_t at = 0; at < size; at += step)
        if (pread(fd, buffer, step, (off_t) at) != (ssize_t) step)
            give_up("read");
}

static void write_whole(int fd, size_t size, size_t step)
{
    for (size_t at = 0; at < size; at += step)
        if (pwrite(fd, buffer, step, (off_t) at) != (ssize_t) step)
            give_up("write");
}

/* Of a larger file it would be measured where its pages lie: test/bench/files.c. */
static void warm_read(void)
{
    int fd = open_file("big", O_RDONLY);

    for (int i = 0; i < 64; i++)
        read_whole(fd, MIB, 64 * 1024);
    close(fd);
}

/* The server's pages stay, the guest's do not. */
static void cold_read(void)
{
    int fd = open_file("big", O_RDONLY);

    (void) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    read_whole(fd, BIG, MIB);
    close(fd);
}

static void write_large(void)
{
    int fd = open_file("written", O_WRONLY | O_CREAT);

    write_whole(fd, BIG, MIB);
    close(fd);
}

static void write_pages(void)
{
    int fd = open_file("written", O_WRONLY | O_CREAT);

    write_whole(fd, MIB, 4096);
    close(fd);
}

static void stat_path(void)
{
    struct stat stat;

    for (int i = 0; i < 256; i++)
        if (lstat("entries/7", &stat) < 0)
            give_up("stat");
}

static void stat_open(void)
{
    int fd = open_file("big", O_RDONLY);
    struct stat stat;

    for (int i = 0; i < 256; i++)
        if (fstat(fd, &stat) < 0)
            give_up("stat");
    close(fd);
}

static void open_close(void)
{
    for (int i = 0; i < 128; i++)
        close(open_file("entries/7", O_RDONLY));
}

static void create(void)
{
    for (int i = 0; i < 128; i++) {
        close(open_file("new", O_WRONLY | O_CREAT | O_EXCL));
        if (unlink("new") < 0)
            give_up("unlink");
    }
}

static void list(void)
{
    DIR *dir = opendir("entries");
    int count = 0;

    if (!dir)
        give_up("opendir");
    while (readdir(dir))
        count++;
    closedir(dir);
    if (count != ENTRIES + 2)
        give_up("readdir");
}

static const struct measure {
    const char *name;
    void (*run)(void);
} measures[] = {
    {"warm read, 64 MiB", warm_read},
    {"cold read, 16 MiB", cold_read},
    {"write, 16 MiB in 1 MiB", write_large},
    {"write, 1 MiB in 4 KiB", write_pages},
    {"stat by path, 256", stat_path},
    {"stat by descriptor, 256", stat_open},
    {"open and close, 128", open_close},
    {"create and unlink, 128", create},
    {"list 1000 entries", list},
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static uint64_t time_in(const char *place, const struct measure *measure)
{
    uint64_t start;

    if (chdir(place) < 0)
        give_up(place);
    start = now_ns();
    measure->run();
    return now_ns() - start;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}

static double median(double *values, int count)
{
    qsort(values, (size_t) count, sizeof(values[0]), by_value);
    return values[count / 2];
}

static int blocks = 11;

static void run(const struct measure *measure, const char *const *places, pid_t server)
{
    static double times[2][BLOCKS_MAX], ratios[BLOCKS_MAX];
    uint64_t cpu;

    for (int i = 0; i < 2; i++)
        (void) time_in(places[i], measure);
    cpu = cpu_ns_of(server);
    for (int block = 0; block < blocks; block++) {
        for (int i = 0; i < 2; i++)
            times[i][block] = (double) time_in(places[i], measure);
        ratios[block] = times[0][block] / times[1][block];
    }
    cpu = (cpu_ns_of(server) - cpu) / (uint64_t) blocks;
    (void) printf("{\"measure\":\"%s\",\"local_us\":%.1f,\"share_us\":%.1f,\"ratio\":%.4f,"
                  "\"server_cpu_us\":%.1f}\n",
                  measure->name, median(times[0], blocks) / 1e3, median(times[1], blocks) / 1e3,
                  median(ratios, blocks), (double) cpu / 1e3);
    (void) fflush(stdout);
}

static void prepare(const char *place)
{
    char name[32];
    int fd;

    if (chdir(place) < 0 || mkdir("entries", 0755) < 0)
        give_up(place);
    for (int i = 0; i < ENTRIES; i++) {
        (void) snprintf(name, sizeof(name), "entries/%d", i);
        close(open_file(name, O_WRONLY | O_CREAT));
    }
    for (size_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = (uint8_t) (i * 2654435761u >> 11);
    fd = open_file("big", O_WRONLY | O_CREAT);
    for (int i = 0; i < BIG / MIB; i++)
        if (write(fd, buffer, MIB) != MIB)
            give_up("write");
    close(fd);
}

static void print_memory(pid_t pid, const char *when)
{
    char path[64], line[256];
    long kib = -1;
    FILE *file;

    (void) snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    file = fopen(path, "re");
    if (!file)
        give_up(path);
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "Pss: %ld kB", &kib) == 1)
            (void) printf("{\"memory\":\"%s\",\"pss_kib\":%ld}\n", when, kib);
    (void) fclose(file);
}

/* The fixture can be used inside of a test only. */
START_TEST(measured)
{
    struct share_fixture fixture;
    char rw[128], bound[128], shared[128];
    const char *const places[] = {bound, shared};

    share_fixture_start(&fixture);
    share_fixture_mount(&fixture);
    (void) snprintf(rw, sizeof(rw), "%s/rw", fixture.base);
    (void) snprintf(bound, sizeof(bound), "%s/local", fixture.base);
    (void) snprintf(shared, sizeof(shared), "%s/mnt/rw", fixture.base);
    if (mount(rw, bound, NULL, MS_BIND, NULL) < 0)
        give_up("bind mount");
    prepare(rw);
    if (access(shared, F_OK) < 0)
        give_up(shared);
    print_memory(fixture.server, "at rest");
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
        run(&measures[i], places, fixture.server);
    print_memory(fixture.server, "in use");
    (void) sleep(2);
    print_memory(fixture.server, "at rest again");
    if (chdir("/") < 0 || umount2(bound, 0) < 0)
        give_up("unmount");
    share_fixture_stop(&fixture);
}
END_TEST

int main(int argc, char *argv[])
{
    const TTest *const tests[] = {measured, NULL};
    Suite *suite = suite_create("share_local");
    SRunner *runner = srunner_create(suite);
    int failed;

    if (argc == 2)
        blocks = (int) strtol(argv[1], NULL, 10);
    if (blocks < 1 || blocks > BLOCKS_MAX)
        return EXIT_FAILURE;
    suite_add_tcase(suite, suite_case(&(struct suite){.name = "share_local"}, tests));
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
