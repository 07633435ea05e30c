/* SPDX-License-Identifier: Apache-2.0 */
/* A tenant under attack: what answers at the address is not the guest that was minted, or is, and
 * lies in one place. The tenant must refuse it by the name of that place, and send nothing before.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "evidence/sample.h"
#include "io/loop.h"
#include "pair.h"
#include "raw.h"
#include "secure/appraisal.h"
#include "secure/hello.h"
#include "secure/key.h"
#include "secure/statement.h"
#include "suite.h"

static struct pair pair;
static struct outcome tenant;
static struct raw *raw;
static int listening;

static void setup(void)
{
    memset(&tenant, 0, sizeof(tenant));
    listening = -1;
    pair_init(&pair);
}

static void teardown(void)
{
    raw_free(take_ptr(raw));
    closep(&listening);
    outcome_fini(&tenant);
    pair_fini(&pair);
}

static void again(void)
{
    teardown();
    setup();
}

static void tenant_refuses(const char *check, const char *detail)
{
    ck_assert(tenant.failed);
    ck_assert_msg(strstr(tenant.err.message, check), "%s", tenant.err.message);
    ck_assert_msg(strstr(tenant.err.message, detail), "%s", tenant.err.message);
    ck_assert_int_eq(tenant.err.status, STATUS_UNAUTHENTICATED);
}

/* ---- a real guest that lies in its evidence ---------------------------------------------------
 */

struct lie {
    int statement_bit; /* flipped in the statement before it is signed; -1 none */
    int evidence_bit;  /* flipped in the evidence after; -1 none */
    bool other_initdata_digest;
    uint8_t replayed[SAMPLE_SIZE]; /* the first evidence, given again */
    bool replays, recorded;
    size_t cut, added;
    size_t endorsements, event_log; /* bytes of these, where the type has none */
};

static int produce_lie(void *user, const struct evidence_request *request,
                       struct evidence_output *output, struct error *err)
{
    struct lie *lie = user;
    struct writer *evidence = &output->evidence;
    uint8_t statement[STATEMENT_SIZE], digest[48];
    struct evidence_request altered = {statement, digest};

    memcpy(statement, request->statement, sizeof(statement));
    memcpy(digest, request->initdata_digest, sizeof(digest));
    if (lie->statement_bit >= 0)
        statement[lie->statement_bit / 8] ^= (uint8_t) (1 << lie->statement_bit % 8);
    if (lie->other_initdata_digest)
        digest[47] ^= 1;
    if (evidence_sample.produce(&altered, output, err) < 0)
        return -1;
    if (lie->recorded)
        memcpy(evidence->data, lie->replayed, SAMPLE_SIZE);
    if (lie->replays && !lie->recorded) {
        memcpy(lie->replayed, evidence->data, SAMPLE_SIZE);
        lie->recorded = true;
    }
    if (lie->evidence_bit >= 0)
        evidence->data[lie->evidence_bit / 8] ^= (uint8_t) (1 << lie->evidence_bit % 8);
    evidence->size -= lie->cut;
    writer_zeros(evidence, lie->added);
    writer_zeros(&output->endorsements, lie->endorsements);
    writer_zeros(&output->event_log, lie->event_log);
    return 0;
}

static struct lie honest(void)
{
    return (struct lie){.statement_bit = -1, .evidence_bit = -1};
}

static void dial_liar(struct lie *lie)
{
    pair.produce = produce_lie;
    pair.produce_user = lie;
    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);
    pair_dial(&pair, &options, &tenant);
}

START_TEST(an_honest_guest_is_accepted)
{
    struct lie lie = honest();

    dial_liar(&lie);
    ck_assert_msg(tenant.opened, "%s", tenant.err.message);
}
END_TEST

static int produce_all(void *user, const struct evidence_request *request,
                       struct evidence_output *output, struct error *err)
{
    writer_bytes(&output->evidence, "report", 6);
    writer_bytes(&output->endorsements, "certificates", 12);
    writer_bytes(&output->event_log, "log", 3);
    return 0;
}

START_TEST(each_part_that_is_made_is_sent_as_its_own)
{
    const struct appraisal appraisal = {.initdata = pair.initdata, .type = &evidence_sample};
    const struct appraisal_producer producer = {.instance = pair.instance, .produce = produce_all};
    const struct hello hello = {.number = 1};
    struct evidence_body got;
    struct writer writer;
    struct error err;

    writer_init(&writer, FRAME_BODY_MAX);
    ck_assert_int_eq(appraisal_produce(&appraisal, &producer, &hello, &writer, &err), 0);
    ck_assert_int_eq(evidence_body_parse(writer.data, writer.size, &got, &err), 0);
    ck_assert_uint_eq(got.evidence.length, 6);
    ck_assert_mem_eq(got.evidence.data, "report", 6);
    ck_assert_uint_eq(got.endorsements.length, 12);
    ck_assert_mem_eq(got.endorsements.data, "certificates", 12);
    ck_assert_uint_eq(got.event_log.length, 3);
    ck_assert_mem_eq(got.event_log.data, "log", 3);
    ck_assert_uint_eq(got.initdata.length, pair.initdata->length);
    writer_fini(&writer);
}
END_TEST

START_TEST(parts_that_a_sample_does_not_have_are_refused)
{
    static const size_t sizes[][2] = {{1, 0}, {0, 1}, {ENDORSEMENTS_MAX, EVENT_LOG_MAX}};

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct lie lie = honest();

        lie.endorsements = sizes[i][0];
        lie.event_log = sizes[i][1];
        dial_liar(&lie);
        tenant_refuses("appraisal failed: ", "format");
        again();
    }
}
END_TEST

START_TEST(a_guest_does_not_send_more_of_a_part_than_the_frame_takes)
{
    static const struct {
        size_t evidence, endorsements, event_log;
        const char *why;
    } cases[] = {
        {EVIDENCE_MAX, 0, 0, "the evidence would be more than 65536 bytes"},
        {0, ENDORSEMENTS_MAX + 1, 0, "the endorsements would be more than 131072 bytes"},
        {0, 0, EVENT_LOG_MAX + 1, "the event log would be more than 655360 bytes"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct lie lie = honest();

        lie.added = cases[i].evidence;
        lie.endorsements = cases[i].endorsements;
        lie.event_log = cases[i].event_log;
        dial_liar(&lie);
        ck_assert(tenant.failed);
        pair_until_refused(&pair, 1);
        ck_assert_msg(strstr(pair.refused.message, cases[i].why), "%s", pair.refused.message);
        again();
    }
}
END_TEST

START_TEST(each_field_of_the_statement_counts)
{
    const struct statement_field *field;

    for (size_t i = 0; (field = statement_field(i)); i++) {
        int bits[] = {field->offset * 8, (field->offset + field->length) * 8 - 1,
                      field->offset * 8 + field->length * 4};

        for (size_t j = 0; j < ARRAY_LENGTH(bits); j++) {
            struct lie lie = honest();
            char detail[64];

            lie.statement_bit = bits[j];
            dial_liar(&lie);
            snprintf(detail, sizeof(detail), "the field '%s'", field->name);
            tenant_refuses("appraisal failed: report-data: ", detail);
            pair_until_refused(&pair, 1); /* and the guest hears it */
            ck_assert_ptr_nonnull(strstr(pair.refused.message, "11 (report-data)"));
            ck_assert_uint_eq(pair.guest_count, 0);
            again();
        }
    }
}
END_TEST

START_TEST(each_field_of_sample_evidence_counts)
{
    static const struct {
        int byte;
        const char *check;
    } cases[] = {
        {0, "format"},      {7, "format"},      {8, "format"},
        {9, "signature"},   {72, "signature"},  {73, "signature"},
        {121, "signature"}, {169, "signature"}, {SAMPLE_SIZE - 1, "signature"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct lie lie = honest();

        lie.evidence_bit = cases[i].byte * 8 + 3;
        dial_liar(&lie);
        tenant_refuses("appraisal failed: ", cases[i].check);
        again();
    }
}
END_TEST

START_TEST(evidence_of_another_length_is_refused)
{
    struct lie lie = honest();

    lie.cut = 1;
    dial_liar(&lie);
    tenant_refuses("appraisal failed: format", "sample");
    again();
    lie = honest();
    lie.added = 1;
    dial_liar(&lie);
    tenant_refuses("appraisal failed: format", "sample");
}
END_TEST

START_TEST(another_initdata_digest_in_the_hardware_field_is_refused)
{
    struct lie lie = honest();

    lie.other_initdata_digest = true;
    dial_liar(&lie);
    tenant_refuses("appraisal failed: hardware-initdata", "initdata_digest");
}
END_TEST

START_TEST(a_measurement_that_is_no_reference_value_is_refused)
{
    static const uint8_t references[1][EVIDENCE_MEASUREMENT_SIZE] = {{1}};
    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);

    options.policy.measurements = references;
    options.policy.measurement_count = 1;
    pair_dial(&pair, &options, &tenant);
    tenant_refuses("appraisal failed: measurement", "measurement");
}
END_TEST

START_TEST(replayed_evidence_is_refused)
{
    struct lie lie = honest();

    lie.replays = true;
    dial_liar(&lie);
    ck_assert_msg(tenant.opened, "%s", tenant.err.message);
    outcome_fini(&tenant);
    struct channel_dial_options options = pair_dial_options(&pair);
    pair_dial(&pair, &options, &tenant);
    tenant_refuses("appraisal failed: report-data", "this connection");
}
END_TEST

START_TEST(sample_evidence_needs_the_policy_to_name_it)
{
    static const char *const others[] = {"tpm", NULL};
    struct error err;

    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);
    options.policy.allow_insecure = NULL;
    ck_assert_int_lt(channel_dial(pair.loop, &options, NULL, NULL, &tenant.channel, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "appraisal failed: policy"));
    options.policy.allow_insecure = others;
    ck_assert_int_lt(channel_dial(pair.loop, &options, NULL, NULL, &tenant.channel, &err), 0);
    ck_assert_int_eq(err.status, STATUS_PERMISSION_DENIED);
    pair_turns(&pair, 5);
    ck_assert_uint_eq(pair.refused_count + pair.guest_count, 0); /* not a byte went out */
}
END_TEST

START_TEST(another_boot_of_the_same_sandbox_is_refused)
{
    uint8_t expected[32];

    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);
    memcpy(expected, pair.instance, sizeof(expected));
    options.instance = expected;
    pair_dial(&pair, &options, &tenant);
    ck_assert_msg(tenant.opened, "%s", tenant.err.message);
    outcome_fini(&tenant);
    expected[0] ^= 1;
    pair_dial(&pair, &options, &tenant);
    tenant_refuses("appraisal failed: instance", "another boot");
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "12 (instance)"));
}
END_TEST

START_TEST(other_initdata_with_our_key_in_it_is_refused)
{
    scoped(initdata_freep) struct initdata *ours = pair_make_initdata(&pair, "sample", 8);

    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);
    options.initdata = ours; /* the next epoch; the host boots the old one */
    pair_dial(&pair, &options, &tenant);
    tenant_refuses("appraisal failed: initdata", "other initdata");
}
END_TEST

/* A sandbox that the tenant himself minted, brought back later: its epoch is 7. */
START_TEST(a_sandbox_below_the_epochs_floor_is_refused)
{
    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);

    options.policy.epoch_min = 7;
    pair_dial(&pair, &options, &tenant);
    ck_assert(!tenant.failed);
    again();
    pair_listen(&pair);
    options = pair_dial_options(&pair);
    options.policy.epoch_min = 8;
    pair_dial(&pair, &options, &tenant);
    tenant_refuses("appraisal failed: initdata", "epoch 7 is below the pod's floor, 8");
}
END_TEST

static int refuse_to_say(void *user, struct evidence_policy *policy, struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "there are no values");
}

/* The guest is not to blame, and hears no REJECT. */
START_TEST(without_a_policy_nobody_is_accepted)
{
    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);

    options.refresh = refuse_to_say;
    pair_dial(&pair, &options, &tenant);
    ck_assert(tenant.failed);
    ck_assert_int_eq(tenant.err.status, STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(tenant.err.message, "there are no values"));
    ck_assert_uint_eq(pair.guest_count, 0);
}
END_TEST

START_TEST(our_key_must_be_in_our_initdata)
{
    struct error err;
    struct key *other;

    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);
    ck_assert_int_eq(key_generate(&other, &err), 0);
    options.key = other;
    ck_assert_int_lt(channel_dial(pair.loop, &options, NULL, NULL, &tenant.channel, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "not in the initdata"));
    key_free(other);
}
END_TEST

/* ---- an impostor that says what it likes ------------------------------------------------------
 */

static void on_open(void *user, struct channel *channel, const struct error *err)
{
    tenant.opened = err == NULL;
    tenant.failed = err != NULL;
    if (err)
        tenant.err = *err;
}

/* Whether the tenant's HELLO has come before its deadline. */
static bool is_dialled(uint64_t deadline_ms)
{
    struct error err;

    listening = pair_socket_listen(&pair.port);
    struct channel_dial_options options = pair_dial_options(&pair);
    options.deadline_ms = deadline_ms;
    ck_assert_int_eq(channel_dial(pair.loop, &options, on_open, NULL, &tenant.channel, &err), 0);
    raw = raw_serve(&pair, raw_accept(&pair, listening), pair.guest_key);
    if (!raw_handshake(raw) || !raw_read_frame(raw))
        return false;
    ck_assert_int_eq(raw->type, FRAME_HELLO);
    ck_assert_uint_eq(raw->length, 36);
    return true;
}

static void start_impostor(void)
{
    ck_assert_msg(is_dialled(5000), "%s", raw->err.message);
}

static void start_silent_impostor(void)
{
    size_t i = 0;

    while (!is_dialled(pair_deadlines_ms[i])) {
        again();
        ck_assert_uint_lt(++i, PAIR_DEADLINES);
    }
}

/* The tenant's answer to an impostor is REJECT or the end, never ACCEPT. */
static void impostor_fails(const char *why)
{
    pair_until(&pair, &tenant.failed);
    ck_assert_msg(strstr(tenant.err.message, why), "%s", tenant.err.message);
    if (raw_read_frame(raw))
        ck_assert_int_eq(raw->type, FRAME_REJECT);
    ck_assert(raw_is_ended(raw));
    ck_assert(!tenant.opened);
}

/* A body that is good in form, with nothing signed. */
static size_t make_body(uint8_t type, uint8_t *body, size_t size)
{
    uint8_t nothing[SAMPLE_SIZE] = {0};
    struct evidence_body evidence = {
        .type = type,
        .evidence = {nothing, sizeof(nothing)},
        .initdata = {pair.initdata->bytes, pair.initdata->length},
    };
    struct writer writer;

    writer_init(&writer, size);
    evidence_body_write(&writer, &evidence);
    size_t length = writer.size;
    ck_assert(!writer.failed);
    memcpy(body, writer.data, length);
    writer_fini(&writer);
    return length;
}

static uint8_t body[4096];

START_TEST(evidence_of_another_type_is_refused)
{
    start_impostor();
    raw_send_frame(raw, FRAME_EVIDENCE, body, make_body(EVIDENCE_SNP, body, sizeof(body)));
    impostor_fails("appraisal failed: evidence-type: asked for type 255 (sample), got type 1");
}
END_TEST

/* A tenant that would take a sample from others, too, and knows no measurement. */
static void demand_a_tpm(void)
{
    initdata_free(pair.initdata);
    pair.initdata = pair_make_initdata(&pair, "tpm", 7);
}

START_TEST(a_sample_in_place_of_a_tpm_is_refused)
{
    demand_a_tpm();
    start_impostor();
    raw_send_frame(raw, FRAME_EVIDENCE, body, make_body(EVIDENCE_SAMPLE, body, sizeof(body)));
    impostor_fails("appraisal failed: evidence-type: asked for type 3 (tpm), got type 255");
    again();
    demand_a_tpm(); /* by the right name */
    start_impostor();
    raw_send_frame(raw, FRAME_EVIDENCE, body, make_body(EVIDENCE_TPM, body, sizeof(body)));
    impostor_fails("appraisal failed: policy: there are no reference values of type tpm");
}
END_TEST

/* The genuine agent makes what its initdata name, or nothing. */
START_TEST(a_guest_makes_no_sample_where_a_tpm_is_demanded)
{
    demand_a_tpm();
    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);

    pair_dial(&pair, &options, &tenant);
    ck_assert(tenant.failed);
    pair_until_refused(&pair, 1);
    ck_assert_msg(strstr(pair.refused.message, "no way to make tpm evidence"), "%s",
                  pair.refused.message);
}
END_TEST

START_TEST(empty_evidence_is_refused)
{
    start_impostor();
    raw_send_frame(raw, FRAME_EVIDENCE, body, make_body(EVIDENCE_SAMPLE, body, sizeof(body)));
    impostor_fails("appraisal failed: format");
}
END_TEST

START_TEST(evidence_with_trailing_bytes_is_refused)
{
    start_impostor();
    size_t length = make_body(EVIDENCE_SAMPLE, body, sizeof(body));
    raw_send_frame(raw, FRAME_EVIDENCE, body, length + 1);
    impostor_fails("EVIDENCE has 1 bytes too many");
}
END_TEST

START_TEST(evidence_that_is_cut_short_is_refused)
{
    start_impostor();
    size_t length = make_body(EVIDENCE_SAMPLE, body, sizeof(body));
    raw_send_frame(raw, FRAME_EVIDENCE, body, length - 1);
    impostor_fails("EVIDENCE is cut short");
}
END_TEST

START_TEST(oversized_parts_of_evidence_are_refused)
{
    static const struct {
        size_t at; /* of the length, with empty parts before it */
        uint32_t length;
        const char *part;
    } cases[] = {
        {33, EVIDENCE_MAX + 1, "of evidence"},   {37, ENDORSEMENTS_MAX + 1, "of endorsements"},
        {41, EVENT_LOG_MAX + 1, "of event log"}, {45, INITDATA_SIZE_MAX + 1, "of initdata"},
        {33, 0xffffffff, "of evidence"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t parts[49] = {EVIDENCE_SAMPLE};

        for (size_t j = 0; j < 4; j++)
            parts[cases[i].at + j] = (uint8_t) (cases[i].length >> (24 - 8 * j));
        start_impostor();
        raw_send_frame(raw, FRAME_EVIDENCE, parts, sizeof(parts));
        impostor_fails(cases[i].part);
        again();
    }
}
END_TEST

START_TEST(an_oversized_frame_is_refused_by_its_header)
{
    static const uint8_t header[] = {FRAME_EVIDENCE, 0, 0x0f, 0xff, 0xff};

    start_impostor();
    raw_send(raw, header, sizeof(header));
    impostor_fails("EVIDENCE says 1048575 bytes");
}
END_TEST

START_TEST(a_guest_that_hangs_up_at_hello_is_perhaps_of_another_release)
{
    start_impostor();
    ck_assert_int_eq(tls_close(raw->tls, &raw->err), TLS_OK);
    impostor_fails("does not speak version 1 of the channel");
    again();
    start_impostor();
    raw_free(raw);
    raw = NULL;
    pair_until(&pair, &tenant.failed);
    ck_assert_ptr_nonnull(strstr(tenant.err.message, "use a guest image of release"));
}
END_TEST

START_TEST(other_frames_are_refused_from_a_guest)
{
    static const struct {
        uint8_t type;
        uint8_t length;
        const char *why;
    } cases[] = {
        {FRAME_HELLO, 36, "HELLO came where EVIDENCE is due"},
        {FRAME_ACCEPT, 0, "ACCEPT came where EVIDENCE is due"},
        {FRAME_JOINED, 32, "JOINED came where EVIDENCE is due"},
        {'P', 0, "unknown type 80"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        start_impostor();
        raw_send_frame(raw, cases[i].type, body, cases[i].length);
        impostor_fails(cases[i].why);
        again();
    }
}
END_TEST

START_TEST(bytes_left_over_behind_evidence_are_refused)
{
    struct writer writer;

    start_impostor();
    size_t length = make_body(EVIDENCE_SAMPLE, body, sizeof(body));
    writer_init(&writer, 8192);
    evidence_write(&writer, body, length);
    writer_bytes(&writer, "HTTP", 4);
    raw_send(raw, writer.data, writer.size);
    writer_fini(&writer);
    impostor_fails("4 bytes left over behind EVIDENCE");
}
END_TEST

START_TEST(a_record_behind_evidence_is_refused)
{
    start_impostor();
    size_t length = make_body(EVIDENCE_SAMPLE, body, sizeof(body));
    raw_send_frame(raw, FRAME_EVIDENCE, body, length);
    raw_send(raw, "HTTP", 4);
    impostor_fails("bytes behind EVIDENCE before their turn");
}
END_TEST

START_TEST(a_guest_that_is_silent_is_given_up)
{
    uint64_t start = clock_monotonic_ms();

    start_silent_impostor();
    impostor_fails("deadline passed while a frame was awaited");
    ck_assert_uint_ge(clock_monotonic_ms() - start, 190);
}
END_TEST

START_TEST(a_guest_that_is_silent_from_the_start_is_given_up)
{
    struct error err;

    listening = pair_socket_listen(&pair.port);
    struct channel_dial_options options = pair_dial_options(&pair);
    options.deadline_ms = 100;
    ck_assert_int_eq(channel_dial(pair.loop, &options, on_open, NULL, &tenant.channel, &err), 0);
    pair_until(&pair, &tenant.failed);
    ck_assert_int_eq(tenant.err.status, STATUS_DEADLINE_EXCEEDED);
}
END_TEST

START_TEST(nothing_is_sent_before_accept)
{
    /* The impostor keeps its evidence back: HELLO is all that it ever sees, and the tenant has no
     * descriptor to write to. */
    struct error err;
    int fd;

    start_silent_impostor();
    ck_assert_int_lt(channel_take_fd(tenant.channel, &fd, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "not open"));
    ck_assert(raw_is_ended(raw));
    ck_assert(tenant.failed && !tenant.opened);
}
END_TEST

START_TEST(a_dial_can_be_cancelled_at_any_time)
{
    struct error err;

    pair_listen(&pair);
    struct channel_dial_options options = pair_dial_options(&pair);
    for (int turns = 0; turns < 12; turns++) {
        struct channel *channel;

        ck_assert_int_eq(channel_dial(pair.loop, &options, on_open, NULL, &channel, &err), 0);
        pair_turns(&pair, turns);
        channel_free(channel);
    }
    pair_turns(&pair, 20);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "channel_appraisal", .setup = setup, .teardown = teardown, .timeout_s = 120},
        (const TTest *[]){an_honest_guest_is_accepted,
                          each_part_that_is_made_is_sent_as_its_own,
                          parts_that_a_sample_does_not_have_are_refused,
                          a_guest_does_not_send_more_of_a_part_than_the_frame_takes,
                          each_field_of_the_statement_counts,
                          each_field_of_sample_evidence_counts,
                          evidence_of_another_length_is_refused,
                          another_initdata_digest_in_the_hardware_field_is_refused,
                          a_measurement_that_is_no_reference_value_is_refused,
                          replayed_evidence_is_refused,
                          sample_evidence_needs_the_policy_to_name_it,
                          another_boot_of_the_same_sandbox_is_refused,
                          other_initdata_with_our_key_in_it_is_refused,
                          a_sandbox_below_the_epochs_floor_is_refused,
                          without_a_policy_nobody_is_accepted,
                          our_key_must_be_in_our_initdata,
                          evidence_of_another_type_is_refused,
                          a_sample_in_place_of_a_tpm_is_refused,
                          a_guest_makes_no_sample_where_a_tpm_is_demanded,
                          empty_evidence_is_refused,
                          evidence_with_trailing_bytes_is_refused,
                          evidence_that_is_cut_short_is_refused,
                          oversized_parts_of_evidence_are_refused,
                          an_oversized_frame_is_refused_by_its_header,
                          a_guest_that_hangs_up_at_hello_is_perhaps_of_another_release,
                          other_frames_are_refused_from_a_guest,
                          bytes_left_over_behind_evidence_are_refused,
                          a_record_behind_evidence_is_refused,
                          a_guest_that_is_silent_is_given_up,
                          a_guest_that_is_silent_from_the_start_is_given_up,
                          nothing_is_sent_before_accept,
                          a_dial_can_be_cancelled_at_any_time,
                          NULL});
}
