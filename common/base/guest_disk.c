/* SPDX-License-Identifier: Apache-2.0 */
#include "base/guest_disk.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"

/* CLEAVNET: magic[8], u32 version, mac[6], u16 mtu, u8 addresses, u8 routes, u8 dial-out, u8 0; two
 * addresses {family (4, 6), prefix, u16 0, address[16], gateway[16]}; sixteen routes {family,
 * prefix, u16 0, destination[16], gateway[16]}; dial-out {family, u8 0, u16 port, address[16]};
 * zeros. CLEAVINI: magic[8], u32 version, u32 length, the bytes, zeros to a whole block. */
enum { DISK_VERSION = 1, INITDATA_HEADER = GUEST_DISK_MAGIC_SIZE + 4 + 4 };

static const char net_magic[GUEST_DISK_MAGIC_SIZE] = {'C', 'L', 'E', 'A', 'V', 'N', 'E', 'T'};
static const char initdata_magic[GUEST_DISK_MAGIC_SIZE] = {'C', 'L', 'E', 'A', 'V', 'I', 'N', 'I'};

static size_t family_bytes(int family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

static bool all_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i])
            return false;
    return true;
}

/* A broader route (0.0.0.0/0) may cover loopback: the kernel's local table is asked first. */
const char *guest_address_fault(int family, const uint8_t address[16])
{
    if (!family_bytes(family))
        return "no address family";
    if (family == AF_INET) {
        if (address[0] == 127)
            return "a loopback address";
        if (address[0] >= 224)
            return "a multicast or reserved address";
        return all_zero(address + 4, 12) ? NULL : "bytes behind an IPv4 address";
    }
    if (address[0] == 0xff)
        return "a multicast address";
    if (all_zero(address, 15) && address[15] == 1)
        return "a loopback address";
    if (all_zero(address, 10) && address[10] == 0xff && address[11] == 0xff)
        return "an IPv4 address inside IPv6";
    return NULL;
}

static bool host_bits(int family, const uint8_t *address, unsigned prefix)
{
    for (unsigned bit = prefix; bit < family_bytes(family) * 8; bit++)
        if (address[bit / 8] & (0x80 >> bit % 8))
            return true;
    return false;
}

static int check_place(const char *what, int family, const uint8_t address[16], struct error *err)
{
    const char *fault = guest_address_fault(family, address);

    if (fault)
        return error_set(err, STATUS_INVALID_ARGUMENT, "network block: %s is %s", what, fault);
    return 0;
}

static int check_address(const struct guest_address *address, struct error *err)
{
    if (check_place("address", address->family, address->address, err) < 0 ||
        check_place("gateway", address->family, address->gateway, err) < 0)
        return -1;
    if (all_zero(address->address, 16))
        return error_set(err, STATUS_INVALID_ARGUMENT, "network block: an address is all zero");
    if (address->prefix == 0 || address->prefix > family_bytes(address->family) * 8)
        return error_set(err, STATUS_INVALID_ARGUMENT, "network block: address with prefix %u",
                         address->prefix);
    return 0;
}

static int check_route(const struct guest_route *route, struct error *err)
{
    if (check_place("route", route->family, route->destination, err) < 0 ||
        check_place("gateway of a route", route->family, route->gateway, err) < 0)
        return -1;
    if (route->prefix > family_bytes(route->family) * 8 ||
        host_bits(route->family, route->destination, route->prefix))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "network block: route with prefix %u has bits behind it", route->prefix);
    return 0;
}

static int check_link(const struct guest_net *net, struct error *err)
{
    uint16_t smallest = 576;

    for (size_t i = 0; i < net->address_count; i++)
        if (net->addresses[i].family == AF_INET6)
            smallest = 1280;
    if (net->mtu < smallest)
        return error_set(err, STATUS_INVALID_ARGUMENT, "network block: mtu %u, at least %u",
                         net->mtu, smallest);
    if (net->mac[0] & 1 || all_zero(net->mac, sizeof(net->mac)))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "network block: not a station's MAC address");
    return 0;
}

static int check_dial_out(const struct dial_out *to, struct error *err)
{
    if (!to->family) {
        if (to->port || !all_zero(to->address, sizeof(to->address)))
            return error_set(err, STATUS_INVALID_ARGUMENT, "network block: dial-out half given");
        return 0;
    }
    return dial_out_check(to, err) < 0 ? error_wrap(err, "network block") : 0;
}

static uint8_t wire_family(int family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0;
}

/* -1 is no family, which the check refuses by name. */
static int read_family(struct reader *reader)
{
    uint8_t family = reader_u8(reader);

    return family == 4 ? AF_INET : family == 6 ? AF_INET6 : family == 0 ? 0 : -1;
}

static void write_route(struct writer *writer, const struct guest_route *route)
{
    writer_u8(writer, wire_family(route->family));
    writer_u8(writer, route->prefix);
    writer_u16(writer, 0);
    writer_bytes(writer, route->destination, 16);
    writer_bytes(writer, route->gateway, 16);
}

static bool read_route(struct reader *reader, struct guest_route *ret)
{
    ret->family = read_family(reader);
    ret->prefix = reader_u8(reader);
    bool zero = reader_u16(reader) == 0;
    reader_copy(reader, ret->destination, 16);
    reader_copy(reader, ret->gateway, 16);
    return zero;
}

static bool route_is_empty(const struct guest_route *route)
{
    static const struct guest_route none;

    return route->family == 0 && route->prefix == 0 &&
           memcmp(route->destination, none.destination, 16) == 0 &&
           memcmp(route->gateway, none.gateway, 16) == 0;
}

/* An address has the layout of a route. */
static bool read_addresses(struct reader *reader, struct guest_net *net)
{
    bool good = true;

    for (size_t i = 0; i < GUEST_NET_ADDRESSES_MAX; i++) {
        struct guest_route entry = {0};

        good &= read_route(reader, &entry);
        good &= i < net->address_count || route_is_empty(&entry);
        if (i >= net->address_count)
            continue;
        net->addresses[i].family = entry.family;
        net->addresses[i].prefix = entry.prefix;
        memcpy(net->addresses[i].address, entry.destination, 16);
        memcpy(net->addresses[i].gateway, entry.gateway, 16);
    }
    return good;
}

static bool read_routes(struct reader *reader, struct guest_net *net)
{
    bool good = true;

    for (size_t i = 0; i < GUEST_NET_ROUTES_MAX; i++) {
        struct guest_route entry = {0};

        good &= read_route(reader, &entry);
        good &= i < net->route_count || route_is_empty(&entry);
        if (i < net->route_count)
            net->routes[i] = entry;
    }
    return good;
}

enum guest_disk_type guest_disk_type(const void *data, size_t size)
{
    if (size >= GUEST_DISK_MAGIC_SIZE && memcmp(data, net_magic, GUEST_DISK_MAGIC_SIZE) == 0)
        return GUEST_DISK_NET;
    if (size >= GUEST_DISK_MAGIC_SIZE && memcmp(data, initdata_magic, GUEST_DISK_MAGIC_SIZE) == 0)
        return GUEST_DISK_INITDATA;
    return GUEST_DISK_OTHER;
}

int guest_net_check(const struct guest_net *net, struct error *err)
{
    if (net->address_count > GUEST_NET_ADDRESSES_MAX || net->route_count > GUEST_NET_ROUTES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "network block: more than %d addresses or %d routes",
                         GUEST_NET_ADDRESSES_MAX, GUEST_NET_ROUTES_MAX);
    if (check_link(net, err) < 0 || check_dial_out(&net->dial_out, err) < 0)
        return -1;
    for (size_t i = 0; i < net->address_count; i++)
        if (check_address(&net->addresses[i], err) < 0)
            return -1;
    for (size_t i = 0; i < net->route_count; i++)
        if (check_route(&net->routes[i], err) < 0)
            return -1;
    return 0;
}

int guest_net_write(const struct guest_net *net, uint8_t ret[GUEST_DISK_BLOCK], struct error *err)
{
    static const struct guest_route none;
    struct writer writer;

    if (guest_net_check(net, err) < 0)
        return -1;
    writer_init(&writer, GUEST_DISK_BLOCK);
    writer_bytes(&writer, net_magic, sizeof(net_magic));
    writer_u32(&writer, DISK_VERSION);
    writer_bytes(&writer, net->mac, sizeof(net->mac));
    writer_u16(&writer, net->mtu);
    writer_u8(&writer, (uint8_t) net->address_count);
    writer_u8(&writer, (uint8_t) net->route_count);
    writer_u8(&writer, net->dial_out.family != 0);
    writer_u8(&writer, 0);
    for (size_t i = 0; i < GUEST_NET_ADDRESSES_MAX; i++) {
        struct guest_route entry = {0};

        if (i < net->address_count) {
            entry.family = net->addresses[i].family;
            entry.prefix = net->addresses[i].prefix;
            memcpy(entry.destination, net->addresses[i].address, 16);
            memcpy(entry.gateway, net->addresses[i].gateway, 16);
        }
        write_route(&writer, &entry);
    }
    for (size_t i = 0; i < GUEST_NET_ROUTES_MAX; i++)
        write_route(&writer, i < net->route_count ? &net->routes[i] : &none);
    writer_u8(&writer, wire_family(net->dial_out.family));
    writer_u8(&writer, 0);
    writer_u16(&writer, net->dial_out.port);
    writer_bytes(&writer, net->dial_out.address, 16);
    writer_zeros(&writer, GUEST_DISK_BLOCK - writer.size);
    memcpy(ret, writer.data, GUEST_DISK_BLOCK);
    writer_fini(&writer);
    return 0;
}

int guest_net_parse(const void *data, size_t size, struct guest_net *ret, struct error *err)
{
    struct guest_net net = {0};
    struct reader reader;

    if (size != GUEST_DISK_BLOCK || guest_disk_type(data, size) != GUEST_DISK_NET)
        return error_set(err, STATUS_INVALID_ARGUMENT, "network block: no CLEAVNET block");
    reader_init(&reader, data, size);
    reader_bytes(&reader, GUEST_DISK_MAGIC_SIZE);
    if (reader_u32(&reader) != DISK_VERSION)
        return error_set(err, STATUS_INVALID_ARGUMENT, "network block: unknown version");
    reader_copy(&reader, net.mac, sizeof(net.mac));
    net.mtu = reader_u16(&reader);
    net.address_count = reader_u8(&reader);
    net.route_count = reader_u8(&reader);
    uint8_t dials = reader_u8(&reader);
    bool good = reader_u8(&reader) == 0 && dials <= 1;
    if (net.address_count > GUEST_NET_ADDRESSES_MAX || net.route_count > GUEST_NET_ROUTES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "network block: too many entries");
    good &= read_addresses(&reader, &net);
    good &= read_routes(&reader, &net);
    net.dial_out.family = read_family(&reader);
    good &= reader_u8(&reader) == 0 && dials == (net.dial_out.family != 0);
    net.dial_out.port = reader_u16(&reader);
    reader_copy(&reader, net.dial_out.address, 16);
    size_t rest = reader_left(&reader);
    const uint8_t *zeros = reader_bytes(&reader, rest);
    if (!good || reader.failed || !all_zero(zeros, rest))
        return error_set(err, STATUS_INVALID_ARGUMENT, "network block: unused bytes are not zero");
    if (guest_net_check(&net, err) < 0)
        return -1;
    *ret = net;
    return 0;
}

int guest_initdata_write(const void *initdata, size_t length, uint8_t **ret, size_t *ret_size,
                         struct error *err)
{
    struct writer writer;

    if (length == 0 || length > GUEST_INITDATA_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "initdata of %zu bytes, at most %d", length,
                         GUEST_INITDATA_MAX);
    writer_init(&writer, GUEST_INITDATA_DISK_MAX);
    writer_bytes(&writer, initdata_magic, sizeof(initdata_magic));
    writer_u32(&writer, DISK_VERSION);
    writer_u32(&writer, (uint32_t) length);
    writer_bytes(&writer, initdata, length);
    writer_zeros(&writer, (GUEST_DISK_BLOCK - writer.size % GUEST_DISK_BLOCK) % GUEST_DISK_BLOCK);
    *ret_size = writer.size;
    *ret = xmemdup(writer.data, writer.size);
    writer_fini(&writer);
    return 0;
}

int guest_initdata_parse(const void *data, size_t size, const uint8_t **ret, size_t *ret_length,
                         struct error *err)
{
    struct reader reader;

    if (guest_disk_type(data, size) != GUEST_DISK_INITDATA)
        return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: no CLEAVINI disk");
    reader_init(&reader, data, size);
    reader_bytes(&reader, GUEST_DISK_MAGIC_SIZE);
    uint32_t version = reader_u32(&reader);
    uint32_t length = reader_u32(&reader);
    if (reader.failed || version != DISK_VERSION)
        return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: unknown version of the disk");
    if (length == 0 || length > GUEST_INITDATA_MAX || length > reader_left(&reader))
        return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: the disk says %u bytes", length);
    const uint8_t *bytes = reader_bytes(&reader, length);
    if (!all_zero(bytes + length, reader_left(&reader)))
        return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: bytes behind it on the disk");
    *ret = bytes;
    *ret_length = length;
    return 0;
}
