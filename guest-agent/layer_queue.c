/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"

struct list {
    struct layer_job *first;
    struct layer_job **end;
};

/* What the loop may still hold when the queue is gone. */
struct mailbox {
    struct layer_queue *queue; /* NULL: gone */
    unsigned refs;             /* under the queue's lock while there is one */
};

struct layer_queue {
    struct loop *loop;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list in, out;
    bool quit, posted;
    struct mailbox *mailbox;
};

static void list_add(struct list *list, struct layer_job *job)
{
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

static struct layer_job *list_take(struct list *list)
{
    struct layer_job *job = list->first;

    if (job) {
        list->first = job->next;
        if (!list->first)
            list->end = &list->first;
    }
    return job;
}

static struct layer_job *list_take_all(struct list *list)
{
    struct layer_job *job = list->first;

    list->first = NULL;
    list->end = &list->first;
    return job;
}

static void all_done(struct layer_job *job)
{
    while (job) {
        struct layer_job *next = job->next;

        job->done(job);
        job = next;
    }
}

static void deliver(void *user)
{
    struct mailbox *mailbox = user;
    struct layer_queue *queue = mailbox->queue;
    struct layer_job *jobs;

    if (!queue) {
        free(mailbox);
        return;
    }
    pthread_mutex_lock(&queue->lock);
    queue->posted = false;
    mailbox->refs--;
    jobs = list_take_all(&queue->out);
    pthread_mutex_unlock(&queue->lock);
    all_done(jobs);
}

static void *work(void *user)
{
    struct layer_queue *queue = user;
    struct layer_job *job;

    pthread_mutex_lock(&queue->lock);
    for (;;) {
        while (!queue->quit && !queue->in.first)
            pthread_cond_wait(&queue->wake, &queue->lock);
        if (queue->quit)
            break;
        job = list_take(&queue->in);
        pthread_mutex_unlock(&queue->lock);
        job->run(job);
        pthread_mutex_lock(&queue->lock);
        list_add(&queue->out, job);
        if (!queue->posted) {
            queue->posted = true;
            queue->mailbox->refs++;
            loop_post(queue->loop, deliver, queue->mailbox);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

int layer_queue_new(struct loop *loop, struct layer_queue **ret, struct error *err)
{
    struct layer_queue *queue = xnew(struct layer_queue);
    sigset_t all, old;

    queue->loop = loop;
    queue->in.end = &queue->in.first;
    queue->out.end = &queue->out.first;
    queue->mailbox = xnew(struct mailbox);
    queue->mailbox->queue = queue;
    queue->mailbox->refs = 1;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->wake, NULL);
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&queue->thread, NULL, work, queue);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r) {
        free(queue->mailbox);
        free(queue);
        return error_errno(err, r, "start the layer store's thread");
    }
    *ret = queue;
    return 0;
}

void layer_queue_free(struct layer_queue *queue)
{
    if (!queue)
        return;
    pthread_mutex_lock(&queue->lock);
    queue->quit = true;
    pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
    pthread_join(queue->thread, NULL);

    struct mailbox *mailbox = queue->mailbox;
    mailbox->queue = NULL;
    if (--mailbox->refs == 0)
        free(mailbox);
    all_done(list_take_all(&queue->out));
    all_done(list_take_all(&queue->in));
    pthread_cond_destroy(&queue->wake);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

void layer_queue_submit(struct layer_queue *queue, struct layer_job *job)
{
    pthread_mutex_lock(&queue->lock);
    list_add(&queue->in, job);
    pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
}
