/* SPDX-License-Identifier: Apache-2.0 */
/* What a host may put on the two disks of a guest, and what not. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/guest_disk.h"
#include "base/scoped.h"
#include "suite.h"

static struct error err;

static void put(const char *text, int *family, uint8_t to[16])
{
    *family = strchr(text, ':') ? AF_INET6 : AF_INET;
    memset(to, 0, 16);
    ck_assert_int_eq(inet_pton(*family, text, to), 1);
}

/* gateway NULL: none. */
static void add_address(struct guest_net *net, const char *text, uint8_t prefix,
                        const char *gateway)
{
    struct guest_address *address = &net->addresses[net->address_count++];
    int family;

    address->prefix = prefix;
    put(text, &address->family, address->address);
    if (gateway)
        put(gateway, &family, address->gateway);
}

static void add_route(struct guest_net *net, const char *text, uint8_t prefix, const char *gateway)
{
    struct guest_route *route = &net->routes[net->route_count++];
    int family;

    route->prefix = prefix;
    put(text, &route->family, route->destination);
    if (gateway)
        put(gateway, &family, route->gateway);
}

static struct guest_net good(void)
{
    struct guest_net net = {.mac = {2, 1, 2, 3, 4, 5}, .mtu = 1500};

    add_address(&net, "10.0.2.15", 24, "10.0.2.2");
    return net;
}

static void accepted(const struct guest_net *net)
{
    uint8_t block[GUEST_DISK_BLOCK];
    struct guest_net back;

    ck_assert_msg(guest_net_write(net, block, &err) == 0, "%s", err.message);
    ck_assert_int_eq(guest_disk_type(block, sizeof(block)), GUEST_DISK_NET);
    ck_assert_msg(guest_net_parse(block, sizeof(block), &back, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(back.address_count, net->address_count);
    ck_assert_uint_eq(back.route_count, net->route_count);
    ck_assert_mem_eq(back.addresses[0].address, net->addresses[0].address, 16);
}

static void refused(const struct guest_net *net, const char *what)
{
    uint8_t block[GUEST_DISK_BLOCK];

    ck_assert_msg(guest_net_check(net, &err) < 0, "accepted: %s", what);
    ck_assert_int_lt(guest_net_write(net, block, &err), 0);
    ck_assert_int_ne(err.message[0], '\0');
}

static const char *const forbidden[] = {
    "127.0.0.1", "127.255.255.254", "224.0.0.1", "239.1.2.3", "255.255.255.255", "0.0.0.0",
    "::1",       "ff02::1",         "ff0e::1",   "::",        "::ffff:10.0.0.1",
};

START_TEST(good_blocks_are_read_back)
{
    struct guest_net net = good();

    accepted(&net);
    add_address(&net, "2001:db8::5", 64, "2001:db8::1");
    accepted(&net);
    for (int i = 0; i < GUEST_NET_ROUTES_MAX; i++)
        add_route(&net, "192.0.2.0", 24, "10.0.2.2");
    accepted(&net);
}
END_TEST

START_TEST(a_place_to_dial_is_read_back)
{
    static const char *const places[] = {"192.0.2.9", "2001:db8::9"};

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        struct guest_net net = good(), back;
        uint8_t block[GUEST_DISK_BLOCK];

        put(places[i], &net.dial_out.family, net.dial_out.address);
        net.dial_out.port = 7433;
        ck_assert_msg(guest_net_write(&net, block, &err) == 0, "%s", err.message);
        ck_assert_msg(guest_net_parse(block, sizeof(block), &back, &err) == 0, "%s", err.message);
        ck_assert_int_eq(back.dial_out.family, net.dial_out.family);
        ck_assert_uint_eq(back.dial_out.port, 7433);
        ck_assert_mem_eq(back.dial_out.address, net.dial_out.address, 16);
    }
}
END_TEST

START_TEST(no_place_to_dial_is_the_guests_own)
{
    struct guest_net net = good();

    put(forbidden[_i], &net.dial_out.family, net.dial_out.address);
    net.dial_out.port = 7433;
    refused(&net, forbidden[_i]);
    net = good();
    put("192.0.2.9", &net.dial_out.family, net.dial_out.address);
    refused(&net, "port 0");
    net.dial_out.family = 0;
    refused(&net, "an address of no family");
}
END_TEST

START_TEST(addresses_of_nobody_are_refused)
{
    struct guest_net net = {.mac = {2, 1, 2, 3, 4, 5}, .mtu = 1500};

    add_address(&net, forbidden[_i], strchr(forbidden[_i], ':') ? 64 : 24, NULL);
    refused(&net, forbidden[_i]);
}
END_TEST

/* An all-zero gateway means that there is none. */
START_TEST(gateways_of_nobody_are_refused)
{
    bool six = strchr(forbidden[_i], ':') != NULL;
    struct guest_net net = {.mac = {2, 1, 2, 3, 4, 5}, .mtu = 1500};
    struct guest_net with_route = good();

    if (strcmp(forbidden[_i], "0.0.0.0") == 0 || strcmp(forbidden[_i], "::") == 0)
        return;
    add_address(&net, six ? "2001:db8::5" : "10.0.2.15", six ? 64 : 24, forbidden[_i]);
    refused(&net, forbidden[_i]);
    if (six)
        add_address(&with_route, "2001:db8::5", 64, NULL);
    add_route(&with_route, six ? "2001:db8:1::" : "192.0.2.0", six ? 48 : 24, forbidden[_i]);
    refused(&with_route, forbidden[_i]);
}
END_TEST

START_TEST(routes_to_what_is_the_guests_own_are_refused)
{
    static const struct {
        const char *destination;
        uint8_t prefix;
    } routes[] = {
        {"127.0.0.0", 8},  {"127.0.0.1", 32},   {"127.64.0.0", 10}, {"224.0.0.0", 4},
        {"239.0.0.0", 8},  {"::1", 128},        {"ff00::", 8},      {"ff02::", 16},
        {"192.0.2.1", 24}, {"2001:db8::1", 64}, {"10.0.0.0", 33},   {"2001:db8::", 129},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        struct guest_net net = good();

        add_address(&net, "2001:db8::5", 64, NULL);
        add_route(&net, routes[i].destination, routes[i].prefix, NULL);
        refused(&net, routes[i].destination);
    }
}
END_TEST

START_TEST(numbers_out_of_range_are_refused)
{
    struct guest_net net = good();

    net.mtu = 575;
    refused(&net, "mtu 575");
    net.mtu = 576;
    accepted(&net);
    add_address(&net, "2001:db8::5", 64, NULL);
    refused(&net, "mtu 576 with IPv6");
    net.mtu = 1280;
    accepted(&net);
    net = good();
    net.addresses[0].prefix = 33;
    refused(&net, "prefix 33");
    net = good();
    net.mac[0] = 3;
    refused(&net, "a group's MAC");
    net = good();
    net.address_count = GUEST_NET_ADDRESSES_MAX + 1;
    refused(&net, "three addresses");
    net = good();
    net.route_count = GUEST_NET_ROUTES_MAX + 1;
    refused(&net, "seventeen routes");
}
END_TEST

/* Every byte has one meaning: a change of any is refused or read as something else. */
START_TEST(no_byte_of_the_block_is_ignored)
{
    const struct guest_net net = good();
    uint8_t block[GUEST_DISK_BLOCK], again[GUEST_DISK_BLOCK];
    struct guest_net back;

    ck_assert_int_eq(guest_net_write(&net, block, &err), 0);
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] ^= 0x41;
        if (guest_net_parse(block, sizeof(block), &back, &err) == 0) {
            ck_assert_int_eq(guest_net_write(&back, again, &err), 0);
            ck_assert_mem_eq(again, block, sizeof(block));
        }
        block[i] ^= 0x41;
    }
    ck_assert_int_lt(guest_net_parse(block, sizeof(block) - 1, &back, &err), 0);
}
END_TEST

START_TEST(initdata_is_bounded_and_padded_with_zeros)
{
    static uint8_t large[GUEST_INITDATA_MAX + 1];
    scoped(freep) uint8_t *disk = NULL;
    const uint8_t *bytes;
    size_t size, length;

    memset(large, 'i', sizeof(large));
    ck_assert_int_lt(guest_initdata_write(large, sizeof(large), &disk, &size, &err), 0);
    ck_assert_int_lt(guest_initdata_write(large, 0, &disk, &size, &err), 0);
    ck_assert_int_eq(guest_initdata_write(large, GUEST_INITDATA_MAX, &disk, &size, &err), 0);
    ck_assert_uint_eq(size % GUEST_DISK_BLOCK, 0);
    ck_assert_int_eq(guest_disk_type(disk, size), GUEST_DISK_INITDATA);
    ck_assert_int_eq(guest_initdata_parse(disk, size, &bytes, &length, &err), 0);
    ck_assert_uint_eq(length, GUEST_INITDATA_MAX);
    ck_assert_mem_eq(bytes, large, length);
    disk[size - 1] = 1; /* behind the bytes */
    ck_assert_int_lt(guest_initdata_parse(disk, size, &bytes, &length, &err), 0);
    disk[size - 1] = 0;
    disk[12] = 0xff; /* the length */
    ck_assert_int_lt(guest_initdata_parse(disk, size, &bytes, &length, &err), 0);
    disk[12] = 0;
    disk[11]++; /* the version */
    ck_assert_int_lt(guest_initdata_parse(disk, size, &bytes, &length, &err), 0);
    ck_assert_int_lt(guest_initdata_parse(disk, 12, &bytes, &length, &err), 0);
}
END_TEST

int main(void)
{
    TCase *tests = suite_case(
        &(struct suite){.name = "guest_disk"},
        (const TTest *[]){good_blocks_are_read_back, a_place_to_dial_is_read_back,
                          routes_to_what_is_the_guests_own_are_refused,
                          numbers_out_of_range_are_refused, no_byte_of_the_block_is_ignored,
                          initdata_is_bounded_and_padded_with_zeros, NULL});

    tcase_add_loop_test(tests, no_place_to_dial_is_the_guests_own, 0, ARRAY_LENGTH(forbidden));
    tcase_add_loop_test(tests, addresses_of_nobody_are_refused, 0, ARRAY_LENGTH(forbidden));
    tcase_add_loop_test(tests, gateways_of_nobody_are_refused, 0, ARRAY_LENGTH(forbidden));
    return suite_run_case("guest_disk", tests);
}
