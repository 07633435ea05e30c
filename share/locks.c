/* SPDX-License-Identifier: Apache-2.0 */
#include "locks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/file.h>

#include "base/error.h"
#include "base/scoped.h"

enum { WAKE = SIGUSR1, REPEAT_MS = 20, STACK_SIZE = 64 * 1024 };

/* Belongs to the loop's thread, but for what the waiting thread reads (cancelled) and tells
 * (result, then finished). */
struct waiter {
    bool used;
    int fd; /* of its own: the guest may close its handle meanwhile */
    int operation;
    int event;
    uint64_t unique;
    pthread_t thread;
    atomic_bool cancelled;
    atomic_bool finished;
    int result;
};

struct locks {
    int event;
    struct waiter waiter[LOCKS_WAITERS_MAX];
};

static void interrupt_only(int number)
{
    (void) number;
}

int locks_new(struct locks **ret, struct error *err)
{
    const struct sigaction action = {.sa_handler = interrupt_only}; /* flock() ends with EINTR */
    struct locks *locks;
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (event < 0)
        return error_errno(err, errno, "make an event descriptor");
    if (sigaction(WAKE, &action, NULL) < 0) {
        (void) close(event);
        return error_errno(err, errno, "catch a signal");
    }
    locks = xnew(struct locks);
    locks->event = event;
    *ret = locks;
    return 0;
}

static void *wait_for_lock(void *user)
{
    struct waiter *waiter = user;
    const uint64_t one = 1;
    int failed;

    do {
        failed = flock(waiter->fd, waiter->operation) < 0 ? -errno : 0;
    } while (failed == -EINTR && !atomic_load(&waiter->cancelled));
    waiter->result = failed;
    atomic_store(&waiter->finished, true);
    (void) !write(waiter->event, &one, sizeof(one));
    return NULL;
}

static struct waiter *find_free(struct locks *locks)
{
    for (size_t i = 0; i < LOCKS_WAITERS_MAX; i++)
        if (!locks->waiter[i].used)
            return &locks->waiter[i];
    return NULL;
}

static int start_thread(struct waiter *waiter)
{
    pthread_attr_t attributes;
    int failed;

    (void) pthread_attr_init(&attributes);
    (void) pthread_attr_setstacksize(&attributes, STACK_SIZE);
    failed = pthread_create(&waiter->thread, &attributes, wait_for_lock, waiter);
    (void) pthread_attr_destroy(&attributes);
    return -failed;
}

int locks_wait(struct locks *locks, int fd, int operation, uint64_t unique)
{
    struct waiter *waiter = find_free(locks);
    int failed;

    if (!waiter)
        return -ENOLCK;
    *waiter = (struct waiter){.operation = operation, .event = locks->event, .unique = unique};
    waiter->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (waiter->fd < 0)
        return -errno;
    failed = start_thread(waiter);
    if (failed < 0) {
        (void) close(waiter->fd);
        return failed;
    }
    waiter->used = true;
    return 0;
}

/* A signal that comes just before flock() is lost, so it is repeated: locks_timeout(). */
static void wake(struct waiter *waiter)
{
    atomic_store(&waiter->cancelled, true);
    (void) pthread_kill(waiter->thread, WAKE);
}

void locks_interrupt(struct locks *locks, uint64_t unique)
{
    for (size_t i = 0; i < LOCKS_WAITERS_MAX; i++)
        if (locks->waiter[i].used && locks->waiter[i].unique == unique)
            wake(&locks->waiter[i]);
}

int locks_fd(const struct locks *locks)
{
    return locks->event;
}

int locks_timeout(const struct locks *locks)
{
    for (size_t i = 0; i < LOCKS_WAITERS_MAX; i++)
        if (locks->waiter[i].used && atomic_load(&locks->waiter[i].cancelled))
            return REPEAT_MS;
    return -1;
}

static void end(struct waiter *waiter)
{
    (void) pthread_join(waiter->thread, NULL);
    (void) close(waiter->fd);
    waiter->used = false;
}

void locks_collect(struct locks *locks, locks_done_fn *done, void *user)
{
    uint64_t count;

    (void) !read(locks->event, &count, sizeof(count));
    for (size_t i = 0; i < LOCKS_WAITERS_MAX; i++) {
        struct waiter *waiter = &locks->waiter[i];

        if (!waiter->used)
            continue;
        if (atomic_load(&waiter->finished)) {
            end(waiter);
            done(user, waiter->unique, waiter->result);
        } else if (atomic_load(&waiter->cancelled)) {
            wake(waiter);
        }
    }
}

static void ignore(void *user, uint64_t unique, int failed)
{
    (void) user;
    (void) unique;
    (void) failed;
}

static bool any_left(const struct locks *locks)
{
    for (size_t i = 0; i < LOCKS_WAITERS_MAX; i++)
        if (locks->waiter[i].used)
            return true;
    return false;
}

void locks_free(struct locks *locks)
{
    struct pollfd event = {.events = POLLIN};

    if (!locks)
        return;
    for (size_t i = 0; i < LOCKS_WAITERS_MAX; i++)
        if (locks->waiter[i].used)
            wake(&locks->waiter[i]);
    event.fd = locks->event;
    while (any_left(locks)) {
        (void) poll(&event, 1, REPEAT_MS);
        locks_collect(locks, ignore, NULL);
    }
    (void) close(locks->event);
    free(locks);
}
