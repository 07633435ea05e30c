/* SPDX-License-Identifier: Apache-2.0 */
/* What a workload does with a directory, whatever is behind it.
 *
 *   bench-files write|read DIRECTORY BYTES
 *     a file from its begin to its end, in steps of 1 MiB; `read` finds nothing of what `write` has
 *     left there in this side's cache
 *   bench-files warm DIRECTORY BYTES
 *     its first MiB, again and again, in steps of 64 KiB. That fits a core's own cache. Of a larger
 *     file it would be measured where its pages happen to lie: scattered ones take twice as long as
 *     neighbours, whatever file system they belong to
 *   bench-files stat|create|list DIRECTORY COUNT
 *     COUNT times; a directory that is listed has 1000 entries
 *
 * Prints one line of JSON. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/text.h"
#include "samples.h"

enum { STEP = 1 << 20, WARM_SIZE = 1 << 20, WARM_STEP = 64 * 1024, LISTED = 1000, PASSES = 9 };

struct job {
    const char *directory;
    char *file; /* that is written and read */
    uint64_t count;
    struct samples samples; /* of operations */
    uint64_t ns;            /* of all bytes */
};

static char step[STEP];

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        die(path);
    return fd;
}

/* ---- bytes ---- */

static void write_file(struct job *job)
{
    if (unlink(job->file) < 0 && errno != ENOENT)
        die(job->file);
    uint64_t start = clock_monotonic_ns();
    int fd = open_file(job->file, O_WRONLY | O_CREAT | O_EXCL);
    for (uint64_t done = 0; done < job->count; done += STEP)
        if (write(fd, step, STEP) != STEP)
            die("write");
    if (close(fd) < 0)
        die("close");
    job->ns = clock_monotonic_ns() - start;
}

static void read_all(struct job *job)
{
    scoped(closep) int fd = open_file(job->file, O_RDONLY);
    uint64_t start = clock_monotonic_ns();

    for (uint64_t done = 0; done < job->count; done += STEP)
        if (read(fd, step, STEP) != STEP)
            die("read");
    job->ns = clock_monotonic_ns() - start;
}

static void read_cold(struct job *job)
{
    scoped(closep) int fd = open_file(job->file, O_RDONLY);

    if (fdatasync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        die("drop the cache");
    read_all(job);
}

static uint64_t read_again(int fd, uint64_t bytes)
{
    uint64_t start = clock_monotonic_ns();

    for (uint64_t done = 0; done < bytes; done += WARM_STEP)
        if (pread(fd, step, WARM_STEP, (off_t) (done % WARM_SIZE)) != WARM_STEP)
            die("read");
    return clock_monotonic_ns() - start;
}

/* A pass takes so little that one other process in it is seen: the median of some. */
static void read_warm(struct job *job)
{
    scoped(closep) int fd = open_file(job->file, O_RDONLY);
    struct samples passes;

    samples_init(&passes, PASSES);
    (void) read_again(fd, WARM_SIZE);
    for (int i = 0; i < PASSES; i++)
        samples_add(&passes, read_again(fd, job->count));
    job->ns = samples_quantile(&passes, 0.5);
    samples_fini(&passes);
}

/* ---- names ---- */

static void stat_one(struct job *job, uint64_t number)
{
    struct stat info;

    (void) number;
    if (stat(job->directory, &info) < 0)
        die(job->directory);
}

static char *name_of(const struct job *job, uint64_t number)
{
    return xformat("%s/created-%" PRIu64, job->directory, number);
}

static void create_one(struct job *job, uint64_t number)
{
    scoped(freep) char *path = name_of(job, number);

    (void) close(open_file(path, O_WRONLY | O_CREAT | O_EXCL));
}

static void remove_one(struct job *job, uint64_t number)
{
    scoped(freep) char *path = name_of(job, number);

    if (unlink(path) < 0)
        die(path);
}

static void list_one(struct job *job, uint64_t number)
{
    DIR *directory = opendir(job->directory);
    unsigned count = 0;

    (void) number;
    if (!directory)
        die(job->directory);
    while (readdir(directory))
        count++;
    (void) closedir(directory);
    if (count < LISTED)
        die("some names are not listed");
}

static void each(struct job *job, void (*operation)(struct job *job, uint64_t number))
{
    samples_init(&job->samples, job->count);
    for (uint64_t i = 0; i < job->count; i++) {
        uint64_t start = clock_monotonic_ns();

        operation(job, i);
        samples_add(&job->samples, clock_monotonic_ns() - start);
    }
}

static void stat_file(struct job *job)
{
    (void) close(open_file(job->file, O_WRONLY | O_CREAT));
    job->directory = job->file;
    each(job, stat_one);
}

static void create(struct job *job)
{
    each(job, create_one);
    for (uint64_t i = 0; i < job->count; i++)
        remove_one(job, i);
}

static void list(struct job *job)
{
    for (uint64_t i = 0; i < LISTED; i++)
        create_one(job, i);
    each(job, list_one);
    for (uint64_t i = 0; i < LISTED; i++)
        remove_one(job, i);
}

static const struct {
    const char *name;
    void (*run)(struct job *job);
} kinds[] = {
    {"write", write_file}, {"read", read_cold}, {"warm", read_warm},
    {"stat", stat_file},   {"create", create},  {"list", list},
};

static void print(struct job *job)
{
    (void) printf("{");
    if (job->ns)
        (void) printf("\"bytes\":%" PRIu64 ",\"ns\":%" PRIu64, job->count, job->ns);
    else
        samples_print(&job->samples);
    (void) printf("}\n");
    samples_fini(&job->samples);
}

int main(int argc, char *argv[])
{
    struct job job = {.directory = argc == 4 ? argv[2] : NULL,
                      .count = argc == 4 ? strtoull(argv[3], NULL, 10) : 0};

    for (size_t i = 0; job.count && i < ARRAY_LENGTH(kinds); i++) {
        if (!text_equal(argv[1], kinds[i].name))
            continue;
        job.file = xformat("%s/bench-file", job.directory);
        kinds[i].run(&job);
        print(&job);
        free(job.file);
        return EXIT_SUCCESS;
    }
    (void) fprintf(stderr, "usage: bench-files write|read|warm|stat|create|list DIRECTORY COUNT\n");
    return EXIT_FAILURE;
}
