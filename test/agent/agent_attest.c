/* SPDX-License-Identifier: Apache-2.0 */
/* A guest whose initdata asks for evidence of a TPM, with a real software TPM, against a tenant who
 * judges by reference values. */

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "base/scoped.h"
#include "bed.h"
#include "exec_bed.h"
#include "secure/channel.h"
#include "swtpm.h"

static struct swtpm swtpm;

/* Nothing measures a stub guest: the firmware's registers are those of a TPM that was just switched
 * on. */
static const char values[] =
    "{\"format\":\"cleave-reference-values/1\",\"id\":\"stub\",\"serial\":1,"
    "\"not_after\":\"2090-01-01T00:00:00Z\",\"tpm\":{\"trust_anchor\":\"host-vtpm\","
    "\"attestation_keys\":\"any\",\"pcrs\":{\"0\":[\"0\"],\"4\":[\"0\"],\"9\":[\"0\"]}}}";

static void switch_on(void)
{
    swtpm_init(&swtpm);
}

/* Somebody was there before the guest. */
static void switch_on_and_use(void)
{
    swtpm_init(&swtpm);
    EXPECT(system("echo other initdata | " ATTEST_PROGRAM " bind tpm " SWTPM_TRANSPORT " -"
                  " >/dev/null") == 0,
           "bind");
}

static struct bed_options options(const char *evidence)
{
    return (struct bed_options){.evidence = evidence,
                                .tpm = SWTPM_TRANSPORT,
                                .values = values,
                                .network_is_there = switch_on};
}

/* ---- a good one ------------------------------------------------------------------------------ */

static enum status ask(struct bed *bed, uint32_t number, const uint8_t nonce[32],
                       Agent__AppraiseResponse **ret, char *sentence)
{
    Agent__AppraiseRequest request = AGENT__APPRAISE_REQUEST__INIT;

    request.nonce = (ProtobufCBinaryData){32, (uint8_t *) (uintptr_t) nonce};
    request.number = number;
    return bed_call(bed, "Appraise", &request, &agent__appraise_response__descriptor, ret,
                    sentence);
}

static int appraise(struct bed *bed, uint32_t number, enum appraisal_check *ret_failed,
                    struct error *err)
{
    Agent__AppraiseResponse *reply = NULL;
    struct appraise_answer answer = {.number = number};
    char sentence[512];
    uint8_t nonce[32];

    random_bytes(nonce, sizeof(nonce));
    enum status status = ask(bed, number, nonce, &reply, sentence);
    EXPECT(status == STATUS_OK, "Appraise: %s: %s", status_name(status), sentence);
    answer.nonce = nonce;
    answer.body = reply->evidence.data;
    answer.length = reply->evidence.len;
    int rc = channel_appraise_verify(bed->control_channel, &answer, ret_failed, err);
    protobuf_c_message_free_unpacked(&reply->base, NULL);
    return rc;
}

static void is_accepted(struct bed *bed)
{
    struct channel_facts facts;
    enum appraisal_check failed;
    struct error err;

    bed_connect(bed);
    facts = channel_facts(bed->control_channel);
    EXPECT(strcmp(facts.evidence, "tpm") == 0 && strcmp(facts.anchor, "host-vtpm") == 0,
           "evidence %s, anchor %s", facts.evidence, facts.anchor);
    EXPECT(facts.measurement_size == 32 && facts.chip_size == 32, "no measurement, or no key");
    bed_step("evidence of a TPM opens the channel");
    EXPECT(appraise(bed, 2, &failed, &err) == 0, "%s", err.message);
    EXPECT(appraise(bed, 3, &failed, &err) == 0, "%s", err.message);
    bed_step("later appraisals pass");
}

static void configure(struct bed *bed)
{
    Agent__ConfigureRequest request = AGENT__CONFIGURE_REQUEST__INIT;

    request.key = bed_key(bed);
    request.hostname = (char *) (uintptr_t) "pod";
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Configure", &request, &agent__configure_response__descriptor), NULL);
}

static enum status create(struct bed *bed, const char *id, const char *mounts, const char *members,
                          char *sentence)
{
    static const char script[] =
        "for d in tpm0 tpmrm0 sev-guest tdx_guest; do test ! -e /dev/$d || exit 11; done; "
        "mknod /node c 1 3 2>/dev/null && exit 12; "
        "test -z \\\"$(ls /sys/kernel/config /sys/kernel/security 2>/dev/null | grep -v :)\\\" || "
        "exit 13; test ! -e /usr/bin/cleave-attest || exit 14; exit 0";
    Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;
    scoped(freep) char *spec = xformat(
        "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"env\":"
        "[\"PATH=/bin\"],\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_MKNOD\"],"
        "\"effective\":[\"CAP_MKNOD\"],\"permitted\":[\"CAP_MKNOD\"]}},\"root\":{\"path\":"
        "\"rootfs\"},\"mounts\":[{\"destination\":\"/"
        "dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
        "{\"destination\":\"/"
        "sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"ro\"]}%s],"
        "\"linux\":{%s}}",
        script, mounts, members);

    return bed_create(bed, id, spec, &request, sentence);
}

/* Of the stub guest itself they are stand-ins, but they are there. */
static void containers_do_not_see_the_hardware(struct bed *bed)
{
    static const char *const devices[] = {"tpm0", "tpmrm0", "sev-guest", "tdx_guest"};
    const pid_t agent = exec_bed_find_agent(bed);
    Agent__ProcessRequest request = AGENT__PROCESS_REQUEST__INIT;
    Agent__ExitRecord *record;
    char sentence[512];
    enum status status;

    configure(bed);
    blobs_push(bed);
    for (size_t i = 0; i < ARRAY_LENGTH(devices); i++) {
        scoped(freep) char *path = xformat("/proc/%d/root/dev/%s", (int) agent, devices[i]);
        scoped(freep) char *device = xformat(
            "\"devices\":[{\"path\":\"/dev/%s\",\"type\":\"c\",\"major\":10,\"minor\":224}]",
            devices[i]);
        scoped(freep) char *mount = xformat(
            ",{\"destination\":\"/dev/x\",\"type\":\"bind\",\"source\":\"/dev/%s\","
            "\"options\":[\"bind\"]}",
            devices[i]);

        EXPECT(file_exists(path), "the guest has no '%s'", path);
        status = create(bed, "asks", "", device, sentence);
        EXPECT(status == STATUS_PERMISSION_DENIED, "%s: %s", status_name(status), sentence);
        status = create(bed, "binds", mount, "", sentence);
        EXPECT(status == STATUS_PERMISSION_DENIED || status == STATUS_INVALID_ARGUMENT, "%s: %s",
               status_name(status), sentence);
    }
    status = create(bed, "looks", "", "", sentence);
    EXPECT(status == STATUS_OK, "%s: %s", status_name(status), sentence);
    bed_start(bed, "looks");
    request.container_id = (char *) (uintptr_t) "looks";
    record = bed_must(bed, "Wait", &request, &agent__exit_record__descriptor);
    EXPECT(record->exit_status == 0, "the container exits with %u", record->exit_status);
    protobuf_c_message_free_unpacked(&record->base, NULL);
    bed_step("containers do not get at what attests");
}

static void the_tpm_dies_and_comes_back(struct bed *bed)
{
    static const uint8_t nonce[32] = {1};
    Agent__PingRequest ping = AGENT__PING_REQUEST__INIT;
    enum appraisal_check failed = APPRAISAL_OK;
    char sentence[512];
    struct error err;

    swtpm_stop(&swtpm);
    enum status status = ask(bed, 4, nonce, NULL, sentence);
    EXPECT(status == STATUS_UNAVAILABLE && strstr(sentence, "TPM"), "%s: %s", status_name(status),
           sentence);
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Ping", &ping, &agent__ping_response__descriptor), NULL);
    bed_step("a TPM that dies ends nothing but the appraisal");
    swtpm_start(&swtpm);
    EXPECT(appraise(bed, 4, &failed, &err) < 0 && failed == APPRAISAL_HARDWARE_INITDATA,
           "a TPM that was switched off is accepted, or refused for: %s", err.message);
    bed_step("one that was switched off has forgotten the initdata and is refused");
}

static void close_all(struct bed *bed)
{
    bed_close(bed);
    swtpm_fini(&swtpm);
}

static void good_guest(void)
{
    const struct bed_options wanted = options("tpm");
    struct bed bed;

    bed_open_with(&bed, &wanted);
    is_accepted(&bed);
    containers_do_not_see_the_hardware(&bed);
    the_tpm_dies_and_comes_back(&bed);
    close_all(&bed);
}

/* ---- others ---------------------------------------------------------------------------------- */

static void does_not_boot(const struct bed_options *wanted, const char *why)
{
    struct bed bed;

    bed_open_with(&bed, wanted);
    EXPECT(bed_wait_guest(&bed) != 0, "%s: it ends in order", why);
    close_all(&bed);
    bed_step(why);
}

static void other_guests(void)
{
    struct bed_options used = options("tpm"), none = options("tpm"), snp = options("snp");

    used.network_is_there = switch_on_and_use;
    does_not_boot(&used, "a TPM with something in PCR 8 is refused by the guest");
    none.tpm = NULL;
    does_not_boot(&none, "a machine without a TPM does not serve initdata that asks for one");
    does_not_boot(&snp, "a TPM does not stand in for a processor");
}

/* The TPM is there and takes the initdata, but they ask for samples: the tenant gets what they say.
 */
static void a_sample_stays_a_sample(void)
{
    const struct bed_options wanted = options("sample");
    struct bed bed;

    bed_open_with(&bed, &wanted);
    bed_connect(&bed);
    EXPECT(strcmp(channel_facts(bed.control_channel).evidence, "sample") == 0, "no sample");
    close_all(&bed);
    bed_step("a TPM is not used where the initdata do not name it");
}

int main(void)
{
    log_open("agent-attest");
    (void) setenv("TSS2_LOG", "all+none", 1);
    good_guest();
    other_guests();
    a_sample_stays_a_sample();
    bed_steps_end();
    return EXIT_SUCCESS;
}
