/* SPDX-License-Identifier: Apache-2.0 */
#include "bed.h"

#include <arpa/inet.h>
#include <libgen.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/guest_disk.h"
#include "base/random.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/reference_values.h"
#include "grpc/queue.h"
#include "io/loop.h"
#include "io/netlink.h"
#include "secure/channel.h"
#include "secure/initdata.h"
#include "secure/key.h"

#define GUEST_ADDRESS "10.99.0.2"

void bed_die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void) vfprintf(stderr, fmt, args);
    va_end(args);
    (void) fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static char *build_path(const char *name)
{
    char self[512] = {0};

    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        bed_die("readlink: %m");
    return xformat("%s/%s", dirname(dirname(self)), name);
}

static void write_file(const char *path, const void *data, size_t length)
{
    struct error err;

    if (file_write_atomic(path, data, length, 0600, &err) < 0)
        bed_die("%s", err.message);
}

/* A veth pair whose ends are both ours: one is the guest's uplink. */
static void make_network(struct bed *bed)
{
    struct guest_net net = {.mtu = 1500, .address_count = 1};
    struct netlink_address address = {.family = AF_INET, .prefix = 24};
    scoped(netlink_closep) struct netlink *netlink = NULL;
    scoped(freep) char *path = xformat("%s/net", bed->directory);
    struct netlink_link link;
    uint8_t block[GUEST_DISK_BLOCK];
    struct error err;

    inet_pton(AF_INET, GUEST_ADDRESS, address.address);
    if (unshare(CLONE_NEWNET) < 0)
        bed_die("a network namespace needs root: %m");
    if (netlink_open(-1, &netlink, &err) < 0 || netlink_find(netlink, "lo", &link, &err) < 0 ||
        netlink_set_up(netlink, link.index, &err) < 0 ||
        netlink_add_veth(netlink, "eth0", "peer", -1, &err) < 0 ||
        netlink_find(netlink, "peer", &link, &err) < 0 ||
        netlink_set_up(netlink, link.index, &err) < 0 ||
        netlink_find(netlink, "eth0", &link, &err) < 0 ||
        netlink_set_up(netlink, link.index, &err) < 0 ||
        netlink_add_address(netlink, link.index, &address, &err) < 0)
        bed_die("network: %s", err.message);
    memcpy(net.mac, link.mac, 6);
    net.addresses[0].family = AF_INET;
    net.addresses[0].prefix = 24;
    memcpy(net.addresses[0].address, address.address, 16);
    if (guest_net_write(&net, block, &err) < 0)
        bed_die("network block: %s", err.message);
    write_file(path, block, sizeof(block));
}

static void seal(struct bed *bed, struct initdata_content *content)
{
    bed->manifest = bed->options.manifest(bed);
    content->mode = INITDATA_SEALED;
    digest_sha384(bed->manifest, strlen(bed->manifest), content->manifest_digest);
}

static void make_initdata(struct bed *bed)
{
    struct initdata_content content = {
        .algorithm = INITDATA_SHA256,
        .mode = INITDATA_OPEN,
        .peer_count = 1,
        .epoch = 1,
        .limits = {.vcpus = 1, .memory = 512u << 20},
        .network = bed->options.pod_network ? INITDATA_NETWORK_TENANT : INITDATA_NETWORK_NONE,
    };
    scoped(freep) char *path = xformat("%s/initdata", bed->directory);
    scoped(freep) uint8_t *disk = NULL;
    struct error err;
    size_t size;

    if (bed->options.manifest)
        seal(bed, &content);
    (void) strcpy(content.limits.evidence, bed->options.evidence ?: "sample");
    random_bytes(content.sandbox_id, sizeof(content.sandbox_id));
    if (key_generate(&bed->key, &err) < 0)
        bed_die("%s", err.message);
    content.peers[0].role = PEER_CONTROL;
    memcpy(content.peers[0].spki, key_spki(bed->key), 32);
    if (initdata_make(&content, &bed->initdata, &err) < 0 ||
        guest_initdata_write(bed->initdata->bytes, bed->initdata->length, &disk, &size, &err) < 0)
        bed_die("initdata: %s", err.message);
    write_file(path, disk, size);
}

static void start_guest(struct bed *bed)
{
    scoped(freep) char *program = build_path("test/stub-guest");
    scoped(freep) char *tree = build_path("image/tree");
    scoped(freep) char *agent = build_path("bin/cleave-agent");
    scoped(freep) char *initdata = xformat("%s/initdata", bed->directory);
    scoped(freep) char *net = xformat("%s/net", bed->directory);
    scoped(freep) char *netns = xformat("/proc/%d/ns/net", (int) getpid());

    bed->guest = fork();
    if (bed->guest < 0)
        bed_die("fork: %m");
    if (bed->guest > 0)
        return;
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(program, program, "--agent", agent, "--root", tree, "--initdata", initdata, "--net", net,
          "--netns", netns, bed->options.tpm ? "--tpm" : NULL, bed->options.tpm, (char *) NULL);
    bed_die("exec %s: %m", program);
}

void bed_open(struct bed *bed)
{
    bed_open_with(bed, &(struct bed_options){0});
    bed_connect(bed);
}

void bed_open_with(struct bed *bed, const struct bed_options *options)
{
    struct error err;

    *bed = (struct bed){.options = *options};
    if (options->values &&
        reference_values_parse(options->values, strlen(options->values), &bed->values, &err) < 0)
        bed_die("%s", err.message);
    (void) signal(SIGPIPE, SIG_IGN);
    strcpy(bed->directory, "/tmp/cleave-agent-XXXXXX");
    if (!mkdtemp(bed->directory))
        bed_die("mkdtemp: %m");
    make_network(bed);
    if (options->network_is_there)
        options->network_is_there();
    make_initdata(bed);
    start_guest(bed);
    if (loop_new(&bed->loop, &err) < 0 || rpc_queue_new(bed->loop, &bed->queue, &err) < 0)
        bed_die("%s", err.message);
}

struct opening {
    bool done;
    bool failed;
    struct error err;
};

static void opened(void *user, struct channel *channel, const struct error *err)
{
    struct opening *opening = user;

    opening->done = true;
    opening->failed = err != NULL;
    if (err)
        opening->err = *err;
}

static void ended(void *user, struct channel *channel, const struct error *err)
{
    struct bed *bed = user;

    bed->control_ended = true;
}

bool bed_dial(struct bed *bed, struct error *err)
{
    static const char *const insecure[] = {"sample", NULL};
    struct channel_dial_options options = {
        .key = bed->key,
        .initdata = bed->initdata,
        .policy = {.allow_insecure = insecure, .values = bed->values},
    };
    struct opening opening = {0};

    if (endpoint_make("direct", GUEST_ADDRESS, CHANNEL_PORT, &options.endpoint, err) < 0)
        bed_die("%s", err->message);
    if (channel_dial(bed->loop, &options, opened, &opening, &bed->control_channel, err) < 0)
        return false;
    bed_until(bed, &opening.done, "the control channel");
    if (opening.failed)
        channel_free(take_ptr(bed->control_channel));
    *err = opening.err;
    return !opening.failed;
}

static struct rpc_channel *speak(struct bed *bed, struct channel *channel)
{
    struct rpc_channel *ret = NULL;
    struct error err;
    int fd;

    if (channel_take_fd(channel, &fd, &err) < 0 ||
        rpc_channel_from_fd(bed->queue, fd, NULL, NULL, &ret) < 0)
        bed_die("take the descriptor: %s", err.message);
    return ret;
}

/* Nobody renews while a test or a measurement is at work: for as long as the guest allows. */
static void renew(struct bed *bed)
{
    Agent__RenewRequest request = AGENT__RENEW_REQUEST__INIT;

    request.lease_seq = ++bed->renewals;
    request.tenant_ms = clock_monotonic_ms();
    request.ttl_ms = 10 * 60 * 1000;
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Renew", &request, &agent__renew_response__descriptor), NULL);
}

void bed_connect(struct bed *bed)
{
    struct opening opening = {0};
    uint64_t start = clock_monotonic_ms();
    struct error err;

    while (!bed_dial(bed, &err)) {
        if (clock_monotonic_ms() - start > BED_WAIT_MS)
            bed_die("connect: %s", err.message);
        bed_turn(bed, 20);
    }
    bed->control_ended = false;
    channel_on_end(bed->control_channel, ended, bed);
    if (channel_join(bed->control_channel, CHANNEL_BULK, opened, &opening, &bed->bulk_channel,
                     &err) < 0)
        bed_die("join: %s", err.message);
    bed_until(bed, &opening.done, "the bulk channel");
    if (opening.failed)
        bed_die("join: %s", opening.err.message);
    bed->control = speak(bed, bed->control_channel);
    bed->bulk = speak(bed, bed->bulk_channel);
    renew(bed);
}

void bed_disconnect(struct bed *bed)
{
    rpc_channel_free(take_ptr(bed->bulk));
    rpc_channel_free(take_ptr(bed->control));
    channel_free(take_ptr(bed->bulk_channel));
    channel_free(take_ptr(bed->control_channel));
}

bool bed_guest_lives(const struct bed *bed)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t) bed->guest, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

int bed_wait_guest(struct bed *bed)
{
    uint64_t start = clock_monotonic_ms();
    int status;

    while (waitpid(bed->guest, &status, WNOHANG) == 0) {
        if (clock_monotonic_ms() - start > BED_WAIT_MS)
            bed_die("the guest does not end");
        bed_turn(bed, 20);
    }
    bed->guest = 0;
    return status;
}

void bed_close(struct bed *bed)
{
    struct error err;

    bed_disconnect(bed);
    if (bed->guest > 0) {
        (void) kill(bed->guest, SIGKILL);
        (void) waitpid(bed->guest, NULL, 0);
    }
    rpc_queue_free(bed->queue);
    loop_free(bed->loop);
    key_free(bed->key);
    initdata_free(bed->initdata);
    free(bed->manifest);
    reference_values_free(bed->values);
    if (file_remove_tree(bed->directory, &err) < 0)
        bed_die("%s", err.message);
}

void bed_turn(struct bed *bed, uint64_t ms)
{
    uint64_t end = clock_monotonic_ms() + ms;
    struct error err;

    do {
        if (loop_turn(bed->loop, 5, &err) < 0)
            bed_die("loop: %s", err.message);
    } while (clock_monotonic_ms() < end);
}

void bed_until(struct bed *bed, const bool *flag, const char *what)
{
    uint64_t start = clock_monotonic_ms();
    struct error err;

    while (!*flag) {
        if (clock_monotonic_ms() - start > BED_WAIT_MS)
            bed_die("%s: nothing within %d s", what, BED_WAIT_MS / 1000);
        if (loop_turn(bed->loop, 100, &err) < 0)
            bed_die("loop: %s", err.message);
    }
}

char *bed_key(struct bed *bed)
{
    static char key[32];

    (void) snprintf(key, sizeof(key), "key-%u", bed->serial++);
    return key;
}

struct answer {
    const ProtobufCMessageDescriptor *type;
    bool done;
    enum status status;
    char sentence[512];
    void *reply;
};

static void answered(void *user, const struct rpc_result *result)
{
    struct answer *answer = user;

    answer->done = true;
    answer->status = result->status;
    (void) snprintf(answer->sentence, sizeof(answer->sentence), "%s", result->message);
    if (result->reply) {
        size_t length = protobuf_c_message_get_packed_size(result->reply);
        scoped(freep) uint8_t *bytes = xalloc(length + 1);

        (void) protobuf_c_message_pack(result->reply, bytes);
        answer->reply = protobuf_c_message_unpack(answer->type, NULL, length, bytes);
    }
}

enum status bed_call(struct bed *bed, const char *method, const void *message,
                     const ProtobufCMessageDescriptor *reply_type, void *ret_reply,
                     char *ret_sentence)
{
    bool on_bulk = strncmp(method, "/agent.Bulk/", 12) == 0;
    scoped(freep) char *name = xformat("%s%s", on_bulk ? "" : "/agent.Control/", method);
    struct rpc_request request = {
        .method = name, .message = message, .reply = reply_type, .deadline_ms = BED_WAIT_MS};
    struct answer answer = {.type = reply_type};
    struct rpc_call *call;

    if (rpc_call_unary(on_bulk ? bed->bulk : bed->control, &request, answered, &answer, &call) < 0)
        bed_die("call %s", method);
    bed_until(bed, &answer.done, method);
    rpc_call_free(call);
    if (ret_sentence)
        (void) snprintf(ret_sentence, 512, "%s", answer.sentence);
    if (ret_reply)
        *(void **) ret_reply = answer.reply;
    else if (answer.reply)
        protobuf_c_message_free_unpacked(answer.reply, NULL);
    return answer.status;
}

void *bed_must(struct bed *bed, const char *method, const void *message,
               const ProtobufCMessageDescriptor *reply_type)
{
    char sentence[512];
    void *reply = NULL;
    enum status status = bed_call(bed, method, message, reply_type, &reply, sentence);

    if (status != STATUS_OK)
        bed_die("%s: %s: %s", method, status_name(status), sentence);
    return reply;
}

enum status bed_create(struct bed *bed, const char *id, const char *spec,
                       Agent__CreateRequest *request, char *ret_sentence)
{
    Agent__Layer layer = AGENT__LAYER__INIT;
    Agent__Layer *layers[] = {&layer};

    layer.digest = bed->digest;
    layer.diff_id = bed->digest;
    request->key = bed_key(bed);
    request->container_id = (char *) (uintptr_t) id;
    request->spec.data = (uint8_t *) (uintptr_t) spec;
    request->spec.len = strlen(spec);
    request->layers = layers;
    request->n_layers = 1;
    return bed_call(bed, "Create", request, &agent__create_response__descriptor, NULL,
                    ret_sentence);
}

void bed_start(struct bed *bed, const char *id)
{
    Agent__StartRequest request = AGENT__START_REQUEST__INIT;

    request.key = bed_key(bed);
    request.container_id = (char *) (uintptr_t) id;
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Start", &request, &agent__start_response__descriptor), NULL);
}

unsigned bed_exit_status(struct bed *bed, const char *id, const char *exec_id)
{
    Agent__ProcessRequest request = AGENT__PROCESS_REQUEST__INIT;
    Agent__ExitRecord *record;
    unsigned status;

    request.container_id = (char *) (uintptr_t) id;
    request.exec_id = (char *) (uintptr_t) exec_id;
    record = bed_must(bed, "Wait", &request, &agent__exit_record__descriptor);
    status = record->exit_status;
    protobuf_c_message_free_unpacked(&record->base, NULL);
    return status;
}

static unsigned steps;

void bed_step(const char *name)
{
    static uint64_t last;
    uint64_t now = clock_monotonic_ms();

    (void) printf("%6llu ms  %s\n", (unsigned long long) (last ? now - last : 0), name);
    (void) fflush(stdout);
    steps++;
    last = now;
}

void bed_steps_end(void)
{
    (void) printf("100%%: Checks: %u, Failures: 0, Errors: 0\n", steps);
}
