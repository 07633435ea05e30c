/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dial_out.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/guest_disk.h"
#include "base/text.h"

static bool is_unspecified(const struct dial_out *to)
{
    static const uint8_t zero[16];

    return memcmp(to->address, zero, sizeof(zero)) == 0;
}

static bool is_link_local(const struct dial_out *to)
{
    return to->family == AF_INET6 && to->address[0] == 0xfe && (to->address[1] & 0xc0) == 0x80;
}

int dial_out_check(const struct dial_out *to, struct error *err)
{
    const char *fault = guest_address_fault(to->family, to->address);

    if (!fault && is_link_local(to))
        fault = "a link-local address";
    if (fault)
        return error_set(err, STATUS_INVALID_ARGUMENT, "dial-out is %s", fault);
    if (!to->port || is_unspecified(to))
        return error_set(err, STATUS_INVALID_ARGUMENT, "dial-out to nowhere");
    return 0;
}

int dial_out_make(const char *address, uint16_t port, struct dial_out *ret, struct error *err)
{
    struct dial_out to = {.port = port};

    if (inet_pton(AF_INET, address, to.address) == 1)
        to.family = AF_INET;
    else if (inet_pton(AF_INET6, address, to.address) == 1)
        to.family = AF_INET6;
    else
        return error_set(err, STATUS_INVALID_ARGUMENT, "dial-out: '%.64s' is no numeric address",
                         address);
    if (dial_out_check(&to, err) < 0)
        return -1;
    *ret = to;
    return 0;
}

static int malformed(struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "dial-out is neither ADDRESS:PORT nor [ADDRESS]:PORT");
}

int dial_out_parse(const char *text, struct dial_out *ret, struct error *err)
{
    char address[DIAL_OUT_TEXT_SIZE];
    bool brackets = text[0] == '[';
    const char *colon;
    size_t length;
    uint64_t port;

    if (strnlen(text, DIAL_OUT_TEXT_SIZE) == DIAL_OUT_TEXT_SIZE || !(colon = strrchr(text, ':')))
        return malformed(err);
    length = (size_t) (colon - text);
    if (!text_to_u64(colon + 1, &port) || port > UINT16_MAX || length == 0 ||
        (brackets && (length < 3 || text[length - 1] != ']')))
        return malformed(err);
    if (brackets) {
        text++;
        length -= 2;
    }
    memcpy(address, text, length);
    address[length] = '\0';
    if ((strchr(address, ':') != NULL) != brackets)
        return malformed(err);
    return dial_out_make(address, (uint16_t) port, ret, err);
}

void dial_out_print(const struct dial_out *to, char ret[DIAL_OUT_TEXT_SIZE])
{
    char address[INET6_ADDRSTRLEN] = "";

    (void) inet_ntop(to->family, to->address, address, sizeof(address));
    (void) snprintf(ret, DIAL_OUT_TEXT_SIZE, to->family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
                    to->port);
}

void dial_out_print_address(const struct dial_out *to, char ret[DIAL_OUT_TEXT_SIZE])
{
    ret[0] = '\0';
    (void) inet_ntop(to->family, to->address, ret, DIAL_OUT_TEXT_SIZE);
}

unsigned dial_out_socket_address(const struct dial_out *to, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *) ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) ret;

    memset(ret, 0, sizeof(*ret));
    if (to->family == AF_INET) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(to->port);
        memcpy(&v4->sin_addr, to->address, sizeof(v4->sin_addr));
        return sizeof(*v4);
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(to->port);
    memcpy(&v6->sin6_addr, to->address, sizeof(v6->sin6_addr));
    return sizeof(*v6);
}
