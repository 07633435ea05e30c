/* SPDX-License-Identifier: Apache-2.0 */
/* A shim without a runtime behind it: its tasks say hello on stdout and then run until they are
 * killed, its execs end at once with code 7. What common/shim and common/ttrpc do under a real
 * containerd can be watched with it. `delete` leaves a line in the working directory of
 * containerd's bundles: <bundle>/../deleted. */
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "events.pb-c.h"
#include "shim/publisher.h"
#include "shim/shim_main.h"
#include "shim/task_table.h"
#include "task.pb-c.h"
#include "ttrpc.pb-c.h"
#include "ttrpc/server.h"

enum { EXEC_CODE = 7 };

struct echo {
    struct shim_server *self;
    struct publisher *publisher;
    struct task_table tasks;
};

static void stamp(int64_t ns, Ttrpc__Timestamp *ret)
{
    ttrpc__timestamp__init(ret);
    ret->seconds = ns / 1000000000;
    ret->nanos = (int32_t) (ns % 1000000000);
}

static struct task_entry *find(struct call *call, const char *id, const char *exec_id)
{
    struct echo *echo = call_user(call);
    struct task_entry *entry;
    struct error err;

    if (task_table_find(&echo->tasks, id, exec_id, &entry, &err) == 0)
        return entry;
    call_fail_with(call, &err);
    return NULL;
}

static bool check(struct call *call, const struct task_entry *entry, enum task_op op)
{
    struct error err;

    if (task_allow(entry, op, &err) == 0)
        return true;
    call_fail_with(call, &err);
    return false;
}

static void answer_wait(struct call *call, const struct task_entry *entry)
{
    Task__WaitResponse response = TASK__WAIT_RESPONSE__INIT;
    Ttrpc__Timestamp at;

    stamp(entry->exited_at_ns, &at);
    response.exit_status = entry->exit_status;
    response.exited_at = &at;
    call_reply(call, &response);
}

static void end(struct echo *echo, struct task_entry *entry, uint32_t code)
{
    Events__TaskExit event = EVENTS__TASK_EXIT__INIT;
    Ttrpc__Timestamp at;
    struct call *call;

    if (!task_exited(entry, code, 0))
        return;
    stamp(entry->exited_at_ns, &at);
    event.container_id = entry->parent ? entry->parent->id : entry->id;
    event.id = entry->id;
    event.pid = entry->pid;
    event.exit_status = code;
    event.exited_at = &at;
    publisher_send(echo->publisher, "/tasks/exit", &event.base);
    while ((call = call_unpark(&entry->waiters)))
        answer_wait(call, entry);
}

static void say(const char *path, const char *text)
{
    scoped(closep) int fd = path && *path ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) : -1;

    if (fd >= 0 && write(fd, text, strlen(text)) < 0)
        log_warn("cannot write to %s", path);
}

/* ---- methods ---- */

static void create_rpc(struct call *call, const void *message)
{
    const Task__CreateTaskRequest *request = message;
    struct echo *echo = call_user(call);
    Task__CreateTaskResponse response = TASK__CREATE_TASK_RESPONSE__INIT;
    Events__TaskCreate event = EVENTS__TASK_CREATE__INIT;
    struct task_entry *entry;
    struct error err;

    if (task_table_add(&echo->tasks, request->id, &entry, &err) < 0)
        return call_fail_with(call, &err);
    entry->pid = (uint32_t) getpid();
    entry->bundle = xstrdup(request->bundle);
    entry->stdin_path = xstrdup(request->stdin);
    entry->stdout_path = xstrdup(request->stdout);
    entry->stderr_path = xstrdup(request->stderr);
    task_set_state(entry, TASK_CREATED);
    event.container_id = request->id;
    event.bundle = request->bundle;
    event.pid = response.pid = entry->pid;
    publisher_send(echo->publisher, "/tasks/create", &event.base);
    call_reply(call, &response);
}

static void start_rpc(struct call *call, const void *message)
{
    const Task__StartRequest *request = message;
    struct echo *echo = call_user(call);
    struct task_entry *entry = find(call, request->id, request->exec_id);
    Task__StartResponse response = TASK__START_RESPONSE__INIT;

    if (!entry || !check(call, entry, TASK_OP_START))
        return;
    task_set_state(entry, TASK_RUNNING);
    say(entry->stdout_path, "hello\n");
    response.pid = entry->pid;
    if (entry->parent) {
        Events__TaskExecStarted event = EVENTS__TASK_EXEC_STARTED__INIT;

        event.container_id = entry->parent->id;
        event.exec_id = entry->id;
        event.pid = entry->pid;
        publisher_send(echo->publisher, "/tasks/exec-started", &event.base);
    } else {
        Events__TaskStart event = EVENTS__TASK_START__INIT;

        event.container_id = entry->id;
        event.pid = entry->pid;
        publisher_send(echo->publisher, "/tasks/start", &event.base);
    }
    call_reply(call, &response);
    if (entry->parent)
        end(echo, entry, EXEC_CODE);
}

static void exec_rpc(struct call *call, const void *message)
{
    const Task__ExecProcessRequest *request = message;
    struct echo *echo = call_user(call);
    struct task_entry *task = find(call, request->id, NULL), *entry;
    Events__TaskExecAdded event = EVENTS__TASK_EXEC_ADDED__INIT;
    struct error err;

    if (!task || !check(call, task, TASK_OP_EXEC))
        return;
    if (task_table_add_exec(task, request->exec_id, &entry, &err) < 0)
        return call_fail_with(call, &err);
    entry->pid = task->pid;
    entry->stdout_path = xstrdup(request->stdout);
    event.container_id = task->id;
    event.exec_id = entry->id;
    publisher_send(echo->publisher, "/tasks/exec-added", &event.base);
    call_reply(call, NULL);
}

static void state_rpc(struct call *call, const void *message)
{
    static const Task__Status states[] = {
        [TASK_CREATING] = TASK__STATUS__UNKNOWN, [TASK_CREATED] = TASK__STATUS__CREATED,
        [TASK_RUNNING] = TASK__STATUS__RUNNING,  [TASK_PAUSED] = TASK__STATUS__PAUSED,
        [TASK_STOPPED] = TASK__STATUS__STOPPED,
    };
    const Task__StateRequest *request = message;
    const struct task_entry *entry = find(call, request->id, request->exec_id);
    Task__StateResponse response = TASK__STATE_RESPONSE__INIT;
    Ttrpc__Timestamp at;

    if (!entry)
        return;
    stamp(entry->exited_at_ns, &at);
    response.id = request->id;
    response.exec_id = request->exec_id;
    response.pid = entry->pid;
    response.status = states[entry->state];
    response.exit_status = entry->exit_status;
    response.exited_at = entry->state == TASK_STOPPED ? &at : NULL;
    if (entry->stdout_path)
        response.stdout = entry->stdout_path;
    call_reply(call, &response);
}

static void wait_rpc(struct call *call, const void *message)
{
    const Task__WaitRequest *request = message;
    struct task_entry *entry = find(call, request->id, request->exec_id);

    if (!entry)
        return;
    if (entry->state == TASK_STOPPED)
        answer_wait(call, entry);
    else
        call_park(&entry->waiters, call);
}

static void kill_rpc(struct call *call, const void *message)
{
    const Task__KillRequest *request = message;
    struct task_entry *entry = find(call, request->id, request->exec_id);

    if (!entry || !check(call, entry, TASK_OP_KILL))
        return;
    call_reply(call, NULL);
    end(call_user(call), entry, 128 + request->signal);
}

static void delete_rpc(struct call *call, const void *message)
{
    const Task__DeleteRequest *request = message;
    struct echo *echo = call_user(call);
    struct task_entry *entry = find(call, request->id, request->exec_id);
    Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
    Ttrpc__Timestamp at;

    if (!entry || !check(call, entry, TASK_OP_DELETE))
        return;
    stamp(entry->exited_at_ns ? entry->exited_at_ns : clock_wall_ns(), &at);
    response.pid = entry->pid;
    response.exit_status = entry->exit_status;
    response.exited_at = &at;
    if (!entry->parent) {
        Events__TaskDelete event = EVENTS__TASK_DELETE__INIT;

        event.container_id = entry->id;
        event.pid = entry->pid;
        event.exit_status = entry->exit_status;
        event.exited_at = &at;
        publisher_send(echo->publisher, "/tasks/delete", &event.base);
    }
    call_reply(call, &response);
    task_table_remove(&echo->tasks, entry);
}

static void pids_rpc(struct call *call, const void *message)
{
    const struct task_entry *entry = find(call, ((const Task__PidsRequest *) message)->id, NULL);
    Task__PidsResponse response = TASK__PIDS_RESPONSE__INIT;
    Task__ProcessInfo process = TASK__PROCESS_INFO__INIT, *processes[] = {&process};

    if (!entry)
        return;
    process.pid = entry->pid;
    response.processes = processes;
    response.n_processes = 1;
    call_reply(call, &response);
}

static void connect_rpc(struct call *call, const void *message)
{
    Task__ConnectResponse response = TASK__CONNECT_RESPONSE__INIT;

    response.shim_pid = response.task_pid = (uint32_t) getpid();
    call_reply(call, &response);
}

static void on_flushed(void *user)
{
    struct echo *echo = user;

    shim_quit(echo->self);
}

static void shutdown_rpc(struct call *call, const void *message)
{
    struct echo *echo = call_user(call);

    call_reply(call, NULL);
    if (echo->tasks.count == 0 || ((const Task__ShutdownRequest *) message)->now)
        publisher_flush(echo->publisher, 1000, on_flushed, echo);
}

static const struct ttrpc_method methods[] = {
    TTRPC_METHOD("Create", task__create_task_request, task__create_task_response, create_rpc),
    TTRPC_METHOD("Start", task__start_request, task__start_response, start_rpc),
    TTRPC_METHOD("Exec", task__exec_process_request, ttrpc__empty, exec_rpc),
    TTRPC_METHOD("State", task__state_request, task__state_response, state_rpc),
    TTRPC_METHOD("Wait", task__wait_request, task__wait_response, wait_rpc),
    TTRPC_METHOD("Kill", task__kill_request, ttrpc__empty, kill_rpc),
    TTRPC_METHOD("Delete", task__delete_request, task__delete_response, delete_rpc),
    TTRPC_METHOD("Pids", task__pids_request, task__pids_response, pids_rpc),
    TTRPC_METHOD("Connect", task__connect_request, task__connect_response, connect_rpc),
    TTRPC_METHOD("Shutdown", task__shutdown_request, ttrpc__empty, shutdown_rpc),
};

/* ---- the shim ---- */

static void destroy_service(void *service)
{
    struct echo *echo = service;

    task_table_clear(&echo->tasks);
    publisher_free(echo->publisher);
    free(echo);
}

static int create_service(struct loop *loop, struct ttrpc_server *server, struct shim_server *self,
                          const struct shim_options *options, void **ret, struct error *err)
{
    const struct publisher_options publisher = {.ttrpc_address = options->ttrpc_address,
                                                .ns = options->ns};
    struct echo *echo = xnew(struct echo);

    echo->self = self;
    *ret = echo;
    ttrpc_server_register(server, "containerd.task.v2.Task", methods, ARRAY_LENGTH(methods), echo);
    ttrpc_server_register(server, "containerd.task.v3.Task", methods, ARRAY_LENGTH(methods), echo);
    log_info("serving '%s'", options->group);
    return publisher_new(loop, &publisher, &echo->publisher, err);
}

static int cleanup(const struct shim_cleanup *cleanup, struct shim_exit *ret, struct error *err)
{
    scoped(freep) char *path = xformat("%s/../deleted", cleanup->bundle);
    FILE *file = fopen(path, "ae");

    if (file) {
        (void) fprintf(file, "%s %d\n", cleanup->id, cleanup->is_sandbox);
        (void) fclose(file);
    }
    return 0;
}

int main(int argc, char *argv[])
{
    static const struct shim echo_shim = {
        .runtime = "io.containerd.echo.v2",
        .component = "shim-echo",
        .create_service = create_service,
        .destroy_service = destroy_service,
        .cleanup = cleanup,
    };

    return shim_main(&echo_shim, argc, argv);
}
