/* SPDX-License-Identifier: Apache-2.0 */
/* A provisioner for tests without a host half: it starts a stub guest on this very node, behind a
 * veth, in a network namespace that takes the place of the machine's. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/file.h"
#include "base/guest_disk.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "program.h"
#include "record.h"
#include "shim/tenant_conf.h"

enum { INITDATA_MAX = 16 * 1024, STAT_MAX = 4096, END_MS = 10000, MTU = 1500 };

/* Everything about one guest that follows from its sandbox id. */
struct place {
    char netns[32], link[16];
    char node_address[20], guest_address[16], mac[20];
    char *directory; /* of the two disks and the log */
};

static void place_fini(struct place *place)
{
    free(place->directory);
}

/* 10.93.0.0/16 in blocks of four addresses, one per guest. */
static int place_make(const char *cri_id, const char *sandbox_id, struct place *ret,
                      struct error *err)
{
    struct place place = {0};
    uint8_t raw[16];
    unsigned high, low;

    if (hex_decode(sandbox_id, raw, sizeof(raw), err) < 0)
        return -1;
    high = raw[4];
    low = raw[5] & 0xfcu;
    (void) snprintf(place.netns, sizeof(place.netns), "stub-%.8s", sandbox_id);
    (void) snprintf(place.link, sizeof(place.link), "stub%.8s", sandbox_id);
    (void) snprintf(place.node_address, sizeof(place.node_address), "10.93.%u.%u/30", high,
                    low + 1);
    (void) snprintf(place.guest_address, sizeof(place.guest_address), "10.93.%u.%u", high, low + 2);
    (void) snprintf(place.mac, sizeof(place.mac), "02:93:00:00:%02x:%02x", raw[4], raw[5]);
    place.directory = xformat("%s/%s", RECORD_DIRECTORY, cri_id);
    *ret = place;
    return 0;
}

/* Runs one `ip ...`; NULL ends the words. */
static int ip(const char *const *words, struct error *err)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        (void) dup2(null, STDOUT_FILENO);
        execvp(words[0], (char *const *) words);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return error_set(err, STATUS_INTERNAL, "ip cannot be run");
    if (status != 0)
        return error_set(err, STATUS_INTERNAL, "ip %s %s failed", words[1], words[2]);
    return 0;
}

#define IP(err, ...) ip((const char *const[]){"ip", __VA_ARGS__, NULL}, err)

static int connect_guest(const struct place *place, struct error *err)
{
    if (IP(err, "netns", "add", place->netns) < 0 ||
        IP(err, "link", "add", place->link, "type", "veth", "peer", "name", "eth0", "address",
           place->mac, "netns", place->netns) < 0 ||
        IP(err, "address", "add", place->node_address, "dev", place->link) < 0)
        return -1;
    return IP(err, "link", "set", place->link, "up");
}

static void disconnect_guest(const struct place *place)
{
    scoped(freep) char *path = xformat("/run/netns/%s", place->netns);
    scoped(freep) char *link = xformat("/sys/class/net/%s", place->link);
    struct error ignored;

    if (file_exists(link))
        (void) !IP(&ignored, "link", "delete", place->link);
    if (file_exists(path))
        (void) !IP(&ignored, "netns", "delete", place->netns);
}

static int write_net(const struct place *place, const struct dial_out *dial_out, struct error *err)
{
    scoped(freep) char *path = xformat("%s/net", place->directory);
    struct guest_net net = {.mtu = MTU, .address_count = 1, .dial_out = *dial_out};
    uint8_t block[GUEST_DISK_BLOCK];
    char gateway[16];

    net.addresses[0].family = AF_INET;
    net.addresses[0].prefix = 30;
    (void) snprintf(gateway, sizeof(gateway), "%.*s", (int) strcspn(place->node_address, "/"),
                    place->node_address);
    (void) inet_pton(AF_INET, place->guest_address, net.addresses[0].address);
    (void) inet_pton(AF_INET, gateway, net.addresses[0].gateway);
    (void) sscanf(place->mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &net.mac[0], &net.mac[1],
                  &net.mac[2], &net.mac[3], &net.mac[4], &net.mac[5]);
    if (guest_net_write(&net, block, err) < 0)
        return -1;
    return file_write_atomic(path, block, sizeof(block), 0600, err);
}

static int write_disks(const struct place *place, const struct record *record,
                       const struct dial_out *dial_out, struct error *err)
{
    scoped(freep) char *from = record_initdata_path(record);
    scoped(freep) char *to = xformat("%s/initdata", place->directory);
    scoped(freep) char *text = NULL;
    scoped(freep) uint8_t *disk = NULL;
    size_t length, size;

    if (file_read(from, INITDATA_MAX, &text, &length, err) < 0 ||
        guest_initdata_write(text, length, &disk, &size, err) < 0 ||
        file_write_atomic(to, disk, size, 0600, err) < 0)
        return -1;
    return write_net(place, dial_out, err);
}

static int64_t start_time(int64_t pid)
{
    scoped(freep) char *path = xformat("/proc/%lld/stat", (long long) pid);
    scoped(freep) char *text = NULL;
    struct error ignored;
    const char *field;
    size_t length;

    if (file_read(path, STAT_MAX, &text, &length, &ignored) < 0 || !(field = strrchr(text, ')')))
        return -1;
    for (int i = 0; i < 20 && field; i++)
        field = strchr(field + 1, ' ');
    return field ? atoll(field) : -1;
}

static __attribute__((noreturn)) void exec_guest(const struct place *place,
                                                 const struct tenant_conf *conf, int go)
{
    scoped(freep) char *initdata = xformat("%s/initdata", place->directory);
    scoped(freep) char *net = xformat("%s/net", place->directory);
    scoped(freep) char *netns = xformat("/run/netns/%s", place->netns);
    scoped(freep) char *log = xformat("%s/guest.log", place->directory);
    const char *argv[] = {conf->stub_guest,
                          "--root",
                          conf->stub_root,
                          "--initdata",
                          initdata,
                          "--net",
                          net,
                          "--netns",
                          netns,
                          "--log",
                          log,
                          "--agent",
                          conf->stub_agent,
                          NULL};
    int null = open("/dev/null", O_RDWR), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    char byte;

    (void) setsid();
    (void) dup2(null, STDIN_FILENO);
    (void) dup2(out, STDOUT_FILENO);
    (void) dup2(out, STDERR_FILENO);
    if (read(go, &byte, 1) == 1) /* else the parent died before its record named this process */
        execv(argv[0], (char *const *) argv);
    _exit(127);
}

static int start_guest(const struct place *place, struct record *record,
                       const struct tenant_conf *conf, struct error *err)
{
    int go[2];
    pid_t pid;

    if (pipe2(go, O_CLOEXEC) < 0 || (pid = fork()) < 0)
        return error_set(err, STATUS_INTERNAL, "no process for the stub guest");
    if (pid == 0) {
        (void) close(go[1]);
        exec_guest(place, conf, go[0]);
    }
    js_set_integer(record_notes(record), "pid", pid);
    js_set_integer(record_notes(record), "start", start_time(pid));
    if (record_save(record, err) < 0 || write(go[1], "g", 1) != 1)
        return -1;
    return 0;
}

static bool guest_runs(struct record *record)
{
    int64_t pid = js_get_integer(record_notes(record), "pid", 0);

    return pid > 0 && start_time(pid) == js_get_integer(record_notes(record), "start", 0);
}

static int end_guest(struct record *record, struct error *err)
{
    scoped(closep) int fd = -1;
    struct pollfd end = {.events = POLLIN};

    if (!guest_runs(record))
        return 0;
    fd = pidfd_open((pid_t) js_get_integer(record_notes(record), "pid", 0), 0);
    if (fd < 0 || pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0)
        return 0;
    end.fd = fd;
    if (poll(&end, 1, END_MS) != 1)
        return error_set(err, STATUS_DEADLINE_EXCEEDED, "the stub guest does not end");
    return 0;
}

static int create(const struct provision_request *request, const struct tenant_conf *conf,
                  struct js *answer, struct error *err)
{
    scoped(record_closep) struct record *record = NULL;
    scoped(freep) char *initdata = NULL, *key = NULL;
    scoped(place_fini) struct place place = {0};

    if (record_open(request->cri_sandbox_id, RECORD_CREATE, &record, err) < 0 ||
        record_mint(record, request, conf, err) < 0 ||
        place_make(request->cri_sandbox_id, record_sandbox_id(record), &place, err) < 0)
        return -1;
    if (!guest_runs(record)) {
        disconnect_guest(&place);
        if (write_disks(&place, record, &request->dial_out, err) < 0 ||
            connect_guest(&place, err) < 0 || start_guest(&place, record, conf, err) < 0)
            return -1;
    }
    initdata = record_initdata_path(record);
    key = record_key_path(record);
    provision_answer(answer, record_sandbox_id(record), initdata, key, place.netns);
    if (request->dial_out.family)
        provision_add_dial_out(answer, &request->dial_out);
    else
        provision_add_endpoint(answer, "direct", place.guest_address, 0);
    return 0;
}

static int status(const struct provision_request *request, const struct tenant_conf *conf,
                  struct js *answer, struct error *err)
{
    scoped(record_closep) struct record *record = NULL;

    if (record_open(request->cri_sandbox_id, RECORD_MUST_EXIST, &record, err) < 0)
        return -1;
    js_set_string(answer, "state", guest_runs(record) ? "running" : "stopped");
    return 0;
}

static int destroy(const struct provision_request *request, const struct tenant_conf *conf,
                   struct js *answer, struct error *err)
{
    scoped(record_closep) struct record *record = NULL;
    scoped(place_fini) struct place place = {0};

    if (record_open(request->cri_sandbox_id, RECORD_MUST_EXIST, &record, err) < 0)
        return err->status == STATUS_NOT_FOUND ? 0 : -1;
    if (record_sandbox_id(record)) {
        if (end_guest(record, err) < 0 ||
            place_make(request->cri_sandbox_id, record_sandbox_id(record), &place, err) < 0)
            return -1;
        disconnect_guest(&place);
    }
    return record_remove(record, err);
}

int main(int argc, char *argv[])
{
    static const struct provisioner provisioner = {
        .program = "provision-stub",
        .summary = "starts a stub guest on this node, for tests",
        .create = create,
        .status = status,
        .destroy = destroy,
    };

    return provision_main(&provisioner, argc, argv);
}
