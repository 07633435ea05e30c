/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where a guest dials: "192.0.2.1:7433" or "[2001:db8::1]:7433" in the annotation
 * cleave.dev/dial-out and on the helper's pipe, three fields in the network block. Numeric only,
 * and never a place inside the guest. */
#include <stdint.h>

struct error;
struct sockaddr_storage;

enum { DIAL_OUT_TEXT_SIZE = 64 };

struct dial_out {
    int family; /* AF_INET, AF_INET6; 0: none */
    uint16_t port;
    uint8_t address[16]; /* IPv4: the first four bytes */
};

/* Refuses port 0, the unspecified address, loopback, multicast, link-local (it names no link) and
 * IPv4 inside IPv6. */
int dial_out_check(const struct dial_out *to, struct error *err)
    __attribute__((warn_unused_result));
/* A numeric address; checked. */
int dial_out_make(const char *address, uint16_t port, struct dial_out *ret, struct error *err)
    __attribute__((warn_unused_result));
/* The whole text; checked. */
int dial_out_parse(const char *text, struct dial_out *ret, struct error *err)
    __attribute__((warn_unused_result));
/* Of one that is good: the whole text, the address alone. */
void dial_out_print(const struct dial_out *to, char ret[DIAL_OUT_TEXT_SIZE]);
void dial_out_print_address(const struct dial_out *to, char ret[DIAL_OUT_TEXT_SIZE]);
/* Its length. */
unsigned dial_out_socket_address(const struct dial_out *to, struct sockaddr_storage *ret);
