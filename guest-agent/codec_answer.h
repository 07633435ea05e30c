/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Answers of calls that carry an idempotency key: between the messages of the wire and the table of
 * remembered answers. */

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct error;
struct idempotency_entry;
struct rpc;

struct answer_call {
    struct rpc *rpc;
    const struct ProtobufCMessage *request;
    const char *key;
    const char *scope; /* as of idempotency.h */
    const struct ProtobufCMessageDescriptor *reply;
};

/* NULL: rpc has been taken care of. Else do the work, then give the one answer; the caller may be
 * gone by then. */
struct idempotency_entry *answer_begin(const struct answer_call *call);
void answer_reply(struct idempotency_entry *entry, const struct ProtobufCMessage *reply);
void answer_fail(struct idempotency_entry *entry, const struct error *err);
