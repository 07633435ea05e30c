/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Questions to one device: in their order, one at a time, and no more than so many. */
#include <stddef.h>

struct attester_queue;
struct error;
struct loop;
struct maker;

struct attester_question {
    const char *argv[6]; /* NULL-terminated; borrowed */
    size_t digest_size;  /* of the statement, on its stdin */
};

int attester_queue_new(struct loop *loop, const struct attester_question *question,
                       struct attester_queue **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Orders that are left are not told. */
void attester_queue_free(struct attester_queue *queue);
/* Lives as long as the queue. */
const struct maker *attester_queue_maker(const struct attester_queue *queue);
