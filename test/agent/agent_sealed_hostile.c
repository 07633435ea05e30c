/* SPDX-License-Identifier: Apache-2.0 */
/* A sealed guest against whoever has the tenant's node, and tries to get around the manifest by
 * what a node may do in any case: signals, names, files, variables. */
#include <signal.h>
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "bed.h"
#include "pipe.h"

#define SALT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* It has work to do, and ends with 0 when it is asked to end, as many a program does. */
static const char verify[] =
    "trap 'echo asked; exit 0' TERM; [ -n \\\"$DONE\\\" ] && exit 0; echo ready; "
    "while :; do sleep 0.02; done";
static const char show[] =
    "env | grep -c DONE=; echo $DONE; ls -l /etc/hosts | cut -c1-10; ls /etc | grep -c ^evil; "
    "cat /etc/hosts; exit $DONE";

static char *spec_json(const char *script, const char *environment)
{
    return xformat(
        "{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},"
        "\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"env\":[\"PATH=/bin\"%s],\"cwd\":\"/\"},"
        "\"root\":{\"path\":\"rootfs\"},\"mounts\":["
        "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
        "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
        "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"cleave:file:hosts\","
        "\"options\":[\"rbind\",\"rprivate\",\"ro\"]}]}",
        script, environment);
}

static char *slot_json(const struct bed *bed, const char *head, const char *script)
{
    scoped(freep) char *spec = spec_json(script, "");

    return xformat("{%s,\"config\":\"%s\",\"layers\":[\"%s\"],\"spec\":%s,\"mounts\":[],"
                   "\"exec\":[],\"environment\":[\"DONE\"],\"stdin\":false}",
                   head, bed->digest, bed->digest, spec);
}

static char *make_manifest(struct bed *bed)
{
    scoped(js_freep) struct js *json = NULL;
    struct error err;

    blobs_make(bed);
    scoped(freep) char *first = slot_json(bed, "\"name\":\"verify\",\"kind\":\"init\"", verify);
    scoped(freep) char *second = slot_json(bed, "\"name\":\"main\",\"kind\":\"app\"", show);
    scoped(freep) char *text = xformat(
        "{\"version\":1,\"salt\":\"" SALT "\",\"pod\":{\"name\":\"one\",\"namespace\":\"ns\","
        "\"uid\":\"\",\"hostname\":\"one\",\"sysctls\":{}},\"restart_policy\":\"OnFailure\","
        "\"service_environment\":false,\"debug\":false,\"volumes\":{},\"containers\":[%s,%s]}",
        first, second);
    EXPECT(js_parse(text, strlen(text), &json, &err) == 0, "%s", err.message);
    return js_print_canonical(json);
}

static void seal(struct bed *bed)
{
    Agent__SealPodRequest request = AGENT__SEAL_POD_REQUEST__INIT;
    Agent__ConfigureRequest configure = AGENT__CONFIGURE_REQUEST__INIT;

    request.total = request.data.len = strlen(bed->manifest);
    request.data.data = (uint8_t *) bed->manifest;
    protobuf_c_message_free_unpacked(bed_must(bed, "SealPod", &request, &agent__empty__descriptor),
                                     NULL);
    configure.key = bed_key(bed);
    configure.hostname = (char *) (uintptr_t) "one";
    configure.api_min = configure.api_max = 1;
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Configure", &configure, &agent__configure_response__descriptor), NULL);
    blobs_push(bed);
}

/* With a file that may do more than a file of the pod, and one that nobody asked for. */
static enum status create(struct bed *bed, const char *id, const char *slot,
                          const char *environment, char *sentence)
{
    Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;
    Agent__CopiedFile hosts = AGENT__COPIED_FILE__INIT, evil = AGENT__COPIED_FILE__INIT;
    Agent__CopiedFile *files[] = {&hosts, &evil};
    scoped(freep) char *spec = spec_json("exit 0", environment);

    hosts.name = (char *) (uintptr_t) "hosts";
    hosts.mode = 06777;
    hosts.content.data = (uint8_t *) (uintptr_t) "127.0.0.1 here\n";
    hosts.content.len = 15;
    evil.name = (char *) (uintptr_t) "evil";
    evil.mode = 0777;
    request.files = files;
    request.n_files = 2;
    request.slot = (char *) (uintptr_t) slot;
    request.stdout = true;
    return bed_create(bed, id, spec, &request, sentence);
}

static void must_create(struct bed *bed, const char *id, const char *slot, const char *environment)
{
    char sentence[512];

    EXPECT(create(bed, id, slot, environment, sentence) == STATUS_OK, "Create %s: %s", id,
           sentence);
}

static void must_refuse(struct bed *bed, const char *id, const char *slot, const char *words)
{
    char sentence[512];

    EXPECT(create(bed, id, slot, "", sentence) == STATUS_FAILED_PRECONDITION &&
               strstr(sentence, words),
           "Create %s: '%s' (and not: %s)", id, sentence, words);
}

static unsigned exit_of(struct bed *bed, const char *id)
{
    Agent__ProcessRequest request = AGENT__PROCESS_REQUEST__INIT;
    Agent__DeleteRequest deletion = AGENT__DELETE_REQUEST__INIT;
    Agent__ExitRecord *record;
    unsigned status;

    request.container_id = deletion.container_id = (char *) (uintptr_t) id;
    record = bed_must(bed, "Wait", &request, &agent__exit_record__descriptor);
    status = record->exit_status;
    protobuf_c_message_free_unpacked(&record->base, NULL);
    deletion.key = bed_key(bed);
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Delete", &deletion, &agent__exit_record__descriptor), NULL);
    return status;
}

static void send_signal(struct bed *bed, const char *id, unsigned signum)
{
    Agent__KillRequest request = AGENT__KILL_REQUEST__INIT;

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) id;
    request.signal = signum;
    protobuf_c_message_free_unpacked(bed_must(bed, "Kill", &request, &agent__empty__descriptor),
                                     NULL);
}

static void wait_for(struct bed *bed, const struct pipe_stream *out, const char *text)
{
    for (int ms = 0; ms < BED_WAIT_MS && !(out->text && strstr(out->text, text)); ms += 10)
        bed_turn(bed, 10);
    EXPECT(out->text && strstr(out->text, text), "no '%s'", text);
}

static void an_init_container_that_was_asked_to_end(struct bed *bed, struct pipe *pipe)
{
    const struct pipe_stream *out;

    must_create(bed, "first", "verify", "");
    out = pipe_output(pipe, "first", "", 1);
    bed_start(bed, "first");
    wait_for(bed, out, "ready");
    send_signal(bed, "first", 0); /* whether it lives: no signal */
    send_signal(bed, "first", SIGTERM);
    EXPECT(exit_of(bed, "first") == 0, "exit of first");
    wait_for(bed, out, "asked");
    must_refuse(bed, "x1", "main", "and not by a signal");
    must_create(bed, "second", "verify", ",\"DONE=yes\"");
    (void) pipe_output(pipe, "second", "", 1);
    bed_start(bed, "second");
    EXPECT(exit_of(bed, "second") == 0, "exit of second");
    must_refuse(bed, "x2", "verify", "does not come again");
}

/* The mode is a file's; of two values the last one, and one variable; no file beside. */
static void what_comes_with_a_container(struct bed *bed, struct pipe *pipe)
{
    static const char wanted[] = "1\n7\n-rwxrwxrwx\n0\n127.0.0.1 here\n";
    struct pipe_stream *out;

    must_create(bed, "third", "main", ",\"DONE=1\",\"DONE=7\"");
    out = pipe_output(pipe, "third", "", 1);
    bed_start(bed, "third");
    EXPECT(exit_of(bed, "third") == 7, "exit of third");
    bed_until(bed, &out->final, "its end");
    EXPECT(strcmp(out->text, wanted) == 0, "'%s'", out->text);
}

/* What counts is the slot: neither another name, nor one that was used before. */
static void names_do_not_help(struct bed *bed, struct pipe *pipe)
{
    must_create(bed, "fourth", "main", ",\"DONE=0\"");
    (void) pipe_output(pipe, "fourth", "", 1);
    must_refuse(bed, "fifth", "main", "one at a time");
    bed_start(bed, "fourth");
    EXPECT(exit_of(bed, "fourth") == 0, "exit of fourth");
    must_refuse(bed, "fourth", "main", "has ended with 0");
    must_refuse(bed, "sixth", "main", "has ended with 0");
    must_refuse(bed, "fourth", "verify", "does not come again");
}

static void (*const tests[])(struct bed *bed, struct pipe *pipe) = {
    an_init_container_that_was_asked_to_end,
    what_comes_with_a_container,
    names_do_not_help,
};

int main(void)
{
    struct bed bed;
    struct pipe pipe;

    log_open("agent-sealed-hostile");
    bed_open_with(&bed, &(struct bed_options){.manifest = make_manifest});
    bed_connect(&bed);
    seal(&bed);
    pipe_open(&pipe, &bed);
    for (size_t i = 0; i < ARRAY_LENGTH(tests); i++)
        tests[i](&bed, &pipe);
    pipe_close(&pipe);
    pipe_fini(&pipe);
    bed_close(&bed);
    (void) printf("100%%: Checks: %zu, Failures: 0, Errors: 0\n", ARRAY_LENGTH(tests));
    return EXIT_SUCCESS;
}
