/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One blob from this node to the guest, out of the content store or made of a tree of files, from
 * where an earlier transfer stopped. */
#include <stdbool.h>
#include <stdint.h>
#include "base/scoped.h"

struct content;
struct error;
struct link;
struct link_call;
struct loop;
struct push;
struct rpc_channel;

enum { PUSH_BUCKET = 1024 * 1024 }; /* what lengths on the wire are rounded up to */

struct push_blob {
    const char *digest;
    const char *media_type;
    const char *diff_id;
    uint64_t size;
    uint64_t offset;        /* what the guest has */
    uint64_t unpacked_size; /* a hint, 0: unknown */
};

struct push_options {
    struct content *content;
    const char *tree; /* instead of content; see tree.h */
    struct loop *loop;
    struct rpc_channel *bulk;
    struct push_blob blob; /* its strings outlive the push */
    bool pad;
};

/* Once; err NULL: the guest has verified and unpacked it. May free the push. */
typedef void push_done_fn(void *user, const struct error *err);

int push_new(const struct push_options *options, push_done_fn *done, void *user, struct push **ret,
             struct error *err) must_check;
/* Did it end because this node's content store does not have the blob? For the done function. */
bool push_content_is_gone(const struct push *push);
void push_free(struct push *push);
SCOPED_PTR(struct push, push_free)

/* How many bytes hide the length of a blob of this size. */
uint64_t push_padding(uint64_t size);

struct push_state {
    const char *digest;
    bool complete;
    uint64_t received;
};
typedef void push_states_fn(void *user, const struct push_state *states, size_t count,
                            const struct error *err);
/* What the guest has of these. Repeats itself over reconnects; user stays the caller's. */
struct link_call *push_ask(struct link *link, const char *const *digests, size_t count,
                           push_states_fn *done, void *user);
