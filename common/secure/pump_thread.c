/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "secure/pump_runner.h"

/* The thread owns the pump while it runs. What it shares with the loop is `stopping`, with `stop`
 * for a thread that waits, and `news`, which says that it is due or has ended. */
struct thread_runner {
    struct pump_runner base;
    pthread_t thread;
    bool started;
    int stop, news;
    struct source *source;
    atomic_bool stopping, due, ended;
    bool failed; /* with err, written before `ended` */
    struct error err;
};

static void tell(int fd)
{
    uint64_t one = 1;

    (void) !write(fd, &one, sizeof(one));
}

static short poll_events(uint32_t wants)
{
    return (short) ((wants & LOOP_READ ? POLLIN : 0) | (wants & LOOP_WRITE ? POLLOUT : 0));
}

/* A descriptor from which nothing is wanted stays out, else its hang-up would spin. False: stop. */
static bool wait_for(struct thread_runner *runner, const struct pump_wants *wants,
                     enum pump_result result)
{
    const struct pump_options *options = &runner->base.pump.options;
    struct pollfd fds[] = {
        {runner->stop, POLLIN, 0},
        {wants->socket ? options->socket : -1, poll_events(wants->socket), 0},
        {wants->plain ? options->plain.fd : -1, poll_events(wants->plain), 0},
    };
    int timeout = wants->timeout_ms ? (int) wants->timeout_ms : -1;

    if (result == PUMP_WAIT && poll(fds, ARRAY_LENGTH(fds), timeout) == 0)
        pump_rest(&runner->base.pump);
    return !atomic_load(&runner->stopping);
}

static void *run(void *user)
{
    struct thread_runner *runner = user;
    struct pump_wants wants;
    enum pump_result result;

    do {
        result = pump_step(&runner->base.pump, &wants, &runner->err);
        if (result == PUMP_LEFT)
            return NULL;
        if (result == PUMP_DONE || result == PUMP_FAILED)
            break;
        if (!atomic_load(&runner->due) && pump_due(&runner->base.pump)) {
            atomic_store(&runner->due, true);
            tell(runner->news);
        }
    } while (wait_for(runner, &wants, result));
    runner->failed = result == PUMP_FAILED;
    atomic_store(&runner->ended, true);
    tell(runner->news);
    return NULL;
}

static void on_news(void *user, uint32_t events)
{
    struct thread_runner *runner = user;
    uint64_t count;

    (void) !read(runner->news, &count, sizeof(count));
    if (atomic_load(&runner->ended)) {
        runner->base.events.ended(runner->base.user, runner->failed ? &runner->err : NULL);
        return; /* it may be gone */
    }
    if (!runner->base.due_told && atomic_load(&runner->due)) {
        runner->base.due_told = true;
        runner->base.events.due(runner->base.user);
    }
}

static void thread_runner_free(struct pump_runner *base)
{
    struct thread_runner *runner = container_of(base, struct thread_runner, base);

    if (runner->started) {
        atomic_store(&runner->stopping, true);
        tell(runner->stop);
        pthread_join(runner->thread, NULL);
    }
    source_freep(&runner->source);
    closep(&runner->stop);
    closep(&runner->news);
    free(runner);
}

/* Signals belong to the loop's thread. */
static int start_thread(struct thread_runner *runner, struct error *err)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&runner->thread, NULL, run, runner);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_errno(err, rc, "start a thread");
    runner->started = true;
    return 0;
}

int pump_run_in_thread(struct loop *loop, const struct pump_options *options,
                       const struct pump_events *events, void *user, struct pump_runner **ret,
                       struct error *err)
{
    struct thread_runner *runner = xnew(struct thread_runner);

    runner->base.pump.options = *options;
    runner->base.events = *events;
    runner->base.user = user;
    runner->base.free = thread_runner_free;
    runner->stop = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    runner->news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int rc = runner->stop < 0 || runner->news < 0 ? error_errno(err, errno, "eventfd") : 0;
    if (rc == 0)
        rc = loop_watch_fd(loop, runner->news, LOOP_READ, on_news, runner, &runner->source, err);
    if (rc == 0)
        rc = start_thread(runner, err);
    if (rc < 0) {
        thread_runner_free(&runner->base);
        return -1;
    }
    *ret = &runner->base;
    return 0;
}

void pump_runner_free(struct pump_runner *runner)
{
    if (runner)
        runner->free(runner);
}
