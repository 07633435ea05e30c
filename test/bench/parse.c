/* SPDX-License-Identifier: Apache-2.0 */
/* What judging evidence costs besides its signatures: parser and policy, and the walk of an event
 * log of 64 KiB that is made here.
 *
 *   bench-parse SPECIMEN WHAT TURNS
 *
 * WHAT: snp, tdx, log, evidence (tdx and log), replay (log, hashed). Prints the CPU time of a turn
 * as JSON, then does nothing but such turns, each behind an epoll_wait(), for bench-steps to count;
 * whoever starts it ends it. */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "evidence/event_replay.h"
#include "evidence/finding.h"
#include "samples.h"
#include "specimen.h"

enum { LOG_SIZE = 64 * 1024, EVENT_DATA = 256 };

static struct specimen specimen;
static uint8_t event_log[LOG_SIZE];
static size_t event_log_size;

static void put(const void *data, size_t size)
{
    memcpy(event_log + event_log_size, data, size);
    event_log_size += size;
}

static void put_le(uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        event_log[event_log_size++] = (uint8_t) (value >> 8 * i);
}

/* Of a TD: SHA-384 alone, as many events as it holds, the rest filled up. */
static void make_log(void)
{
    static const uint8_t zeros[20];
    uint8_t data[EVENT_DATA] = {0}, digest[SHA384_SIZE];

    put_le(0, 4);
    put_le(EVENT_NO_ACTION, 4);
    put(zeros, sizeof(zeros));
    put_le(16 + 12 + 4 + 1, 4);
    put("Spec ID Event03", 16);
    put_le(0, 4);
    put_le(0x02000200, 4);
    put_le(1, 4);
    put_le(EVENT_SHA384 | 48 << 16, 4);
    put_le(0, 1);
    for (unsigned i = 0; event_log_size + 14 + SHA384_SIZE + 4 + EVENT_DATA <= LOG_SIZE; i++) {
        data[0] = (uint8_t) i;
        digest_sha384(data, sizeof(data), digest);
        put_le(1 + i % 3, 4);
        put_le(EVENT_EFI_ACTION, 4);
        put_le(1, 4);
        put_le(EVENT_SHA384, 2);
        put(digest, sizeof(digest));
        put_le(EVENT_DATA, 4);
        put(data, EVENT_DATA);
    }
    memset(event_log + event_log_size, 0xff, LOG_SIZE - event_log_size);
}

static _Noreturn void die(const char *what)
{
    (void) fprintf(stderr, "bench-parse: %s\n", what);
    exit(EXIT_FAILURE);
}

static void turn_snp(void)
{
    specimen_judge_snp(&specimen);
}

static void turn_tdx(void)
{
    specimen_judge_tdx(&specimen);
}

static void turn_log(void)
{
    struct finding finding;
    struct event_log log;
    struct event event;
    int rc = event_log_open(&log, EVENT_LOG_CCEL, event_log, LOG_SIZE, &finding);

    while (rc >= 0 && (rc = event_log_next(&log, &event, &finding)) == 1)
        ;
    if (rc < 0)
        die(finding.text);
}

static void turn_evidence(void)
{
    turn_tdx();
    turn_log();
}

static void turn_replay(void)
{
    struct event_replay replay = {.type = DIGEST_SHA384, .data = EVENT_REPLAY_DATA_CHECKED};
    struct finding finding;
    struct event_log log;

    if (event_log_open(&log, EVENT_LOG_CCEL, event_log, LOG_SIZE, &finding) < 0 ||
        event_replay_run(&replay, &log, &finding) < 0)
        die(finding.text);
}

static const struct {
    const char *name;
    void (*turn)(void);
} kinds[] = {
    {"snp", turn_snp},           {"tdx", turn_tdx},       {"log", turn_log},
    {"evidence", turn_evidence}, {"replay", turn_replay},
};

static uint64_t cpu_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static void measure(void (*turn)(void), size_t turns)
{
    struct samples samples;

    samples_init(&samples, turns);
    for (size_t i = 0; i < turns + turns / 10; i++) {
        uint64_t start = cpu_ns();

        turn();
        if (i >= turns / 10)
            samples_add(&samples, cpu_ns() - start);
    }
    (void) printf("{");
    samples_print(&samples);
    (void) printf("}\n");
    (void) fflush(stdout);
    samples_fini(&samples);
}

static _Noreturn void serve(void (*turn)(void))
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;

    for (;;) {
        (void) epoll_wait(fd, &event, 1, 1);
        turn();
    }
}

int main(int argc, char *argv[])
{
    if (argc != 4)
        die("usage: bench-parse SPECIMEN WHAT TURNS");
    specimen_load(argv[1], &specimen);
    make_log();
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (strcmp(kinds[i].name, argv[2]) != 0)
            continue;
        measure(kinds[i].turn, strtoull(argv[3], NULL, 10));
        serve(kinds[i].turn);
    }
    die("WHAT is snp, tdx, log, evidence or replay");
}
