/* SPDX-License-Identifier: Apache-2.0 */
/* Speaks the pipe protocol of cleave-host-helper, but a machine is a stub guest: the agent in
 * namespaces of its own, with the same two disks, in the same pod network namespace. */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/guest_disk.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "disks.h"
#include "io/netns.h"
#include "io/uplink.h"
#include "record.h"
#include "request.h"
#include "shim/host_conf.h"
#include "watch.h"

enum { KILL_MS = 5000, CMDLINE_MAX = 64 * 1024 };

/* In the child: detached, so that the guest outlives the helper. */
static void become_guest(const struct host_conf *conf, const struct request *request,
                         const struct disks *disks, int report)
{
    char log[REQUEST_PATH_SIZE + 32];
    char *argv[] = {conf->stub_guest,
                    (char *) "--root",
                    conf->stub_root,
                    (char *) "--agent",
                    conf->stub_agent,
                    (char *) "--initdata",
                    (char *) disks->init,
                    (char *) "--net",
                    (char *) disks->net,
                    (char *) "--netns",
                    request->netns,
                    (char *) "--log",
                    log,
                    NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    snprintf(log, sizeof(log), "%s/console.log", request->directory);
    (void) setsid();
    for (int fd = 0; fd < 3; fd++)
        (void) dup2(null, fd);
    execv(argv[0], argv);
    (void) !write(report, &errno, sizeof(errno));
    _exit(127);
}

static int start_guest(const struct host_conf *conf, const struct request *request,
                       const struct disks *disks, pid_t *ret, struct error *err)
{
    int report[2], failure = 0;
    pid_t pid = 0;
    ssize_t got;

    if (pipe2(report, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    pid = fork();
    if (pid == 0)
        become_guest(conf, request, disks, report[1]);
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return error_errno(err, errno, "fork");
    }
    got = read(report[0], &failure, sizeof(failure)); /* ends at exec */
    close(report[0]);
    if (got > 0)
        return error_errno(err, failure, "run %s", conf->stub_guest);
    *ret = pid;
    return 0;
}

static int create(const struct host_conf *conf, const struct request *request, struct js **ret,
                  struct error *err)
{
    scoped(closep) int netns = -1;
    struct guest_net net;
    struct disks disks;
    pid_t pid = 0;

    if (request_bind_to_parent(request, err) < 0 || netns_open(request->netns, &netns, err) < 0 ||
        uplink_read(netns, &net, err) < 0 || disks_write(request, &net, &disks, err) < 0 ||
        start_guest(conf, request, &disks, &pid, err) < 0)
        return -1;
    *ret = js_new_object();
    js_set_integer(*ret, "pid", pid);
    js_set_integer(*ret, "start_time", (int64_t) watch_start_time(pid));
    return 0;
}

static bool file_holds(pid_t pid, const char *name, const char *wanted, size_t wanted_length)
{
    scoped(freep) char *text = NULL;
    char path[64];
    struct error err;
    size_t length;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
    return file_read(path, CMDLINE_MAX, &text, &length, &err) == 0 &&
           memmem(text, length, wanted, wanted_length);
}

/* A guest whose pid nobody has written down is known by the disk in its arguments. Its sweeper,
 * which must outlive it, has the same arguments but another name. */
static pid_t find_guest(const struct request *request)
{
    char wanted[REQUEST_PATH_SIZE + 32];
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    pid_t found = 0;

    if (!proc)
        return 0;
    snprintf(wanted, sizeof(wanted), "%s/init.img", request->directory);
    while (!found && (entry = readdir(proc))) {
        uint64_t pid;

        if (text_to_u64(entry->d_name, &pid) && pid <= INT32_MAX &&
            file_holds((pid_t) pid, "cmdline", wanted, strlen(wanted) + 1) &&
            file_holds((pid_t) pid, "comm", "stub-guest\n", 11))
            found = (pid_t) pid;
    }
    closedir(proc);
    return found;
}

static int destroy(const struct request *request, struct error *err)
{
    char log[REQUEST_PATH_SIZE + 32];
    pid_t pid = 0;

    if (request->pid && watch_kill_now(request->pid, request->start_time, KILL_MS, err) < 0)
        return -1;
    for (int i = 0; i < 4 && (pid = find_guest(request)); i++)
        if (watch_kill_now(pid, watch_start_time(pid), KILL_MS, err) < 0)
            return -1;
    snprintf(log, sizeof(log), "%s/console.log", request->directory);
    (void) unlink(log);
    return disks_remove(request, err);
}

static int power(const struct request *request, struct error *err)
{
    pid_t pid = find_guest(request);

    if (!pid || kill(pid, SIGTERM) < 0)
        return error_set(err, STATUS_NOT_FOUND, "the machine is gone");
    return 0;
}

static int run(const char *verb, const struct host_conf *conf, const struct request *request,
               struct js **ret, struct error *err)
{
    if (text_equal(verb, "create"))
        return create(conf, request, ret, err);
    if (text_equal(verb, "destroy"))
        return destroy(request, err);
    if (text_equal(verb, "power"))
        return power(request, err);
    if (text_equal(verb, "status")) {
        *ret = js_new_object();
        js_set_string(*ret, "state", find_guest(request) ? "running" : "absent");
        return 0;
    }
    return error_set(err, STATUS_UNIMPLEMENTED, "the stub has no verb '%s'", verb);
}

int main(int argc, char *argv[])
{
    const char *verb = argc > 1 ? argv[argc - 1] : "";
    enum request_scope scope = text_equal(verb, "create") ? REQUEST_CREATE : REQUEST_ID_ONLY;
    struct host_conf conf = {0};
    struct request request = {0};
    struct js *reply = NULL;
    struct error err;
    int failed;

    log_open("helper-stub");
    if (text_equal(verb, "sweep")) {
        request_answer(NULL);
        return EXIT_SUCCESS;
    }
    failed = host_conf_load(HOST_CONF_PATH, &conf, &err);
    if (failed == 0)
        failed = request_read(STDIN_FILENO, scope, &request, &err);
    if (failed == 0)
        failed = run(verb, &conf, &request, &reply, &err);
    request_clear(&request);
    host_conf_fini(&conf);
    if (failed == 0)
        request_answer(reply);
    else
        request_fail(&err);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
