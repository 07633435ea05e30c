/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One request that somebody waits for. The handler owns it until exactly one call_reply() or
 * call_fail*(); it may do that at once, later, or hours later (park it). When the connection ends
 * or the deadline passes the call is "gone": answering it is still the handler's duty, the answer
 * then goes nowhere. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct ProtobufCMessage;
struct call;

void *call_user(const struct call *call);            /* what was registered with the table */
const char *call_service(const struct call *call);   /* "containerd.task.v3.Task" */
const char *call_method(const struct call *call);    /* "Create" */
const char *call_namespace(const struct call *call); /* of the metadata; NULL if none or invalid */
const void *call_request(const struct call *call); /* the message; lives until the answer, and until
                                                      its handler returns */
uint64_t call_left_ms(const struct call *call);    /* until the deadline; UINT64_MAX: none */
bool call_is_gone(const struct call *call);

/* message is of the method's reply type and stays the caller's; NULL: an empty message. */
void call_reply(struct call *call, const void *message);
/* The same, packed already (ttrpc/wire.h). */
void call_reply_packed(struct call *call, const uint8_t *packed, size_t length);
void call_fail(struct call *call, enum status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void call_fail_with(struct call *call, const struct error *err);

typedef void call_gone_fn(void *user, struct call *call);
/* fn runs once if the call becomes gone (at once if it is already); it may answer the call. NULL
 * takes the wish back. */
void call_on_gone(struct call *call, call_gone_fn *fn, void *user);

/* Calls that wait for the same thing (Wait). A parked call that becomes gone leaves by itself. */
struct call_list {
    struct call *first;
    struct call *last;
};

void call_park(struct call_list *list, struct call *call);
/* The oldest, which is the caller's to answer again; NULL if none. */
struct call *call_unpark(struct call_list *list);
