/* SPDX-License-Identifier: Apache-2.0 */
/* One block of one measure: COUNT times an operation against one task behind one shim, then a line
 * of JSON. bench.py runs blocks of the two shims in turns. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/text.h"
#include "samples.h"
#include "target.h"

enum { CHUNK = 1 << 20, FLOOD_SILENCE_MS = 60 * 1000 };

static const char usage[] =
    "usage: bench-driver --socket PATH --task ID [--service NAME] [--pid SHIM] [--warm N]\n"
    "                    [--root PREFIX] --fifo PATH OPERATION COUNT\n"
    "PREFIX stands before the socket and the FIFO here; the shim sees them without.\n"
    "  connect state stats kill exec   COUNT times, blocking\n"
    "  flood-zeros flood-lines         COUNT bytes of an exec's output, through the FIFO, "
    "checked\n";

struct driver {
    struct target target;
    const char *root; /* of the node, as seen from here: before every path */
    const char *socket, *fifo;
    pid_t pid;
    uint64_t count, warm;
};

static char *process_json(const char *args)
{
    return xformat("{\"user\":{\"uid\":0,\"gid\":0},\"args\":[%s],\"env\":[\"PATH=/bin\"],"
                   "\"cwd\":\"/\",\"noNewPrivileges\":true,"
                   "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],"
                   "\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],"
                   "\"permitted\":[\"CAP_KILL\"]}}",
                   args);
}

/* ---- operations ---- */

static void op_connect(struct driver *driver)
{
    target_connect(&driver->target);
}

static void op_state(struct driver *driver)
{
    target_state(&driver->target);
}

static void op_stats(struct driver *driver)
{
    target_stats(&driver->target);
}

static void op_kill(struct driver *driver)
{
    target_kill(&driver->target, 0);
}

static void op_exec(struct driver *driver)
{
    struct target *target = &driver->target;
    scoped(freep) char *process = process_json("\"/bin/true\"");
    const char *id = target_exec(target, process, NULL, NULL);
    uint32_t status;

    target_start(target, id);
    status = target_wait(target, id);
    if (status != 0)
        die("/bin/true ended with %u", status);
    target_delete(target, id);
}

static uint64_t cpu_of(const struct driver *driver)
{
    return driver->pid ? cpu_ns_of(driver->pid) : 0;
}

static void repeat(struct driver *driver, void (*op)(struct driver *driver))
{
    struct samples samples;
    uint64_t cpu;

    for (uint64_t i = 0; i < driver->warm; i++)
        op(driver);
    samples_init(&samples, driver->count);
    cpu = cpu_of(driver);
    for (uint64_t i = 0; i < driver->count; i++) {
        uint64_t start = clock_monotonic_ns();

        op(driver);
        samples_add(&samples, clock_monotonic_ns() - start);
    }
    cpu = cpu_of(driver) - cpu;
    (void) printf("{");
    samples_print(&samples);
    (void) printf(",\"cpu_ns\":%" PRIu64 "}\n", cpu);
    samples_fini(&samples);
}

/* ---- a flood ---- */

/* What every byte of the stream must be: zeros, or the lines of yes(1). */
struct flood {
    const char *name;
    const char *script; /* the number of bytes comes behind it */
    const char *unit;
    size_t unit_length;
};

static const struct flood floods[] = {
    {"flood-zeros", "dd if=/dev/zero bs=64k 2>/dev/null | head -c ", "\0", 1},
    {"flood-lines", "yes 0123456789abcdef0123456789abcde | head -c ",
     "0123456789abcdef0123456789abcde\n", 32},
};

static int open_fifo(const struct driver *driver, const char *name)
{
    scoped(freep) char *path = xformat("%s%s", driver->root, name);
    int fd;

    (void) unlink(path);
    if (mkfifo(path, 0600) < 0)
        die("mkfifo '%s': %s", path, strerror(errno));
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        die("open '%s': %s", path, strerror(errno));
    (void) fcntl(fd, F_SETPIPE_SZ, CHUNK);
    return fd;
}

/* Long enough for a chunk that begins anywhere in a unit. */
static char *expected_bytes(const struct flood *flood)
{
    char *bytes = xalloc(CHUNK + 64);

    for (size_t i = 0; i < CHUNK + 64; i++)
        bytes[i] = flood->unit[i % flood->unit_length];
    return bytes;
}

/* Reads to the end, or dies at the first wrong byte. */
static uint64_t drain(struct driver *driver, int fd, const struct flood *flood)
{
    scoped(freep) char *expected = expected_bytes(flood);
    scoped(freep) char *chunk = xalloc(CHUNK);
    uint64_t got = 0, since = clock_monotonic_ms();

    while (got < driver->count) {
        ssize_t n = read(fd, chunk, CHUNK);

        if (n > 0) {
            if (memcmp(chunk, expected + got % flood->unit_length, (size_t) n) != 0)
                die("a wrong byte among %" PRIu64 " to %" PRIu64, got, got + (uint64_t) n);
            got += (uint64_t) n;
            since = clock_monotonic_ms();
            continue;
        }
        if (clock_monotonic_ms() - since > FLOOD_SILENCE_MS)
            die("only %" PRIu64 " bytes came", got);
        target_turn(&driver->target, 1);
    }
    return got;
}

static void run_flood(struct driver *driver, const struct flood *flood)
{
    struct target *target = &driver->target;
    scoped(freep) char *args = xformat("\"/bin/sh\",\"-c\",\"%s%" PRIu64 "\"", flood->script,
                                       driver->count);
    scoped(freep) char *process = process_json(args);
    scoped(freep) char *errors = xformat("%s.err", driver->fifo);
    scoped(closep) int fd = open_fifo(driver, driver->fifo), error_fd = open_fifo(driver, errors);
    const char *id = target_exec(target, process, driver->fifo, errors);
    uint64_t start, took, cpu = cpu_of(driver);
    char extra;

    target_start(target, id);
    start = clock_monotonic_ns();
    uint64_t got = drain(driver, fd, flood);
    took = clock_monotonic_ns() - start;
    cpu = cpu_of(driver) - cpu;
    (void) target_wait(target, id);
    target_delete(target, id);
    if (read(fd, &extra, 1) > 0 || read(error_fd, &extra, 1) > 0)
        die("more bytes than were written");
    (void) printf("{\"bytes\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"cpu_ns\":%" PRIu64 "}\n", got, took,
                  cpu);
}

/* ---- */

static const struct {
    const char *name;
    void (*op)(struct driver *driver);
} operations[] = {
    {"connect", op_connect}, {"state", op_state}, {"stats", op_stats},
    {"kill", op_kill},       {"exec", op_exec},
};

static void options_parse(struct driver *driver, int argc, char **argv)
{
    static const struct option table[] = {
        {"socket", required_argument, NULL, 's'},  {"task", required_argument, NULL, 't'},
        {"service", required_argument, NULL, 'S'}, {"pid", required_argument, NULL, 'p'},
        {"warm", required_argument, NULL, 'w'},    {"fifo", required_argument, NULL, 'f'},
        {"root", required_argument, NULL, 'r'},    {NULL, 0, NULL, 0},
    };
    int option;

    driver->root = "";
    driver->target.service = "containerd.task.v3.Task";
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (option) {
        case 's':
            driver->socket = optarg;
            break;
        case 't':
            driver->target.task = optarg;
            break;
        case 'S':
            driver->target.service = optarg;
            break;
        case 'p':
            driver->pid = (pid_t) strtol(optarg, NULL, 10);
            break;
        case 'w':
            driver->warm = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            driver->fifo = optarg;
            break;
        case 'r':
            driver->root = optarg;
            break;
        default:
            die("%s", usage);
        }
    }
    if (!driver->socket || !driver->target.task || !driver->fifo || optind != argc - 2)
        die("%s", usage);
    driver->count = strtoull(argv[optind + 1], NULL, 10);
}

static void run(struct driver *driver, const char *operation)
{
    for (size_t i = 0; i < ARRAY_LENGTH(floods); i++) {
        if (text_equal(operation, floods[i].name))
            return run_flood(driver, &floods[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(operations); i++) {
        if (text_equal(operation, operations[i].name))
            return repeat(driver, operations[i].op);
    }
    die("%s", usage);
}

int main(int argc, char *argv[])
{
    scoped(freep) char *socket = NULL;
    struct driver driver = {0};

    (void) signal(SIGPIPE, SIG_IGN);
    options_parse(&driver, argc, argv);
    socket = xformat("%s%s", driver.root, driver.socket);
    target_open(&driver.target, socket);
    run(&driver, argv[optind]);
    target_close(&driver.target);
    return EXIT_SUCCESS;
}
