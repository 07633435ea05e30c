/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "secure/offers.h"

enum {
    NOTSENT_BYTES = 128 * 1024,
    USER_TIMEOUT_MS = 20 * 1000,
    REPLACEABLE_TIMEOUT_MS = 3000,
    KEEPALIVE_S = 5,
};

struct place {
    struct sockaddr_storage address;
    socklen_t length;
};

static bool parse_ip(const char *text, uint16_t port, struct place *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *) &ret->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &ret->address;

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        ret->length = sizeof(*v4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        ret->length = sizeof(*v6);
        return true;
    }
    return false;
}

static int connect_to(const struct place *place, int *ret_fd, struct error *err)
{
    scoped(closep) int fd = socket(place->address.ss_family,
                                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return error_errno(err, errno, "socket");
    if (connect(fd, (const struct sockaddr *) &place->address, place->length) < 0 &&
        errno != EINPROGRESS)
        return error_errno(err, errno, "connect");
    transport_tune(fd);
    *ret_fd = take_fd(fd);
    return 0;
}

static int open_tcp(const struct endpoint *endpoint, int *ret_fd, struct error *err)
{
    struct place place;

    if (!parse_ip(endpoint->address, endpoint->port, &place))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is no IP address", endpoint->address);
    return connect_to(&place, ret_fd, err);
}

static int open_unix(const struct endpoint *endpoint, int *ret_fd, struct error *err)
{
    struct place place = {.length = sizeof(struct sockaddr_un)};
    struct sockaddr_un *address = (struct sockaddr_un *) &place.address;

    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, endpoint->address,
           strnlen(endpoint->address, sizeof(address->sun_path) - 1));
    return connect_to(&place, ret_fd, err);
}

static int open_relay(const struct endpoint *endpoint, int *ret_fd, struct error *err)
{
    return endpoint->address[0] == '/' ? open_unix(endpoint, ret_fd, err)
                                       : open_tcp(endpoint, ret_fd, err);
}

/* Nobody can be called: whoever dials in comes by the offers. */
static int open_offered(const struct endpoint *endpoint, int *ret_fd, struct error *err)
{
    if (!endpoint->offers)
        return error_set(err, STATUS_FAILED_PRECONDITION, "nothing listens for guests to dial in");
    *ret_fd = -1;
    return 0;
}

const struct transport transport_direct = {"direct", open_tcp};
const struct transport transport_relay = {"relay", open_relay};
const struct transport transport_dial_out = {"dial-out", open_offered};

static const struct transport *const transports[] = {&transport_direct, &transport_relay};

int endpoint_make(const char *transport, const char *address, uint16_t port, struct endpoint *ret,
                  struct error *err)
{
    struct endpoint endpoint = {.port = port};
    struct place place;

    for (size_t i = 0; i < ARRAY_LENGTH(transports); i++)
        if (text_equal(transport, transports[i]->name))
            endpoint.transport = transports[i];
    if (!endpoint.transport)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no transport '%s' (direct, relay)",
                         transport);
    if (text_format(endpoint.address, sizeof(endpoint.address), err, "%s", address) < 0)
        return error_wrap(err, "address of the guest");
    if (endpoint.transport == &transport_relay && address[0] == '/') {
        endpoint.port = 0;
    } else if (!parse_ip(address, port, &place) || port == 0) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' port %u is no numeric address",
                         address, port);
    }
    *ret = endpoint;
    return 0;
}

int endpoint_make_offered(struct offers *offers, const char *address, struct endpoint *ret,
                          struct error *err)
{
    struct endpoint endpoint = {
        .transport = &transport_dial_out, .port = offers_port(offers), .offers = offers};

    if (text_format(endpoint.address, sizeof(endpoint.address), err, "%s", address) < 0)
        return error_wrap(err, "address for guests to dial");
    *ret = endpoint;
    return 0;
}

int endpoint_open(const struct endpoint *endpoint, int *ret_fd, struct error *err)
{
    if (endpoint->transport->open(endpoint, ret_fd, err) < 0)
        return error_wrap(err, "reach %s port %u (%s)", endpoint->address, endpoint->port,
                          endpoint->transport->name);
    return 0;
}

int endpoint_finish(const struct endpoint *endpoint, int fd, struct error *err)
{
    int failure = 0;
    socklen_t length = sizeof(failure);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0)
        failure = errno;
    if (failure)
        return error_errno(err, failure, "reach %s port %u (%s)", endpoint->address, endpoint->port,
                           endpoint->transport->name);
    return 0;
}

struct option {
    int level, name, value;
};

static void set_options(int fd, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void) setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                          sizeof(options[i].value));
}

void transport_tune(int fd)
{
    static const struct option options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S},
        {IPPROTO_TCP, TCP_KEEPCNT, 3},
    };

    set_options(fd, options, ARRAY_LENGTH(options));
}

void transport_tune_replaceable(int fd)
{
    static const struct option options[] = {
        {IPPROTO_TCP, TCP_USER_TIMEOUT, REPLACEABLE_TIMEOUT_MS},
        {IPPROTO_TCP, TCP_KEEPIDLE, 1},
        {IPPROTO_TCP, TCP_KEEPINTVL, 1},
    };

    set_options(fd, options, ARRAY_LENGTH(options));
}
