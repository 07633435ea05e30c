/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The two small read-only disks that a host gives to a guest: CLEAVNET (the network block, 4 KiB,
 * not measured, not trusted) and CLEAVINI (initdata, measured). The host side writes, the guest
 * side parses; every byte of either has exactly one meaning and what is unused is zero. */
#include <stddef.h>
#include <stdint.h>

#include "base/dial_out.h"

struct error;

enum {
    GUEST_DISK_BLOCK = 4096,
    GUEST_NET_ADDRESSES_MAX = 2,
    GUEST_NET_ROUTES_MAX = 16,
    GUEST_INITDATA_MAX = 16 * 1024,
    /* Header and bytes, rounded up to blocks. */
    GUEST_INITDATA_DISK_MAX = 20 * 1024,
    GUEST_DISK_MAGIC_SIZE = 8,
};

/* The serial number of the third, which the guest may write to and which has no beginning to tell
 * it by: it is empty. */
#define GUEST_DISK_SCRATCH "cleave-scratch"

enum guest_disk_type { GUEST_DISK_OTHER, GUEST_DISK_NET, GUEST_DISK_INITDATA };

struct guest_address {
    int family; /* AF_INET, AF_INET6 */
    uint8_t prefix;
    uint8_t address[16]; /* IPv4: the first four bytes */
    uint8_t gateway[16]; /* of the default route of this family; all zero: none */
};

struct guest_route {
    int family;
    uint8_t prefix;
    uint8_t destination[16]; /* bits beyond the prefix are zero */
    uint8_t gateway[16];     /* all zero: on-link */
};

struct guest_net {
    uint8_t mac[6];
    uint16_t mtu;
    size_t address_count;
    struct guest_address addresses[GUEST_NET_ADDRESSES_MAX];
    size_t route_count;
    struct guest_route routes[GUEST_NET_ROUTES_MAX];
    struct dial_out dial_out; /* family 0: the guest listens */
};

/* By the magic in the first bytes of a disk. */
enum guest_disk_type guest_disk_type(const void *data, size_t size);

/* What the guest keeps for itself or what is no single machine: loopback, multicast, IPv4 inside
 * IPv6, no family; NULL if there is no fault. */
const char *guest_address_fault(int family, const uint8_t address[16]);
/* Refuses loopback and multicast addresses, gateways and routes, IPv4 inside IPv6, an MTU outside
 * 576..65535 (1280 with IPv6), a group MAC address, host bits in a route, a count out of range. */
int guest_net_check(const struct guest_net *net, struct error *err)
    __attribute__((warn_unused_result));
/* Writes the whole block; checks first. */
int guest_net_write(const struct guest_net *net, uint8_t ret[GUEST_DISK_BLOCK], struct error *err)
    __attribute__((warn_unused_result));
/* size is exactly GUEST_DISK_BLOCK. ret is untouched on failure. */
int guest_net_parse(const void *data, size_t size, struct guest_net *ret, struct error *err)
    __attribute__((warn_unused_result));

/* The caller frees *ret; its size is a multiple of GUEST_DISK_BLOCK. */
int guest_initdata_write(const void *initdata, size_t length, uint8_t **ret, size_t *ret_size,
                         struct error *err) __attribute__((warn_unused_result));
/* *ret points into data. The disk may be longer than needed; what is behind the bytes is zero. */
int guest_initdata_parse(const void *data, size_t size, const uint8_t **ret, size_t *ret_length,
                         struct error *err) __attribute__((warn_unused_result));
