/* SPDX-License-Identifier: Apache-2.0 */
#include "attester_queue.h"

#include <stdbool.h>
#include <string.h>

#include "attest/wire.h"
#include "attester.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/scoped.h"
#include "evidence/evidence.h"
#include "io/child.h"
#include "io/loop.h"
#include "secure/appraisal.h"
#include "secure/maker.h"

struct job {
    struct attester_queue *queue;
    struct job *next;
    struct maker_order order;
    bool cancelled; /* it runs, but nobody waits for it */
    uint8_t digest[EVIDENCE_DIGEST_MAX];
};

struct attester_queue {
    struct loop *loop;
    struct attester_question question;
    const struct evidence_type *type;
    struct maker maker;
    struct job *first; /* those that wait */
    size_t count;      /* those and the one that runs */
    struct job *running;
    struct child *child; /* asks for it */
    struct source *again;
    uint64_t allowance_ms, counted_ms;
};

/* ---- how often ------------------------------------------------------------------------------- */

/* 0: now; else in so long. */
static uint64_t delay_ms(struct attester_queue *queue)
{
    const uint64_t most = (uint64_t) ATTESTER_BURST * ATTESTER_INTERVAL_MS;
    uint64_t now = clock_monotonic_ms();

    queue->allowance_ms += now - queue->counted_ms;
    queue->counted_ms = now;
    if (queue->allowance_ms > most)
        queue->allowance_ms = most;
    if (queue->allowance_ms < ATTESTER_INTERVAL_MS)
        return ATTESTER_INTERVAL_MS - queue->allowance_ms;
    queue->allowance_ms -= ATTESTER_INTERVAL_MS;
    return 0;
}

/* ---- one question ---------------------------------------------------------------------------- */

static void run_next(struct attester_queue *queue);

static int read_part(struct reader *reader, struct writer *to)
{
    uint32_t length = reader_u32(reader);
    const uint8_t *bytes = reader_bytes(reader, length);

    if (bytes)
        writer_bytes(to, bytes, length);
    return bytes && !to->failed ? 0 : -1;
}

static int read_answer(const struct child_result *result, struct evidence_output *output,
                       struct error *err)
{
    struct reader reader;
    char reason[256];

    if (result->wait_status != 0 || result->overflowed) {
        child_explain(result, reason, sizeof(reason));
        return error_set(err, STATUS_UNAVAILABLE, "evidence: %s",
                         result->timed_out ? "the hardware took too long" : reason);
    }
    reader_init(&reader, result->output, result->output_length);
    if (read_part(&reader, &output->evidence) < 0 ||
        read_part(&reader, &output->endorsements) < 0 ||
        read_part(&reader, &output->event_log) < 0 || !reader_complete(&reader))
        return error_set(err, STATUS_INTERNAL, "evidence: an answer of another shape");
    return 0;
}

static void tell(struct job *job, const struct evidence_output *output, const struct error *err)
{
    if (!job->cancelled)
        job->order.made(job->order.user, err ? NULL : output, err);
    free(job);
}

/* Whoever is told may place the next order. */
static void on_answer(void *user, const struct child_result *result)
{
    struct attester_queue *queue = user;
    scoped(evidence_output_fini) struct evidence_output output;
    struct job *job = take_ptr(queue->running);
    struct error err;

    appraisal_output_init(&output);
    int rc = read_answer(result, &output, &err);
    queue->count--;
    child_free(take_ptr(queue->child));
    run_next(queue);
    tell(job, &output, rc < 0 ? &err : NULL);
}

static void on_again(void *user)
{
    run_next(user);
}

static int ask(struct attester_queue *queue, const struct job *job, struct error *err)
{
    static const char *const environment[] = {NULL};
    const struct child_options options = {
        .argv = queue->question.argv,
        .environment = environment,
        .input = job->digest,
        .input_length = queue->question.digest_size,
        .output_limit = ATTEST_OUTPUT_MAX,
        .deadline_ms = ATTESTER_DEADLINE_MS,
    };

    return child_start(queue->loop, &options, on_answer, queue, &queue->child, err);
}

static void run_next(struct attester_queue *queue)
{
    struct job *job = queue->first;
    struct error err;
    uint64_t delay;

    if (queue->running || !job)
        return;
    delay = delay_ms(queue);
    if (delay) {
        source_rearm(queue->again, delay);
        return;
    }
    queue->first = job->next;
    queue->running = job;
    if (ask(queue, job, &err) == 0)
        return;
    queue->running = NULL;
    queue->count--;
    source_rearm(queue->again, 0);
    tell(job, NULL, &err);
}

/* ---- maker ----------------------------------------------------------------------------------- */

/* Not run from here: an order is never answered before it is taken. */
static int start(void *context, const struct maker_order *order, void **ret_job, struct error *err)
{
    struct attester_queue *queue = context;
    struct job *job, **end = &queue->first;

    if (queue->count >= ATTESTER_QUEUE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "evidence for %d others is being made already", ATTESTER_QUEUE_MAX);
    job = xnew(struct job);
    job->queue = queue;
    job->order = *order;
    job->order.request = NULL;
    queue->type->digest(order->request->statement, EVIDENCE_STATEMENT_SIZE, job->digest);
    while (*end)
        end = &(*end)->next;
    *end = job;
    queue->count++;
    if (!queue->running && queue->first == job)
        source_rearm(queue->again, 0);
    *ret_job = job;
    return 0;
}

/* One that runs is stopped, but a driver may keep it: until it has ended no other is asked for. */
static void cancel(void *user)
{
    struct job *job = user;
    struct attester_queue *queue = job->queue;

    if (queue->running == job) {
        job->cancelled = true;
        child_kill(queue->child);
        return;
    }
    for (struct job **at = &queue->first; *at; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            break;
        }
    }
    queue->count--;
    free(job);
}

int attester_queue_new(struct loop *loop, const struct attester_question *question,
                       struct attester_queue **ret, struct error *err)
{
    struct attester_queue *queue = xnew(struct attester_queue);

    queue->loop = loop;
    queue->question = *question;
    queue->type = evidence_find_name(question->argv[2]);
    queue->maker = (struct maker){start, cancel, queue};
    queue->allowance_ms = (uint64_t) ATTESTER_BURST * ATTESTER_INTERVAL_MS;
    queue->counted_ms = clock_monotonic_ms();
    if (!queue->type || loop_after(loop, LOOP_NEVER, on_again, queue, &queue->again, err) < 0) {
        bool known = queue->type != NULL;

        free(queue);
        return known ? -1
                     : error_set(err, STATUS_UNIMPLEMENTED, "evidence type %s is not in this build",
                                 question->argv[2]);
    }
    *ret = queue;
    return 0;
}

void attester_queue_free(struct attester_queue *queue)
{
    if (!queue)
        return;
    child_free(queue->child);
    free(queue->running);
    while (queue->first) {
        struct job *job = queue->first;

        queue->first = job->next;
        free(job);
    }
    source_free(queue->again);
    free(queue);
}

const struct maker *attester_queue_maker(const struct attester_queue *queue)
{
    return &queue->maker;
}
