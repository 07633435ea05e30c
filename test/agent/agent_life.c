/* SPDX-License-Identifier: Apache-2.0 */
/* A tenant by hand: every call of the agent against real containers. */
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "base/scoped.h"
#include "bed.h"
#include "lease_peer.h"
#include "pipe.h"
#include "secure/channel.h"

enum { STDIO_SIZE = 8 * 1024 * 1024 };

static const char mounts[] =
    "[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
    "\"mode=755\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":"
    "[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
    "{\"destination\":\"/dev/shm\",\"type\":\"bind\",\"source\":\"cleave:shm\",\"options\":"
    "[\"rbind\",\"rw\"]},"
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"ro\"]},"
    "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"cleave:hosts\",\"options\":"
    "[\"rbind\",\"rw\"]},"
    "{\"destination\":\"/etc/resolv.conf\",\"type\":\"bind\",\"source\":\"cleave:resolv.conf\","
    "\"options\":[\"rbind\",\"ro\"]},"
    "{\"destination\":\"/dev/termination-log\",\"type\":\"bind\",\"source\":"
    "\"cleave:termination-log\",\"options\":[\"rbind\",\"rw\"]}]";

static const char capabilities[] =
    "{\"bounding\":[\"CAP_KILL\",\"CAP_MKNOD\"],\"effective\":[\"CAP_KILL\",\"CAP_MKNOD\"],"
    "\"permitted\":[\"CAP_KILL\",\"CAP_MKNOD\"]}";

static char *process_json(const char *script, const char *caps)
{
    return xformat("{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/bin/sh\",\"-c\",\"%s\"],"
                   "\"env\":[\"PATH=/bin\",\"TERM=xterm\"],\"cwd\":\"/\",\"capabilities\":%s,"
                   "\"noNewPrivileges\":true}",
                   script, caps);
}

static enum status create(struct bed *bed, const char *id, const char *script, const char *caps,
                          bool terminal, char *sentence)
{
    Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;
    scoped(freep) char *process = process_json(script, caps);
    scoped(freep) char *spec = xformat(
        "{\"ociVersion\":\"1.0.2\",\"process\":%s,\"root\":{\"path\":\"rootfs\"},\"mounts\":%s,"
        "\"linux\":{\"resources\":{\"memory\":{\"limit\":67108864}}}}",
        process, mounts);

    request.terminal = terminal;
    request.stdin = true;
    request.stdout = true;
    request.stderr = !terminal;
    return bed_create(bed, id, spec, &request, sentence);
}

static void must_create(struct bed *bed, const char *id, const char *script)
{
    char sentence[512];
    enum status status = create(bed, id, script, capabilities, false, sentence);

    EXPECT(status == STATUS_OK, "Create %s: %s", id, sentence);
}

static enum status exec(struct bed *bed, const char *id, const char *exec_id, const char *script,
                        bool terminal, char *sentence)
{
    Agent__ExecRequest request = AGENT__EXEC_REQUEST__INIT;
    scoped(freep) char *process = process_json(script, capabilities);

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) id;
    request.exec_id = (char *) (uintptr_t) exec_id;
    request.process.data = (uint8_t *) process;
    request.process.len = strlen(process);
    request.terminal = terminal;
    request.stdin = true;
    request.stdout = true;
    request.stderr = !terminal;
    request.width = terminal ? 91 : 0;
    request.height = terminal ? 17 : 0;
    return bed_call(bed, "Exec", &request, &agent__exec_response__descriptor, NULL, sentence);
}

static Agent__ExitRecord *wait_for(struct bed *bed, const char *id, const char *exec_id)
{
    Agent__ProcessRequest request = AGENT__PROCESS_REQUEST__INIT;

    request.container_id = (char *) (uintptr_t) id;
    request.exec_id = (char *) (uintptr_t) exec_id;
    return bed_must(bed, "Wait", &request, &agent__exit_record__descriptor);
}

static unsigned exit_of(struct bed *bed, const char *id, const char *exec_id)
{
    Agent__ExitRecord *record = wait_for(bed, id, exec_id);
    unsigned status = record->exit_status;

    protobuf_c_message_free_unpacked(&record->base, NULL);
    return status;
}

static enum status send_signal(struct bed *bed, const char *id, const char *exec_id, int signum)
{
    Agent__KillRequest request = AGENT__KILL_REQUEST__INIT;

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) id;
    request.exec_id = (char *) (uintptr_t) exec_id;
    request.signal = (uint32_t) signum;
    return bed_call(bed, "Kill", &request, &agent__empty__descriptor, NULL, NULL);
}

static enum status delete_it(struct bed *bed, const char *id, const char *exec_id)
{
    Agent__DeleteRequest request = AGENT__DELETE_REQUEST__INIT;

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) id;
    request.exec_id = (char *) (uintptr_t) exec_id;
    return bed_call(bed, "Delete", &request, &agent__exit_record__descriptor, NULL, NULL);
}

/* The answer was lost: the same call again, under the same key, tells the same end. */
static void delete_twice(struct bed *bed, const char *id, unsigned exit_status)
{
    Agent__DeleteRequest request = AGENT__DELETE_REQUEST__INIT;

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) id;
    for (int i = 0; i < 2; i++) {
        Agent__ExitRecord *record = bed_must(bed, "Delete", &request,
                                             &agent__exit_record__descriptor);

        EXPECT(record->exit_status == exit_status, "Delete %d says %u", i, record->exit_status);
        protobuf_c_message_free_unpacked(&record->base, NULL);
    }
}

/* ---- the steps ---- */

static void before_configure_nothing_goes(struct bed *bed)
{
    Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
    Agent__PingRequest ping = AGENT__PING_REQUEST__INIT;
    enum status status;

    protobuf_c_message_free_unpacked(
        bed_must(bed, "Ping", &ping, &agent__ping_response__descriptor), NULL);
    status = bed_call(bed, "Stats", &request, &agent__stats_response__descriptor, NULL, NULL);
    EXPECT(status == STATUS_FAILED_PRECONDITION, "%s", status_name(status));
    status = bed_call(bed, "Nothing", &request, &agent__empty__descriptor, NULL, NULL);
    EXPECT(status == STATUS_UNIMPLEMENTED, "%s", status_name(status));
    bed_step("before Configure: only what the gate says");
}

/* Tenants of other releases, before the right one. None of them leaves a trace. */
static void other_releases_are_refused(struct bed *bed)
{
    static const struct {
        uint32_t min, max;
        enum status status;
        const char *words;
    } wrong[] = {
        {2, 3, STATUS_FAILED_PRECONDITION,
         "speaks API 1 to 1, the tenant 2 to 3: use a guest image of the tenant's release, 9.9.9"},
        {2, 2, STATUS_FAILED_PRECONDITION, "the guest's agent (" CLEAVE_VERSION ")"},
        {3, 2, STATUS_INVALID_ARGUMENT, "no range"},
        {0, 2, STATUS_INVALID_ARGUMENT, "no range"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        Agent__ConfigureRequest request = AGENT__CONFIGURE_REQUEST__INIT;
        char sentence[512];
        enum status status;

        request.key = bed_key(bed);
        request.api_min = wrong[i].min;
        request.api_max = wrong[i].max;
        request.tenant_version = (char *) (uintptr_t) "9.9.9";
        status = bed_call(bed, "Configure", &request, &agent__configure_response__descriptor, NULL,
                          sentence);
        EXPECT(status == wrong[i].status && strstr(sentence, wrong[i].words), "%s: %s",
               status_name(status), sentence);
    }
    bed_step("tenants of other releases: refused by name");
}

static void configure(struct bed *bed)
{
    Agent__ConfigureRequest request = AGENT__CONFIGURE_REQUEST__INIT;
    Agent__Sysctl sysctl = AGENT__SYSCTL__INIT;
    Agent__Sysctl *sysctls[] = {&sysctl};
    static const char resolv[] = "nameserver 192.0.2.53\n";
    Agent__ConfigureResponse *reply;
    enum status status;

    request.hostname = (char *) (uintptr_t) "pod-one";
    request.resolv_conf.data = (uint8_t *) (uintptr_t) resolv;
    request.resolv_conf.len = strlen(resolv);
    sysctl.name = (char *) (uintptr_t) "net.ipv4.ip_local_port_range";
    sysctl.value = (char *) (uintptr_t) "1024 50000";
    request.sysctls = sysctls;
    request.n_sysctls = 1;
    /* One that gets only half way is no obstacle to the next. */
    request.key = (char *) (uintptr_t) "half";
    sysctl.name = (char *) (uintptr_t) "net.no.such.thing";
    status = bed_call(bed, "Configure", &request, &agent__configure_response__descriptor, NULL,
                      NULL);
    EXPECT(status == STATUS_NOT_FOUND, "%s", status_name(status));
    request.key = (char *) (uintptr_t) "configure";
    request.api_min = 1; /* a tenant of the next release, which still speaks this one's */
    request.api_max = 2;
    sysctl.name = (char *) (uintptr_t) "net.ipv4.ip_local_port_range";
    reply = bed_must(bed, "Configure", &request, &agent__configure_response__descriptor);
    EXPECT(reply->memory_total > 0 && *reply->kernel_release, "Configure answers nothing");
    EXPECT(reply->api == 1, "API %u", reply->api);
    protobuf_c_message_free_unpacked(&reply->base, NULL);
    /* The same key: the same answer. Another one: refused. */
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Configure", &request, &agent__configure_response__descriptor), NULL);
    request.key = (char *) (uintptr_t) "other";
    status = bed_call(bed, "Configure", &request, &agent__configure_response__descriptor, NULL,
                      NULL);
    EXPECT(status == STATUS_FAILED_PRECONDITION, "%s", status_name(status));
    bed_step("Configure, repeated, and with another key");
}

static void container_says_hello(struct bed *bed, struct pipe *pipe)
{
    struct pipe_stream *out, *err;
    Agent__ExitRecord *record;

    must_create(bed, "hello",
                "cat /etc/resolv.conf; hostname; cat /proc/sys/net/ipv4/ip_local_port_range; "
                "echo last words > /dev/termination-log; echo oops >&2; exit 7");
    out = pipe_output(pipe, "hello", "", 1);
    err = pipe_output(pipe, "hello", "", 2);
    bed_step("Create");
    bed_start(bed, "hello");
    bed_step("Start");
    record = wait_for(bed, "hello", "");
    EXPECT(record->exit_status == 7, "exit %u", record->exit_status);
    EXPECT(record->termination_message.len == 11, "termination message of %zu bytes",
           record->termination_message.len);
    bed_until(bed, &out->final, "stdout's end");
    bed_until(bed, &err->final, "stderr's end");
    EXPECT(strcmp(out->text, "nameserver 192.0.2.53\npod-one\n1024\t50000\n") == 0, "'%s'",
           out->text);
    EXPECT(strcmp(err->text, "oops\n") == 0, "'%s'", err->text);
    EXPECT(record->stdout_total == out->received, "stdout_total %llu",
           (unsigned long long) record->stdout_total);
    protobuf_c_message_free_unpacked(&record->base, NULL);
    EXPECT(send_signal(bed, "hello", "", 0) == STATUS_NOT_FOUND, "Kill of an ended process");
    delete_twice(bed, "hello", 7);
    EXPECT(delete_it(bed, "hello", "") == STATUS_NOT_FOUND, "another Delete");
    bed_step("exit code, both streams, termination message, Delete");
}

static void refusals(struct bed *bed)
{
    char sentence[512];
    enum status status;

    status = create(bed, "strong", "true", "{\"bounding\":[\"CAP_SYS_ADMIN\"]}", false, sentence);
    EXPECT(status == STATUS_PERMISSION_DENIED && strstr(sentence, "guest_root"), "%s: %s",
           status_name(status), sentence);
    status = create(bed, "strong", "true", "{\"bounding\":[\"CAP_SYS_PTRACE\"]}", false, sentence);
    EXPECT(status == STATUS_PERMISSION_DENIED && strstr(sentence, "guest_root"), "%s: %s",
           status_name(status), sentence);
    status = create(bed, "strong", "true", "{\"bounding\":[\"cap_sys_admin\"]}", false, sentence);
    EXPECT(status == STATUS_INVALID_ARGUMENT, "%s: %s", status_name(status), sentence);
    status = create(bed, "a/b", "true", capabilities, false, sentence);
    EXPECT(status == STATUS_INVALID_ARGUMENT, "%s: %s", status_name(status), sentence);
    bed_step("power and bad names are refused");
}

static void execs(struct bed *bed, struct pipe *pipe)
{
    struct pipe_stream *out, *tty;
    char sentence[512];
    enum status status;

    must_create(bed, "box", "trap 'exit 9' TERM; while :; do sleep 1 & wait; done");
    bed_start(bed, "box");
    status = exec(bed, "box", "e1", "echo one; exit 3", false, sentence);
    EXPECT(status == STATUS_OK, "%s", sentence);
    out = pipe_output(pipe, "box", "e1", 1);
    EXPECT(exit_of(bed, "box", "e1") == 3, "exit of e1");
    bed_until(bed, &out->final, "e1's end");
    EXPECT(strcmp(out->text, "one\n") == 0, "'%s'", out->text);
    EXPECT(delete_it(bed, "box", "e1") == STATUS_OK, "Delete e1");
    status = exec(bed, "box", "e2", "until stty size 2>/dev/null; do :; done; exit 4", true,
                  sentence);
    EXPECT(status == STATUS_OK, "%s", sentence);
    tty = pipe_output(pipe, "box", "e2", 1);
    EXPECT(exit_of(bed, "box", "e2") == 4, "exit of e2");
    bed_until(bed, &tty->final, "e2's end");
    EXPECT(strcmp(tty->text, "17 91\r\n") == 0, "'%s'", tty->text);
    for (int i = 0; i < 20; i++) { /* ends before its pid file is read, often */
        char id[16];

        (void) snprintf(id, sizeof(id), "fast%d", i);
        status = exec(bed, "box", id, "exit 5", false, sentence);
        EXPECT(status == STATUS_OK, "%s", sentence);
        EXPECT(exit_of(bed, "box", id) == 5, "exit of %s", id);
    }
    EXPECT(send_signal(bed, "box", "", SIGTERM) == STATUS_OK, "Kill");
    EXPECT(exit_of(bed, "box", "") == 9, "exit of box");
    EXPECT(delete_it(bed, "box", "") == STATUS_OK, "Delete box");
    bed_step("exec, exec with a terminal, 20 short execs, SIGTERM");
}

static void bytes_in_and_out_while_flooded(struct bed *bed, struct pipe *pipe)
{
    scoped(freep) uint8_t *data = xalloc(STDIO_SIZE);
    uint8_t expected[SHA256_SIZE], got[SHA256_SIZE];
    struct pipe_stream *out, *flood;
    uint64_t before, took;
    uint64_t cut_at = STDIO_SIZE / 3;

    random_bytes(data, STDIO_SIZE);
    digest_sha256(data, STDIO_SIZE, expected);
    must_create(bed, "flood", "exec yes flooding-flooding-flooding");
    flood = pipe_output(pipe, "flood", "", 1);
    bed_start(bed, "flood");
    pipe_input(pipe, "echo", "", data, STDIO_SIZE);
    must_create(bed, "echo", "exec cat");
    out = pipe_output(pipe, "echo", "", 1);
    bed_start(bed, "echo");
    for (int cuts = 0; cuts < 2; cuts++, cut_at *= 2) {
        while (out->received < cut_at)
            bed_turn(bed, 1);
        pipe_close(pipe);
        bed_disconnect(bed);
        bed_connect(bed);
        pipe_reopen(pipe);
    }
    before = clock_monotonic_ms();
    EXPECT(send_signal(bed, "flood", "", 0) == STATUS_OK, "signal 0");
    took = clock_monotonic_ms() - before;
    bed_until(bed, &out->final, "the echo's end");
    digest_value(out->digest, got);
    EXPECT(memcmp(expected, got, sizeof(got)) == 0 && out->received == STDIO_SIZE,
           "%llu bytes came back, or others", (unsigned long long) out->received);
    EXPECT(exit_of(bed, "echo", "") == 0, "exit of echo");
    EXPECT(!flood->error, "%s", flood->error);
    EXPECT(flood->received > STDIO_SIZE, "the flood was starved: %llu bytes",
           (unsigned long long) flood->received);
    before = clock_monotonic_ms();
    EXPECT(send_signal(bed, "flood", "", SIGKILL) == STATUS_OK, "Kill");
    EXPECT(exit_of(bed, "flood", "") == 137, "exit of flood");
    took += clock_monotonic_ms() - before;
    EXPECT(took < BED_WAIT_MS / 2, "Kill took %llu ms while flooded", (unsigned long long) took);
    EXPECT(delete_it(bed, "flood", "") == STATUS_OK, "Delete flood");
    EXPECT(delete_it(bed, "echo", "") == STATUS_OK, "Delete echo");
    bed_step("8 MiB in and out with two cuts beside a flood; Kill meanwhile");
}

static void kernel_knows(struct bed *bed)
{
    Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
    Agent__StateRequest state = AGENT__STATE_REQUEST__INIT;
    Agent__UpdateRequest update = AGENT__UPDATE_REQUEST__INIT;
    static const char resources[] = "{\"memory\":{\"limit\":33554432}}";
    Agent__StatsResponse *stats;
    Agent__PidsResponse *pids;

    must_create(bed, "idle", "sleep 1000");
    bed_start(bed, "idle");
    request.container_id = (char *) (uintptr_t) "idle";
    update.key = bed_key(bed);
    update.container_id = request.container_id;
    update.resources.data = (uint8_t *) (uintptr_t) resources;
    update.resources.len = strlen(resources);
    protobuf_c_message_free_unpacked(bed_must(bed, "Update", &update, &agent__empty__descriptor),
                                     NULL);
    stats = bed_must(bed, "Stats", &request, &agent__stats_response__descriptor);
    EXPECT(stats->memory_limit == 33554432 && stats->cpu_usage_ns > 0 && stats->pids_current > 0,
           "limit %llu, cpu %llu, pids %llu", (unsigned long long) stats->memory_limit,
           (unsigned long long) stats->cpu_usage_ns, (unsigned long long) stats->pids_current);
    protobuf_c_message_free_unpacked(&stats->base, NULL);
    pids = bed_must(bed, "Pids", &request, &agent__pids_response__descriptor);
    EXPECT(pids->n_pids >= 1, "no pids");
    protobuf_c_message_free_unpacked(&pids->base, NULL);
    state.container_id = request.container_id;
    state.key = bed_key(bed);
    protobuf_c_message_free_unpacked(bed_must(bed, "Pause", &state, &agent__empty__descriptor),
                                     NULL);
    state.key = bed_key(bed);
    protobuf_c_message_free_unpacked(bed_must(bed, "Resume", &state, &agent__empty__descriptor),
                                     NULL);
    state.key = bed_key(bed);
    protobuf_c_message_free_unpacked(bed_must(bed, "Pause", &state, &agent__empty__descriptor),
                                     NULL);
    EXPECT(send_signal(bed, "idle", "", SIGKILL) == STATUS_OK, "Kill of a paused container");
    EXPECT(exit_of(bed, "idle", "") == 137, "exit of idle");
    EXPECT(delete_it(bed, "idle", "") == STATUS_OK, "Delete idle");
    bed_step("Update, Stats, Pids, Pause, Resume, Kill while paused");
}

static void memory_runs_out(struct bed *bed)
{
    Agent__ExitRecord *record;

    must_create(bed, "hog", "x=y; while :; do x=$x$x; done");
    bed_start(bed, "hog");
    record = wait_for(bed, "hog", "");
    EXPECT(record->exit_status == 137 && record->oom_killed, "exit %u, oom %d", record->exit_status,
           record->oom_killed);
    protobuf_c_message_free_unpacked(&record->base, NULL);
    EXPECT(delete_it(bed, "hog", "") == STATUS_OK, "Delete hog");
    bed_step("a container that is killed for memory says so");
}

static void created_only(struct bed *bed)
{
    must_create(bed, "never", "true");
    EXPECT(send_signal(bed, "never", "", SIGTERM) == STATUS_OK, "Kill of a created container");
    EXPECT(exit_of(bed, "never", "") == 137, "exit of never");
    EXPECT(delete_it(bed, "never", "") == STATUS_OK, "Delete never");
    must_create(bed, "never", "true");
    EXPECT(delete_it(bed, "never", "") == STATUS_OK, "Delete of a created container");
    bed_step("containers that were never started");
}

static void what_cannot_run(struct bed *bed)
{
    char sentence[512] = "";
    Agent__ExecRequest request = AGENT__EXEC_REQUEST__INIT;
    static const char missing[] =
        "{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/no/such\"],\"cwd\":\"/\"}";
    enum status status;

    must_create(bed, "host", "sleep 1000");
    bed_start(bed, "host");
    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) "host";
    request.exec_id = (char *) (uintptr_t) "bad";
    request.process.data = (uint8_t *) (uintptr_t) missing;
    request.process.len = strlen(missing);
    request.stdout = true;
    status = bed_call(bed, "Exec", &request, &agent__exec_response__descriptor, NULL, sentence);
    EXPECT(status != STATUS_OK && strstr(sentence, "/no/such"), "%s: %s", status_name(status),
           sentence);
    (void) printf("           (%s)\n", sentence);
    bed_step("an exec of a program that is not there names it");
}

struct watch {
    unsigned exits;
    bool came, ended;
};

static void event_came(void *user, const ProtobufCMessage *message)
{
    const Agent__Event *event = (const Agent__Event *) message;
    struct watch *watch = user;

    watch->exits += event->exit != NULL;
    watch->came = true;
}

static void watch_ended(void *user, const struct rpc_result *result)
{
    ((struct watch *) user)->ended = true;
}

static void shut_down(struct bed *bed, uint32_t grace_ms)
{
    Agent__ShutdownRequest shutdown = AGENT__SHUTDOWN_REQUEST__INIT;

    shutdown.key = bed_key(bed);
    shutdown.grace_ms = grace_ms;
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Shutdown", &shutdown, &agent__empty__descriptor), NULL);
}

static void acknowledge(struct bed *bed, const char *id)
{
    Agent__AckRequest ack = AGENT__ACK_REQUEST__INIT;

    ack.container_id = (char *) (uintptr_t) id;
    protobuf_c_message_free_unpacked(bed_must(bed, "Ack", &ack, &agent__empty__descriptor), NULL);
}

/* The guest waits for records and for output; whoever is in more of a hurry is heard. */
static void the_end(struct bed *bed, struct pipe *pipe)
{
    static const struct rpc_call_events events = {.on_message = event_came, .on_end = watch_ended};
    Agent__WatchRequest nothing = AGENT__WATCH_REQUEST__INIT;
    struct rpc_request request = {.method = "/agent.Control/Watch",
                                  .message = &nothing.base,
                                  .reply = &agent__event__descriptor};
    struct watch watch = {0};
    struct pipe_stream *last;
    struct rpc_call *call;
    uint64_t started;
    int status;

    must_create(bed, "last",
                "trap 'echo farewell; exit 6' TERM; echo ready >&2; "
                "while :; do sleep 1 & wait; done");
    bed_start(bed, "last");
    pipe_output(pipe, "host", "", 1);
    pipe_output(pipe, "host", "", 2);
    last = pipe_output(pipe, "last", "", 2);
    for (int i = 0; i < 500 && last->received == 0; i++) /* until it minds SIGTERM */
        bed_turn(bed, 20);
    EXPECT(strcmp(last->text, "ready\n") == 0, "'%s'", last->text);
    if (rpc_call_stream(bed->control, &request, &events, &watch, &call) < 0)
        bed_die("Watch");
    shut_down(bed, 60000);
    bed_until(bed, &watch.came, "the exit of last");
    EXPECT(exit_of(bed, "last", "") == 6, "exit of last");
    started = clock_monotonic_ms();
    shut_down(bed, 2000);
    shut_down(bed, 50000);
    EXPECT(exit_of(bed, "host", "") == 137, "exit of host"); /* sleep as pid 1 ignores SIGTERM */
    EXPECT(clock_monotonic_ms() - started < 4000, "the first Shutdown's grace was kept");
    acknowledge(bed, "host");
    acknowledge(bed, "last");
    bed_turn(bed, 500);
    EXPECT(bed_guest_lives(bed), "the guest went off with output that nobody has");
    last = pipe_output(pipe, "last", "", 1);
    bed_until(bed, &last->final, "the last output");
    EXPECT(strcmp(last->text, "farewell\n") == 0, "'%s'", last->text);
    started = clock_monotonic_ms();
    status = bed_wait_guest(bed);
    EXPECT(status == 0, "the guest ended with %d", status);
    EXPECT(clock_monotonic_ms() - started < 1500, "the guest waited for nothing");
    rpc_call_free(call);
    bed_step("Shutdown: SIGTERM, SIGKILL after the grace, records, output, off");
}

/* ---- the lease ---- */

static enum status pause_or_resume(struct bed *bed, const char *method)
{
    Agent__StateRequest request = AGENT__STATE_REQUEST__INIT;
    char sentence[512] = "";
    enum status status;

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) "counter";
    status = bed_call(bed, method, &request, &agent__empty__descriptor, NULL, sentence);
    EXPECT(status != STATUS_UNAVAILABLE || strstr(sentence, "frozen"), "'%s'", sentence);
    return status;
}

/* What was on its way when it stopped comes first: on a busy machine that takes a while. */
static bool stands_still(struct bed *bed, const struct pipe_stream *stream)
{
    uint64_t before = 0;

    for (int i = 0; i < 10 && (i == 0 || stream->received != before); i++) {
        before = stream->received;
        bed_turn(bed, 500);
    }
    return stream->received == before;
}

static bool goes_on(struct bed *bed, const struct pipe_stream *stream)
{
    const uint64_t before = stream->received, end = clock_monotonic_ms() + BED_WAIT_MS;

    while (stream->received == before && clock_monotonic_ms() < end)
        bed_turn(bed, 5);
    return stream->received != before;
}

static void lease(struct bed *bed, struct pipe *pipe)
{
    struct pipe_stream *count;

    must_create(bed, "counter", "while :; do echo tick; sleep 0.05; done");
    bed_start(bed, "counter");
    count = pipe_output(pipe, "counter", "", 1);
    lease_must_renew(bed, 100, 0, 60000, false);
    EXPECT(goes_on(bed, count), "nothing counts");
    EXPECT(lease_renew(bed, 100, 0, 60000, NULL) == STATUS_ABORTED, "a number counted twice");
    EXPECT(lease_renew(bed, 101, 0, 10, NULL) == STATUS_INVALID_ARGUMENT, "a ttl of 10 ms");

    lease_must_renew(bed, 101, 10000, 60000, true); /* as if the guest had stood still for 10 s */
    EXPECT(stands_still(bed, count), "a frozen container counts");
    EXPECT(pause_or_resume(bed, "Pause") == STATUS_UNAVAILABLE, "Pause of a frozen guest");
    lease_must_renew(bed, 102, 10000, 60000, true);
    lease_appraise(bed, 2);
    EXPECT(stands_still(bed, count), "thawed before the tenant has judged the evidence");
    lease_must_renew(bed, 103, 10000, 60000, false);
    EXPECT(goes_on(bed, count), "the thawed container does not count");

    EXPECT(pause_or_resume(bed, "Pause") == STATUS_OK, "Pause");
    lease_must_renew(bed, 104, 10000, 4000, false);
    bed_turn(bed, 3000);
    for (int i = 0; i < BED_WAIT_MS / 50 && pause_or_resume(bed, "Pause") != STATUS_UNAVAILABLE;
         i++)
        bed_turn(bed, 50); /* once more is nothing, while it is let */
    EXPECT(pause_or_resume(bed, "Resume") == STATUS_UNAVAILABLE, "the lease has not lapsed");
    lease_appraise(bed, 3);
    lease_must_renew(bed, 105, 10000, 60000, false);
    EXPECT(stands_still(bed, count), "the thaw has resumed what a user paused");
    EXPECT(pause_or_resume(bed, "Resume") == STATUS_OK, "Resume");
    EXPECT(goes_on(bed, count), "the resumed container does not count");

    EXPECT(send_signal(bed, "counter", "", SIGKILL) == STATUS_OK, "Kill");
    EXPECT(exit_of(bed, "counter", "") == 137, "exit of counter");
    EXPECT(delete_it(bed, "counter", "") == STATUS_OK, "Delete counter");
    bed_step("Renew: a stop of the clock and a lapse freeze, appraisal and renewal thaw");
}

/* For whoever wants to see what is left of a guest that is killed at work. */
static int hold(void)
{
    struct bed bed;

    bed_open(&bed);
    configure(&bed);
    blobs_push(&bed);
    must_create(&bed, "held", "sleep 31337 & exec sleep 31337");
    bed_start(&bed, "held");
    (void) puts("holding");
    (void) fflush(stdout);
    (void) bed_wait_guest(&bed);
    bed_close(&bed);
    return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    struct bed bed;
    struct pipe pipe;

    log_open("agent-life");
    if (argc == 2 && strcmp(argv[1], "hold") == 0)
        return hold();
    bed_step("start");
    bed_open(&bed);
    bed_step("guest booted, channel open");
    before_configure_nothing_goes(&bed);
    other_releases_are_refused(&bed);
    configure(&bed);
    blobs_push(&bed);
    bed_step("PutBlob");
    pipe_open(&pipe, &bed);
    container_says_hello(&bed, &pipe);
    refusals(&bed);
    execs(&bed, &pipe);
    bytes_in_and_out_while_flooded(&bed, &pipe);
    kernel_knows(&bed);
    memory_runs_out(&bed);
    created_only(&bed);
    what_cannot_run(&bed);
    lease(&bed, &pipe);
    the_end(&bed, &pipe);
    pipe_fini(&pipe);
    bed_close(&bed);
    bed_step("closed");
    bed_steps_end();
    return EXIT_SUCCESS;
}
