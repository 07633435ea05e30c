/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <dirent.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/fd.h"

enum { PASSED_MAX = 4 };

union space {
    struct cmsghdr header;
    char space[CMSG_SPACE(PASSED_MAX * sizeof(int))];
};

static size_t open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void pass(int socket, size_t count)
{
    union space control = {0};
    struct iovec data = {.iov_base = (char[]){'x'}, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &(int){STDIN_FILENO}, sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    ck_assert_int_eq(sendmsg(socket, &message, 0), 1);
}

/* With room for as many as the caller says. */
static int receive(int socket, size_t room)
{
    union space control;
    char byte;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(room * sizeof(int))};

    ck_assert_int_eq(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
    return fd_of_message(&message);
}

START_TEST(only_one_descriptor_is_taken_and_no_other_stays_open)
{
    struct error err;
    size_t before;
    int ends[2];

    ck_assert_int_eq(fd_pair(ends, &err), 0);
    before = open_fds();
    for (size_t count = 0; count <= PASSED_MAX; count++) {
        for (size_t room = 1; room <= PASSED_MAX; room++) {
            int fd;

            pass(ends[0], count);
            fd = receive(ends[1], room);
            ck_assert_int_eq(fd >= 0, count == 1);
            ck_assert_uint_eq(open_fds(), before + (count == 1));
            closep(&fd);
        }
    }
    closep(&ends[0]);
    closep(&ends[1]);
}
END_TEST

int main(void)
{
    return suite_run("fd",
                     (const TTest *[]){only_one_descriptor_is_taken_and_no_other_stays_open, NULL});
}
