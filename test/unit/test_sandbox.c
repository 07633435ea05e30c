/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a sandbox against a helper that is a shell script. What lies on disk is replaced
 * here: records are counted, not written. */
#include "sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "record.h"
#include "shim/host_conf.h"
#include "suite.h"
#include "watch.h"

enum { WAIT_MS = 10000 };

static char directory[] = "/tmp/test_sandbox.XXXXXX";
static struct loop *loop;
static struct sandbox *sandbox;
static struct error err;
static pid_t machine, tpm; /* tpm: 0 if it has none */

static struct {
    unsigned started, exited, stopped;
    struct error start_error, stop_error;
    bool start_failed, stop_failed;
    unsigned buried, removed;
    bool bury_fails;
    bool unkillable; /* as a process in uninterruptible sleep */
    enum record_create create;
} seen;

/* ---- in place of record.c and host_conf.c ---- */

int record_write(const struct record *record, struct error *e)
{
    return 0;
}

int record_remove(const char *id, struct error *e)
{
    seen.removed++;
    return 0;
}

int record_bury(const struct record *record, enum record_create create, struct error *e)
{
    seen.buried++;
    seen.create = create;
    return seen.bury_fails ? error_set(e, STATUS_INTERNAL, "disk full") : 0;
}

void record_clear(struct record *record)
{
    free(record->id);
    free(record->helper);
    free(record->uri);
    *record = (struct record){0};
}

void record_target(const struct record *record, struct machine_target *ret)
{
    *ret = (struct machine_target){.id = record->id, .process = record->machine};
}

int host_conf_load(const char *path, struct host_conf *ret, struct error *e)
{
    *ret = (struct host_conf){
        .helper = xformat("%s/helper", directory),
        .uri = xstrdup("test:///default"),
        .boot_timeout = 5,
        .call_timeout = 1,
        .default_vcpus = 1,
        .max_vcpus = 1,
        .default_memory = POD_MEMORY_MIN,
        .max_memory = POD_MEMORY_MIN,
    };
    return 0;
}

void host_conf_fini(struct host_conf *conf)
{
    free(conf->helper);
    free(conf->uri);
    *conf = (struct host_conf){0};
}

/* ---- around watch.c ---- */

void __real_watch_kill(struct watch *watch);
void __wrap_watch_kill(struct watch *watch);

void __wrap_watch_kill(struct watch *watch)
{
    if (!seen.unkillable)
        __real_watch_kill(watch);
}

/* ---- the scene ---- */

static void on_started(void *user, const struct error *e)
{
    seen.started++;
    seen.start_failed = e != NULL;
    if (e)
        seen.start_error = *e;
}

static void on_exited(void *user)
{
    seen.exited++;
}

static void on_stopped(void *user, const struct error *e)
{
    seen.stopped++;
    seen.stop_failed = e != NULL;
    if (e)
        seen.stop_error = *e;
}

static const struct sandbox_events events = {on_started, on_exited, on_stopped};

/* What the helper does; $M is the pid of a live machine, $T that of its TPM. */
static void set_helpers(const char *create, const char *destroy, const char *power)
{
    scoped(freep) char *path = xformat("%s/helper", directory);
    scoped(freep) char *text = xformat(
        "#!/bin/sh\ncat >/dev/null\nM=%d\nT=%d\nS=$(cut -d' ' -f22 /proc/$M/stat)\n"
        "case $1 in\ncreate) %s ;;\ndestroy) %s ;;\npower) %s ;;\nesac\n",
        (int) machine, (int) tpm, create, destroy, power);

    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0700, &err), 0);
}

static void set_helper(const char *create, const char *destroy)
{
    set_helpers(create, destroy, "exit 1");
}

#define BORN "echo '{\"pid\":'$M',\"start_time\":'$S'}'"
#define DONE "echo '{}'"
#define BORN_WITH_TPM                                                                              \
    "echo '{\"pid\":'$M',\"start_time\":'$S',\"tpm\":{\"pid\":'$T',\"start_time\":'"               \
    "$(cut -d' ' -f22 /proc/$T/stat)'}}'"
#define FAILS    "echo '{\"code\":13,\"message\":\"libvirt: no\"}'; exit 1"
#define HANGS    "exec sleep 100"
#define OUTLIVES "echo '{\"code\":4,\"message\":\"process does not die\"}'; exit 1"

static pid_t sleeper(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    execlp("sleep", "sleep", "1000", NULL);
    _exit(127);
}

static void end(pid_t *pid)
{
    if (*pid <= 0)
        return;
    (void) kill(*pid, SIGKILL);
    (void) waitpid(*pid, NULL, 0);
    *pid = 0;
}

static void setup(void)
{
    static const struct pod_annotation annotations[] = {
        {POD_ANNOTATION_INITDATA, "aGVsbG8="},
        {POD_ANNOTATION_ID, "00112233445566778899aabbccddeeff"}};
    const struct pod_input input = {
        .annotations = annotations, .annotation_count = 2, .netns = "/run/netns/x"};
    const struct sandbox_options options = {.id = "one", .ns = "test", .events = &events};

    strcpy(strrchr(directory, '.'), ".XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    memset(&seen, 0, sizeof(seen));
    machine = sleeper();
    tpm = 0;
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(sandbox_new(loop, &options, &sandbox, &err), 0);
    ck_assert_msg(sandbox_create(sandbox, &input, &err) == 0, "%s", err.message);
}

static void teardown(void)
{
    sandbox_free(sandbox);
    loop_free(loop);
    end(&machine);
    end(&tpm);
    ck_assert_int_eq(file_remove_tree(directory, &err), 0);
}

static void turn_until(const unsigned *count)
{
    uint64_t end = clock_monotonic_ms() + WAIT_MS;

    while (*count == 0) {
        ck_assert_msg(clock_monotonic_ms() < end, "it does not happen");
        ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
        (void) waitpid(machine, NULL, WNOHANG); /* as libvirtd's parent would */
    }
}

static enum sandbox_state state(void)
{
    struct sandbox_view view;

    sandbox_view(sandbox, &view);
    return view.state;
}

static void start(void)
{
    ck_assert_msg(sandbox_start(sandbox, &err) == 0, "%s", err.message);
}

static void start_and_wait(void)
{
    start();
    turn_until(&seen.started);
}

/* ---- what is to be seen ---- */

START_TEST(a_sandbox_starts_and_stops)
{
    struct sandbox_view view;

    set_helper(BORN, DONE);
    start_and_wait();
    ck_assert_msg(!seen.start_failed, "%s", seen.start_error.message);
    ck_assert_int_eq(state(), SANDBOX_RUNNING);
    sandbox_stop(sandbox);
    turn_until(&seen.stopped);
    sandbox_view(sandbox, &view);
    ck_assert(!seen.stop_failed && view.state == SANDBOX_STOPPED);
    ck_assert_uint_eq(view.exit_status, 137);
    ck_assert_uint_eq(seen.exited, 1);
    ck_assert_uint_eq(seen.buried, 0);
    ck_assert_uint_eq(seen.removed, 1);
}
END_TEST

static void start_with_tpm(void)
{
    tpm = sleeper();
    set_helper(BORN_WITH_TPM, DONE);
    start_and_wait();
    ck_assert_msg(!seen.start_failed, "%s", seen.start_error.message);
}

START_TEST(a_machine_whose_tpm_ends_is_ended)
{
    struct sandbox_view view;

    start_with_tpm();
    end(&tpm);
    turn_until(&seen.exited);
    sandbox_view(sandbox, &view);
    ck_assert_uint_eq(view.exit_status, 137);
    ck_assert_ptr_nonnull(strstr(view.reason, "TPM"));
}
END_TEST

/* As when the machine powers off: its TPM may be seen dead first. */
START_TEST(a_machine_that_ends_with_its_tpm_has_its_own_reason)
{
    struct sandbox_view view;

    start_with_tpm();
    end(&tpm);
    ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
    ck_assert_uint_eq(seen.exited, 0);
    ck_assert_int_eq(kill(machine, SIGKILL), 0);
    turn_until(&seen.exited);
    sandbox_view(sandbox, &view);
    ck_assert_ptr_null(strstr(view.reason, "TPM"));
}
END_TEST

START_TEST(a_tpm_that_is_gone_at_once_is_a_failed_start)
{
    set_helper("echo '{\"pid\":'$M',\"start_time\":'$S',\"tpm\":{\"pid\":'$M',\"start_time\":1}}'",
               DONE);
    start_and_wait();
    ck_assert(seen.start_failed);
    ck_assert_ptr_nonnull(strstr(seen.start_error.message, "TPM"));
    turn_until(&seen.exited);
}
END_TEST

START_TEST(a_stop_cancels_a_start)
{
    set_helper(HANGS, DONE);
    start();
    sandbox_stop(sandbox);
    sandbox_stop(sandbox);
    turn_until(&seen.stopped);
    ck_assert(seen.start_failed && seen.start_error.status == STATUS_CANCELLED);
    ck_assert_uint_eq(seen.started, 1);
    ck_assert_int_eq(state(), SANDBOX_STOPPED);
    /* The domain may appear yet. */
    ck_assert_uint_eq(seen.buried, 1);
    ck_assert_int_eq(seen.create, RECORD_CREATE_CUT);
}
END_TEST

START_TEST(a_helper_that_fails_leaves_nothing)
{
    set_helper(FAILS, DONE);
    start_and_wait();
    ck_assert(seen.start_failed);
    ck_assert_str_eq(seen.start_error.message, "libvirt: no");
    turn_until(&seen.exited); /* whoever waits for the end is answered */
    ck_assert_int_eq(state(), SANDBOX_STOPPED);
    ck_assert_uint_eq(seen.buried, 0);
}
END_TEST

START_TEST(a_create_without_libvirts_answer_is_looked_after)
{
    static const char *const scripts[] = {
        "echo '{\"code\":4,\"message\":\"no answer from libvirt within 1 s\"}'; exit 1",
        "echo '{\"code\":14,\"message\":\"connection reset\"}'; exit 1", "kill -9 $$"};

    set_helper(scripts[_i], DONE);
    start_and_wait();
    ck_assert(seen.start_failed);
    turn_until(&seen.buried);
    ck_assert_int_eq(seen.create, RECORD_CREATE_CUT);
}
END_TEST

START_TEST(a_helper_that_talks_nonsense_is_a_failed_start)
{
    static const char *const scripts[] = {"echo hello", "echo '{}'", "echo '{\"pid\":1}'",
                                          "exit 0"};

    set_helper(scripts[_i], DONE);
    start_and_wait();
    ck_assert(seen.start_failed);
    turn_until(&seen.exited);
}
END_TEST

START_TEST(a_destroy_that_fails_is_buried_and_the_stop_succeeds)
{
    set_helper(BORN, FAILS);
    start_and_wait();
    sandbox_stop(sandbox);
    turn_until(&seen.stopped);
    ck_assert(!seen.stop_failed);
    ck_assert_uint_eq(seen.exited, 1);
    ck_assert_uint_eq(seen.buried, 1);
    ck_assert_int_eq(seen.create, RECORD_CREATE_ANSWERED);
    ck_assert_uint_eq(seen.removed, 0); /* the reaper does */
}
END_TEST

START_TEST(a_destroy_that_hangs_is_not_waited_for)
{
    uint64_t began;

    set_helper(BORN, HANGS);
    start_and_wait();
    began = clock_monotonic_ms();
    sandbox_stop(sandbox);
    turn_until(&seen.stopped);
    ck_assert_uint_ge(clock_monotonic_ms() - began, 2500);
    ck_assert(!seen.stop_failed);
    ck_assert_uint_eq(seen.buried, 1);
}
END_TEST

START_TEST(a_machine_that_does_not_die_fails_the_stop)
{
    set_helper(BORN, OUTLIVES);
    seen.unkillable = true;
    start_and_wait();
    for (unsigned attempt = 1; attempt <= 2; attempt++) {
        seen.stopped = 0;
        sandbox_stop(sandbox);
        turn_until(&seen.stopped);
        ck_assert(seen.stop_failed);
        ck_assert_str_eq(seen.stop_error.message, "process does not die");
        ck_assert_int_eq(state(), SANDBOX_STOPPING);
        ck_assert_uint_eq(seen.buried, attempt);
        ck_assert_uint_eq(seen.exited, 0);
    }
    seen.stopped = 0;
    kill(machine, SIGKILL);
    turn_until(&seen.exited);
    ck_assert_int_eq(state(), SANDBOX_STOPPED);
    sandbox_stop(sandbox);
    turn_until(&seen.stopped);
    ck_assert(!seen.stop_failed);
    ck_assert_uint_eq(seen.removed, 0);
}
END_TEST

START_TEST(a_machine_that_dies_late_ends_every_stop_once)
{
    set_helper(BORN, OUTLIVES);
    seen.unkillable = true;
    start_and_wait();
    sandbox_stop(sandbox);
    turn_until(&seen.buried);
    sandbox_stop(sandbox);
    ck_assert_uint_eq(seen.stopped, 0);
    kill(machine, SIGKILL);
    turn_until(&seen.stopped);
    ck_assert(!seen.stop_failed);
    ck_assert_uint_eq(seen.stopped, 1);
    ck_assert_uint_eq(seen.buried, 1); /* the second one joined the first */
}
END_TEST

START_TEST(a_machine_that_dies_late_without_a_tombstone_is_cleaned_up)
{
    set_helper(BORN, OUTLIVES);
    seen.unkillable = true;
    seen.bury_fails = true;
    start_and_wait();
    sandbox_stop(sandbox);
    turn_until(&seen.buried);
    set_helper(BORN, _i == 0 ? DONE : FAILS);
    kill(machine, SIGKILL);
    turn_until(&seen.stopped);
    ck_assert_uint_eq(seen.stopped, 1);
    ck_assert_int_eq(seen.stop_failed, _i == 1);
    ck_assert_int_eq(state(), _i == 0 ? SANDBOX_STOPPED : SANDBOX_STOPPING);
    ck_assert_uint_eq(seen.removed, _i == 0);
    ck_assert_uint_eq(seen.buried, _i == 0 ? 1 : 2);
}
END_TEST

START_TEST(a_start_and_a_destroy_that_fail_still_end)
{
    set_helper(FAILS, FAILS);
    start_and_wait();
    turn_until(&seen.exited);
    ck_assert_int_eq(state(), SANDBOX_STOPPED);
    ck_assert_uint_eq(seen.buried, 1);
    sandbox_stop(sandbox);
    turn_until(&seen.stopped);
    ck_assert(!seen.stop_failed);
}
END_TEST

START_TEST(without_a_tombstone_the_next_stop_tries_again)
{
    set_helper(FAILS, FAILS);
    seen.bury_fails = true;
    start_and_wait();
    turn_until(&seen.buried);
    ck_assert_int_eq(state(), SANDBOX_STOPPING);
    sandbox_stop(sandbox);
    turn_until(&seen.stopped);
    ck_assert(seen.stop_failed);
    ck_assert_str_eq(seen.stop_error.message, "libvirt: no");
    seen.bury_fails = false;
    seen.stopped = 0;
    sandbox_stop(sandbox);
    turn_until(&seen.stopped);
    ck_assert(!seen.stop_failed);
}
END_TEST

START_TEST(a_machine_that_dies_is_noticed_and_cleaned_up)
{
    struct sandbox_view view;

    set_helper(BORN, DONE);
    start_and_wait();
    kill(machine, SIGKILL);
    turn_until(&seen.exited);
    turn_until(&seen.removed);
    sandbox_view(sandbox, &view);
    ck_assert_uint_eq(view.exit_status, 137);
    ck_assert_int_eq(view.state, SANDBOX_STOPPED);
}
END_TEST

/* The line on stderr shows in the log when the helper's answer is heard. */
#define PRESSED    "echo pressed >&2; echo '{}'"
#define NO_PRESSED "echo pressed >&2; " FAILS

static void press(const char *helper)
{
    scoped(freep) char *path = xformat("%s/log", directory);
    scoped(closep) int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    uint64_t end = clock_monotonic_ms() + WAIT_MS;
    char text[4096] = "";

    set_helpers(BORN, DONE, helper);
    log_to(fd);
    ck_assert_msg(sandbox_power(sandbox, &err) == 0, "%s", err.message);
    while (!strstr(text, "pressed")) {
        ck_assert_msg(clock_monotonic_ms() < end, "the button is not pressed");
        ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
        ck_assert_int_ge(pread(fd, text, sizeof(text) - 1, 0), 0);
    }
    log_to(STDERR_FILENO);
}

/* Nobody reaps it meanwhile: the kernel does not tell how it ended. */
static void kill_unexplained(void)
{
    uint64_t end = clock_monotonic_ms() + WAIT_MS;

    kill(machine, SIGKILL);
    while (seen.exited == 0) {
        ck_assert_msg(clock_monotonic_ms() < end, "the end is not noticed");
        ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
    }
}

START_TEST(an_end_is_as_asked_when_the_button_was_pressed)
{
    static const struct {
        const char *helpers[2];
        uint32_t exit_status;
    } cases[] = {
        {{NULL}, 137},
        {{PRESSED}, 0},
        {{NO_PRESSED}, 137},
        {{NO_PRESSED, PRESSED}, 0},
        {{PRESSED, NO_PRESSED}, 0},
    };
    struct sandbox_view view;

    set_helper(BORN, DONE);
    start_and_wait();
    for (size_t i = 0; i < 2 && cases[_i].helpers[i]; i++)
        press(cases[_i].helpers[i]);
    kill_unexplained();
    sandbox_view(sandbox, &view);
    ck_assert_uint_eq(view.exit_status, cases[_i].exit_status);
}
END_TEST

START_TEST(an_end_is_as_asked_while_the_button_is_pressed)
{
    struct sandbox_view view;

    set_helpers(BORN, DONE, HANGS);
    start_and_wait();
    ck_assert_msg(sandbox_power(sandbox, &err) == 0, "%s", err.message);
    kill_unexplained();
    sandbox_view(sandbox, &view);
    ck_assert_uint_eq(view.exit_status, 0);
}
END_TEST

START_TEST(a_button_without_a_helper_is_not_pressed)
{
    scoped(freep) char *path = xformat("%s/helper", directory);
    struct sandbox_view view;

    set_helper(BORN, DONE);
    start_and_wait();
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_lt(sandbox_power(sandbox, &err), 0);
    kill_unexplained();
    sandbox_view(sandbox, &view);
    ck_assert_uint_eq(view.exit_status, 137);
}
END_TEST

START_TEST(the_power_button_of_a_machine_that_is_being_destroyed_is_pressed_enough)
{
    set_helper(BORN, HANGS);
    start_and_wait();
    sandbox_stop(sandbox);
    ck_assert_int_eq(state(), SANDBOX_STOPPING);
    ck_assert_msg(sandbox_power(sandbox, &err) == 0, "%s", err.message);
}
END_TEST

int main(void)
{
    TCase *tests = suite_case(
        &(struct suite){.name = "sandbox", .setup = setup, .teardown = teardown, .timeout_s = 30},
        (const TTest *[]){
            a_sandbox_starts_and_stops, a_machine_whose_tpm_ends_is_ended,
            a_machine_that_ends_with_its_tpm_has_its_own_reason,
            a_tpm_that_is_gone_at_once_is_a_failed_start, a_stop_cancels_a_start,
            a_helper_that_fails_leaves_nothing,
            a_destroy_that_fails_is_buried_and_the_stop_succeeds,
            a_destroy_that_hangs_is_not_waited_for, a_machine_that_does_not_die_fails_the_stop,
            a_machine_that_dies_late_ends_every_stop_once,
            a_start_and_a_destroy_that_fail_still_end,
            without_a_tombstone_the_next_stop_tries_again,
            a_machine_that_dies_is_noticed_and_cleaned_up,
            an_end_is_as_asked_while_the_button_is_pressed,
            a_button_without_a_helper_is_not_pressed,
            the_power_button_of_a_machine_that_is_being_destroyed_is_pressed_enough, NULL});

    tcase_add_loop_test(tests, a_create_without_libvirts_answer_is_looked_after, 0, 3);
    tcase_add_loop_test(tests, a_helper_that_talks_nonsense_is_a_failed_start, 0, 4);
    tcase_add_loop_test(tests, a_machine_that_dies_late_without_a_tombstone_is_cleaned_up, 0, 2);
    tcase_add_loop_test(tests, an_end_is_as_asked_when_the_button_was_pressed, 0, 5);
    return suite_run_case("sandbox", tests);
}
