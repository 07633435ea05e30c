/* SPDX-License-Identifier: Apache-2.0 */
/* A guest under attack: whoever speaks to its port must get nothing from it before a tenant whose
 * key is in initdata has accepted its evidence, and each refusal must say why. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "evidence/evidence.h"
#include "io/loop.h"
#include "pair.h"
#include "raw.h"
#include "secure/key.h"
#include "suite.h"

static struct pair pair;
static struct raw *raw;

static void setup(void)
{
    pair_init(&pair);
    pair.guest_deadline_ms = 3000;
    pair_listen(&pair);
}

static void teardown(void)
{
    raw_free(take_ptr(raw));
    pair_fini(&pair);
}

/* The guest said why, nobody was let in, and the peer got no byte. */
static void refused_for(const char *why)
{
    pair_until_refused(&pair, 1);
    ck_assert_msg(strstr(pair.refused.message, why), "%s", pair.refused.message);
    ck_assert_uint_eq(pair.guest_count, 0);
    ck_assert(raw_is_ended(raw));
}

static void shake(void)
{
    raw = raw_dial(&pair, pair.tenant_key);
    ck_assert_msg(raw_handshake(raw), "%s", raw->err.message);
}

static void frame_is_refused(uint8_t type, const void *body, size_t length, const char *why)
{
    shake();
    raw_send_frame(raw, type, body, length);
    refused_for(why);
}

/* Length with a body that is not there: a header alone must be enough to refuse. */
static void header_is_refused(uint8_t type, uint32_t length, const char *why)
{
    uint8_t header[FRAME_HEADER_SIZE] = {type, (uint8_t) (length >> 24), (uint8_t) (length >> 16),
                                         (uint8_t) (length >> 8), (uint8_t) length};

    shake();
    raw_send(raw, header, sizeof(header));
    refused_for(why);
}

enum { HELLO_BODY = 36, JOIN_BODY = 84 };

static void hello_body(uint8_t body[HELLO_BODY + 1])
{
    memset(body, 0, HELLO_BODY + 1);
    body[0] = HELLO_VERSION;
    body[2] = 1;
    body[HELLO_BODY - 1] = EVIDENCE_SAMPLE;
}

START_TEST(a_stranger_is_refused_at_the_tls_layer)
{
    struct key *stranger;
    struct error err;

    ck_assert_int_eq(key_generate(&stranger, &err), 0);
    raw = raw_dial(&pair, stranger);
    /* In TLS 1.3 a client is done before it is judged, and hears of it when it reads. */
    ck_assert(!raw_handshake(raw) || raw_is_ended(raw));
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "not one that is named"));
    ck_assert_uint_eq(pair.guest_count, 0);
    key_free(stranger);
}
END_TEST

START_TEST(no_byte_passes_before_accept)
{
    shake();
    ck_assert_uint_eq(pair.guest_count, 0);
    raw_hello(raw, 1);
    pair_turns(&pair, 20);
    ck_assert_uint_eq(pair.guest_count, 0);
    ck_assert(raw_send_frame(raw, FRAME_ACCEPT, NULL, 0));
    pair_until(&pair, &pair.guest[0].opened);
    ck_assert_uint_eq(pair.guest_count, 1);
}
END_TEST

START_TEST(data_instead_of_accept_is_refused)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    shake();
    raw_hello(raw, 1);
    raw_send(raw, preface, strlen(preface));
    refused_for("unknown type");
}
END_TEST

START_TEST(data_instead_of_hello_is_refused)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    shake();
    raw_send(raw, preface, strlen(preface));
    refused_for("unknown type");
}
END_TEST

START_TEST(bytes_left_over_behind_accept_are_refused)
{
    static const uint8_t accept_and_more[] = {FRAME_ACCEPT, 0, 0, 0, 0, 'P'};

    shake();
    raw_hello(raw, 1);
    raw_send(raw, accept_and_more, sizeof(accept_and_more));
    refused_for("1 bytes left over behind ACCEPT");
}
END_TEST

START_TEST(accept_with_a_body_is_refused)
{
    shake();
    raw_hello(raw, 1);
    raw_send_frame(raw, FRAME_ACCEPT, "x", 1);
    refused_for("ACCEPT says 1 bytes");
}
END_TEST

START_TEST(accept_without_hello_is_refused)
{
    frame_is_refused(FRAME_ACCEPT, NULL, 0, "ACCEPT came where HELLO or JOIN is due");
}
END_TEST

START_TEST(reject_is_heard_and_ends_it)
{
    struct writer writer;

    shake();
    raw_hello(raw, 1);
    writer_init(&writer, 1000);
    reject_write(&writer, APPRAISAL_MEASUREMENT, "not mine");
    raw_send(raw, writer.data, writer.size);
    writer_fini(&writer);
    refused_for("9 (measurement): not mine");
}
END_TEST

START_TEST(a_long_reject_is_heard_and_cut)
{
    static uint8_t body[4 + 2 + 3000] = {0, 0, 0, APPRAISAL_MEASUREMENT, 3000 >> 8, 3000 & 0xff};

    memset(body + 6, 'n', 3000);
    shake();
    raw_hello(raw, 1);
    raw_send_frame(raw, FRAME_REJECT, body, sizeof(body));
    refused_for("9 (measurement): nnnnnnnn");
}
END_TEST

START_TEST(a_reject_whose_text_is_not_all_there_is_refused)
{
    static const uint8_t body[] = {0, 0, 0, APPRAISAL_MEASUREMENT, 0, 9, 'n', 'o'};

    shake();
    raw_hello(raw, 1);
    raw_send_frame(raw, FRAME_REJECT, body, sizeof(body));
    refused_for("REJECT is cut short");
}
END_TEST

START_TEST(hello_of_another_version_is_refused)
{
    uint8_t body[HELLO_BODY + 1];

    hello_body(body);
    body[0] = 2;
    frame_is_refused(FRAME_HELLO, body, HELLO_BODY, "HELLO has version 2");
}
END_TEST

START_TEST(hello_with_two_evidence_types_is_refused)
{
    uint8_t body[HELLO_BODY + 1];

    hello_body(body);
    body[HELLO_BODY] = EVIDENCE_SNP;
    frame_is_refused(FRAME_HELLO, body, HELLO_BODY + 1, "HELLO says 37 bytes, at most 36");
}
END_TEST

START_TEST(hello_that_is_cut_short_is_refused)
{
    uint8_t body[HELLO_BODY + 1];

    hello_body(body);
    frame_is_refused(FRAME_HELLO, body, HELLO_BODY - 1, "HELLO is cut short");
}
END_TEST

START_TEST(hello_for_evidence_that_is_not_offered_is_refused)
{
    uint8_t body[HELLO_BODY + 1];

    hello_body(body);
    body[HELLO_BODY - 1] = EVIDENCE_SNP;
    frame_is_refused(FRAME_HELLO, body, HELLO_BODY, "evidence type 1, here is 255");
}
END_TEST

START_TEST(hello_twice_in_one_record_is_refused)
{
    uint8_t twice[2 * (FRAME_HEADER_SIZE + HELLO_BODY)] = {0}, body[HELLO_BODY + 1];

    hello_body(body);
    for (size_t i = 0; i < 2; i++) {
        uint8_t *frame = twice + i * (FRAME_HEADER_SIZE + HELLO_BODY);
        frame[0] = FRAME_HELLO;
        frame[4] = HELLO_BODY;
        memcpy(frame + FRAME_HEADER_SIZE, body, HELLO_BODY);
    }
    shake();
    raw_send(raw, twice, sizeof(twice));
    refused_for("41 bytes left over behind HELLO");
}
END_TEST

START_TEST(hello_twice_in_two_records_is_refused)
{
    uint8_t body[HELLO_BODY + 1];

    hello_body(body);
    shake();
    raw_send_frame(raw, FRAME_HELLO, body, HELLO_BODY);
    raw_send_frame(raw, FRAME_HELLO, body, HELLO_BODY);
    pair_until_refused(&pair, 1);
    ck_assert_msg(strstr(pair.refused.message, "bytes behind HELLO before their turn"), "%s",
                  pair.refused.message);
    ck_assert_uint_eq(pair.guest_count, 0);
}
END_TEST

/* Not a byte of it can be decrypted yet; it was said before its turn all the same. */
START_TEST(a_record_that_has_begun_behind_hello_is_refused)
{
    static const uint8_t begun[] = {0x17, 3, 3, 0, 64, 1, 2, 3};
    uint8_t body[HELLO_BODY + 1];

    hello_body(body);
    shake();
    raw_send_frame(raw, FRAME_HELLO, body, HELLO_BODY);
    ck_assert_int_eq(send(raw->fd, begun, sizeof(begun), MSG_NOSIGNAL), sizeof(begun));
    refused_for("bytes behind HELLO before their turn");
}
END_TEST

START_TEST(hello_after_evidence_is_refused)
{
    uint8_t body[HELLO_BODY + 1];

    hello_body(body);
    shake();
    raw_hello(raw, 1);
    raw_send_frame(raw, FRAME_HELLO, body, HELLO_BODY);
    refused_for("HELLO came where a verdict is due");
}
END_TEST

START_TEST(frames_of_the_guest_are_refused_from_a_tenant)
{
    frame_is_refused(FRAME_EVIDENCE, "x", 1, "EVIDENCE came where HELLO or JOIN is due");
}
END_TEST

START_TEST(oversized_frames_are_refused_by_their_header)
{
    static const struct {
        uint8_t type;
        uint32_t length;
        const char *why;
    } cases[] = {
        {FRAME_HELLO, HELLO_BODY + 1, "HELLO says"},
        {FRAME_HELLO, 0xffffffff, "HELLO says 4294967295"},
        {FRAME_JOIN, JOIN_BODY + 1, "JOIN says"},
        {FRAME_JOINED, 33, "JOINED says"},
        {FRAME_EVIDENCE, FRAME_BODY_MAX, "EVIDENCE says"},
        {FRAME_REJECT, 4 + 2 + 0x10000, "REJECT says"},
        {0, 1, "unknown type 0"},
        {7, 1, "unknown type 7"},
        {255, 0, "unknown type 255"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        header_is_refused(cases[i].type, cases[i].length, cases[i].why);
        teardown();
        setup();
    }
}
END_TEST

static void again(uint64_t deadline_ms)
{
    teardown();
    pair_init(&pair);
    pair.guest_deadline_ms = deadline_ms;
    pair_listen(&pair);
    raw = raw_dial(&pair, pair.tenant_key);
}

START_TEST(a_peer_that_says_nothing_is_cut_off)
{
    teardown();
    pair_init(&pair);
    pair.guest_deadline_ms = 150;
    pair_listen(&pair);
    uint64_t start = clock_monotonic_ms();
    int fd = pair_connect(&pair);
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "deadline passed during the TLS handshake"));
    ck_assert_uint_ge(clock_monotonic_ms() - start, 140);
    close(fd);
}
END_TEST

START_TEST(a_peer_that_says_half_a_header_is_cut_off)
{
    for (size_t i = 0; i < PAIR_DEADLINES; i++) {
        again(pair_deadlines_ms[i]);
        if (raw_handshake(raw))
            raw_send(raw, "\1\0", 2);
        pair_until_refused(&pair, 1);
        if (!strstr(pair.refused.message, "during the TLS handshake"))
            break;
    }
    refused_for("deadline passed while a frame was awaited");
}
END_TEST

START_TEST(a_peer_that_never_accepts_is_cut_off)
{
    bool asked = false;

    for (size_t i = 0; i < PAIR_DEADLINES && !asked; i++) {
        again(pair_deadlines_ms[i]);
        asked = raw_handshake(raw) && raw_ask(raw, 1);
    }
    ck_assert(asked);
    refused_for("deadline passed");
}
END_TEST

START_TEST(a_third_handshake_in_flight_is_refused)
{
    int first = pair_connect(&pair), second = pair_connect(&pair);
    struct outcome tenant;
    struct channel_dial_options options = pair_dial_options(&pair);

    pair_turns(&pair, 5);
    raw = raw_dial(&pair, pair.tenant_key);
    ck_assert(!raw_handshake(raw));
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "2 handshakes are in flight"));
    close(first);
    pair_until_refused(&pair, 2); /* the place is free again */
    pair_dial(&pair, &options, &tenant);
    ck_assert_msg(tenant.opened, "%s", tenant.err.message);
    outcome_fini(&tenant);
    close(second);
}
END_TEST

START_TEST(many_failed_handshakes_leave_the_guest_working)
{
    struct channel_dial_options options = pair_dial_options(&pair);
    struct outcome tenant;

    for (size_t i = 1; i <= 40; i++) {
        int fd = pair_connect(&pair);
        pair_turns(&pair, 1);
        (void) !write(fd, "GET / HTTP/1.1\r\n\r\n", i % 18);
        close(fd);
        pair_until_refused(&pair, i);
    }
    pair_dial(&pair, &options, &tenant);
    ck_assert_msg(tenant.opened, "%s", tenant.err.message);
    outcome_fini(&tenant);
}
END_TEST

START_TEST(another_role_is_told_to_the_gate)
{
    raw = raw_dial(&pair, pair.other_key);
    raw_open_control(raw);
    ck_assert_int_eq(channel_facts(pair.guest[0].channel).role, PEER_OBSERVE);
}
END_TEST

START_TEST(plaintext_gets_an_alert_and_nothing_else)
{
    uint8_t answer[64];
    int fd = pair_connect(&pair);

    pair_turns(&pair, 2);
    ck_assert_int_gt(write(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24), 0);
    pair_until_refused(&pair, 1);
    ssize_t n = read(fd, answer, sizeof(answer));
    ck_assert_int_le(n, 7); /* at most one alert record */
    if (n > 0)
        ck_assert_uint_eq(answer[0], 21);
    close(fd);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "channel_gate", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){a_stranger_is_refused_at_the_tls_layer,
                          no_byte_passes_before_accept,
                          data_instead_of_accept_is_refused,
                          data_instead_of_hello_is_refused,
                          bytes_left_over_behind_accept_are_refused,
                          accept_with_a_body_is_refused,
                          accept_without_hello_is_refused,
                          reject_is_heard_and_ends_it,
                          a_long_reject_is_heard_and_cut,
                          a_reject_whose_text_is_not_all_there_is_refused,
                          hello_of_another_version_is_refused,
                          hello_with_two_evidence_types_is_refused,
                          hello_that_is_cut_short_is_refused,
                          hello_for_evidence_that_is_not_offered_is_refused,
                          hello_twice_in_one_record_is_refused,
                          hello_twice_in_two_records_is_refused,
                          a_record_that_has_begun_behind_hello_is_refused,
                          hello_after_evidence_is_refused,
                          frames_of_the_guest_are_refused_from_a_tenant,
                          oversized_frames_are_refused_by_their_header,
                          a_peer_that_says_nothing_is_cut_off,
                          a_peer_that_says_half_a_header_is_cut_off,
                          a_peer_that_never_accepts_is_cut_off,
                          a_third_handshake_in_flight_is_refused,
                          many_failed_handshakes_leave_the_guest_working,
                          another_role_is_told_to_the_gate,
                          plaintext_gets_an_alert_and_nothing_else,
                          NULL});
}
