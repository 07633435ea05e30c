/* SPDX-License-Identifier: Apache-2.0 */
/* In TLS 1.3 the exporter does not cover the client's certificate, and the guest has keys for the
 * tenant's data before it knows who the tenant is: only the client's Finished closes that. Here a
 * tenant of another library does all right, but its records arrive as the test likes. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "base/bytes.h"
#include "evidence/evidence.h"
#include "evidence/sample.h"
#include "other.h"
#include "pair.h"
#include "secure/hello.h"
#include "secure/key.h"
#include "suite.h"

enum { RECORDS_MAX = 16, HEADER = 5, FINISHED_RECORD = HEADER + 4 + 48 + 1 + 16, TURNS = 40 };

struct record {
    const uint8_t *data;
    size_t size;
};

static struct pair pair;
static int guest; /* a connection to it */
static BIO *inbound, *outbound;
static uint8_t flight[8192];
static struct record records[RECORDS_MAX]; /* of the tenant's second flight, and HELLO */
static size_t count;
static int produced; /* times that evidence was asked for */

static int produce(void *user, const struct evidence_request *request,
                   struct evidence_output *output, struct error *failure)
{
    produced++;
    return evidence_sample.produce(request, output, failure);
}

static EVP_PKEY *tenant_pkey(void)
{
    char folder[] = "/tmp/cleave-tls13-XXXXXX", path[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/key.pem", folder);
    ck_assert_int_eq(key_save(pair.tenant_key, path, &err), 0);
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);
    BIO_free(file);
    unlink(path);
    rmdir(folder);
    ck_assert_ptr_nonnull(pkey);
    return pkey;
}

static void setup(void)
{
    other_setup();
    produced = 0;
    pair_init(&pair);
    pair.produce = produce;
    pair_listen(&pair);
    guest = pair_connect(&pair);
}

static void teardown(void)
{
    close(guest);
    other_teardown();
    pair_fini(&pair);
}

static void tenant_init(EVP_PKEY *pkey)
{
    other_init(TLS_client_method(), NULL);
    other_use(pkey);
    SSL_CTX_set1_groups_list(other.context, "P-256"); /* one round */
    other.ssl = SSL_new(other.context);
    inbound = BIO_new(BIO_s_mem());
    outbound = BIO_new(BIO_s_mem());
    SSL_set_bio(other.ssl, inbound, outbound);
    SSL_set_connect_state(other.ssl);
}

static void to_guest(const void *data, size_t size)
{
    ck_assert_int_eq(send(guest, data, size, MSG_NOSIGNAL), (ssize_t) size);
}

static size_t from_guest(uint8_t *to, size_t size)
{
    ssize_t n = recv(guest, to, size, MSG_DONTWAIT);

    return n > 0 ? (size_t) n : 0;
}

static void say_hello(void)
{
    const struct hello hello = {.number = 1, .evidence = EVIDENCE_SAMPLE};
    struct writer writer;

    writer_init(&writer, 256);
    hello_write(&writer, &hello);
    ck_assert_int_eq(SSL_write(other.ssl, writer.data, (int) writer.size), (int) writer.size);
    writer_fini(&writer);
}

static void split(size_t size)
{
    for (size_t at = 0; at < size; count++) {
        ck_assert_uint_lt(count, RECORDS_MAX);
        ck_assert_uint_le(at + HEADER, size);
        records[count].data = flight + at;
        records[count].size = HEADER + (size_t) (flight[at + 3] << 8 | flight[at + 4]);
        at += records[count].size;
        ck_assert_uint_le(at, size);
    }
    ck_assert_uint_ge(count, 4); /* certificate, its proof, Finished, HELLO */
    ck_assert_uint_eq(records[count - 2].size, FINISHED_RECORD);
}

/* Up to where the tenant would send its second flight, with HELLO behind it. */
static void prepare(EVP_PKEY *pkey)
{
    uint8_t bytes[8192];
    size_t n;

    tenant_init(pkey);
    (void) SSL_do_handshake(other.ssl);
    n = (size_t) BIO_read(outbound, bytes, sizeof(bytes));
    to_guest(bytes, n);
    for (int i = 0; i < PAIR_TURNS_MAX && !SSL_is_init_finished(other.ssl); i++) {
        pair_turns(&pair, 1);
        n = from_guest(bytes, sizeof(bytes));
        if (n)
            BIO_write(inbound, bytes, (int) n);
        (void) SSL_do_handshake(other.ssl);
    }
    ck_assert(SSL_is_init_finished(other.ssl)); /* so it thinks */
    say_hello();
    int length = BIO_read(outbound, flight, sizeof(flight));
    ck_assert_int_gt(length, 0);
    count = 0;
    split((size_t) length);
}

static void send_records(size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        to_guest(records[i].data, records[i].size);
}

static void ck_silent(void)
{
    uint8_t byte;

    pair_turns(&pair, TURNS);
    ck_assert_uint_eq(from_guest(&byte, 1), 0);
    ck_assert_int_eq(produced, 0);
    ck_assert_uint_eq(pair.guest_count, 0);
}

START_TEST(hello_waits_for_the_whole_of_finished)
{
    const struct record *finished;
    uint8_t answer[8192];
    size_t n = 0;

    prepare(tenant_pkey());
    finished = &records[count - 2];
    ck_silent(); /* not even with data of its own, which TLS 1.3 would allow */
    send_records(0, count - 2);
    ck_silent();
    to_guest(finished->data, finished->size - 1);
    ck_silent();
    ck_assert_uint_eq(pair.refused_count, 0);
    to_guest(finished->data + finished->size - 1, 1);
    send_records(count - 1, count);
    for (int i = 0; i < PAIR_TURNS_MAX && !n; i++) {
        pair_turns(&pair, 1);
        n = from_guest(answer, sizeof(answer));
    }
    ck_assert_int_eq(produced, 1);
    BIO_write(inbound, answer, (int) n);
    ck_assert_int_eq(SSL_read(other.ssl, answer, 1), 1);
    ck_assert_int_eq(answer[0], FRAME_EVIDENCE);
}
END_TEST

START_TEST(hello_before_finished_is_refused)
{
    prepare(tenant_pkey());
    send_records(0, count - 2);
    send_records(count - 1, count); /* HELLO */
    send_records(count - 2, count - 1);
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "TLS handshake"));
    ck_assert_int_eq(produced, 0);
}
END_TEST

START_TEST(hello_without_a_certificate_is_refused)
{
    prepare(tenant_pkey());
    send_records(count - 2, count);
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "TLS handshake"));
    ck_assert_int_eq(produced, 0);
}
END_TEST

/* Its own library told it that all is well. */
START_TEST(hello_of_a_stranger_right_behind_finished_is_refused)
{
    prepare(EVP_EC_gen("P-256"));
    to_guest(flight, (size_t) (records[count - 1].data - flight) + records[count - 1].size);
    pair_until_refused(&pair, 1);
    ck_assert_msg(strstr(pair.refused.message, "not one that is named"), "%s",
                  pair.refused.message);
    ck_assert_int_eq(produced, 0);
}
END_TEST

START_TEST(hello_of_who_does_not_hold_the_named_key_is_refused)
{
    EVP_PKEY *named = tenant_pkey();

    prepare(other_stolen(named));
    EVP_PKEY_free(named);
    to_guest(flight, (size_t) (records[count - 1].data - flight) + records[count - 1].size);
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "TLS handshake"));
    ck_assert_ptr_null(strstr(pair.refused.message, "named"));
    ck_assert_int_eq(produced, 0);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "finished", .setup = setup, .teardown = teardown, .timeout_s = 30},
        (const TTest *[]){hello_waits_for_the_whole_of_finished, hello_before_finished_is_refused,
                          hello_without_a_certificate_is_refused,
                          hello_of_a_stranger_right_behind_finished_is_refused,
                          hello_of_who_does_not_hold_the_named_key_is_refused, NULL});
}
