/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One worker thread: jobs go in on the loop, run in order on the thread, come back on the loop. */

struct error;
struct layer_queue;
struct loop;

struct layer_job {
    struct layer_job *next;
    void (*run)(struct layer_job *job);  /* on the worker */
    void (*done)(struct layer_job *job); /* on the loop; may free the job */
};

int layer_queue_new(struct loop *loop, struct layer_queue **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Waits for the job that runs now. Jobs that have not run or not come back get their done() here,
 * so that nothing is lost. */
void layer_queue_free(struct layer_queue *queue);
void layer_queue_submit(struct layer_queue *queue, struct layer_job *job);
