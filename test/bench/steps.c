/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what one turn of a process's event loop costs: every instruction of its first thread, by
 * single steps. No simulator, no counters of the processor: the real process, exact on a noisy
 * machine, some hundred thousand steps per second. A turn is what lies between two epoll_wait().
 *
 *   bench-steps PID TURNS [PROFILE]
 *
 * says "ready" when it is attached, and after TURNS turns a line of JSON with medians. PROFILE gets
 * a line "OBJECT OFFSET COUNT" for each address. */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "samples.h"

enum { PLACES = 1 << 16, OBJECTS_MAX = 2048 };

/* One address: how often it ran, and what it is. */
struct place {
    uint64_t address, count;
    bool is_syscall, is_allocator;
};

struct object {
    uint64_t from, to, offset;
    char path[256];
};

struct turn {
    uint64_t steps, syscalls, allocations;
};

struct steps {
    pid_t pid;
    struct place *places; /* a hash table */
    struct object objects[OBJECTS_MAX];
    size_t object_count;
    uint64_t allocators[4];
    struct turn turn;
    struct samples counts[3]; /* as struct turn */
    bool in_turn;
};

static _Noreturn void die(const char *what)
{
    (void) fprintf(stderr, "bench-steps: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* ---- where things are ---- */

static void read_objects(struct steps *steps)
{
    char path[64], line[512];
    FILE *maps;

    (void) snprintf(path, sizeof(path), "/proc/%d/maps", (int) steps->pid);
    maps = fopen(path, "re");
    if (!maps)
        die(path);
    while (steps->object_count < OBJECTS_MAX && fgets(line, sizeof(line), maps)) {
        struct object *object = &steps->objects[steps->object_count];

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %255s", &object->from,
                   &object->to, &object->offset, object->path) == 4)
            steps->object_count++;
    }
    (void) fclose(maps);
}

static const struct object *object_of(const struct steps *steps, uint64_t address)
{
    for (size_t i = 0; i < steps->object_count; i++) {
        if (address >= steps->objects[i].from && address < steps->objects[i].to)
            return &steps->objects[i];
    }
    return NULL;
}

/* Both processes run the same C library, at different places. */
static void find_allocators(struct steps *steps)
{
    static const char *const names[] = {"malloc", "calloc", "realloc", "posix_memalign"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        void *here = dlsym(RTLD_DEFAULT, names[i]);
        Dl_info info;

        if (!here || !dladdr(here, &info))
            die("the C library");
        for (size_t j = 0; j < steps->object_count; j++) {
            const struct object *object = &steps->objects[j];

            if (object->offset == 0 && strstr(object->path, "/libc.so"))
                steps->allocators[i] = object->from +
                                       ((uintptr_t) here - (uintptr_t) info.dli_fbase);
        }
    }
}

static struct place *place_of(struct steps *steps, uint64_t address)
{
    size_t at = (address * 0x9e3779b97f4a7c15u) >> 48;
    struct place *place;

    while (steps->places[at].address && steps->places[at].address != address)
        at = (at + 1) % PLACES;
    place = &steps->places[at];
    if (place->address)
        return place;
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, steps->pid, (void *) (uintptr_t) address, NULL);
    place->address = address;
    place->is_syscall = errno == 0 && (code & 0xffff) == 0x050f;
    for (size_t i = 0; i < ARRAY_LENGTH(steps->allocators); i++)
        place->is_allocator |= steps->allocators[i] == address;
    return place;
}

/* ---- stepping ---- */

/* Until the next stop; false: the process has ended. */
static bool step(struct steps *steps)
{
    static int signal_to_deliver;
    int status;

    if (ptrace(PTRACE_SINGLESTEP, steps->pid, NULL, (void *) (intptr_t) signal_to_deliver) < 0)
        return false;
    if (waitpid(steps->pid, &status, __WALL) < 0 || !WIFSTOPPED(status))
        return false;
    signal_to_deliver = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    return true;
}

static void end_turn(struct steps *steps)
{
    if (steps->in_turn) {
        samples_add(&steps->counts[0], steps->turn.steps);
        samples_add(&steps->counts[1], steps->turn.syscalls);
        samples_add(&steps->counts[2], steps->turn.allocations);
    }
    steps->in_turn = true;
    steps->turn = (struct turn){0};
}

/* A repeated string instruction stops at each of its rounds: it counts once. */
static void count(struct steps *steps, const struct user_regs_struct *regs)
{
    static uint64_t last;
    struct place *place;

    if (regs->rip == last)
        return;
    last = regs->rip;
    place = place_of(steps, regs->rip);
    if (place->is_syscall && (regs->rax == SYS_epoll_wait || regs->rax == SYS_epoll_pwait))
        end_turn(steps);
    if (steps->in_turn)
        place->count++;
    steps->turn.steps++;
    steps->turn.syscalls += place->is_syscall;
    steps->turn.allocations += place->is_allocator;
}

static void attach(struct steps *steps)
{
    int status;

    if (ptrace(PTRACE_SEIZE, steps->pid, NULL, NULL) < 0 ||
        ptrace(PTRACE_INTERRUPT, steps->pid, NULL, NULL) < 0 ||
        waitpid(steps->pid, &status, __WALL) < 0)
        die("attach");
}

static void run(struct steps *steps, size_t turns)
{
    struct user_regs_struct regs;

    while (steps->counts[0].count < turns && step(steps)) {
        if (ptrace(PTRACE_GETREGS, steps->pid, NULL, &regs) < 0)
            die("registers");
        count(steps, &regs);
    }
    (void) ptrace(PTRACE_DETACH, steps->pid, NULL, NULL);
}

/* ---- the result ---- */

static void print_profile(const struct steps *steps, const char *path)
{
    FILE *out = fopen(path, "we");

    if (!out)
        die(path);
    for (size_t i = 0; i < PLACES; i++) {
        const struct place *place = &steps->places[i];
        const struct object *object = object_of(steps, place->address);

        if (place->count > 0 && object)
            (void) fprintf(out, "%s %" PRIx64 " %" PRIu64 "\n", object->path,
                           place->address - object->from + object->offset, place->count);
    }
    (void) fclose(out);
}

int main(int argc, char *argv[])
{
    static const char *const names[] = {"instructions", "syscalls", "allocations"};
    static struct steps steps;
    size_t turns;

    if (argc != 3 && argc != 4) {
        (void) fprintf(stderr, "usage: bench-steps PID TURNS [PROFILE]\n");
        return EXIT_FAILURE;
    }
    steps.pid = (pid_t) strtol(argv[1], NULL, 10);
    turns = strtoull(argv[2], NULL, 10);
    steps.places = xnew_array(struct place, PLACES);
    for (int i = 0; i < 3; i++)
        samples_init(&steps.counts[i], turns);
    read_objects(&steps);
    find_allocators(&steps);
    attach(&steps);
    (void) puts("ready");
    (void) fflush(stdout);
    run(&steps, turns);
    (void) printf("{\"turns\":%zu", steps.counts[0].count);
    for (int i = 0; i < 3; i++)
        (void) printf(",\"%s\":%" PRIu64, names[i], samples_quantile(&steps.counts[i], 0.5));
    (void) printf("}\n");
    if (argc == 4)
        print_profile(&steps, argv[3]);
    for (int i = 0; i < 3; i++)
        samples_fini(&steps.counts[i]);
    free(steps.places);
    return EXIT_SUCCESS;
}
