/* SPDX-License-Identifier: Apache-2.0 */
/* The thread in the completion queue collects tags in a list of its own and wakes the loop by an
 * eventfd once per batch. It is not loop_post() because the queue must be able to run dry after the
 * loop has stopped turning: rpc_queue_free() pumps the same list. */
#include "grpc/queue.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <grpc/grpc.h>
#include <grpc/support/log.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/slice.h"
#include "grpc/tag.h"
#include "io/loop.h"

_Static_assert((int) STATUS_UNAUTHENTICATED == (int) GRPC_STATUS_UNAUTHENTICATED,
               "status is google.rpc.Code");

struct rpc_queue {
    struct loop *loop;
    grpc_completion_queue *raw;
    pthread_t thread;
    int wake_fd;
    struct source *wake;
    unsigned held;

    pthread_mutex_t lock; /* guards the list */
    struct rpc_tag *first;
    struct rpc_tag **last;
};

static void push(struct rpc_queue *queue, struct rpc_tag *tag, bool ok)
{
    bool was_empty;

    tag->ok = ok;
    tag->next = NULL;
    pthread_mutex_lock(&queue->lock);
    was_empty = queue->first == NULL;
    *queue->last = tag;
    queue->last = &tag->next;
    pthread_mutex_unlock(&queue->lock);
    if (was_empty)
        (void) eventfd_write(queue->wake_fd, 1);
}

static void *run_thread(void *user)
{
    struct rpc_queue *queue = user;

    slice_shorten();
    for (;;) {
        grpc_event event = grpc_completion_queue_next(queue->raw,
                                                      gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type == GRPC_OP_COMPLETE)
            push(queue, event.tag, event.success);
    }
}

static void dispatch(void *user, uint32_t events)
{
    struct rpc_queue *queue = user;
    struct rpc_tag *tag;
    eventfd_t count;

    (void) eventfd_read(queue->wake_fd, &count);
    pthread_mutex_lock(&queue->lock);
    tag = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    pthread_mutex_unlock(&queue->lock);

    while (tag) {
        struct rpc_tag *next = tag->next;

        tag->complete(tag, tag->ok);
        tag = next;
    }
}

static void take_log(gpr_log_func_args *args)
{
    if (args->severity == GPR_LOG_SEVERITY_ERROR)
        log_debug("grpc: %s", args->message);
}

static int start_thread(struct rpc_queue *queue, struct error *err)
{
    sigset_t all, old;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&queue->thread, NULL, run_thread, queue);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r == 0 ? 0 : error_errno(err, r, "start the completion queue's thread");
}

/* gRPC's threads take the signal mask of whoever starts them: all blocked, signals are the loop's.
 */
static void init_library(void)
{
    sigset_t all, old;

    gpr_set_log_function(take_log);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    grpc_init();
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int rpc_queue_new(struct loop *loop, struct rpc_queue **ret, struct error *err)
{
    struct rpc_queue *queue = xnew(struct rpc_queue);

    queue->loop = loop;
    queue->last = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    queue->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->wake_fd < 0) {
        error_errno(err, errno, "make an eventfd");
        goto fail;
    }
    if (loop_watch_fd(loop, queue->wake_fd, LOOP_READ, dispatch, queue, &queue->wake, err) < 0)
        goto fail_fd;
    init_library();
    queue->raw = grpc_completion_queue_create_for_next(NULL);
    if (start_thread(queue, err) < 0)
        goto fail_library;
    *ret = queue;
    return 0;

fail_library:
    grpc_completion_queue_destroy(queue->raw);
    grpc_shutdown();
    source_free(queue->wake);
fail_fd:
    close(queue->wake_fd);
fail:
    pthread_mutex_destroy(&queue->lock);
    free(queue);
    return -1;
}

void rpc_queue_free(struct rpc_queue *queue)
{
    if (!queue)
        return;
    while (queue->held > 0) {
        struct pollfd wait = {.fd = queue->wake_fd, .events = POLLIN};

        (void) poll(&wait, 1, -1);
        dispatch(queue, LOOP_READ);
    }
    grpc_completion_queue_shutdown(queue->raw);
    pthread_join(queue->thread, NULL);
    grpc_completion_queue_destroy(queue->raw);
    source_free(queue->wake);
    close(queue->wake_fd);
    pthread_mutex_destroy(&queue->lock);
    grpc_shutdown();
    free(queue);
}

struct grpc_completion_queue *rpc_queue_raw(struct rpc_queue *queue)
{
    return queue->raw;
}

struct loop *rpc_queue_loop(struct rpc_queue *queue)
{
    return queue->loop;
}

void rpc_queue_hold(struct rpc_queue *queue)
{
    queue->held++;
}

void rpc_queue_drop(struct rpc_queue *queue)
{
    assert(queue->held > 0);
    queue->held--;
}
