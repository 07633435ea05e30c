/* SPDX-License-Identifier: Apache-2.0 */
/* The agent without a shim before it: the price of one hop, and what a flood does to everyone else.
 *
 *   bench-agent COUNT
 *
 * makes a stub guest of its own and prints one line of JSON with the times of
 *   boot           from the start of the guest to both connections
 *   hop            Ping over gRPC on a socket pair to another process: no TLS, no guest
 *   ping, kill     of the agent over the attested channel, idle
 *   ping_flooded, kill_flooded   the same while four containers write as fast as they can
 *   ping_saturated               and a fifth sends into the pod's network as fast as it can */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "bed.h"
#include "frames_end.h"
#include "grpc/queue.h"
#include "grpc/server.h"
#include "io/loop.h"
#include "pipe.h"
#include "samples.h"

enum { FLOODS = 4, WARM = 50, PORT = 7000, FLOWING = 1000 };

/* ---- a server that does nothing but answer ---- */

static void ping_rpc(struct rpc *rpc, const struct ProtobufCMessage *request)
{
    Agent__PingResponse reply = AGENT__PING_RESPONSE__INIT;

    reply.uptime_ms = clock_monotonic_ms();
    rpc_reply(rpc, &reply.base);
}

static const struct rpc_method *admit(void *context, const char *name, struct error *err)
{
    static const struct rpc_method method = {"/agent.Control/Ping", RPC_UNARY,
                                             &agent__ping_request__descriptor, ping_rpc};

    return &method;
}

static _Noreturn void serve(int fd)
{
    static const struct rpc_server_options options = {.admit = admit};
    struct rpc_server *server;
    struct rpc_queue *queue;
    struct loop *loop;
    struct error err;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_new(&loop, &err) < 0 || rpc_queue_new(loop, &queue, &err) < 0 ||
        rpc_server_new(queue, fd, &options, &server, &err) < 0 || loop_run(loop, &err) < 0)
        bed_die("%s", err.message);
    _exit(EXIT_SUCCESS);
}

/* Before any thread exists here. */
static pid_t start_server(int *ret_fd)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || (pid = fork()) < 0)
        bed_die("a server: %m");
    if (pid == 0) {
        closep(&pair[0]);
        serve(pair[1]);
    }
    closep(&pair[1]);
    *ret_fd = pair[0];
    return pid;
}

/* ---- calls ---- */

static void ping(struct bed *bed)
{
    Agent__PingRequest request = AGENT__PING_REQUEST__INIT;

    protobuf_c_message_free_unpacked(
        bed_must(bed, "Ping", &request.base, &agent__ping_response__descriptor), NULL);
}

static void kill_nothing(struct bed *bed)
{
    Agent__KillRequest request = AGENT__KILL_REQUEST__INIT;

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) "idle";
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Kill", &request.base, &agent__empty__descriptor), NULL);
}

static void measure(struct bed *bed, const char *name, void (*call)(struct bed *bed), size_t count)
{
    struct samples samples;

    samples_init(&samples, count);
    for (size_t i = 0; i < WARM + count; i++) {
        uint64_t start = clock_monotonic_ns();

        call(bed);
        if (i >= WARM)
            samples_add(&samples, clock_monotonic_ns() - start);
    }
    (void) printf("\"%s\":{", name);
    samples_print(&samples);
    (void) printf("},");
    samples_fini(&samples);
}

/* The other process in the place of the guest. */
static void measure_hop(const struct bed *bed, int fd, size_t count)
{
    struct bed plain = *bed;

    if (rpc_channel_from_fd(bed->queue, fd, NULL, NULL, &plain.control) < 0)
        bed_die("a channel");
    measure(&plain, "hop", ping, count);
    rpc_channel_free(plain.control);
}

/* ---- containers ---- */

static void configure(struct bed *bed, struct frames_end *end)
{
    Agent__ConfigureRequest request = AGENT__CONFIGURE_REQUEST__INIT;
    Agent__ConfigureResponse *response;

    request.key = bed_key(bed);
    request.hostname = (char *) (uintptr_t) "bench";
    frames_end_open(end, &request);
    response = bed_must(bed, "Configure", &request.base, &agent__configure_response__descriptor);
    frames_end_connect(end, bed, response->offloads);
    protobuf_c_message_free_unpacked(&response->base, NULL);
}

static void run_container(struct bed *bed, const char *id, const char *script)
{
    Agent__CreateRequest create = AGENT__CREATE_REQUEST__INIT;
    scoped(freep) char *spec = xformat(
        "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"user\":{\"uid\":0,"
        "\"gid\":0},\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"},"
        "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
        "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}],"
        "\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"cleave:pod\"}]}}",
        script);
    char sentence[512];

    create.stdout = true;
    EXPECT(bed_create(bed, id, spec, &create, sentence) == STATUS_OK, "%s", sentence);
    bed_start(bed, id);
}

/* Returns when each of them has written something. */
static void flood(struct bed *bed, struct pipe *pipe)
{
    static const char *const ids[FLOODS] = {"one", "two", "three", "four"};

    pipe_open(pipe, bed);
    for (int i = 0; i < FLOODS; i++) {
        struct pipe_stream *stream;

        run_container(bed, ids[i], "exec yes flooding-flooding-flooding");
        stream = pipe_output(pipe, ids[i], "", 1);
        while (stream->received == 0)
            bed_turn(bed, 1);
    }
}

/* Returns when packets have come; who reads them. */
static pid_t saturate(struct bed *bed, const struct frames_end *end)
{
    uint64_t start = clock_monotonic_ms();
    pid_t reader;

    run_container(bed, "sender", "exec nc -l -p 7000 -e cat /dev/zero");
    reader = frames_end_read(PORT);
    while (frames_end_packets(end) < FLOWING) {
        if (clock_monotonic_ms() - start > BED_WAIT_MS)
            bed_die("only %llu packets come out of the pod",
                    (unsigned long long) frames_end_packets(end));
        bed_turn(bed, 1);
    }
    return reader;
}

static uint64_t received(const struct pipe *pipe)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < pipe->count; i++)
        sum += pipe->streams[i].received;
    return sum;
}

int main(int argc, char *argv[])
{
    uint64_t start, packets;
    size_t count = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    struct frames_end end;
    struct pipe pipe;
    struct bed bed;
    pid_t server, reader;
    int fd;

    if (count == 0)
        bed_die("usage: bench-agent COUNT");
    log_open("bench-agent");
    server = start_server(&fd);
    start = clock_monotonic_ns();
    bed_open_with(&bed, &(struct bed_options){.pod_network = true});
    bed_connect(&bed);
    (void) printf("{\"boot_ns\":%llu,", (unsigned long long) (clock_monotonic_ns() - start));
    measure_hop(&bed, fd, count);
    configure(&bed, &end);
    blobs_push(&bed);
    run_container(&bed, "idle", "exec sleep 31337");
    measure(&bed, "ping", ping, count);
    measure(&bed, "kill", kill_nothing, count);
    flood(&bed, &pipe);
    measure(&bed, "ping_flooded", ping, count);
    measure(&bed, "kill_flooded", kill_nothing, count);
    reader = saturate(&bed, &end);
    packets = frames_end_packets(&end);
    measure(&bed, "ping_saturated", ping, count);
    (void) printf("\"flood_bytes\":%llu,\"packets\":%llu}\n", (unsigned long long) received(&pipe),
                  (unsigned long long) (frames_end_packets(&end) - packets));
    (void) kill(reader, SIGKILL);
    (void) waitpid(reader, NULL, 0);
    pipe_fini(&pipe);
    frames_end_close(&end);
    bed_close(&bed);
    (void) kill(server, SIGKILL);
    (void) waitpid(server, NULL, 0);
    return EXIT_SUCCESS;
}
