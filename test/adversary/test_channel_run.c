/* SPDX-License-Identifier: Apache-2.0 */
/* The channel at work: bytes both ways, ends in order, replacement, later appraisals. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "pair.h"
#include "secure/channel_private.h"
#include "secure/key.h"
#include "suite.h"
#include "version.h"

static struct pair pair;

static void setup(void)
{
    pair_init(&pair);
    pair_listen(&pair);
}

static void teardown(void)
{
    pair_fini(&pair);
}

static int fd_of(struct outcome *outcome)
{
    struct error err;
    int fd = -1;

    ck_assert_msg(channel_take_fd(outcome->channel, &fd, &err) == 0, "%s", err.message);
    return fd;
}

static void fill(uint8_t *to, size_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] = (uint8_t) ((offset + i) * 31 >> 3);
}

/* Moves `total` bytes from one descriptor to another while the loop turns, checking each. */
static void transfer(int from, int to, size_t total)
{
    static uint8_t out[65536], in[65536], expected[65536];
    size_t sent = 0, got = 0;
    int idle = 0;

    while (got < total) {
        size_t chunk = total - sent < sizeof(out) ? total - sent : sizeof(out);
        fill(out, sent, chunk);
        ssize_t n = chunk ? send(from, out, chunk, MSG_NOSIGNAL) : -1;
        sent += n > 0 ? (size_t) n : 0;
        ssize_t m = recv(to, in, sizeof(in), 0);
        if (m > 0) {
            fill(expected, got, (size_t) m);
            ck_assert_mem_eq(in, expected, (size_t) m);
            got += (size_t) m;
        }
        idle = n > 0 || m > 0 ? 0 : idle + 1;
        ck_assert_msg(idle < PAIR_TURNS_MAX, "stuck at %zu of %zu", got, total);
        pair_turns(&pair, 1);
    }
}

START_TEST(bytes_pass_both_ways_on_control)
{
    struct outcome tenant;
    struct outcome *guest = pair_open(&pair, &tenant);
    int a = fd_of(&tenant), b = fd_of(guest);

    transfer(a, b, 1 << 20);
    transfer(b, a, 1 << 20);
    struct channel_facts facts = channel_facts(guest->channel);
    ck_assert_int_eq(facts.role, PEER_CONTROL);
    ck_assert_int_eq(facts.class, CHANNEL_CONTROL);
    ck_assert_int_eq(facts.tls_version, TLS_OF_THIS_BUILD);
    ck_assert(facts.insecure);
    ck_assert_mem_eq(channel_instance(tenant.channel), pair.instance, 32);
    ck_assert_mem_eq(facts.tenant_spki, key_spki(pair.tenant_key), 32);
    close(a);
    close(b);
    outcome_fini(&tenant);
}
END_TEST

START_TEST(a_descriptor_is_handed_over_once)
{
    struct outcome tenant;
    struct error err;
    int fd;

    pair_open(&pair, &tenant);
    int a = fd_of(&tenant);
    ck_assert_int_lt(channel_take_fd(tenant.channel, &fd, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "taken already"));
    close(a);
    outcome_fini(&tenant);
}
END_TEST

/* All that was written before the close arrives; then the end, in order on both sides. */
static void close_delivers(struct outcome *from, struct outcome *to)
{
    static uint8_t data[200000], in[65536];
    int a = fd_of(from), b = fd_of(to);
    size_t sent = 0, got = 0;
    ssize_t n;

    memset(data, 0xa7, sizeof(data));
    while (sent < sizeof(data)) {
        n = send(a, data + sent, sizeof(data) - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t) n : 0;
        pair_turns(&pair, n > 0 ? 0 : 1);
        if (n < 0)
            got += (n = recv(b, in, sizeof(in), 0)) > 0 ? (size_t) n : 0;
    }
    close(a);
    while ((n = recv(b, in, sizeof(in), 0)) != 0) {
        got += n > 0 ? (size_t) n : 0;
        pair_turns(&pair, 1);
    }
    ck_assert_uint_eq(got, sizeof(data));
    pair_until(&pair, &to->ended);
    pair_until(&pair, &from->ended);
    ck_assert(to->in_order);
    ck_assert(from->in_order);
    close(b);
}

START_TEST(a_close_by_the_tenant_delivers_all)
{
    struct outcome tenant;
    struct outcome *guest = pair_open(&pair, &tenant);

    close_delivers(&tenant, guest);
    outcome_fini(&tenant);
}
END_TEST

START_TEST(a_close_by_the_guest_delivers_all)
{
    struct outcome tenant;
    struct outcome *guest = pair_open(&pair, &tenant);

    close_delivers(guest, &tenant);
    outcome_fini(&tenant);
}
END_TEST

START_TEST(a_close_on_bulk_delivers_all)
{
    struct outcome tenant, bulk;

    pair_open(&pair, &tenant);
    struct outcome *guest = pair_join_open(&pair, &tenant, &bulk);
    close_delivers(&bulk, guest);
    outcome_fini(&bulk);
    outcome_fini(&tenant);
}
END_TEST

START_TEST(bulk_carries_megabytes)
{
    struct outcome tenant, bulk;
    const size_t total = 24 << 20;

    pair_open(&pair, &tenant);
    struct outcome *guest = pair_join_open(&pair, &tenant, &bulk);
    ck_assert_ptr_eq(channel_control(guest->channel), pair.guest[0].channel);
    ck_assert_ptr_eq(channel_control(bulk.channel), tenant.channel);
    int a = fd_of(&bulk), b = fd_of(guest);
    uint64_t start = clock_monotonic_ms();
    transfer(a, b, total);
    uint64_t ms = clock_monotonic_ms() - start;
    printf("bulk: %zu MiB in %u ms\n", total >> 20, (unsigned) ms);
    transfer(b, a, 1 << 20);
    close(a);
    pair_until(&pair, &guest->ended);
    close(b);
    outcome_fini(&bulk);
    outcome_fini(&tenant);
}
END_TEST

START_TEST(joined_connections_end_with_their_control)
{
    struct outcome tenant, bulk;
    struct outcome *guest = pair_open(&pair, &tenant);
    struct outcome *guest_bulk = pair_join_open(&pair, &tenant, &bulk);
    int b = fd_of(guest_bulk);

    channel_free(guest->channel);
    guest->channel = NULL;
    pair_until(&pair, &guest_bulk->ended);
    ck_assert(!guest_bulk->in_order);
    ck_assert_ptr_nonnull(strstr(guest_bulk->err.message, "control"));
    ck_assert_ptr_null(channel_control(guest_bulk->channel));
    pair_until(&pair, &tenant.ended);
    pair_until(&pair, &bulk.ended);
    close(b);
    outcome_fini(&bulk);
    outcome_fini(&tenant);
}
END_TEST

START_TEST(a_cut_without_close_notify_is_no_orderly_end)
{
    struct outcome tenant;
    struct outcome *guest = pair_open(&pair, &tenant);

    channel_free(tenant.channel); /* drops the socket as a cut would */
    pair_until(&pair, &guest->ended);
    ck_assert(!guest->in_order);
}
END_TEST

START_TEST(replacement_is_due_after_so_many_records)
{
    struct outcome tenant, bulk;

    pair.records_max = 40;
    struct outcome *guest = pair_open(&pair, &tenant);
    int a = fd_of(&tenant), b = fd_of(guest);
    struct outcome *guest_bulk = pair_join_open(&pair, &tenant, &bulk);
    int c = fd_of(&bulk), d = fd_of(guest_bulk);

    for (int i = 0; i < 50; i++) {
        transfer(a, b, 10);
        transfer(c, d, 10);
    }
    pair_until(&pair, &tenant.due);
    pair_until(&pair, &bulk.due);
    ck_assert(!tenant.ended);
    for (int i = 0; i < 50 && !tenant.ended; i++) { /* nobody replaced it */
        (void) !send(a, "x", 1, MSG_NOSIGNAL);
        pair_turns(&pair, 2);
    }
    pair_until(&pair, &tenant.ended);
    ck_assert_ptr_nonnull(strstr(tenant.err.message, "too many records"));
    close(a);
    close(b);
    close(c);
    close(d);
    outcome_fini(&bulk);
    outcome_fini(&tenant);
}
END_TEST

START_TEST(replacement_is_due_after_so_long)
{
    struct outcome tenant, bulk;
    uint64_t start = clock_monotonic_ms(), joined;

    pair.age_ms = 150;
    struct outcome *guest = pair_open(&pair, &tenant);
    joined = clock_monotonic_ms();
    pair_join_open(&pair, &tenant, &bulk);
    pair_until(&pair, &tenant.due);
    pair_until(&pair, &bulk.due);
    /* Each by its own age. A slow machine may take longer than that for the joining alone. */
    ck_assert_uint_ge(tenant.due_ms - start, 140);
    ck_assert_uint_ge(bulk.due_ms - joined, 140);
    int a = fd_of(&tenant), b = fd_of(guest);
    transfer(a, b, 1000); /* due is a word, not an end */
    ck_assert(!tenant.ended && !bulk.ended && !guest->due);
    close(a);
    close(b);
    outcome_fini(&bulk);
    outcome_fini(&tenant);
}
END_TEST

START_TEST(a_retired_control_ends_in_time_with_what_joined_it)
{
    struct outcome tenant, bulk, newer;
    struct outcome *guest, *guest_bulk;

    pair.retire_ms = 150;
    guest = pair_open(&pair, &tenant);
    guest_bulk = pair_join_open(&pair, &tenant, &bulk);
    pair.retire_ms = 0;
    pair_open(&pair, &newer);
    uint64_t start = clock_monotonic_ms();
    channel_retire(tenant.channel);
    channel_retire(tenant.channel); /* again: the same time holds */
    pair_until(&pair, &tenant.ended);
    ck_assert_uint_ge(clock_monotonic_ms() - start, 140);
    ck_assert(!tenant.in_order);
    ck_assert_ptr_nonnull(strstr(tenant.err.message, "newer connection has taken over"));
    pair_until(&pair, &bulk.ended);
    pair_until(&pair, &guest->ended);
    pair_until(&pair, &guest_bulk->ended);
    ck_assert(!newer.ended);
    outcome_fini(&bulk);
    outcome_fini(&tenant);
    outcome_fini(&newer);
}
END_TEST

START_TEST(a_replacement_takes_over_without_a_lost_byte)
{
    struct outcome old, new, bulk;
    struct outcome *guest_old = pair_open(&pair, &old);
    int a = fd_of(&old), b = fd_of(guest_old);
    struct outcome *guest_new = pair_open(&pair, &new);

    channel_retire(old.channel);
    pair_join_open(&pair, &new, &bulk);
    transfer(a, b, 100000); /* the old one still carries what is on it */
    close(a);
    pair_until(&pair, &guest_old->ended);
    pair_until(&pair, &old.ended);
    ck_assert(guest_old->in_order && old.in_order);
    ck_assert(!new.ended && !guest_new->ended && !bulk.ended);
    close(b);
    outcome_fini(&old);
    outcome_fini(&bulk);
    outcome_fini(&new);
}
END_TEST

START_TEST(a_third_control_of_one_key_ends_the_first)
{
    struct outcome tenant[3];
    struct outcome *first = pair_open(&pair, &tenant[0]);

    pair_open(&pair, &tenant[1]);
    pair_turns(&pair, 5);
    ck_assert(!first->ended);
    pair_open(&pair, &tenant[2]);
    pair_until(&pair, &first->ended);
    ck_assert_ptr_nonnull(strstr(first->err.message, "newer"));
    pair_until(&pair, &tenant[0].ended);
    ck_assert(!tenant[1].ended && !tenant[2].ended);
    for (int i = 0; i < 3; i++)
        outcome_fini(&tenant[i]);
}
END_TEST

struct made {
    bool done;
    uint8_t body[4096];
    size_t length;
};

static void on_made(void *user, const uint8_t *body, size_t length, const struct error *err)
{
    struct made *made = user;

    ck_assert_ptr_null(err);
    ck_assert_uint_le(length, sizeof(made->body));
    memcpy(made->body, body, length);
    made->length = length;
    made->done = true;
}

static int appraise(struct outcome *tenant, struct outcome *guest, uint32_t number, uint32_t told,
                    struct error *err)
{
    uint8_t nonce[32];
    const struct appraise_question question = {nonce, number};
    struct appraise_answer answer = {.nonce = nonce, .number = told};
    enum appraisal_check failed;
    struct made made = {0};

    memset(nonce, (int) number, sizeof(nonce));
    if (channel_evidence(guest->channel, &question, on_made, &made, err) < 0)
        return -1;
    ck_assert(!made.done); /* never from inside the call */
    pair_until(&pair, &made.done);
    answer.body = made.body;
    answer.length = made.length;
    return channel_appraise_verify(tenant->channel, &answer, &failed, err);
}

START_TEST(later_appraisals_count_upwards)
{
    struct outcome tenant;
    struct outcome *guest = pair_open(&pair, &tenant);
    struct error err;

    ck_assert_msg(appraise(&tenant, guest, 2, 2, &err) == 0, "%s", err.message);
    ck_assert_msg(appraise(&tenant, guest, 5, 5, &err) == 0, "%s", err.message);
    ck_assert_int_eq(channel_facts(tenant.channel).appraisals, 5);
    ck_assert_int_lt(appraise(&tenant, guest, 5, 5, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "number 5 after 5"));
    ck_assert_int_lt(appraise(&tenant, guest, 6, 4, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "number"));
    ck_assert_int_lt(appraise(&tenant, guest, 7, 8, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "appraisal number"));
    ck_assert_int_lt(appraise(&tenant, guest, 70000, 70000, &err), 0);
    outcome_fini(&tenant);
}
END_TEST

/* Evidence that is good in all of it, of this very connection, but of another boot: only an agent
 * that lies can make it, so it is made from the insides of the guest's channel. */
START_TEST(a_later_appraisal_of_another_boot_is_refused)
{
    struct outcome tenant;
    struct outcome *guest = pair_open(&pair, &tenant);
    const struct hello hello = {.number = 2, .nonce = {9}, .evidence = EVIDENCE_SAMPLE};
    struct appraise_answer answer = {.nonce = hello.nonce, .number = hello.number};
    struct error err;

    for (int same = 0; same < 2; same++) {
        uint8_t instance[32];
        const struct appraisal_producer producer = {.instance = instance};
        enum appraisal_check failed;
        struct writer body;

        memcpy(instance, pair.instance, sizeof(instance));
        instance[31] ^= same ? 0 : 1;
        writer_init(&body, FRAME_BODY_MAX);
        ck_assert_int_eq(
            appraisal_produce(&guest->channel->appraisal, &producer, &hello, &body, &err), 0);
        answer.body = body.data;
        answer.length = body.size;
        int rc = channel_appraise_verify(tenant.channel, &answer, &failed, &err);
        writer_fini(&body);
        ck_assert_int_eq(rc, same ? 0 : -1);
        ck_assert_int_eq(failed, same ? APPRAISAL_OK : APPRAISAL_INSTANCE);
        ck_assert_int_eq(channel_facts(tenant.channel).appraisals, same ? 2 : 1);
        if (!same)
            ck_assert_ptr_nonnull(strstr(err.message, "instance_id is that of another boot"));
    }
    outcome_fini(&tenant);
}
END_TEST

START_TEST(everything_can_be_freed_in_any_order)
{
    struct outcome tenant, bulk;

    for (int order = 0; order < 4; order++) {
        pair_open(&pair, &tenant);
        pair_join_open(&pair, &tenant, &bulk);
        outcome_fini(order & 1 ? &bulk : &tenant);
        if (order & 2)
            pair_turns(&pair, 3);
        outcome_fini(order & 1 ? &tenant : &bulk);
        for (size_t i = 0; i < pair.guest_count; i++)
            outcome_fini(&pair.guest[order & 1 ? i : pair.guest_count - 1 - i]);
        pair.guest_count = 0;
    }
}
END_TEST

START_TEST(the_relay_transport_passes_over_tcp)
{
    struct channel_dial_options options = pair_dial_options(&pair);
    struct outcome tenant;
    struct error err;

    ck_assert_int_eq(endpoint_make("relay", "127.0.0.1", pair.port, &options.endpoint, &err), 0);
    pair_dial(&pair, &options, &tenant);
    ck_assert_msg(tenant.opened, "%s", tenant.err.message);
    outcome_fini(&tenant);
    ck_assert_int_lt(endpoint_make("direct", "localhost", 1, &options.endpoint, &err), 0);
    ck_assert_int_lt(endpoint_make("pigeon", "127.0.0.1", 1, &options.endpoint, &err), 0);
    ck_assert_int_lt(endpoint_make("direct", "/tmp/x", 1, &options.endpoint, &err), 0);
}
END_TEST

/* A relay as a host would run one: bytes from a unix socket to the guest's port and back. */
struct relay {
    struct source *listening, *ends[2];
    int unix_fd, fds[2];
    size_t moved;
};

static void relay_move(struct relay *relay, int from)
{
    uint8_t bytes[4096];
    ssize_t n = recv(relay->fds[from], bytes, sizeof(bytes), 0);

    if (n == 0)
        (void) shutdown(relay->fds[!from], SHUT_WR);
    if (n <= 0) {
        source_set_events(relay->ends[from], n == 0 ? 0 : LOOP_READ);
        return;
    }
    ck_assert_int_eq(send(relay->fds[!from], bytes, (size_t) n, MSG_NOSIGNAL), n);
    relay->moved += (size_t) n;
}

static void relay_from_tenant(void *user, uint32_t events)
{
    relay_move(user, 0);
}

static void relay_from_guest(void *user, uint32_t events)
{
    relay_move(user, 1);
}

static void relay_accept(void *user, uint32_t events)
{
    struct relay *relay = user;
    struct error err;

    relay->fds[0] = accept4(relay->unix_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(relay->fds[0], 0);
    relay->fds[1] = pair_connect(&pair);
    ck_assert_int_eq(loop_watch_fd(pair.loop, relay->fds[0], LOOP_READ, relay_from_tenant, relay,
                                   &relay->ends[0], &err),
                     0);
    ck_assert_int_eq(loop_watch_fd(pair.loop, relay->fds[1], LOOP_READ, relay_from_guest, relay,
                                   &relay->ends[1], &err),
                     0);
}

static void relay_listen(struct relay *relay, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct error err;

    strcpy(address.sun_path, path);
    relay->fds[0] = relay->fds[1] = -1;
    relay->unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(relay->unix_fd, (struct sockaddr *) &address, sizeof(address)), 0);
    ck_assert_int_eq(listen(relay->unix_fd, 1), 0);
    ck_assert_int_eq(loop_watch_fd(pair.loop, relay->unix_fd, LOOP_READ, relay_accept, relay,
                                   &relay->listening, &err),
                     0);
}

static void relay_fini(struct relay *relay)
{
    source_freep(&relay->listening);
    for (int i = 0; i < 2; i++) {
        source_freep(&relay->ends[i]);
        closep(&relay->fds[i]);
    }
    closep(&relay->unix_fd);
}

START_TEST(the_relay_transport_passes_over_a_unix_path)
{
    struct channel_dial_options options = pair_dial_options(&pair);
    char directory[] = "/tmp/test_relay.XXXXXX";
    struct relay relay = {0};
    struct outcome tenant;
    struct error err;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    scoped(freep) char *path = xformat("%s/relay.sock", directory);
    relay_listen(&relay, path);
    ck_assert_int_eq(endpoint_make("relay", path, 0, &options.endpoint, &err), 0);
    pair_dial(&pair, &options, &tenant);
    ck_assert_msg(tenant.opened, "%s", tenant.err.message);
    pair_until(&pair, &pair.guest[0].opened);
    int a = fd_of(&tenant), b = fd_of(&pair.guest[0]);
    transfer(a, b, 50000);
    transfer(b, a, 50000);
    ck_assert_uint_gt(relay.moved, 100000);
    close(a);
    pair_until(&pair, &pair.guest[0].ended);
    ck_assert(pair.guest[0].in_order);
    close(b);
    outcome_fini(&tenant);
    relay_fini(&relay);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(nobody_there_is_an_error_with_the_address)
{
    struct channel_dial_options options = pair_dial_options(&pair);
    struct outcome tenant;
    struct error err;
    uint16_t port;

    close(pair_socket_listen(&port));
    ck_assert_int_eq(endpoint_make("direct", "127.0.0.1", port, &options.endpoint, &err), 0);
    pair_dial(&pair, &options, &tenant);
    ck_assert(tenant.failed);
    ck_assert_ptr_nonnull(strstr(tenant.err.message, "127.0.0.1"));
    outcome_fini(&tenant);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "channel_run", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){bytes_pass_both_ways_on_control,
                          a_descriptor_is_handed_over_once,
                          a_close_by_the_tenant_delivers_all,
                          a_close_by_the_guest_delivers_all,
                          a_close_on_bulk_delivers_all,
                          bulk_carries_megabytes,
                          joined_connections_end_with_their_control,
                          a_cut_without_close_notify_is_no_orderly_end,
                          replacement_is_due_after_so_many_records,
                          replacement_is_due_after_so_long,
                          a_retired_control_ends_in_time_with_what_joined_it,
                          a_replacement_takes_over_without_a_lost_byte,
                          a_third_control_of_one_key_ends_the_first,
                          later_appraisals_count_upwards,
                          a_later_appraisal_of_another_boot_is_refused,
                          everything_can_be_freed_in_any_order,
                          the_relay_transport_passes_over_tcp,
                          the_relay_transport_passes_over_a_unix_path,
                          nobody_there_is_an_error_with_the_address,
                          NULL});
}
