/* SPDX-License-Identifier: Apache-2.0 */
#include "io/netlink_message.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/netlink.h"

enum { RECEIVE_MAX = 32 * 1024, ANSWER_TIMEOUT_S = 5 };

struct netlink {
    int fd;
    uint32_t sequence;
};

static struct nlmsghdr *header_of(struct netlink_message *message)
{
    return (struct nlmsghdr *) (void *) message->bytes;
}

void netlink_message_init(struct netlink_message *message, uint16_t type, uint16_t flags,
                          const void *head, size_t head_length)
{
    memset(message, 0, sizeof *message);
    header_of(message)->nlmsg_type = type;
    header_of(message)->nlmsg_flags = (uint16_t) (flags | NLM_F_REQUEST);
    memcpy(message->bytes + NLMSG_HDRLEN, head, head_length);
    message->length = NLMSG_HDRLEN + NLMSG_ALIGN(head_length);
}

/* What we send is small and of our own making: an overflow is a bug. */
void netlink_put(struct netlink_message *message, uint16_t type, const void *data, size_t length)
{
    struct nlattr head = {.nla_len = (uint16_t) (NLA_HDRLEN + length), .nla_type = type};

    assert(message->length + NLA_HDRLEN + NLA_ALIGN(length) <= sizeof message->bytes);
    memcpy(message->bytes + message->length, &head, sizeof head);
    if (length)
        memcpy(message->bytes + message->length + NLA_HDRLEN, data, length);
    message->length += NLA_HDRLEN + NLA_ALIGN(length);
}

void netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t value)
{
    netlink_put(message, type, &value, sizeof value);
}

void netlink_put_text(struct netlink_message *message, uint16_t type, const char *text)
{
    netlink_put(message, type, text, strlen(text) + 1);
}

size_t netlink_nest(struct netlink_message *message, uint16_t type)
{
    size_t mark = message->length;

    netlink_put(message, type, NULL, 0);
    return mark;
}

void netlink_end(struct netlink_message *message, size_t mark)
{
    struct nlattr *head = (struct nlattr *) (void *) (message->bytes + mark);

    head->nla_len = (uint16_t) (message->length - mark);
}

static const void *find_attribute(const uint8_t *at, size_t left, uint16_t type, size_t least)
{
    while (left >= NLA_HDRLEN) {
        struct nlattr head;

        memcpy(&head, at, sizeof head);
        if (head.nla_len < NLA_HDRLEN || head.nla_len > left)
            return NULL;
        if ((head.nla_type & NLA_TYPE_MASK) == type)
            return head.nla_len - (size_t) NLA_HDRLEN >= least ? at + NLA_HDRLEN : NULL;
        if ((size_t) NLA_ALIGN(head.nla_len) > left)
            return NULL;
        at += NLA_ALIGN(head.nla_len);
        left -= NLA_ALIGN(head.nla_len);
    }
    return NULL;
}

const void *netlink_attribute(const struct nlmsghdr *header, size_t head_length, uint16_t type,
                              size_t least)
{
    size_t offset = NLMSG_HDRLEN + NLMSG_ALIGN(head_length);

    if (header->nlmsg_len < offset)
        return NULL;
    return find_attribute((const uint8_t *) header + offset, header->nlmsg_len - offset, type,
                          least);
}

/* 0: it is done. The kernel's own sentence (extended acknowledgement) beats the errno alone. */
static int acknowledged(const struct nlmsghdr *header, struct error *err)
{
    const struct nlmsgerr *answer = NLMSG_DATA(header);
    size_t offset = NLMSG_HDRLEN + sizeof *answer;
    const char *sentence = NULL;

    if (header->nlmsg_len < offset)
        return error_set(err, STATUS_INTERNAL, "rtnetlink: short acknowledgement");
    if (answer->error == 0)
        return 0;
    if (!(header->nlmsg_flags & NLM_F_CAPPED) && answer->msg.nlmsg_len > NLMSG_HDRLEN)
        offset += NLMSG_ALIGN(answer->msg.nlmsg_len) - NLMSG_HDRLEN;
    if (header->nlmsg_flags & NLM_F_ACK_TLVS && header->nlmsg_len > offset)
        sentence = find_attribute((const uint8_t *) header + offset, header->nlmsg_len - offset,
                                  NLMSGERR_ATTR_MSG, 2);
    if (sentence)
        return error_errno(err, -answer->error, "rtnetlink: %.120s", sentence);
    return error_errno(err, -answer->error, "rtnetlink");
}

enum outcome { OUTCOME_MORE, OUTCOME_DONE, OUTCOME_FAILED };

static enum outcome take_message(const struct nlmsghdr *header, netlink_answer_fn *answer,
                                 void *user, struct error *err)
{
    switch (header->nlmsg_type) {
    case NLMSG_ERROR:
        return acknowledged(header, err) < 0 ? OUTCOME_FAILED : OUTCOME_DONE;
    case NLMSG_DONE:
        return OUTCOME_DONE;
    case NLMSG_NOOP:
        return OUTCOME_MORE;
    default:
        if (answer)
            answer(user, header);
        return OUTCOME_MORE;
    }
}

static int receive(struct netlink *netlink, netlink_answer_fn *answer, void *user,
                   struct error *err)
{
    scoped(freep) uint8_t *bytes = xalloc(RECEIVE_MAX);
    bool torn = false;

    for (;;) {
        ssize_t got = recv(netlink->fd, bytes, RECEIVE_MAX, MSG_TRUNC);
        const struct nlmsghdr *header = (const struct nlmsghdr *) (void *) bytes;
        size_t left;

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "rtnetlink: receive");
        if (got > RECEIVE_MAX)
            return error_set(err, STATUS_INTERNAL, "rtnetlink: answer of %zd bytes", got);
        for (left = (size_t) got; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
            enum outcome outcome;

            if (header->nlmsg_seq != netlink->sequence)
                continue; /* the rest of an answer that was given up */
            /* Read to its end nevertheless: the kernel starts no other dump before. */
            torn = torn || header->nlmsg_flags & NLM_F_DUMP_INTR;
            outcome = take_message(header, answer, user, err);
            if (outcome == OUTCOME_DONE && torn)
                return error_set(err, STATUS_ABORTED,
                                 "rtnetlink: the list changed while it was read");
            if (outcome != OUTCOME_MORE)
                return outcome == OUTCOME_DONE ? 0 : -1;
        }
    }
}

int netlink_transact(struct netlink *netlink, struct netlink_message *message,
                     netlink_answer_fn *answer, void *user, struct error *err)
{
    struct nlmsghdr *header = header_of(message);

    if ((header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
        header->nlmsg_flags |= NLM_F_ACK;
    header->nlmsg_len = (uint32_t) message->length;
    header->nlmsg_seq = ++netlink->sequence;
    while (send(netlink->fd, message->bytes, message->length, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "rtnetlink: send");
    return receive(netlink, answer, user, err);
}

static int open_socket(struct error *err)
{
    const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    const int one = 1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return error_errno(err, errno, "rtnetlink socket");
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    (void) setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
    (void) setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
    return fd;
}

/* A socket belongs for ever to the namespace in which it was made. */
static int open_socket_in(int netns_fd, struct error *err)
{
    scoped(closep) int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    int fd;

    if (home < 0)
        return error_errno(err, errno, "open our own network namespace");
    if (setns(netns_fd, CLONE_NEWNET) < 0)
        return error_errno(err, errno, "enter a network namespace");
    fd = open_socket(err);
    /* Going on in somebody else's namespace would be worse than ending here. */
    if (setns(home, CLONE_NEWNET) < 0)
        abort();
    return fd;
}

int netlink_open(int netns_fd, struct netlink **ret, struct error *err)
{
    int fd = netns_fd < 0 ? open_socket(err) : open_socket_in(netns_fd, err);
    struct netlink *netlink;

    if (fd < 0)
        return -1;
    netlink = xnew(struct netlink);
    netlink->fd = fd;
    *ret = netlink;
    return 0;
}

void netlink_close(struct netlink *netlink)
{
    if (!netlink)
        return;
    closep(&netlink->fd);
    free(netlink);
}
