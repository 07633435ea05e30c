/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "io/replay.h"
#include "io/shuttle.h"

static enum shuttle_result receive(int fd, uint8_t *data, size_t length, size_t *filled,
                                   struct error *err)
{
    while (*filled < length) {
        ssize_t n = recv(fd, data + *filled, length - *filled, MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return SHUTTLE_LATER;
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return SHUTTLE_ENDED;
        if (n < 0) {
            error_errno(err, errno, "receive a message");
            return SHUTTLE_FAILED;
        }
        *filled += (size_t) n;
    }
    return SHUTTLE_DONE;
}

/* Never past the message, so that each lies in a room of its own. */
static enum shuttle_result read_socket(void *user, uint8_t *data, size_t *filled, struct error *err)
{
    int fd = *(const int *) user;
    uint32_t length;
    enum shuttle_result result;

    if (*filled < REPLAY_MESSAGE_MIN) {
        result = receive(fd, data, REPLAY_MESSAGE_MIN, filled, err);
        if (result != SHUTTLE_DONE)
            return result;
    }
    memcpy(&length, data, sizeof(length));
    if (length >= REPLAY_MESSAGE_MIN && length <= REPLAY_MESSAGE_MAX)
        return receive(fd, data, length, filled, err);
    error_set(err, STATUS_INVALID_ARGUMENT, "a message of %u bytes", length);
    return SHUTTLE_FAILED;
}

/* Its length was the peer's to say twice: what it says of itself is what the server goes by. */
static int check_length(const uint8_t *data, size_t length, struct error *err)
{
    uint32_t said;

    memcpy(&said, data, sizeof(said));
    if (said == length)
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "a message of %zu bytes says that it has %u",
                     length, said);
}

static enum shuttle_result write_socket(void *user, const uint8_t *data, size_t length,
                                        size_t *written, struct error *err)
{
    int fd = *(const int *) user;

    if (check_length(data, length, err) < 0)
        return SHUTTLE_FAILED;
    while (*written < length) {
        ssize_t n = send(fd, data + *written, length - *written, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return SHUTTLE_LATER;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return SHUTTLE_ENDED;
        if (n < 0) {
            error_errno(err, errno, "send a message");
            return SHUTTLE_FAILED;
        }
        *written += (size_t) n;
    }
    return SHUTTLE_DONE;
}

const struct shuttle_end shuttle_socket = {.read = read_socket, .write = write_socket};
