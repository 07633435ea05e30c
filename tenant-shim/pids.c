/* SPDX-License-Identifier: Apache-2.0 */
#include "pids.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"

enum { STACK_SIZE = 16 * 1024, STACK_SIZE_MAX = 256 * 1024 };

struct parked {
    pthread_t thread;
    sem_t started;
    sem_t leave;
    uint32_t tid;
};

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0)
        ;
}

static void *park(void *user)
{
    struct parked *parked = user;

    parked->tid = (uint32_t) gettid();
    sem_post(&parked->started);
    wait_for(&parked->leave);
    return NULL;
}

/* A library with much thread-local storage makes small stacks impossible: then a larger one. */
static int create(struct parked *parked)
{
    int r = EINVAL;

    for (size_t size = STACK_SIZE; r == EINVAL && size <= STACK_SIZE_MAX; size *= 2) {
        pthread_attr_t attributes;

        if (size < (size_t) PTHREAD_STACK_MIN)
            continue;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, size);
        r = pthread_create(&parked->thread, &attributes, park, parked);
        pthread_attr_destroy(&attributes);
    }
    return r;
}

int parked_new(struct parked **ret, struct error *err)
{
    struct parked *parked = xnew(struct parked);
    sigset_t all, old;
    int r;

    sem_init(&parked->started, 0, 0);
    sem_init(&parked->leave, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the loop's */
    r = create(parked);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r != 0) {
        sem_destroy(&parked->started);
        sem_destroy(&parked->leave);
        free(parked);
        return error_errno(err, r, "park a thread");
    }
    wait_for(&parked->started);
    *ret = parked;
    return 0;
}

uint32_t parked_pid(const struct parked *parked)
{
    return parked->tid;
}

void parked_free(struct parked *parked)
{
    if (!parked)
        return;
    sem_post(&parked->leave);
    pthread_join(parked->thread, NULL);
    sem_destroy(&parked->started);
    sem_destroy(&parked->leave);
    free(parked);
}
