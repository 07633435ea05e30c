/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* gRPC C core on the loop. gRPC has threads of its own; one thread of ours sits in the completion
 * queue and hands each finished operation to the loop, so that every callback of this directory
 * runs on the loop thread. The names here begin with rpc_, because grpc_ belongs to the library.
 *
 * One queue serves all channels and servers of a program. Do not fork without exec after it
 * exists. */

struct error;
struct loop;
struct rpc_queue;

int rpc_queue_new(struct loop *loop, struct rpc_queue **ret, struct error *err)
    __attribute__((warn_unused_result));
/* All channels, calls and servers on it have been freed before; waits until gRPC let go of them. */
void rpc_queue_free(struct rpc_queue *queue);
static inline void rpc_queue_freep(struct rpc_queue **p)
{
    if (*p)
        rpc_queue_free(*p);
}
