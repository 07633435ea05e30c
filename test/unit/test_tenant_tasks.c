/* SPDX-License-Identifier: Apache-2.0 */
/* Containers and execs against a guest that is a list of questions: each test answers them as it
 * likes, in any order, or never. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "codec_events.h"
#include "fake_time.h"
#include "leftovers.h"
#include "link.h"
#include "pod.h"
#include "pod_stdio.h"
#include "shim/tenant_conf.h"
#include "suite.h"
#include "task_creation.h"
#include "task_private.h"

/* ---- the guest ---- */

struct link_call {
    struct link_call *next;
    char what[64];
    agent_done_fn *done;
    void *user;
    uint64_t deadline_ms;
};

static struct link_call *asked;
static bool channel_is_there;
static unsigned acks;
static char history[1024]; /* of events and answers */

static void note(const char *what)
{
    ck_assert_uint_lt(strlen(history) + strlen(what) + 2, sizeof(history));
    strcat(strcat(history, what), " ");
}

static struct link_call *question(const struct agent_ask *ask, const char *verb,
                                  const char *container_id, const char *exec_id)
{
    struct link_call *call = xnew(struct link_call), **end = &asked;

    snprintf(call->what, sizeof(call->what), "%s %s%s%s", verb, container_id, *exec_id ? "/" : "",
             exec_id);
    call->done = ask->done;
    call->user = ask->user;
    call->deadline_ms = ask->deadline_ms;
    while (*end)
        end = &(*end)->next;
    *end = call;
    return call;
}

static struct link_call *find(const char *what)
{
    struct link_call *call = asked;

    while (call && strcmp(call->what, what) != 0)
        call = call->next;
    return call;
}

void link_cancel(struct link_call *call)
{
    struct link_call **p = &asked;

    if (!call)
        return;
    while (*p != call)
        p = &(*p)->next;
    *p = call->next;
    free(call);
}

bool link_call_was_sent(const struct link_call *call)
{
    return channel_is_there;
}

static struct container_sample guest_sample;

static void reply(const char *what, enum status status)
{
    struct link_call *call = find(what);
    struct agent_reply answer = {.sample = guest_sample};
    agent_done_fn *done;
    struct error err;
    void *user;

    ck_assert_msg(call != NULL, "'%s' was not asked", what);
    done = call->done;
    user = call->user;
    error_set(&err, status, "%s", status_name(status));
    link_cancel(call);
    if (done)
        done(user, status == STATUS_OK ? &answer : NULL, status == STATUS_OK ? NULL : &err);
}

#define QUESTION(fn, verb)                                                                         \
    struct link_call *fn(const struct agent_ask *ask, const struct agent_process *process)         \
    {                                                                                              \
        return question(ask, verb, process->container_id, process->exec_id);                       \
    }
#define CONTAINER_QUESTION(fn, verb)                                                               \
    struct link_call *fn(const struct agent_ask *ask, const char *container_id)                    \
    {                                                                                              \
        return question(ask, verb, container_id, "");                                              \
    }

QUESTION(agent_delete, "delete")
QUESTION(agent_resize, "resize")
CONTAINER_QUESTION(agent_start, "start")
CONTAINER_QUESTION(agent_pause, "pause")
CONTAINER_QUESTION(agent_resume, "resume")
CONTAINER_QUESTION(agent_stats, "stats")

struct link_call *agent_create(const struct agent_ask *ask, const struct agent_process *process,
                               const struct guest_spec *spec, const struct agent_layer *layers,
                               size_t count)
{
    return question(ask, "create", process->container_id, "");
}

struct link_call *agent_exec(const struct agent_ask *ask, const struct agent_process *process,
                             const char *spec)
{
    return question(ask, "exec", process->container_id, process->exec_id);
}

struct link_call *agent_kill(const struct agent_ask *ask, const struct agent_process *process,
                             uint32_t signal, enum agent_kill_scope scope)
{
    return question(ask, scope == AGENT_KILL_ALL ? "kill-all" : "kill", process->container_id,
                    process->exec_id);
}

struct link_call *agent_update(const struct agent_ask *ask, const char *id, const char *resources)
{
    return question(ask, "update", id, "");
}

struct link_call *agent_ack(const struct agent_ask *ask, const struct exit_record *record)
{
    acks++;
    return NULL;
}

/* ---- what is around ---- */

static struct tenant_conf conf = {.request_timeout = 60};
static enum pod_state state;
static bool has_lapsed;
static unsigned changes;

enum pod_state pod_state(const struct pod *pod)
{
    return state;
}

bool pod_has_lapsed(const struct pod *pod)
{
    return state == POD_UNKNOWN && has_lapsed;
}

struct link *pod_link(const struct pod *pod)
{
    return NULL;
}

struct stdio *pod_stdio(const struct pod *pod)
{
    return NULL;
}

const struct pod_config *pod_config(const struct pod *pod)
{
    return NULL;
}

const struct tenant_conf *pod_conf(const struct pod *pod)
{
    return &conf;
}

void pod_changed(struct pod *pod)
{
    changes++;
}

struct pipes {
    struct pipes_options options;
    bool arrived, drained, ended;
};

static struct pipes *last_pipes;
static bool stdin_was_closed;

int pipes_open(struct stdio *stdio, const struct pipes_options *options, struct pipes **ret,
               struct error *err)
{
    *ret = last_pipes = xnew(struct pipes);
    last_pipes->options = *options;
    return 0;
}

void pipes_start(struct pipes *pipes) {}

void pipes_close_stdin(struct pipes *pipes)
{
    stdin_was_closed = true;
}

void pipes_exited(struct pipes *pipes) {}

void pipes_end(struct pipes *pipes)
{
    pipes->ended = pipes->arrived = pipes->drained = true;
}

bool pipes_have_arrived(const struct pipes *pipes)
{
    return pipes->arrived;
}

bool pipes_are_drained(const struct pipes *pipes)
{
    return pipes->drained;
}

void pipes_free(struct pipes *pipes)
{
    free(pipes);
}

struct shares *pod_shares(const struct pod *pod)
{
    static char shares;

    return state == POD_DEAD ? NULL : (struct shares *) &shares;
}

void shares_remove(struct shares *shares, const char *name)
{
    note(name);
}

#define EVENT(fn, name)                                                                            \
    void fn(struct publisher *publisher, const struct task_entry *entry)                           \
    {                                                                                              \
        note(entry->parent ? name ":exec" : name);                                                 \
    }
EVENT(events_create, "create")
EVENT(events_start, "start")
EVENT(events_exit, "exit")
EVENT(events_delete, "delete")
EVENT(events_exec_added, "added")
EVENT(events_oom, "oom")
EVENT(events_paused, "paused")
EVENT(events_resumed, "resumed")

static size_t pending;
static void (*flushed)(void *user);
static void *flushed_user;

size_t publisher_pending(const struct publisher *publisher)
{
    return pending;
}

void publisher_flush(struct publisher *publisher, unsigned timeout_ms, void (*done)(void *user),
                     void *user)
{
    flushed = done;
    flushed_user = user;
}

/* ---- callers ---- */

struct call {
    uint64_t left_ms;
    call_gone_fn *gone;
    void *user;
    bool answered;
    enum status status;
};

uint64_t call_left_ms(const struct call *call)
{
    return call->left_ms;
}

void call_on_gone(struct call *call, call_gone_fn *fn, void *user)
{
    call->gone = fn;
    call->user = user;
}

struct call *call_unpark(struct call_list *list)
{
    return NULL;
}

void call_fail(struct call *call, enum status status, const char *fmt, ...) {}

static void done(struct call *call, struct task_entry *entry, const struct error *err)
{
    ck_assert(!call->answered);
    call->answered = true;
    call->status = err ? err->status : STATUS_OK;
}

static struct task_answer to(struct call *call)
{
    *call = (struct call){.left_ms = UINT64_MAX};
    return (struct task_answer){done, call};
}

/* ---- a pod with one container ---- */

static struct tasks tasks;
static struct task *init;
static struct error err;

static void exited(void *user, struct task_entry *entry)
{
    note(entry->parent ? "told:exec" : "told");
}

static struct task *exec_new(const char *id)
{
    struct task_entry *entry;

    ck_assert(task_exec(init, id, &(struct task_io){"", "", "", true, NULL}, "{}", 2, &err) == 0);
    ck_assert(task_table_find(&tasks.table, "c", id, &entry, &err) == 0);
    return entry->user;
}

static struct task *exec_started(const char *id)
{
    struct task *exec = exec_new(id);
    char what[32];
    struct call call;

    snprintf(what, sizeof(what), "exec c/%s", id);
    task_start(exec, to(&call));
    reply(what, STATUS_OK);
    ck_assert(call.answered && call.status == STATUS_OK);
    return exec;
}

static void exit_of(const char *exec_id, uint32_t exit_status)
{
    tasks_exited(&tasks, &(struct exit_record){.container_id = "c",
                                               .exec_id = exec_id,
                                               .exit_status = exit_status,
                                               .exited_at_ns = 1});
}

static void setup(void)
{
    struct task_io io = {"", "", "", false, NULL};
    struct task_entry *entry;

    tasks = (struct tasks){
        .pod = (struct pod *) &conf, .leftovers = leftovers_new(NULL), .exited = exited};
    state = POD_RUNNING;
    has_lapsed = false;
    channel_is_there = true;
    acks = changes = 0;
    pending = 0;
    stdin_was_closed = false;
    history[0] = '\0';
    ck_assert(task_table_add(&tasks.table, "c", &entry, &err) == 0);
    init = task_new(&tasks, entry, &io, &err);
    init->is_in_guest = true;
    task_set_state(entry, TASK_RUNNING);
}

static void teardown(void)
{
    tasks_clear(&tasks);
    leftovers_free(tasks.leftovers);
    while (asked)
        link_cancel(asked);
    ck_assert_ptr_null(sources);
}

START_TEST(an_exit_that_overtakes_its_start_is_told_after_it)
{
    struct task *exec;
    struct call call;

    setup();
    exec = exec_new("e");
    task_start(exec, to(&call));
    exit_of("e", 7);
    ck_assert_str_eq(history, "added:exec ");
    reply("exec c/e", STATUS_OK);
    ck_assert_str_eq(history, "added:exec start:exec exit:exec told:exec ");
    ck_assert_uint_eq(exec->entry->exit_status, 7);
    teardown();
}
END_TEST

START_TEST(nothing_is_told_or_asked_of_what_is_being_created)
{
    struct call call;

    setup();
    init->entry->state = TASK_CREATING;
    task_stats(init, to(&call));
    ck_assert(call.answered && call.status == STATUS_NOT_FOUND);
    ck_assert_ptr_null(asked);
    exit_of("", 3); /* before Create's answer */
    ck_assert_str_eq(history, "");
    init->entry->state = TASK_CREATED;
    task_let_exit(init);
    ck_assert_str_eq(history, "exit told ");
    ck_assert_uint_eq(init->entry->exit_status, 3);
    teardown();
}
END_TEST

START_TEST(the_guest_is_asked_for_figures_once_per_second)
{
    struct call first, second;

    setup();
    init->entry->state = TASK_RUNNING;
    task_stats(init, to(&first));
    reply("stats c", STATUS_OK);
    ck_assert(first.answered && first.status == STATUS_OK);
    task_stats(init, to(&first));
    ck_assert(first.answered && first.status == STATUS_OK);
    ck_assert_ptr_null(asked);
    init->sampled_ms = 1; /* long ago */
    task_stats(init, to(&first));
    task_stats(init, to(&second));
    ck_assert(!first.answered);
    ck_assert(second.answered && second.status == STATUS_OK);
    reply("stats c", STATUS_UNAVAILABLE); /* the old one is better than none */
    ck_assert(first.answered && first.status == STATUS_OK);
    ck_assert_ptr_null(asked);
    task_stats(init, to(&first));
    ck_assert(first.answered && !asked);
    teardown();
}
END_TEST

/* A sample that comes late is of the time before. */
START_TEST(what_has_ended_holds_no_memory_and_no_process)
{
    const struct container_sample *sample;
    struct call call;

    setup();
    guest_sample = (struct container_sample){
        .cpu_usage_ns = 7, .memory_usage = 5, .memory_anon = 4, .pids_current = 3};
    task_stats(init, to(&call));
    reply("stats c", STATUS_OK);
    sample = task_sample(init);
    ck_assert_uint_eq(sample->memory_usage, 5);
    init->sampled_ms = 1; /* long ago */
    task_stats(init, to(&call));
    exit_of("", 0);
    ck_assert_uint_eq(sample->memory_usage + sample->memory_anon + sample->pids_current, 0);
    reply("stats c", STATUS_OK);
    ck_assert(call.answered && call.status == STATUS_OK);
    ck_assert_uint_eq(sample->memory_usage + sample->memory_anon + sample->pids_current, 0);
    ck_assert_uint_eq(sample->cpu_usage_ns, 7);
    guest_sample = (struct container_sample){0};
    teardown();
}
END_TEST

START_TEST(the_init_ends_after_its_execs)
{
    setup();
    exec_started("e");
    history[0] = '\0';
    exit_of("", 3);
    ck_assert_str_eq(history, "");
    exit_of("e", 137);
    ck_assert_str_eq(history, "exit:exec told:exec exit told ");
    ck_assert_uint_eq(init->entry->exit_status, 3);
    teardown();
}
END_TEST

START_TEST(an_exec_that_stays_holds_its_init_up_for_two_seconds)
{
    setup();
    exec_started("e");
    history[0] = '\0';
    exit_of("", 3);
    pass(1999);
    ck_assert_str_eq(history, "");
    pass(1);
    ck_assert_str_eq(history, "exit told ");
    teardown();
}
END_TEST

START_TEST(the_reason_goes_before_the_exit)
{
    struct exit_record record = {
        .container_id = "c", .exec_id = "", .exit_status = 137, .oom_killed = true};

    setup();
    tasks_oom(&tasks, "c");
    pending = 1;
    tasks_exited(&tasks, &record);
    ck_assert_str_eq(history, "oom ");
    pending = 0;
    flushed(flushed_user);
    ck_assert_str_eq(history, "oom exit told ");
    teardown();
}
END_TEST

START_TEST(each_oom_is_told_and_no_replay)
{
    setup();
    tasks_oom(&tasks, "c");
    tasks_oom(&tasks, "c");
    ck_assert_str_eq(history, "oom oom ");
    tasks_retold(&tasks);
    tasks_oom(&tasks, "c");
    tasks_oom(&tasks, "c");
    ck_assert_str_eq(history, "oom oom ");
    tasks_oom(&tasks, "c");
    ck_assert_str_eq(history, "oom oom oom ");
    teardown();
}
END_TEST

START_TEST(a_record_is_acknowledged_when_the_output_is_here)
{
    struct task *exec;

    setup();
    exec = exec_started("e");
    exit_of("e", 0);
    ck_assert_uint_eq(acks, 0);
    ck_assert(!tasks_are_quiet(&tasks));
    last_pipes->arrived = true;
    last_pipes->options.changed(exec);
    ck_assert_uint_eq(acks, 1);
    exit_of("e", 0); /* told again: the acknowledgement was lost */
    ck_assert_uint_eq(acks, 2);
    ck_assert_uint_eq(exec->entry->exit_status, 0);
    teardown();
}
END_TEST

START_TEST(without_a_record_the_code_is_255)
{
    setup();
    tasks_all_dead(&tasks);
    ck_assert_uint_eq(init->entry->exit_status, 255);
    ck_assert_str_eq(history, "exit told ");
    ck_assert(tasks_are_quiet(&tasks));
    teardown();
}
END_TEST

START_TEST(without_a_channel_a_kill_does_not_wait_long)
{
    struct call call;

    setup();
    state = POD_UNKNOWN;
    task_kill(init, 9, AGENT_KILL_ONE, to(&call));
    ck_assert_uint_eq(find("kill c")->deadline_ms, 10000);
    reply("kill c", STATUS_DEADLINE_EXCEEDED);
    ck_assert(call.answered && call.status == STATUS_UNAVAILABLE);
    ck_assert_int_eq(init->entry->state, TASK_RUNNING);
    teardown();
}
END_TEST

START_TEST(what_is_killed_in_a_frozen_guest_out_of_reach_is_255_and_killed_later)
{
    struct call call;

    setup();
    exec_started("e");
    history[0] = '\0';
    state = POD_UNKNOWN;
    has_lapsed = true;
    task_kill(init, 15, AGENT_KILL_ONE, to(&call)); /* it is frozen: the signal waits */
    ck_assert(call.answered && call.status == STATUS_OK);
    reply("kill c", STATUS_DEADLINE_EXCEEDED);
    task_kill(init, 15, AGENT_KILL_ONE, to(&call)); /* this one goes with the task */
    ck_assert_str_eq(history, "");
    task_kill(init, 9, AGENT_KILL_ONE, to(&call));
    ck_assert(call.answered && call.status == STATUS_OK);
    ck_assert_str_eq(history, "exit:exec told:exec exit told ");
    ck_assert_uint_eq(init->entry->exit_status, 255);
    task_delete(init, to(&call));
    ck_assert(call.answered && call.status == STATUS_OK);
    ck_assert(leftovers_has(tasks.leftovers, "c", ""));
    pass(0);
    reply("kill-all c", STATUS_DEADLINE_EXCEEDED);
    reply("kill-all c", STATUS_OK); /* the channel is back */
    reply("delete c", STATUS_OK);
    ck_assert_ptr_null(asked);
    teardown();
}
END_TEST

START_TEST(delete_of_an_exec_that_starts_is_the_cancel)
{
    struct call start, delete;
    struct task *exec;

    setup();
    exec = exec_new("e");
    task_start(exec, to(&start));
    task_delete(exec, to(&delete));
    ck_assert(start.answered && start.status == STATUS_CANCELLED);
    ck_assert(delete.answered && delete.status == STATUS_OK);
    ck_assert(task_exec(init, "e", &(struct task_io){"", "", "", false, NULL}, "{}", 2, &err) < 0);
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    pass(0);
    reply("kill c/e", STATUS_NOT_FOUND);
    reply("delete c/e", STATUS_NOT_FOUND); /* not there yet: it was on its way */
    ck_assert(leftovers_has(tasks.leftovers, "c", "e"));
    pass(3000);
    reply("kill c/e", STATUS_OK);
    reply("delete c/e", STATUS_FAILED_PRECONDITION); /* not dead yet */
    pass(3000);
    reply("kill c/e", STATUS_NOT_FOUND);
    reply("delete c/e", STATUS_OK);
    ck_assert(!leftovers_has(tasks.leftovers, "c", "e"));
    exec_new("e");
    teardown();
}
END_TEST

START_TEST(what_the_guest_refuses_to_delete_goes_later)
{
    struct call call;

    setup();
    exit_of("", 0);
    task_delete(init, to(&call));
    reply("delete c", STATUS_ABORTED);
    ck_assert(call.answered && call.status == STATUS_OK);
    pass(0);
    reply("kill-all c", STATUS_FAILED_PRECONDITION);
    reply("delete c", STATUS_UNAVAILABLE);
    pass(1000);
    reply("kill-all c", STATUS_NOT_FOUND);
    reply("delete c", STATUS_NOT_FOUND);
    ck_assert_ptr_null(asked);
    ck_assert(!leftovers_has(tasks.leftovers, "c", ""));
    teardown();
}
END_TEST

static void share(const char *one, const char *two)
{
    init->shares = xnew_array(char *, 2);
    init->shares[0] = xstrdup(one);
    init->shares[1] = xstrdup(two);
    init->share_count = 2;
}

/* Not before: the guest still has it mounted. */
START_TEST(the_shares_of_a_container_go_after_it)
{
    struct call call;

    setup();
    share("s1", "s2");
    exit_of("", 0);
    task_delete(init, to(&call));
    ck_assert_ptr_null(strstr(history, "s1"));
    reply("delete c", STATUS_OK);
    ck_assert_ptr_nonnull(strstr(history, "delete s1 s2 "));
    teardown();
}
END_TEST

START_TEST(a_dead_pod_has_no_leftovers)
{
    struct call call;

    setup();
    exit_of("", 0);
    task_delete(init, to(&call));
    state = POD_DEAD;
    reply("delete c", STATUS_UNAVAILABLE);
    ck_assert(call.answered && call.status == STATUS_OK);
    ck_assert(!leftovers_has(tasks.leftovers, "c", ""));
    teardown();
}
END_TEST

START_TEST(what_was_not_sent_goes_with_its_caller)
{
    struct call call;

    setup();
    channel_is_there = false;
    task_kill(init, 9, AGENT_KILL_ONE, to(&call));
    call.gone(call.user, &call);
    ck_assert(call.answered && call.status == STATUS_CANCELLED);
    ck_assert_ptr_null(asked);
    ck_assert_ptr_null(init->asks);
    teardown();
}
END_TEST

START_TEST(what_was_sent_takes_its_course)
{
    struct call call;

    setup();
    task_pause(init, to(&call));
    call.gone(call.user, &call);
    ck_assert(!call.answered);
    reply("pause c", STATUS_OK);
    ck_assert(call.answered);
    ck_assert_int_eq(init->entry->state, TASK_PAUSED);
    teardown();
}
END_TEST

START_TEST(nothing_waits_longer_than_its_caller)
{
    struct call call;
    struct task_answer answer;

    setup();
    answer = to(&call);
    call.left_ms = 1500;
    task_kill(init, 15, AGENT_KILL_ONE, answer);
    ck_assert_uint_eq(find("kill c")->deadline_ms, 1500);
    reply("kill c", STATUS_OK);
    answer = to(&call);
    task_kill(init, 15, AGENT_KILL_ONE, answer);
    ck_assert_uint_eq(find("kill c")->deadline_ms, 60000);
    teardown();
}
END_TEST

START_TEST(what_is_said_of_a_terminal_before_the_start_holds_after_it)
{
    struct call start, resize;
    struct task *exec;

    setup();
    exec = exec_new("e");
    task_close_stdin(exec);
    task_start(exec, to(&start));
    task_resize(exec, 80, 25, to(&resize));
    ck_assert(resize.answered && resize.status == STATUS_OK);
    ck_assert(!stdin_was_closed);
    reply("exec c/e", STATUS_OK);
    ck_assert(stdin_was_closed);
    reply("resize c/e", STATUS_OK);
    teardown();
}
END_TEST

int main(void)
{
    return suite_run(
        "tenant_tasks",
        (const TTest *[]){an_exit_that_overtakes_its_start_is_told_after_it,
                          nothing_is_told_or_asked_of_what_is_being_created,
                          the_guest_is_asked_for_figures_once_per_second,
                          what_has_ended_holds_no_memory_and_no_process,
                          the_init_ends_after_its_execs,
                          an_exec_that_stays_holds_its_init_up_for_two_seconds,
                          the_reason_goes_before_the_exit,
                          each_oom_is_told_and_no_replay,
                          a_record_is_acknowledged_when_the_output_is_here,
                          without_a_channel_a_kill_does_not_wait_long,
                          what_is_killed_in_a_frozen_guest_out_of_reach_is_255_and_killed_later,
                          without_a_record_the_code_is_255,
                          delete_of_an_exec_that_starts_is_the_cancel,
                          what_the_guest_refuses_to_delete_goes_later,
                          the_shares_of_a_container_go_after_it,
                          a_dead_pod_has_no_leftovers,
                          what_was_not_sent_goes_with_its_caller,
                          what_was_sent_takes_its_course,
                          nothing_waits_longer_than_its_caller,
                          what_is_said_of_a_terminal_before_the_start_holds_after_it,
                          NULL});
}
