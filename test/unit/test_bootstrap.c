/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of a shim, run for real: this program is also the shim that it starts. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/loop.h"
#include "shim/bootstrap.h"
#include "shim/shim_main.h"
#include "shiminfo.pb-c.h"
#include "suite.h"
#include "task.pb-c.h"
#include "ttrpc.pb-c.h"
#include "ttrpc/client.h"
#include "ttrpc/server.h"

/* ---- the shim ---- */

struct echo {
    struct shim_server *self;
    char *group;
};

static void connect_rpc(struct call *call, const void *request)
{
    struct echo *echo = call_user(call);
    Task__ConnectResponse response = TASK__CONNECT_RESPONSE__INIT;

    response.shim_pid = (uint32_t) getpid();
    response.version = echo->group;
    call_reply(call, &response);
}

static void shutdown_rpc(struct call *call, const void *request)
{
    struct echo *echo = call_user(call);

    call_reply(call, NULL);
    shim_quit(echo->self);
}

static const struct ttrpc_method methods[] = {
    TTRPC_METHOD("Connect", task__connect_request, task__connect_response, connect_rpc),
    TTRPC_METHOD("Shutdown", task__shutdown_request, ttrpc__empty, shutdown_rpc),
};

static int create_service(struct loop *loop, struct ttrpc_server *server, struct shim_server *self,
                          const struct shim_options *options, void **ret, struct error *err)
{
    struct echo *echo = xnew(struct echo);

    echo->self = self;
    echo->group = xformat("%s %d %s", options->group, options->sandbox_api,
                          options->runtime_options.type_url ? options->runtime_options.type_url
                                                            : "-");
    ttrpc_server_register(server, "containerd.task.v2.Task", methods, ARRAY_LENGTH(methods), echo);
    *ret = echo;
    return 0;
}

static void destroy_service(void *service)
{
    struct echo *echo = service;

    free(echo->group);
    free(echo);
}

static int cleanup(const struct shim_cleanup *cleanup, struct shim_exit *ret, struct error *err)
{
    if (text_equal(cleanup->id, "cannot"))
        return error_set(err, STATUS_INTERNAL, "cannot clean up");
    ret->pid = cleanup->is_sandbox ? 7 : 8;
    return 0;
}

static const struct shim echo_shim = {
    .runtime = "io.containerd.echo.v2",
    .component = "echo",
    .create_service = create_service,
    .destroy_service = destroy_service,
    .cleanup = cleanup,
};

/* ---- running it ---- */

static char root[] = "/tmp/test_bootstrap.XXXXXX";
static char sockets[64];

struct run {
    char output[4096];
    size_t length;
    int code;
    uint64_t ms;
};

static char *bundle_make(const char *name, const char *spec)
{
    struct error err;
    char *path = xformat("%s/%s", root, name);
    scoped(freep) char *config = xformat("%s/config.json", path);

    ck_assert_int_eq(file_make_directories(path, 0700, &err), 0);
    if (spec)
        ck_assert_int_eq(file_write_atomic(config, spec, strlen(spec), 0600, &err), 0);
    return path;
}

/* stdout and stderr through one pipe, as containerd does; the end of the pipe is waited for. */
static void run(const char *bundle, const char *const *args, const void *input, size_t input_length,
                struct run *ret)
{
    const char *argv[16] = {"containerd-shim-echo-v2"};
    uint64_t begin = clock_monotonic_ms();
    int in[2], out[2], status;
    pid_t pid;

    for (int i = 0; args[i]; i++)
        argv[i + 1] = args[i];
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void) dup2(in[0], 0);
        (void) dup2(out[1], 1);
        (void) dup2(out[1], 2);
        if (chdir(bundle) == 0)
            execv("/proc/self/exe", (char *const *) argv);
        _exit(126);
    }
    close(in[0]);
    close(out[1]);
    if (input_length)
        ck_assert_int_eq(write(in[1], input, input_length), (ssize_t) input_length);
    close(in[1]);
    ret->length = 0;
    for (ssize_t n = 1; n > 0; ret->length += n > 0 ? (size_t) n : 0) {
        struct pollfd poll_fd = {.fd = out[0], .events = POLLIN};

        ck_assert_msg(poll(&poll_fd, 1, 20000) == 1, "somebody keeps the answer's pipe open");
        n = read(out[0], ret->output + ret->length, sizeof(ret->output) - 1 - ret->length);
    }
    ret->output[ret->length] = '\0';
    close(out[0]);
    ret->ms = clock_monotonic_ms() - begin;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

#define START(id)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        "-namespace", "k8s.io", "-address", root, "-publish-binary", "/bin/false", "-id", id,      \
            "start", NULL                                                                          \
    }
#define DELETE(id)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        "-namespace", "k8s.io", "-address", root, "-publish-binary", "/bin/false", "-id", id,      \
            "-bundle", ".", "delete", NULL                                                         \
    }

/* containerd 2.3's stdin, which lets the test choose the directory of the socket. */
static size_t pack_params(const char *id, uint8_t *to)
{
    Shiminfo__BootstrapParams params = SHIMINFO__BOOTSTRAP_PARAMS__INIT;
    Shiminfo__Extension extension = SHIMINFO__EXTENSION__INIT, *extensions[] = {&extension};
    Ttrpc__Any any = TTRPC__ANY__INIT;

    any.type_url = (char *) "runtimeoptions.v1.Options";
    extension.value = &any;
    params.instance_id = (char *) id;
    params.socket_dir = sockets;
    params.extensions = extensions;
    params.n_extensions = 1;
    return shiminfo__bootstrap_params__pack(&params, to);
}

static void start(const char *bundle, const char *id, struct run *ret)
{
    uint8_t input[512];

    run(bundle, START(id), input, pack_params(id, input), ret);
}

static void delete_verb(const char *bundle, const char *id, struct run *ret)
{
    run(bundle, DELETE(id), NULL, 0, ret);
}

/* ---- asking it ---- */

struct reply {
    bool done;
    enum status status;
    uint32_t pid;
    char version[128];
};

static void on_reply(void *user, const void *message, const struct error *err)
{
    const Task__ConnectResponse *response = message;
    struct reply *reply = user;

    reply->done = true;
    reply->status = err ? err->status : STATUS_OK;
    if (response && response->base.descriptor == &task__connect_response__descriptor) {
        reply->pid = response->shim_pid;
        (void) snprintf(reply->version, sizeof(reply->version), "%s", response->version);
    }
}

static void ask(const char *socket, const char *method, const ProtobufCMessage *message,
                const ProtobufCMessageDescriptor *descriptor, struct reply *reply)
{
    scoped(loop_freep) struct loop *loop = NULL;
    scoped(ttrpc_client_freep) struct ttrpc_client *client = NULL;
    const struct ttrpc_call_options options = {
        .service = "containerd.task.v2.Task",
        .method = method,
        .message = message,
        .reply = descriptor,
        .deadline_ms = 5000,
    };
    struct error err;

    *reply = (struct reply){0};
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    if (ttrpc_client_connect(loop, socket, NULL, NULL, &client, &err) < 0) {
        reply->status = err.status;
        return;
    }
    ck_assert_int_eq(ttrpc_client_call(client, &options, on_reply, reply, &err), 0);
    while (!reply->done)
        ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
}

static pid_t shim_pid(const char *socket, struct reply *reply)
{
    Task__ConnectRequest request = TASK__CONNECT_REQUEST__INIT;

    ask(socket, "Connect", &request.base, &task__connect_response__descriptor, reply);
    return reply->status == STATUS_OK ? (pid_t) reply->pid : 0;
}

static void shut_down(const char *socket)
{
    Task__ShutdownRequest request = TASK__SHUTDOWN_REQUEST__INIT;
    struct reply reply;

    ask(socket, "Shutdown", &request.base, &ttrpc__empty__descriptor, &reply);
    ck_assert_int_eq(reply.status, STATUS_OK);
}

/* The first line of an answer of version 2, without the newline. */
static const char *address_of(struct run *result)
{
    ck_assert_msg(result->code == 0, "%s", result->output);
    ck_assert(text_starts(result->output, "unix:///"));
    ck_assert_ptr_eq(strchr(result->output, '\n'), result->output + result->length - 1);
    result->output[result->length - 1] = '\0';
    return result->output;
}

static bool ends_soon(pid_t pid)
{
    char path[64];

    (void) snprintf(path, sizeof(path), "/proc/%d/exe", (int) pid);
    for (int i = 0; i < 2000; i++) {
        char link[16];

        if (readlink(path, link, sizeof(link)) < 0)
            return true;
        (void) usleep(10000);
    }
    return false;
}

static const char pause_spec[] =
    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
    "\"io.kubernetes.cri.sandbox-id\":\"pause\"}}";
static const char member_spec[] =
    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"container\","
    "\"io.kubernetes.cri.sandbox-id\":\"pause\"}}";

/* ---- tests ---- */

START_TEST(a_pod_has_one_shim_and_one_address)
{
    scoped(freep) char *pause = bundle_make("pause", pause_spec);
    scoped(freep) char *member = bundle_make("member", member_spec);
    struct run first, second, third;
    struct reply reply;

    start(pause, "pause", &first);
    const char *address = address_of(&first);
    pid_t pid = shim_pid(address, &reply);
    ck_assert_int_gt(pid, 0);
    ck_assert_str_eq(reply.version, "pause 0 runtimeoptions.v1.Options");

    start(pause, "pause", &second);
    ck_assert_str_eq(address_of(&second), address);
    start(member, "member", &third);
    ck_assert_str_eq(address_of(&third), address);
    ck_assert_int_eq(shim_pid(address, &reply), pid);
    /* A machine with other work may stand still for a moment, but nobody waited for a timeout. */
    ck_assert_msg(first.ms < 500 || second.ms < 500 || third.ms < 500, "starts took %d, %d, %d ms",
                  (int) first.ms, (int) second.ms, (int) third.ms);

    scoped(freep) char *file = xformat("%s/address", member);
    scoped(freep) char *text = NULL;
    struct error err;
    ck_assert_int_eq(file_read(file, 200, &text, &(size_t){0}, &err), 0);
    ck_assert_str_eq(text, address);

    shut_down(address);
    ck_assert(ends_soon(pid));
    ck_assert(!file_exists(address + strlen("unix://")));
}
END_TEST

START_TEST(a_dead_socket_is_replaced)
{
    scoped(freep) char *pause = bundle_make("pause", pause_spec);
    struct run first, second;
    struct reply reply;

    start(pause, "pause", &first);
    const char *address = address_of(&first);
    pid_t pid = shim_pid(address, &reply);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert(ends_soon(pid));
    ck_assert(file_exists(address + strlen("unix://")));

    start(pause, "pause", &second);
    ck_assert_str_eq(address_of(&second), address);
    pid_t other = shim_pid(address, &reply);
    ck_assert_int_gt(other, 0);
    ck_assert_int_ne(other, pid);
    shut_down(address);
    ck_assert(ends_soon(other));
}
END_TEST

START_TEST(the_resident_is_a_proper_daemon)
{
    scoped(freep) char *pause = bundle_make("pause", pause_spec);
    scoped(freep) char *fifo = xformat("%s/log", pause);
    struct run result;
    struct reply reply;
    struct stat info;
    char path[64], link[256] = "";

    (void) unlink(fifo);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    int keeper = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(keeper, 0);
    start(pause, "pause", &result);
    const char *address = address_of(&result);
    pid_t pid = shim_pid(address, &reply);

    ck_assert_int_eq(getsid(pid), pid);
    (void) snprintf(path, sizeof(path), "/proc/%d/fd/0", (int) pid);
    ck_assert_int_gt(readlink(path, link, sizeof(link) - 1), 0);
    ck_assert_str_eq(link, "/dev/null");
    (void) snprintf(path, sizeof(path), "/proc/%d/fd/2", (int) pid);
    memset(link, 0, sizeof(link));
    ck_assert_int_gt(readlink(path, link, sizeof(link) - 1), 0);
    ck_assert_str_eq(link, fifo);
    ck_assert_int_eq(stat(address + strlen("unix://"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    ck_assert(ends_soon(pid));
    ck_assert(!file_exists(address + strlen("unix://")));
    close(keeper);
    (void) unlink(fifo);
}
END_TEST

/* ---- killed ---- */

/* A `start` that stops at each of its system calls. */
static pid_t start_traced(const char *bundle, const char *id)
{
    const char *const argv[] = {"shim", "-namespace", "k8s.io", "-address", root,
                                "-id",  id,           "start",  NULL};
    uint8_t input[512];
    size_t length = pack_params(id, input);
    int in[2], status;
    pid_t pid;

    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(write(in[1], input, length), (ssize_t) length);
    close(in[1]);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        (void) dup2(in[0], 0);
        (void) dup2(null, 1);
        (void) dup2(null, 2);
        if (chdir(bundle) == 0 && ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
            execv("/proc/self/exe", (char *const *) argv);
        _exit(126);
    }
    close(in[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSTOPPED(status), "this test needs ptrace");
    ck_assert_int_eq(
        ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *) (PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)),
        0);
    return pid;
}

/* Lets it go on to the entry of the next call. */
static void next_call(pid_t pid, struct __ptrace_syscall_info *ret)
{
    int status, signal = 0;

    do {
        ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, (void *) (intptr_t) signal), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFSTOPPED(status), "start ended without an answer");
        signal = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
        ret->op = PTRACE_SYSCALL_INFO_NONE;
        if (!signal)
            ck_assert_int_gt(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *) sizeof(*ret), ret), 0);
    } while (ret->op != PTRACE_SYSCALL_INFO_ENTRY);
}

static bool is_call(const struct __ptrace_syscall_info *info, uint64_t number, uint64_t fd)
{
    return info->entry.nr == number && info->entry.args[0] == fd;
}

/* Kills it as it enters its n-th call after it began to read its options, and takes the bundle
 * away, as containerd does whose caller has given up. False: it was about to answer. */
static bool kill_at(int n)
{
    scoped(freep) char *id = xformat("killed-%d", n);
    scoped(freep) char *bundle = bundle_make(id, NULL);
    pid_t pid = start_traced(bundle, id);
    struct __ptrace_syscall_info info;
    struct error err;

    do
        next_call(pid, &info);
    while (!is_call(&info, SYS_read, STDIN_FILENO));
    while (n-- > 0 && !is_call(&info, SYS_write, STDOUT_FILENO))
        next_call(pid, &info);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(file_remove_tree(bundle, &err), 0);
    return !is_call(&info, SYS_write, STDOUT_FILENO);
}

static size_t count_files(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    size_t count = 0;

    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

START_TEST(a_start_that_is_killed_leaves_no_socket)
{
    uint64_t end = clock_monotonic_ms() + 60000;
    int n = 0;

    (void) snprintf(sockets, sizeof(sockets), "%s/k", root);
    while (kill_at(n))
        n++;
    ck_assert_int_ge(n, 3);
    ck_assert_uint_gt(count_files(sockets),
                      0); /* of those that serve, until they look for owners */
    while (count_files(sockets) > 0) {
        ck_assert_msg(clock_monotonic_ms() < end, "%zu sockets stay", count_files(sockets));
        (void) usleep(50000);
    }
}
END_TEST

START_TEST(the_sandbox_controller_gets_version_3)
{
    scoped(freep) char *bundle = bundle_make("io.containerd.sandbox.controller.v1.shim/k8s.io/box",
                                             NULL);
    struct run result;
    struct reply reply;

    start(bundle, "box", &result);
    ck_assert_int_eq(result.code, 0);
    ck_assert(text_starts(result.output, "{\"version\":3,\"address\":\"unix:///"));
    ck_assert_ptr_nonnull(strstr(result.output, "\",\"protocol\":\"ttrpc\"}"));
    char *address = strstr(result.output, "unix://");
    *strchr(address, '"') = '\0';
    pid_t pid = shim_pid(address, &reply);
    ck_assert_int_gt(pid, 0);
    ck_assert_str_eq(reply.version, "box 1 runtimeoptions.v1.Options");
    shut_down(address);
    ck_assert(ends_soon(pid));
}
END_TEST

START_TEST(without_stdin_the_socket_is_in_the_usual_place)
{
    scoped(freep) char *pause = bundle_make("pause", pause_spec);
    struct run result;
    struct reply reply;

    if (geteuid() != 0)
        return;
    run(pause, START("pause"), NULL, 0, &result);
    const char *address = address_of(&result);
    ck_assert(text_starts(address, "unix:///run/containerd/s/"));
    pid_t pid = shim_pid(address, &reply);
    ck_assert_int_gt(pid, 0);
    ck_assert_str_eq(reply.version, "pause 0 -");
    shut_down(address);
    ck_assert(ends_soon(pid));
    ck_assert(!file_exists(address + strlen("unix://")));
}
END_TEST

static uint32_t deleted_pid(const struct run *result)
{
    ck_assert_msg(result->code == 0, "%s", result->output);
    Task__DeleteResponse *response = task__delete_response__unpack(
        NULL, result->length, (const uint8_t *) result->output);
    ck_assert_ptr_nonnull(response);
    ck_assert_uint_eq(response->exit_status, 137);
    ck_assert_ptr_nonnull(response->exited_at);
    ck_assert_int_gt(response->exited_at->seconds, 1700000000);
    uint32_t pid = response->pid;
    task__delete_response__free_unpacked(response, NULL);
    return pid;
}

START_TEST(delete_tells_the_sandbox_from_its_members)
{
    scoped(freep) char *pause = bundle_make("pause", pause_spec);
    scoped(freep) char *member = bundle_make("member", member_spec);
    scoped(freep) char *nothing = bundle_make("nothing", NULL);
    scoped(freep) char *broken = bundle_make("broken", "{\"annotations\":");
    scoped(freep) char *box = bundle_make("io.containerd.sandbox.controller.v1.shim/k8s.io/box2",
                                          NULL);
    struct run result;

    delete_verb(pause, "pause", &result);
    ck_assert_uint_eq(deleted_pid(&result), 7);
    delete_verb(pause, "pause", &result);
    ck_assert_uint_eq(deleted_pid(&result), 7);
    delete_verb(member, "member", &result);
    ck_assert_uint_eq(deleted_pid(&result), 8);
    delete_verb(nothing, "unknown", &result);
    ck_assert_uint_eq(deleted_pid(&result), 8);
    delete_verb(box, "box2", &result);
    ck_assert_uint_eq(deleted_pid(&result), 7);
    delete_verb(nothing, "cannot", &result);
    ck_assert_int_ne(result.code, 0);
    ck_assert_ptr_nonnull(strstr(result.output, "cannot clean up"));
    /* A broken bundle names nobody's sandbox. (Its warning would come before the answer here.) */
    run(broken, DELETE("broken"), NULL, 0, &result);
    ck_assert_int_eq(result.code, 0);
}
END_TEST

START_TEST(delete_of_a_member_leaves_the_shim_alone)
{
    scoped(freep) char *pause = bundle_make("pause", pause_spec);
    scoped(freep) char *member = bundle_make("member", member_spec);
    struct run first, result;
    struct reply reply;

    start(pause, "pause", &first);
    const char *address = address_of(&first);
    start(member, "member", &result);
    pid_t pid = shim_pid(address, &reply);
    delete_verb(member, "member", &result);
    ck_assert_int_eq(result.code, 0);
    ck_assert_int_eq(shim_pid(address, &reply), pid);
    shut_down(address);
    ck_assert(ends_soon(pid));
}
END_TEST

START_TEST(delete_of_a_sandbox_ends_a_shim_that_hangs)
{
    scoped(freep) char *pause = bundle_make("pause", pause_spec);
    struct run first, result;
    struct reply reply;

    start(pause, "pause", &first);
    const char *address = address_of(&first);
    pid_t pid = shim_pid(address, &reply);
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    delete_verb(pause, "pause", &result);
    ck_assert_int_eq(result.code, 0);
    ck_assert_msg(result.ms < 4000, "delete took %d ms", (int) result.ms);
    ck_assert(ends_soon(pid));
    ck_assert(!file_exists(address + strlen("unix://")));
}
END_TEST

START_TEST(info_and_version_need_nothing)
{
    struct run result;
    Shiminfo__RuntimeInfo *info;

    run(root, (const char *const[]){"-info", NULL}, NULL, 0, &result);
    ck_assert_int_eq(result.code, 0);
    info = shiminfo__runtime_info__unpack(NULL, result.length, (const uint8_t *) result.output);
    ck_assert_ptr_nonnull(info);
    ck_assert_str_eq(info->name, "io.containerd.echo.v2");
    ck_assert_str_eq(info->version->version, CLEAVE_VERSION);
    shiminfo__runtime_info__free_unpacked(info, NULL);
    run(root, (const char *const[]){"--v", NULL}, NULL, 0, &result);
    ck_assert_int_eq(result.code, 0);
    ck_assert_ptr_nonnull(strstr(result.output, CLEAVE_VERSION));
}
END_TEST

static const char *refusal(const char *const *argv)
{
    static struct error err;
    struct bootstrap bootstrap;
    int argc = 0;

    while (argv[argc])
        argc++;
    if (bootstrap_parse(argc, (char **) argv, &bootstrap, &err) == 0) {
        bootstrap_clear(&bootstrap);
        return NULL;
    }
    return err.message;
}

#define REFUSAL(...) refusal((const char *const[]){"shim", __VA_ARGS__, NULL})

START_TEST(flags_are_read_as_go_reads_them)
{
    ck_assert_ptr_null(REFUSAL("-namespace=ns", "--id=a", "-debug", "-bundle", "/", "start"));
    ck_assert_ptr_null(REFUSAL("-namespace", "ns", "-id", "a", "-debug=false", "delete"));
    ck_assert_ptr_null(REFUSAL("-namespace", "ns", "-id", "a"));
    ck_assert_ptr_nonnull(REFUSAL("-namespace", "ns", "-id"));
    ck_assert_ptr_nonnull(REFUSAL("-namespace", "ns", "-id", "../a", "start"));
    ck_assert_ptr_nonnull(REFUSAL("-namespace", "a/b", "-id", "a", "start"));
    ck_assert_ptr_nonnull(REFUSAL("-namespace", "ns", "start"));
    ck_assert_ptr_nonnull(REFUSAL("-namespace", "ns", "-id", "a", "-debug=maybe", "start"));
    ck_assert_ptr_nonnull(REFUSAL("-namespace", "ns", "-id", "a", "dance"));
    ck_assert_ptr_nonnull(REFUSAL("-mystery", "start"));
}
END_TEST

START_TEST(the_socket_depends_on_all_that_names_a_pod)
{
    struct bootstrap one = {.address = "a", .ns = "b"}, two = {.address = "a", .ns = "bc"};
    char a[BOOTSTRAP_SOCKET_SIZE], b[BOOTSTRAP_SOCKET_SIZE];
    struct error err;

    ck_assert_int_eq(bootstrap_socket(&one, NULL, "cd", a, &err), 0);
    ck_assert_int_eq(bootstrap_socket(&two, NULL, "d", b, &err), 0);
    ck_assert_str_ne(a, b);
    ck_assert_int_eq(bootstrap_socket(&one, NULL, "ce", b, &err), 0);
    ck_assert_str_ne(a, b);
    ck_assert_int_eq(bootstrap_socket(&one, NULL, "cd", b, &err), 0);
    ck_assert_str_eq(a, b);
}
END_TEST

START_TEST(runtime_options_come_in_two_shapes)
{
    uint8_t data[512];
    struct bootstrap_options options;
    Ttrpc__Any any = TTRPC__ANY__INIT;

    any.type_url = (char *) "some.Type";
    any.value.data = (uint8_t *) "xyz";
    any.value.len = 3;
    bootstrap_read_options(data, ttrpc__any__pack(&any, data), "box", &options);
    ck_assert_str_eq(options.type_url, "some.Type");
    ck_assert_uint_eq(options.length, 3);
    bootstrap_options_clear(&options);
    bootstrap_read_options(data, pack_params("box", data), "box", &options);
    ck_assert_str_eq(options.type_url, "runtimeoptions.v1.Options");
    ck_assert_str_eq(options.socket_directory, sockets);
    bootstrap_options_clear(&options);
    bootstrap_read_options((const uint8_t *) "\xff\xff", 2, "box", &options);
    ck_assert_ptr_null(options.type_url);
    bootstrap_read_options(NULL, 0, "box", &options);
    ck_assert_ptr_null(options.type_url);
}
END_TEST

int main(int argc, char *argv[])
{
    struct error err;
    int failed;

    if (argc > 1)
        return shim_main(&echo_shim, argc, argv);
    if (!mkdtemp(root))
        return EXIT_FAILURE;
    (void) snprintf(sockets, sizeof(sockets), "%s/s", root);
    failed = suite_run_with(
        &(struct suite){.name = "bootstrap", .timeout_s = 90},
        (const TTest *[]){
            a_pod_has_one_shim_and_one_address, a_dead_socket_is_replaced,
            the_resident_is_a_proper_daemon, a_start_that_is_killed_leaves_no_socket,
            the_sandbox_controller_gets_version_3, without_stdin_the_socket_is_in_the_usual_place,
            delete_tells_the_sandbox_from_its_members, delete_of_a_member_leaves_the_shim_alone,
            delete_of_a_sandbox_ends_a_shim_that_hangs, info_and_version_need_nothing,
            flags_are_read_as_go_reads_them, the_socket_depends_on_all_that_names_a_pod,
            runtime_options_come_in_two_shapes, NULL});
    if (file_remove_tree(root, &err) < 0)
        failed = EXIT_FAILURE;
    return failed;
}
