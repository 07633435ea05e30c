/* SPDX-License-Identifier: Apache-2.0 */
#include "note.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_LOST = 255 };

static void send_packet(struct msghdr *header)
{
    while (sendmsg(BLOCK_FD_SOCKET, header, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            _exit(EXIT_LOST);
    }
}

void note_send(enum block_note note, int32_t value, const char *text)
{
    struct block_message message = {.note = note, .value = value};
    struct iovec data = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

    (void) snprintf(message.text, sizeof(message.text), "%s", text);
    send_packet(&header);
}

void note_send_fd(int fd)
{
    struct block_message message = {.note = BLOCK_MASTER};
    struct iovec data = {.iov_base = &message, .iov_len = sizeof(message)};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr header = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    send_packet(&header);
}

void note_fail(int errnum, const char *fmt, ...)
{
    char text[BLOCK_TEXT_MAX];
    size_t length;
    va_list args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    length = strlen(text);
    if (errnum)
        (void) snprintf(text + length, sizeof(text) - length, ": %s", strerror(errnum));
    note_send(BLOCK_FAILED, errnum, text);
    _exit(EXIT_LOST);
}

void note_await_go(void)
{
    ssize_t n;
    char byte;

    do
        n = recv(BLOCK_FD_SOCKET, &byte, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(EXIT_LOST);
}
