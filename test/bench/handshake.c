/* SPDX-License-Identifier: Apache-2.0 */
/* What a handshake costs both its ends together, in CPU time of this process, over loopback:
 *
 *   plain    TCP and mutual TLS, by the channel's own TLS and keys
 *   sample   the attested channel until both ends have it open, with evidence that proves nothing
 *   snp      the same, and a report of SEV-SNP verified
 *   tdx      the same, and a quote of TDX verified, with collateral
 *   quote    the same, without collateral
 *   evidence the sample alone, made and judged: both sign and verify, as no hardware's guest would
 *
 *   bench-handshake SPECIMEN BLOCKS COUNT
 *
 * A real report covers another statement than that of a connection made here, so it is verified
 * beside the sample's. They alternate within each block. Prints a line of JSON: medians of each
 * block in nanoseconds, and how many answers the dialling end waits for. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/random.h"
#include "evidence/judge.h"
#include "evidence/sample.h"
#include "io/loop.h"
#include "relay.h"
#include "samples.h"
#include "secure/channel.h"
#include "secure/key.h"
#include "secure/tls.h"
#include "specimen.h"

enum { TURNS_MAX = 10000, WARM = 3 };

struct ends { /* of the attested channel */
    struct channel *tenant, *guest;
    bool opened;
};

struct bench {
    struct loop *loop;
    struct key *tenant, *guest;
    struct initdata *initdata;
    struct channel_listener *listener;
    uint16_t port;
    uint8_t instance[32];
    struct ends ends;
    struct specimen specimen;
};

static _Noreturn void die(const char *what)
{
    (void) fprintf(stderr, "bench-handshake: %s\n", what);
    exit(EXIT_FAILURE);
}

static void must(int rc, const struct error *err)
{
    if (rc < 0)
        die(err->message);
}

static uint64_t cpu_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

/* ---- plain ---- */

static struct tls *plain_end(const struct bench *bench, enum tls_side side, int fd)
{
    const struct tls_options options = {
        .side = side, .fd = fd, .key = side == TLS_TENANT ? bench->tenant : bench->guest};
    struct tls *tls;
    struct error err;

    transport_tune(fd);
    must(tls_new(&options, &tls, &err), &err);
    return tls;
}

static bool plain_step(struct tls *tls)
{
    struct error err;
    enum tls_result result = tls_handshake(tls, &err);

    if (result == TLS_FAILED || result == TLS_END)
        die(err.message);
    return result == TLS_OK;
}

/* The listener of one connection; a relay may stand before it, which the loop turns. */
static void run_plain(struct bench *bench, int listening, uint16_t port)
{
    scoped(closep) int dialled = relay_dial(port), accepted = -1;
    scoped(tls_freep) struct tls *tenant = NULL, *guest = NULL;
    bool tenant_done = false, guest_done = false;
    struct error err;

    for (int i = 0; accepted < 0 && i < TURNS_MAX; i++) {
        must(loop_turn(bench->loop, 0, &err), &err);
        accepted = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    if (accepted < 0)
        die("nobody came");
    tenant = plain_end(bench, TLS_TENANT, dialled);
    guest = plain_end(bench, TLS_GUEST, accepted);
    while (!tenant_done || !guest_done) {
        tenant_done = tenant_done || plain_step(tenant);
        must(loop_turn(bench->loop, 0, &err), &err);
        guest_done = guest_done || plain_step(guest);
        must(loop_turn(bench->loop, 0, &err), &err);
    }
}

/* ---- the attested channel ---- */

static void on_guest(void *user, struct channel *channel)
{
    struct bench *bench = user;

    bench->ends.guest = channel;
}

static void on_refused(void *user, const struct error *err)
{
    (void) user;
    die(err->message);
}

static void on_tenant(void *user, struct channel *channel, const struct error *err)
{
    struct bench *bench = user;

    (void) channel;
    if (err)
        die(err->message);
    bench->ends.opened = true;
}

static const char *const insecure[] = {"sample", NULL};

static void run_channel(struct bench *bench, uint16_t port)
{
    struct channel_dial_options options = {
        .key = bench->tenant, .initdata = bench->initdata, .policy = {.allow_insecure = insecure}};
    struct error err;

    must(endpoint_make("direct", "127.0.0.1", port, &options.endpoint, &err), &err);
    must(channel_dial(bench->loop, &options, on_tenant, bench, &bench->ends.tenant, &err), &err);
    for (int i = 0; i < TURNS_MAX && !(bench->ends.opened && bench->ends.guest); i++)
        must(loop_turn(bench->loop, 10, &err), &err);
    if (!bench->ends.opened || !bench->ends.guest)
        die("the channel did not open");
}

static void end_channel(struct bench *bench)
{
    struct error err;

    channel_free(bench->ends.tenant);
    channel_free(bench->ends.guest);
    bench->ends = (struct ends){.tenant = NULL};
    for (int i = 0; i < 3; i++)
        must(loop_turn(bench->loop, 0, &err), &err);
}

static void run_evidence(void)
{
    static const uint8_t statement[EVIDENCE_STATEMENT_SIZE], initdata[48];
    const struct evidence_request request = {statement, initdata};
    const struct evidence_policy policy = {.allow_insecure = insecure};
    struct evidence_verdict verdict = {.failed = APPRAISAL_FORMAT};
    struct evidence_output output;
    struct error err;

    writer_init(&output.evidence, SAMPLE_SIZE);
    writer_init(&output.endorsements, 0);
    writer_init(&output.event_log, 0);
    must(evidence_sample.produce(&request, &output, &err), &err);
    const struct evidence_bundle bundle = {.evidence = output.evidence.data,
                                           .evidence_length = output.evidence.size};
    evidence_judge(&evidence_sample, &bundle, &request, &policy, &verdict);
    if (verdict.failed != APPRAISAL_OK)
        die(verdict.text);
    writer_fini(&output.evidence);
    writer_fini(&output.endorsements);
    writer_fini(&output.event_log);
}

static void make_initdata(struct bench *bench)
{
    struct initdata_content content = {
        .algorithm = INITDATA_SHA256,
        .peer_count = 1,
        .epoch = 1,
        .limits = {.vcpus = 1, .memory = 1 << 28, .evidence = "sample"},
        .network = INITDATA_NETWORK_NONE,
    };
    struct error err;

    random_bytes(content.sandbox_id, sizeof(content.sandbox_id));
    content.peers[0].role = PEER_CONTROL;
    memcpy(content.peers[0].spki, key_spki(bench->tenant), KEY_SPKI_SIZE);
    must(initdata_make(&content, &bench->initdata, &err), &err);
}

static void start(struct bench *bench)
{
    static const struct channel_listener_events events = {on_guest, on_refused};
    struct error err;

    must(loop_new(&bench->loop, &err), &err);
    must(key_generate(&bench->tenant, &err), &err);
    must(key_generate(&bench->guest, &err), &err);
    make_initdata(bench);
    random_bytes(bench->instance, sizeof(bench->instance));
    const struct channel_listener_options options = {.fd = relay_listen(&bench->port),
                                                     .key = bench->guest,
                                                     .initdata = bench->initdata,
                                                     .instance = bench->instance};
    must(channel_listen(bench->loop, &options, &events, bench, &bench->listener, &err), &err);
}

static void stop(struct bench *bench)
{
    channel_listener_free(bench->listener);
    initdata_free(bench->initdata);
    key_free(bench->tenant);
    key_free(bench->guest);
    loop_free(bench->loop);
    specimen_fini(&bench->specimen);
}

/* ---- blocks ---- */

enum kind { PLAIN, SAMPLE, SNP, TDX, QUOTE, EVIDENCE, KINDS };

static uint64_t run(struct bench *bench, enum kind kind)
{
    uint16_t port;
    int listening = kind == PLAIN ? relay_listen(&port) : -1;
    uint64_t begin = cpu_ns(), took;

    if (kind == PLAIN)
        run_plain(bench, listening, port);
    else if (kind == EVIDENCE)
        run_evidence();
    else
        run_channel(bench, bench->port);
    if (kind == SNP)
        specimen_verify_snp(&bench->specimen);
    if (kind == TDX)
        specimen_verify_tdx(&bench->specimen);
    if (kind == QUOTE)
        specimen_verify_quote(&bench->specimen);
    took = cpu_ns() - begin;
    if (kind == PLAIN)
        closep(&listening);
    else if (kind != EVIDENCE)
        end_channel(bench);
    return took;
}

static void print_blocks(struct bench *bench, size_t blocks, size_t count)
{
    static const char *const names[KINDS] = {"plain", "sample", "snp", "tdx", "quote", "evidence"};

    for (int i = 0; i < WARM * KINDS; i++)
        (void) run(bench, i % KINDS);
    (void) printf("{\"blocks\":[");
    for (size_t block = 0; block < blocks; block++) {
        struct samples samples[KINDS];

        for (int kind = 0; kind < KINDS; kind++)
            samples_init(&samples[kind], count);
        for (size_t i = 0; i < count * KINDS; i++) {
            enum kind kind = (block + i) % KINDS;

            samples_add(&samples[kind], run(bench, kind));
        }
        for (int kind = 0; kind < KINDS; kind++) {
            (void) printf("%s\"%s\":%llu",
                          kind    ? ","
                          : block ? ",{"
                                  : "{",
                          names[kind], (unsigned long long) samples_quantile(&samples[kind], 0.5));
            samples_fini(&samples[kind]);
        }
        (void) printf("}");
    }
    (void) printf("]");
}

/* Through a relay, which costs time: not among the blocks. */
static void print_answers(struct bench *bench)
{
    uint16_t port;
    int listening = relay_listen(&port);
    struct relay *relay = relay_new(bench->loop, port);

    run_plain(bench, listening, relay_port(relay));
    (void) printf(",\"answers\":{\"plain\":%u", relay_answers(relay));
    relay_free(relay);
    closep(&listening);
    relay = relay_new(bench->loop, bench->port);
    run_channel(bench, relay_port(relay));
    (void) printf(",\"sample\":%u}}\n", relay_answers(relay));
    end_channel(bench);
    relay_free(relay);
}

int main(int argc, char *argv[])
{
    struct bench bench = {.loop = NULL};

    if (argc != 4)
        die("usage: bench-handshake SPECIMEN BLOCKS COUNT");
    specimen_load(argv[1], &bench.specimen);
    start(&bench);
    print_blocks(&bench, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    print_answers(&bench);
    stop(&bench);
    return EXIT_SUCCESS;
}
