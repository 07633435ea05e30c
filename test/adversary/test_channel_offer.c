/* SPDX-License-Identifier: Apache-2.0 */
/* Dial-out: the guest connects to the tenant, and so may anybody else; and anybody may listen where
 * the guest was told to dial. Strangers have addresses of their own, 127.0.0.N. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dial_out.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "pair.h"
#include "raw.h"
#include "secure/channel_private.h"
#include "secure/dialler.h"
#include "secure/key.h"
#include "secure/offers.h"
#include "suite.h"

static struct pair pair;
static struct offers *offers;   /* of the tenant */
static struct dialler *dialler; /* of the guest */
static struct dial_out place;   /* where it dials */
static struct error err;

static void must(int rc)
{
    ck_assert_msg(rc == 0, "%s", err.message);
}

static void spoken(void *user, int fd)
{
    channel_listener_take(pair.listener, fd);
}

static void praise(struct outcome *outcome)
{
    dialler_praise(dialler);
}

static void guest_dials(void)
{
    must(dialler_new(pair.loop, &place, spoken, NULL, &dialler, &err));
}

static void guest_is_quiet(void)
{
    dialler_freep(&dialler);
    dialler = NULL;
}

static void setup(void)
{
    static const struct dial_out loopback = {.family = AF_INET, .address = {127, 0, 0, 1}};

    pair_init(&pair);
    pair.dials = true;
    pair.serve = praise;
    pair_listen(&pair);
    place = loopback;
    must(offers_listen(pair.loop, &place, 1, &offers, &err));
    place.port = offers_port(offers);
}

static void teardown(void)
{
    guest_is_quiet();
    offers_freep(&offers);
    offers = NULL;
    pair_fini(&pair);
}

/* A plain connection of a stranger with the address 127.0.0.N. */
static int stranger(uint8_t number)
{
    struct sockaddr_storage to;
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + number)};
    socklen_t length = dial_out_socket_address(&place, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *) &from, sizeof(from)), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *) &to, length), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void until_offers(size_t count)
{
    for (int i = 0; i < PAIR_TURNS_MAX && offers_count(offers) != count; i++)
        pair_turns(&pair, 1);
    ck_assert_uint_eq(offers_count(offers), count);
}

static struct channel_dial_options dial_options(uint64_t deadline_ms)
{
    struct channel_dial_options options = {
        .key = pair.tenant_key,
        .initdata = pair.initdata,
        .policy = {.allow_insecure = pair_allow_sample},
        .deadline_ms = deadline_ms,
    };

    must(endpoint_make_offered(offers, "127.0.0.1", &options.endpoint, &err));
    return options;
}

static void on_open(void *user, struct channel *channel, const struct error *error)
{
    struct outcome *outcome = user;

    outcome->opened = error == NULL;
    outcome->failed = error != NULL;
    if (error)
        outcome->err = *error;
}

static void begin(struct outcome *ret, uint64_t deadline_ms)
{
    struct channel_dial_options options = dial_options(deadline_ms);

    memset(ret, 0, sizeof(*ret));
    must(channel_dial(pair.loop, &options, on_open, ret, &ret->channel, &err));
}

static void until_opened(struct outcome *tenant)
{
    for (int i = 0; i < 5 * PAIR_TURNS_MAX && !tenant->opened && !tenant->failed; i++)
        pair_turns(&pair, 1);
    ck_assert_msg(tenant->opened, "%s", tenant->err.message);
}

static void open_control(struct outcome *tenant)
{
    begin(tenant, 10000);
    until_opened(tenant);
    pair_until(&pair, &pair.guest[0].opened);
}

static bool is_cut(int fd)
{
    char byte;

    for (int i = 0; i < PAIR_TURNS_MAX; i++) {
        ssize_t n = recv(fd, &byte, 1, 0);

        if (n >= 0 || errno != EAGAIN)
            return n <= 0;
        pair_turns(&pair, 1);
    }
    return false;
}

static int fd_of(struct outcome *outcome)
{
    int fd = -1;

    must(channel_take_fd(outcome->channel, &fd, &err));
    return fd;
}

static void passes(int from, int to)
{
    char word[6] = "";

    ck_assert_int_eq(send(from, "hello", 5, 0), 5);
    for (int i = 0; i < PAIR_TURNS_MAX && recv(to, word, 5, 0) < 5; i++)
        pair_turns(&pair, 1);
    ck_assert_str_eq(word, "hello");
}

/* ---- without strangers ----------------------------------------------------------------------- */

START_TEST(a_guest_that_dials_is_appraised_and_joined)
{
    struct outcome control, bulk;

    guest_dials();
    open_control(&control);
    pair_join(&pair, &control, &bulk);
    ck_assert_msg(bulk.opened, "%s", bulk.err.message);
    pair_until(&pair, &pair.guest[1].opened);
    int a = fd_of(&control), b = fd_of(&pair.guest[0]), c = fd_of(&bulk), d = fd_of(&pair.guest[1]);
    passes(a, b);
    passes(b, a);
    passes(c, d);
    passes(d, c);
    for (size_t i = 0; i < 4; i++)
        close((int[]){a, b, c, d}[i]);
    outcome_fini(&bulk);
    outcome_fini(&control);
}
END_TEST

START_TEST(one_offer_waits_and_is_replaced_when_it_is_taken_or_dies)
{
    struct outcome control;

    guest_dials();
    until_offers(1);
    pair_turns(&pair, 50);
    ck_assert_uint_eq(offers_count(offers), 1);
    open_control(&control);
    until_offers(1);
    guest_is_quiet(); /* its end is seen, without anybody who waits for it */
    until_offers(0);
    guest_dials();
    until_offers(1);
    outcome_fini(&control);
}
END_TEST

START_TEST(a_replacement_takes_the_next_offers)
{
    struct outcome control, bulk, newer, newer_bulk;

    guest_dials();
    open_control(&control);
    pair_join(&pair, &control, &bulk);
    ck_assert_msg(bulk.opened, "%s", bulk.err.message);
    begin(&newer, 10000);
    until_opened(&newer);
    pair_join(&pair, &newer, &newer_bulk);
    ck_assert_msg(newer_bulk.opened, "%s", newer_bulk.err.message);
    ck_assert_mem_eq(channel_instance(newer.channel), pair.instance, 32);
    outcome_fini(&bulk);
    outcome_fini(&control);
    outcome_fini(&newer_bulk);
    outcome_fini(&newer);
}
END_TEST

START_TEST(a_guest_dials_by_ipv6_too)
{
    static const struct dial_out six = {.family = AF_INET6, .address = {[15] = 1}};
    struct outcome control;

    if (access("/proc/sys/net/ipv6/conf/lo", F_OK) < 0)
        return; /* this machine has none */
    offers_free(take_ptr(offers));
    place = six;
    must(offers_listen(pair.loop, &place, 1, &offers, &err));
    place.port = offers_port(offers);
    guest_dials();
    open_control(&control);
    outcome_fini(&control);
}
END_TEST

START_TEST(a_guest_dials_until_somebody_listens)
{
    struct dial_out at = place;

    offers_free(take_ptr(offers));
    guest_dials();
    pair_turns(&pair, 100);
    must(offers_listen(pair.loop, &at, 1, &offers, &err));
    until_offers(1);
}
END_TEST

START_TEST(who_waits_in_vain_is_told_where_nobody_dialled)
{
    struct outcome control;

    begin(&control, 100);
    pair_until(&pair, &control.failed);
    ck_assert_msg(strstr(control.err.message, "no guest has dialled 127.0.0.1 port"), "%s",
                  control.err.message);
    outcome_fini(&control);
}
END_TEST

START_TEST(a_dial_can_be_given_up_while_it_waits)
{
    struct outcome control;

    begin(&control, 10000);
    outcome_fini(&control);
    guest_dials();
    until_offers(1);
}
END_TEST

START_TEST(each_pod_has_the_next_port_of_the_range)
{
    struct offers *second = NULL, *third = NULL;
    struct dial_out at = place;

    ck_assert_int_lt(offers_listen(pair.loop, &at, 1, &second, &err), 0);
    ck_assert_msg(strstr(err.message, "127.0.0.1 ports"), "%s", err.message);
    must(offers_listen(pair.loop, &at, 200, &second, &err));
    ck_assert_uint_gt(offers_port(second), place.port);
    must(offers_listen(pair.loop, &at, 200, &third, &err));
    ck_assert_uint_gt(offers_port(third), offers_port(second));
    offers_free(third);
    offers_free(second);
}
END_TEST

/* ---- strangers at the tenant's door ---------------------------------------------------------- */

START_TEST(the_pool_is_bounded_and_no_stranger_fills_it)
{
    int first[OFFERS_PER_ORIGIN + 1], others[OFFERS_MAX];

    for (size_t i = 0; i < ARRAY_LENGTH(first); i++) {
        first[i] = stranger(2);
        pair_turns(&pair, 5);
    }
    until_offers(OFFERS_PER_ORIGIN);
    ck_assert(is_cut(first[0])); /* for the newest */
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        others[i] = stranger((uint8_t) (3 + i));
        pair_turns(&pair, 5);
        ck_assert_uint_le(offers_count(offers), OFFERS_MAX);
    }
    /* Whoever had most gave way until all had one. */
    for (size_t i = 0; i < ARRAY_LENGTH(first) - 1; i++)
        ck_assert(is_cut(first[i]));
    until_offers(OFFERS_MAX);
    for (size_t i = 0; i < ARRAY_LENGTH(first); i++)
        close(first[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        close(others[i]);
    until_offers(0);
}
END_TEST

START_TEST(who_speaks_first_is_dropped_unread)
{
    int fd = stranger(2);

    until_offers(1);
    ck_assert_int_eq(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    until_offers(0);
    ck_assert(is_cut(fd));
    close(fd);
}
END_TEST

START_TEST(silent_strangers_do_not_keep_the_guest_out)
{
    struct outcome control;
    int fds[6];

    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        fds[i] = stranger((uint8_t) (2 + i % 2));
    until_offers(ARRAY_LENGTH(fds));
    guest_dials();
    until_offers(ARRAY_LENGTH(fds) + 1);
    open_control(&control); /* before its deadline: nobody waits for all of them in turn */
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
    outcome_fini(&control);
}
END_TEST

START_TEST(silent_strangers_with_the_guests_address_do_not_keep_it_out)
{
    struct outcome control;
    int fds[10];

    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
        fds[i] = stranger(1);
        pair_turns(&pair, 2);
    }
    guest_dials();
    open_control(&control);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
    outcome_fini(&control);
}
END_TEST

/* Holds many connections, and opens others all the time, from one address. */
START_TEST(a_flood_does_not_keep_the_guest_out)
{
    struct outcome control, bulk;
    int fds[64];
    size_t next = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        fds[i] = -1;
    begin(&control, 10000);
    memset(&bulk, 0, sizeof(bulk));
    for (int i = 0; i < 2 * PAIR_TURNS_MAX && !bulk.opened && !control.failed; i++) {
        closep(&fds[next % ARRAY_LENGTH(fds)]);
        fds[next++ % ARRAY_LENGTH(fds)] = stranger(2);
        if (i == 50)
            guest_dials();
        pair_turns(&pair, 2);
        if (control.opened && !bulk.channel)
            must(channel_join(control.channel, CHANNEL_BULK, on_open, &bulk, &bulk.channel, &err));
        ck_assert_msg(!bulk.failed, "%s", bulk.err.message);
    }
    ck_assert_msg(bulk.opened, "%s", control.err.message);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        closep(&fds[i]);
    outcome_fini(&bulk);
    outcome_fini(&control);
}
END_TEST

/* Waits for the tenant's first word. */
static bool is_spoken_to(int fd)
{
    char byte;

    for (int i = 0; i < PAIR_TURNS_MAX; i++) {
        if (recv(fd, &byte, 1, MSG_PEEK) == 1)
            return true;
        pair_turns(&pair, 1);
    }
    return false;
}

START_TEST(who_has_failed_waits_for_a_better_one)
{
    struct outcome control;
    char byte;
    int fd;

    begin(&control, 10000);
    for (int i = 0; i < 6; i++) {
        fd = stranger(2);
        ck_assert(is_spoken_to(fd));
        close(fd);
    }
    fd = stranger(2); /* would be tried at once, were it not for the others */
    until_offers(1);
    pair_turns(&pair, 10);
    guest_dials();
    until_opened(&control);
    ck_assert(recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN);
    close(fd);
    outcome_fini(&control);
}
END_TEST

static void note_taken(void *user, const struct offer *offer)
{
    *(struct offer *) user = *offer;
}

static struct offer take_one(void)
{
    struct offer taken = {.fd = -1};
    struct offer_waiter waiter = {.taken = note_taken, .user = &taken};

    offers_wait(offers, &waiter);
    for (int i = 0; i < PAIR_TURNS_MAX && taken.fd < 0; i++)
        pair_turns(&pair, 1);
    offers_leave(offers, &waiter);
    ck_assert_int_ge(taken.fd, 0);
    close(taken.fd);
    return taken;
}

/* Strangers with ever new addresses look as if they had never failed. */
START_TEST(a_guest_whose_connection_broke_is_not_put_behind_new_strangers)
{
    const struct offer_origin guests = {.bytes = {[12] = 127, 0, 0, 1}};
    struct offer taken;
    int fds[6];

    offers_judge(offers, &guests, OFFER_PROVED);
    offers_judge(offers, &guests, OFFER_BROKE);
    offers_judge(offers, &guests, OFFER_SLOW);
    for (uint8_t number = 1; number <= ARRAY_LENGTH(fds); number++) {
        fds[number - 1] = stranger(number); /* the first is the guest */
        until_offers(number);
    }
    taken = take_one();
    ck_assert_mem_eq(taken.origin.bytes, guests.bytes, sizeof(guests.bytes));
    for (int i = 0; i < 3; i++) /* but somebody who has its address does not fail for ever */
        offers_judge(offers, &guests, OFFER_BROKE);
    close(fds[0]);
    fds[0] = stranger(1);
    until_offers(ARRAY_LENGTH(fds));
    taken = take_one();
    ck_assert(memcmp(taken.origin.bytes, guests.bytes, sizeof(guests.bytes)) != 0);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
}
END_TEST

/* It speaks our TLS and our frames, with a key of its own, and gets a certificate and a nonce. */
START_TEST(a_guest_of_somebody_else_is_refused_and_the_next_is_tried)
{
    scoped(freep) uint8_t *nothing = xalloc(64);
    struct outcome control;
    struct raw *raw = raw_serve(&pair, stranger(2), pair.other_key);

    begin(&control, 10000);
    ck_assert_msg(raw_handshake(raw), "%s", raw->err.message);
    ck_assert(raw_read_frame(raw));
    ck_assert_uint_eq(raw->type, FRAME_HELLO);
    ck_assert(raw_send_frame(raw, FRAME_EVIDENCE, nothing, 64));
    ck_assert(!raw_read_frame(raw) || raw->type == FRAME_REJECT);
    ck_assert(raw_is_ended(raw));
    ck_assert(!control.opened && !control.failed);
    guest_dials();
    until_opened(&control);
    raw_free(raw);
    outcome_fini(&control);
}
END_TEST

/* Evidence may take a while, and so may a stranger who has none. */
START_TEST(a_stranger_who_shakes_hands_and_falls_silent_is_given_up)
{
    struct outcome control;
    struct raw *raw = raw_serve(&pair, stranger(2), pair.other_key);
    uint64_t began = clock_monotonic_ms();

    begin(&control, 10000);
    ck_assert_msg(raw_handshake(raw), "%s", raw->err.message);
    ck_assert(raw_read_frame(raw));
    guest_dials();
    until_opened(&control);
    ck_assert_uint_ge(clock_monotonic_ms() - began, 3500);
    raw_free(raw);
    outcome_fini(&control);
}
END_TEST

/* Whether it got as far as that before the deadline, which passes. */
static bool ends_at_hello(struct outcome *ret, uint64_t deadline_ms)
{
    struct raw *raw = raw_serve(&pair, stranger(2), pair.other_key);
    bool heard;

    begin(ret, deadline_ms);
    heard = raw_handshake(raw) && raw_read_frame(raw);
    raw_free(raw);
    pair_until(&pair, &ret->failed);
    return heard && strstr(ret->err.message, "the connection ended at our HELLO");
}

START_TEST(the_deadline_names_what_the_strangers_did_wrong)
{
    struct outcome control;
    size_t i = 0;

    while (!ends_at_hello(&control, pair_deadlines_ms[i])) {
        ck_assert_msg(++i < PAIR_DEADLINES, "%s", control.err.message);
        outcome_fini(&control);
        teardown();
        setup();
    }
    ck_assert_msg(strstr(control.err.message, "nobody who dialled 127.0.0.1"), "%s",
                  control.err.message);
    outcome_fini(&control);
}
END_TEST

START_TEST(a_stranger_cannot_take_the_place_of_a_joining_guest)
{
    struct outcome control, bulk = {0};
    struct raw *raw;

    guest_dials();
    open_control(&control);
    guest_is_quiet();
    until_offers(0);
    raw = raw_serve(&pair, stranger(2), pair.other_key);
    must(channel_join(control.channel, CHANNEL_BULK, on_open, &bulk, &bulk.channel, &err));
    ck_assert(!raw_handshake(raw)); /* not the control's key: refused within TLS */
    ck_assert(!bulk.opened && !bulk.failed);
    guest_dials();
    until_opened(&bulk);
    raw_free(raw);
    outcome_fini(&bulk);
    outcome_fini(&control);
}
END_TEST

/* Nothing but the handshake's first flight goes to who has not shaken hands. */
START_TEST(a_silent_stranger_sees_a_client_hello_and_nothing_more)
{
    struct outcome control;
    uint8_t bytes[8192];
    size_t length = 0;
    int fd = stranger(2);
    ssize_t n = -1;

    begin(&control, 10000);
    for (int i = 0; i < 2 * PAIR_TURNS_MAX && n != 0; i++) {
        n = recv(fd, bytes + length, sizeof(bytes) - length, 0);
        length += n > 0 ? (size_t) n : 0;
        pair_turns(&pair, 1);
    }
    ck_assert_int_eq(n, 0); /* given up */
    ck_assert_uint_gt(length, 5);
    ck_assert_uint_eq(bytes[0], 22); /* one record, and in it one ClientHello */
    ck_assert_uint_eq(length, 5 + bytes[3] * 256u + bytes[4]);
    ck_assert_uint_eq(bytes[5], 1);
    close(fd);
    outcome_fini(&control);
}
END_TEST

/* ---- a stranger where the guest dials -------------------------------------------------------- */

static int accept_guest(int listening)
{
    int fd = -1;

    for (int i = 0; i < PAIR_TURNS_MAX && fd < 0; i++) {
        fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            pair_turns(&pair, 1);
    }
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(a_stranger_who_is_dialled_gets_no_byte_and_is_refused)
{
    scoped(closep) int listening = pair_socket_listen(&place.port);
    struct key *unknown = NULL;
    struct raw *raw;
    char byte;

    must(key_generate(&unknown, &err));
    guest_dials();
    int fd = accept_guest(listening);
    pair_turns(&pair, 50);
    ck_assert(recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN); /* silent until it is spoken to */
    raw = raw_dial_on(&pair, fd, unknown);
    ck_assert(!raw_handshake(raw) || raw_is_ended(raw));
    pair_until_refused(&pair, 1);
    ck_assert_uint_eq(pair.guest_count, 0);
    close(accept_guest(listening)); /* it dials again */
    raw_free(raw);
    key_free(unknown);
}
END_TEST

START_TEST(a_stranger_who_is_dialled_cannot_keep_the_guest_busy)
{
    scoped(closep) int listening = pair_socket_listen(&place.port);
    uint64_t end = clock_monotonic_ms() + 2000;
    unsigned dials = 0;

    guest_dials();
    while (clock_monotonic_ms() < end || dials < 3) { /* on a busy machine they take longer */
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            (void) !send(fd, "x", 1, MSG_NOSIGNAL);
            close(fd);
            dials++;
        }
        pair_turns(&pair, 1);
    }
    ck_assert_uint_le(dials, 12); /* a few at once, then pauses that grow */
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "channel_offer", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){a_guest_that_dials_is_appraised_and_joined,
                          one_offer_waits_and_is_replaced_when_it_is_taken_or_dies,
                          a_replacement_takes_the_next_offers,
                          a_guest_dials_by_ipv6_too,
                          a_guest_dials_until_somebody_listens,
                          who_waits_in_vain_is_told_where_nobody_dialled,
                          a_dial_can_be_given_up_while_it_waits,
                          each_pod_has_the_next_port_of_the_range,
                          the_pool_is_bounded_and_no_stranger_fills_it,
                          who_speaks_first_is_dropped_unread,
                          silent_strangers_do_not_keep_the_guest_out,
                          silent_strangers_with_the_guests_address_do_not_keep_it_out,
                          a_flood_does_not_keep_the_guest_out,
                          who_has_failed_waits_for_a_better_one,
                          a_guest_whose_connection_broke_is_not_put_behind_new_strangers,
                          a_guest_of_somebody_else_is_refused_and_the_next_is_tried,
                          a_stranger_who_shakes_hands_and_falls_silent_is_given_up,
                          the_deadline_names_what_the_strangers_did_wrong,
                          a_stranger_cannot_take_the_place_of_a_joining_guest,
                          a_silent_stranger_sees_a_client_hello_and_nothing_more,
                          a_stranger_who_is_dialled_gets_no_byte_and_is_refused,
                          a_stranger_who_is_dialled_cannot_keep_the_guest_busy,
                          NULL});
}
