/* SPDX-License-Identifier: Apache-2.0 */
/* A sealed guest, and a tenant's node that does what its manifest does not say. */

#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "bed.h"
#include "pipe.h"

enum { WORK_SIZE = 2 * 1024 * 1024, PART = 1000 };
enum {
    EMPTY = AGENT__PUT_VOLUME_REQUEST__KIND__EMPTY,
    COPIED = AGENT__PUT_VOLUME_REQUEST__KIND__COPIED,
};

#define SALT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char mounts[] =
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
    "\"mode=755\",\"size=65536k\"]},"
    "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"cleave:hosts\",\"options\":"
    "[\"rbind\",\"rprivate\",\"ro\"]}";

static char *spec_json(const char *script, const char *environment, const char *more_mounts)
{
    return xformat("{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},"
                   "\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"env\":[\"PATH=/bin\",%s],\"cwd\":\"/\","
                   "\"terminal\":false},\"root\":{\"path\":\"rootfs\"},\"mounts\":[%s%s]}",
                   script, environment, mounts, more_mounts);
}

static char *slot_json(const struct bed *bed, const char *head, const char *script,
                       const char *tail)
{
    scoped(freep) char *spec = spec_json(script, "\"MODE=fixed\"", "");

    return xformat("{%s,\"config\":\"%s\",\"layers\":[\"%s\"],\"spec\":%s,%s,"
                   "\"environment\":[\"CODE\",\"TOKEN\"],\"stdin\":false}",
                   head, bed->digest, bed->digest, spec, tail);
}

static const char main_script[] =
    "echo $TOKEN $MODE $EVIL $$; hostname; cat /conf/key; ls -d /evil 2>/dev/null; "
    "echo x 2>/dev/null >/conf/mine || echo read-only; "
    "dd if=/dev/zero of=/job/fill bs=65536 count=64 2>/dev/null || echo full; rm /job/fill; "
    "until [ -e /job/done ]; do sleep 0.05; done; rm /job/done; exit $CODE";

static char *manifest_with(struct bed *bed, const char *debug)
{
    blobs_make(bed);
    scoped(freep) char *prepare = slot_json(bed, "\"name\":\"prepare\",\"kind\":\"init\"",
                                            "exit $CODE", "\"mounts\":[],\"exec\":[]");
    scoped(freep) char *side = slot_json(bed, "\"name\":\"side\",\"kind\":\"sidecar\"",
                                         "sleep 1000", "\"mounts\":[],\"exec\":[]");
    scoped(freep) char *app = slot_json(
        bed, "\"name\":\"main\",\"kind\":\"app\"", main_script,
        "\"mounts\":[{\"destination\":\"/conf\",\"volume\":\"conf\",\"path\":\"\",\"read_only\":"
        "true},{\"destination\":\"/job\",\"volume\":\"work\",\"path\":\"\",\"read_only\":false}],"
        "\"exec\":[[\"/bin/sh\",\"-c\",\"echo $TOKEN $MODE $EVIL; >/job/done\"]]");
    scoped(freep) char *text = xformat(
        "{\"version\":1,\"salt\":\"" SALT "\",\"pod\":{\"name\":\"one\",\"namespace\":\"ns\","
        "\"uid\":\"\",\"hostname\":\"sealed-one\",\"sysctls\":"
        "{\"net.ipv4.ip_local_port_range\":\"1024 50000\"}},\"restart_policy\":\"OnFailure\","
        "\"service_environment\":false,\"debug\":%s,\"volumes\":{\"conf\":{\"kind\":\"copied\"},"
        "\"work\":{\"kind\":\"empty\",\"size\":%d,\"memory\":false}},\"containers\":[%s,%s,%s]}",
        debug, WORK_SIZE, prepare, side, app);
    scoped(js_freep) struct js *json = NULL;
    struct error err;

    EXPECT(js_parse(text, strlen(text), &json, &err) == 0, "%s", err.message);
    return js_print_canonical(json);
}

static char *make_manifest(struct bed *bed)
{
    return manifest_with(bed, "false");
}

static char *make_debug_manifest(struct bed *bed)
{
    return manifest_with(bed, "true");
}

static void refused(enum status status, enum status wanted, const char *sentence, const char *words)
{
    EXPECT(status == wanted && strstr(sentence, words), "%s: %s (and not: %s)", status_name(status),
           sentence, words);
}

/* ---- the manifest comes ---- */

static enum status put_part(struct bed *bed, const char *text, size_t offset, size_t length,
                            char *sentence)
{
    Agent__SealPodRequest request = AGENT__SEAL_POD_REQUEST__INIT;

    request.offset = offset;
    request.total = strlen(text);
    request.data.data = (uint8_t *) (uintptr_t) (text + offset);
    request.data.len = length;
    return bed_call(bed, "SealPod", &request, &agent__empty__descriptor, NULL, sentence);
}

/* The status of the first part that is not taken, or OK. */
static enum status seal(struct bed *bed, const char *text, char *sentence)
{
    enum status status = STATUS_OK;

    for (size_t at = 0; status == STATUS_OK && at < strlen(text); at += PART) {
        size_t left = strlen(text) - at;

        status = put_part(bed, text, at, left < PART ? left : PART, sentence);
    }
    return status;
}

static enum status configure(struct bed *bed, char *sentence)
{
    Agent__ConfigureRequest request = AGENT__CONFIGURE_REQUEST__INIT;
    Agent__Sysctl sysctl = AGENT__SYSCTL__INIT;
    Agent__Sysctl *sysctls[] = {&sysctl};

    request.key = bed_key(bed);
    request.hostname = (char *) (uintptr_t) "another-name";
    request.api_min = request.api_max = 1;
    sysctl.name = (char *) (uintptr_t) "net.no.such.thing"; /* dropped: no error */
    sysctl.value = (char *) (uintptr_t) "1";
    request.share_pid = true; /* likewise */
    request.sysctls = sysctls;
    request.n_sysctls = 1;
    return bed_call(bed, "Configure", &request, &agent__configure_response__descriptor, NULL,
                    sentence);
}

static const char *conf = "empty"; /* the node's name for what it says is the volume of that name */

static enum status create(struct bed *bed, Agent__CreateRequest *request, const char *slot,
                          const char *code, char *sentence)
{
    scoped(freep) char *environment = xformat("\"CODE=%s\",\"TOKEN=told\",\"MODE=other\","
                                              "\"EVIL=evil\"",
                                              code);
    scoped(freep) char *more = xformat(
        ",{\"destination\":\"/conf\",\"type\":\"bind\",\"source\":\"cleave:volume:%s\"},"
        "{\"destination\":\"/job\",\"type\":\"bind\",\"source\":\"cleave:volume:work\"},"
        "{\"destination\":\"/evil\",\"type\":\"bind\",\"source\":\"cleave:volume:work\"}",
        conf);
    scoped(freep) char *spec = spec_json("echo evil", environment, more);

    request->slot = (char *) (uintptr_t) slot;
    request->stdout = true;
    request->stderr = true;
    return bed_create(bed, slot, spec, request, sentence);
}

static enum status create_slot(struct bed *bed, const char *slot, const char *code, char *sentence)
{
    Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;

    return create(bed, &request, slot, code, sentence);
}

static void must_create(struct bed *bed, const char *slot, const char *code)
{
    char sentence[512];
    enum status status = create_slot(bed, slot, code, sentence);

    EXPECT(status == STATUS_OK, "Create %s: %s", slot, sentence);
}

static void before_it_is_sealed(struct bed *bed)
{
    Agent__SealPodRequest large = AGENT__SEAL_POD_REQUEST__INIT;
    scoped(freep) char *other = xstrdup(bed->manifest);
    char sentence[512];

    refused(configure(bed, sentence), STATUS_FAILED_PRECONDITION, sentence,
            "SealPod goes before Configure");
    refused(create_slot(bed, "main", "0", sentence), STATUS_FAILED_PRECONDITION, sentence,
            "while the guest is attested");
    large.total = 1024 * 1024 + 1;
    refused(bed_call(bed, "SealPod", &large, &agent__empty__descriptor, NULL, sentence),
            STATUS_RESOURCE_EXHAUSTED, sentence, "bytes");
    refused(put_part(bed, other, 10, 10, sentence), STATUS_FAILED_PRECONDITION, sentence,
            "begins at offset 0");
    EXPECT(put_part(bed, other, 0, 10, sentence) == STATUS_OK, "%s", sentence);
    EXPECT(put_part(bed, other, 3, 7, sentence) == STATUS_OK, "%s", sentence);
    refused(put_part(bed, other, 20, 10, sentence), STATUS_FAILED_PRECONDITION, sentence,
            "the next part of the manifest begins at 10");
    *strstr(other, "\"OnFailure\"") = ' ';
    refused(seal(bed, other, sentence), STATUS_INVALID_ARGUMENT, sentence,
            "not the manifest whose digest");
    refused(configure(bed, sentence), STATUS_FAILED_PRECONDITION, sentence, "SealPod");
    bed_step("before it is sealed: nothing, and another manifest leaves nothing");
}

static void sealed(struct bed *bed)
{
    Agent__OpenShareRequest share = AGENT__OPEN_SHARE_REQUEST__INIT;
    scoped(freep) char *other = xstrdup(bed->manifest);
    char sentence[512];

    EXPECT(seal(bed, bed->manifest, sentence) == STATUS_OK, "%s", sentence);
    EXPECT(seal(bed, bed->manifest, sentence) == STATUS_OK, "again: %s", sentence);
    *strstr(other, "OnFailure") = 'x';
    refused(seal(bed, other, sentence), STATUS_FAILED_PRECONDITION, sentence,
            "cannot become another one");
    EXPECT(configure(bed, sentence) == STATUS_OK, "%s", sentence);
    EXPECT(seal(bed, bed->manifest, sentence) == STATUS_OK, "when it runs: %s", sentence);
    refused(seal(bed, other, sentence), STATUS_FAILED_PRECONDITION, sentence,
            "cannot become another one");
    share.key = bed_key(bed);
    refused(bed_call(bed, "OpenShare", &share, &agent__empty__descriptor, NULL, sentence),
            STATUS_PERMISSION_DENIED, sentence, "no volume that is a live share");
    bed_step("sealed: for good; no share that is not in the manifest");
}

/* ---- containers ---- */

static void delete_it(struct bed *bed, const char *id)
{
    Agent__DeleteRequest request = AGENT__DELETE_REQUEST__INIT;

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) id;
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Delete", &request, &agent__exit_record__descriptor), NULL);
}

static void run(struct bed *bed, const char *slot, const char *code)
{
    must_create(bed, slot, code);
    bed_start(bed, slot);
    EXPECT(bed_exit_status(bed, slot, "") == (unsigned) atoi(code), "exit of %s", slot);
    delete_it(bed, slot);
}

static enum status put_volume(struct bed *bed, const char *name, int kind, const char *content,
                              char *sentence)
{
    Agent__PutVolumeRequest request = AGENT__PUT_VOLUME_REQUEST__INIT;
    Agent__VolumeEntry entry, *entries[] = {&entry};

    request.key = bed_key(bed);
    request.name = (char *) (uintptr_t) name;
    request.kind = (Agent__PutVolumeRequest__Kind) kind;
    request.mode = 0755;
    agent__volume_entry__init(&entry);
    if (content) {
        request.first = request.last = true;
        request.serial = 1;
        entry.path = (char *) (uintptr_t) "key";
        entry.mode = 0644;
        entry.body_case = AGENT__VOLUME_ENTRY__BODY_FILE;
        entry.file.data = (uint8_t *) (uintptr_t) content;
        entry.file.len = strlen(content);
        request.entries = entries;
        request.n_entries = 1;
    } else {
        request.size = 4 * WORK_SIZE; /* the manifest has less */
    }
    return bed_call(bed, "/agent.Bulk/PutVolume", &request, &agent__empty__descriptor, NULL,
                    sentence);
}

static void what_is_not_in_the_manifest(struct bed *bed)
{
    Agent__CreateRequest terminal = AGENT__CREATE_REQUEST__INIT,
                         stdin = AGENT__CREATE_REQUEST__INIT;
    scoped(freep) char *digest = xstrdup(bed->digest);
    char sentence[512];

    refused(create_slot(bed, "another", "0", sentence), STATUS_PERMISSION_DENIED, sentence,
            "no container 'another'");
    refused(
        bed_create(bed, "x", "{}", &(Agent__CreateRequest) AGENT__CREATE_REQUEST__INIT, sentence),
        STATUS_PERMISSION_DENIED, sentence, "no container but its own");
    terminal.terminal = true;
    refused(create(bed, &terminal, "prepare", "0", sentence), STATUS_PERMISSION_DENIED, sentence,
            "no terminal");
    stdin.stdin = true;
    refused(create(bed, &stdin, "prepare", "0", sentence), STATUS_PERMISSION_DENIED, sentence,
            "no stdin");
    bed->digest[10] = bed->digest[10] == 'a' ? 'b' : 'a';
    refused(create_slot(bed, "prepare", "0", sentence), STATUS_PERMISSION_DENIED, sentence,
            "the node has another image");
    memcpy(bed->digest, digest, strlen(digest));
    bed_step("containers, streams and layers that are not the manifest's");
}

static void in_order(struct bed *bed)
{
    char sentence[512];

    refused(create_slot(bed, "main", "0", sentence), STATUS_FAILED_PRECONDITION, sentence,
            "init container 'prepare' has ended with 0");
    run(bed, "prepare", "3");
    refused(create_slot(bed, "side", "0", sentence), STATUS_FAILED_PRECONDITION, sentence,
            "init container 'prepare' has ended with 0");
    run(bed, "prepare", "0");
    refused(create_slot(bed, "prepare", "0", sentence), STATUS_FAILED_PRECONDITION, sentence,
            "does not come again");
    refused(create_slot(bed, "main", "0", sentence), STATUS_FAILED_PRECONDITION, sentence,
            "sidecar 'side' was started");
    must_create(bed, "side", "0");
    refused(create_slot(bed, "side", "0", sentence), STATUS_FAILED_PRECONDITION, sentence,
            "one at a time");
    delete_it(bed, "side"); /* it was never started */
    must_create(bed, "side", "0");
    bed_start(bed, "side");
    bed_step("in order, one at a time");
}

static void volumes_by_kind(struct bed *bed)
{
    char sentence[512];

    refused(create_slot(bed, "main", "0", sentence), STATUS_PERMISSION_DENIED, sentence,
            "was not handed over");
    EXPECT(put_volume(bed, "empty", EMPTY, NULL, sentence) == STATUS_OK, "%s", sentence);
    refused(create_slot(bed, "main", "0", sentence), STATUS_PERMISSION_DENIED, sentence,
            "is an empty volume");
    EXPECT(put_volume(bed, "work", EMPTY, NULL, sentence) == STATUS_OK, "%s", sentence);
    EXPECT(put_volume(bed, "conf", COPIED, "the key\n", sentence) == STATUS_OK, "%s", sentence);
    refused(put_volume(bed, "conf", EMPTY, NULL, sentence), STATUS_INVALID_ARGUMENT, sentence,
            "of another kind");
    conf = "conf";
    bed_step("volumes of another kind");
}

static enum status exec(struct bed *bed, const char *id, const char *exec_id, const char *script,
                        bool stdin, char *sentence)
{
    Agent__ExecRequest request = AGENT__EXEC_REQUEST__INIT;
    scoped(freep) char *process = xformat(
        "{\"user\":{\"uid\":0},\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"cwd\":\"/\","
        "\"env\":[\"PATH=/evil\",\"TOKEN=stolen\",\"EVIL=evil\"]}",
        script);

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) id;
    request.exec_id = (char *) (uintptr_t) exec_id;
    request.process.data = (uint8_t *) process;
    request.process.len = strlen(process);
    request.stdin = stdin;
    request.stdout = true;
    return bed_call(bed, "Exec", &request, &agent__exec_response__descriptor, NULL, sentence);
}

static const char probe[] = "echo $TOKEN $MODE $EVIL; >/job/done";

static void composed_and_probed(struct bed *bed, struct pipe *pipe)
{
    struct pipe_stream *out, *probed;
    char sentence[512];

    must_create(bed, "main", "5");
    out = pipe_output(pipe, "main", "", 1);
    (void) pipe_output(pipe, "main", "", 2);
    bed_start(bed, "main");
    refused(exec(bed, "main", "sh", "cat /job/secret", false, sentence), STATUS_PERMISSION_DENIED,
            sentence, "no such command");
    refused(exec(bed, "main", "in", probe, true, sentence), STATUS_PERMISSION_DENIED, sentence,
            "stdin");
    EXPECT(exec(bed, "main", "probe", probe, false, sentence) == STATUS_OK, "%s", sentence);
    probed = pipe_output(pipe, "main", "probe", 1);
    EXPECT(bed_exit_status(bed, "main", "probe") == 0, "exit of the probe");
    EXPECT(bed_exit_status(bed, "main", "") == 5, "exit of main");
    bed_until(bed, &out->final, "main's end");
    bed_until(bed, &probed->final, "the probe's end");
    EXPECT(strcmp(out->text, "told fixed 1\nsealed-one\nthe key\nread-only\nfull\n") == 0, "'%s'",
           out->text);
    EXPECT(strcmp(probed->text, "told fixed\n") == 0, "'%s'", probed->text);
    delete_it(bed, "main");
    bed_step("holes are filled, the rest is the manifest's, exec only as it is listed");
}

static void again_as_the_policy_says(struct bed *bed)
{
    char sentence[512];

    must_create(bed, "main", "0");
    delete_it(bed, "main");
    must_create(bed, "main", "0");
    bed_start(bed, "main");
    EXPECT(exec(bed, "main", "probe", probe, false, sentence) == STATUS_OK, "%s", sentence);
    EXPECT(bed_exit_status(bed, "main", "") == 0, "exit of main");
    delete_it(bed, "main");
    refused(create_slot(bed, "main", "0", sentence), STATUS_FAILED_PRECONDITION, sentence,
            "restart policy is OnFailure");
    bed_step("again after a failure, and not after it was done");
}

/* Containers of its manifest are composed all the same. */
static void a_manifest_that_allows_debugging(void)
{
    Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;
    scoped(freep) char *spec = spec_json("exit $CODE", "\"CODE=8\"", "");
    struct bed bed;
    char sentence[512];

    bed_open_with(&bed, &(struct bed_options){.manifest = make_debug_manifest});
    bed_connect(&bed);
    EXPECT(seal(&bed, bed.manifest, sentence) == STATUS_OK, "%s", sentence);
    EXPECT(configure(&bed, sentence) == STATUS_OK, "%s", sentence);
    blobs_push(&bed);
    EXPECT(bed_create(&bed, "another", spec, &request, sentence) == STATUS_OK, "%s", sentence);
    bed_start(&bed, "another");
    EXPECT(bed_exit_status(&bed, "another", "") == 8, "exit of another");
    refused(create_slot(&bed, "side", "0", sentence), STATUS_FAILED_PRECONDITION, sentence,
            "init container 'prepare'");
    run(&bed, "prepare", "0");
    must_create(&bed, "side", "0");
    bed_start(&bed, "side");
    EXPECT(exec(&bed, "side", "any", "exit 9", true, sentence) == STATUS_OK, "%s", sentence);
    EXPECT(bed_exit_status(&bed, "side", "any") == 9, "exit of any");
    bed_close(&bed);
    bed_step("debug: any exec, and containers that are not in the manifest");
}

int main(void)
{
    struct bed bed;
    struct pipe pipe;

    log_open("agent-sealed");
    bed_step("start");
    bed_open_with(&bed, &(struct bed_options){.manifest = make_manifest});
    bed_connect(&bed);
    bed_step("guest booted, channel open");
    before_it_is_sealed(&bed);
    sealed(&bed);
    blobs_push(&bed);
    pipe_open(&pipe, &bed);
    what_is_not_in_the_manifest(&bed);
    in_order(&bed);
    volumes_by_kind(&bed);
    composed_and_probed(&bed, &pipe);
    again_as_the_policy_says(&bed);
    pipe_close(&pipe);
    pipe_fini(&pipe);
    bed_close(&bed);
    a_manifest_that_allows_debugging();
    bed_steps_end();
    return EXIT_SUCCESS;
}
