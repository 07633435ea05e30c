/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Inside io/ only: one rtnetlink request, built by hand, and its answer. */
#include <stddef.h>
#include <stdint.h>

struct error;
struct netlink;
struct nlmsghdr;

enum { NETLINK_MESSAGE_MAX = 2048 };

struct netlink_message {
    _Alignas(8) uint8_t bytes[NETLINK_MESSAGE_MAX];
    size_t length;
};

/* head: ifinfomsg, ifaddrmsg, rtmsg or tcmsg. */
void netlink_message_init(struct netlink_message *message, uint16_t type, uint16_t flags,
                          const void *head, size_t head_length);
void netlink_put(struct netlink_message *message, uint16_t type, const void *data, size_t length);
void netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t value);
void netlink_put_text(struct netlink_message *message, uint16_t type, const char *text);
size_t netlink_nest(struct netlink_message *message, uint16_t type); /* a mark for netlink_end() */
void netlink_end(struct netlink_message *message, size_t mark);

/* The attribute of a type in a received message behind a head of that length; NULL if absent or
 * shorter than `least`. */
const void *netlink_attribute(const struct nlmsghdr *header, size_t head_length, uint16_t type,
                              size_t least);
/* Each answer that is not an acknowledgement. */
typedef void netlink_answer_fn(void *user, const struct nlmsghdr *header);

/* Sends, then reads up to the acknowledgement or the end of the dump. ABORTED: what was listed
 * changed meanwhile; what the answers said is worth nothing. */
int netlink_transact(struct netlink *netlink, struct netlink_message *message,
                     netlink_answer_fn *answer, void *user, struct error *err)
    __attribute__((warn_unused_result));
