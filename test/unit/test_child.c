/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/scoped.h"
#include "io/child.h"
#include "io/loop.h"

static struct loop *loop;
static struct error err;
static struct child_result result;
static char output[200001], diagnostics[5000], explanation[256];
static struct child *child;
static bool free_inside;

static void done(void *user, const struct child_result *given)
{
    ck_assert_ptr_null(result.output); /* once */
    result = *given;
    if (free_inside)
        child_free(take_ptr(child));
    /* Still valid, even now. */
    memcpy(output, given->output, given->output_length + 1);
    (void) strcpy(diagnostics, given->diagnostics);
    child_explain(given, explanation, sizeof explanation);
    loop_quit(loop);
}

static int start(const char *script, const char *input, size_t input_length, uint64_t deadline)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    const struct child_options options = {.argv = argv,
                                          .input = input,
                                          .input_length = input_length,
                                          .output_limit = 200000,
                                          .deadline_ms = deadline};

    if (!loop)
        ck_assert_int_eq(loop_new(&loop, &err), 0);
    return child_start(loop, &options, done, NULL, &child, &err);
}

static void run(const char *script, const char *input, uint64_t deadline)
{
    ck_assert_int_eq(start(script, input, strlen(input), deadline), 0);
    ck_assert_int_eq(loop_run(loop, &err), 0);
}

static void finish(void)
{
    child_free(child);
    loop_free(loop);
    /* Nobody is left, not even a zombie. */
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

START_TEST(input_goes_in_and_output_comes_out)
{
    run("cat; echo gone wrong >&2; exit 3", "hello", 5000);
    ck_assert_str_eq(output, "hello");
    ck_assert_str_eq(diagnostics, "gone wrong\n");
    ck_assert_int_eq(WEXITSTATUS(result.wait_status), 3);
    ck_assert(!result.timed_out && !result.overflowed);
    ck_assert_str_eq(explanation, "exit code 3: gone wrong");
    finish();
}
END_TEST

START_TEST(more_than_a_pipe_holds_goes_both_ways)
{
    static char large[150000];

    memset(large, 'a', sizeof large);
    ck_assert_int_eq(start("cat", large, sizeof large, 5000), 0);
    ck_assert_int_eq(loop_run(loop, &err), 0);
    ck_assert_uint_eq(result.output_length, sizeof large);
    ck_assert_mem_eq(output, large, sizeof large);
    finish();
}
END_TEST

START_TEST(the_deadline_kills_the_whole_group)
{
    uint64_t begin = clock_monotonic_ms();

    run("sleep 600 & echo $!; exec sleep 600", "", 200);
    ck_assert(result.timed_out);
    ck_assert_int_eq(WTERMSIG(result.wait_status), SIGKILL);
    ck_assert_uint_lt(clock_monotonic_ms() - begin, 30000);
    ck_assert_str_eq(explanation, "did not answer in time");
    /* The grandchild is gone too (or a zombie of whoever adopted it). */
    for (int i = 0; i < 100; i++) {
        char path[64], state = 'Z';
        FILE *file;

        (void) snprintf(path, sizeof path, "/proc/%d/stat", atoi(output));
        file = fopen(path, "re");
        if (!file)
            break;
        ck_assert_int_eq(fscanf(file, "%*d %*s %c", &state), 1);
        (void) fclose(file);
        if (state == 'Z')
            break;
        ck_assert_int_lt(i, 99);
        (void) usleep(10000);
    }
    finish();
}
END_TEST

START_TEST(a_grandchild_that_holds_the_pipe_delays_nothing)
{
    uint64_t begin = clock_monotonic_ms();
    const char *pid;

    run("setsid sleep 600 & echo $!", "", 60000);
    pid = output;
    ck_assert_uint_lt(clock_monotonic_ms() - begin, 30000);
    ck_assert_int_eq(result.wait_status, 0);
    ck_assert_int_eq(kill(atoi(pid), SIGKILL), 0); /* a clean exit spares what was left behind */
    finish();
}
END_TEST

START_TEST(too_much_output_ends_it)
{
    run("yes", "", 20000);
    ck_assert(result.overflowed);
    ck_assert_uint_eq(result.output_length, 200000);
    ck_assert_str_eq(explanation, "wrote too much");
    finish();
}
END_TEST

START_TEST(a_flood_of_diagnostics_keeps_the_last_lines)
{
    run("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1", "", 20000);
    ck_assert_uint_le(strlen(diagnostics), 4096);
    ck_assert_str_eq(explanation, "exit code 1: line 2999");
    finish();
}
END_TEST

START_TEST(a_program_that_is_not_there_is_an_error)
{
    const char *argv[] = {"/nonexistent/program", NULL};
    const struct child_options options = {.argv = argv, .deadline_ms = 1000};

    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(child_start(loop, &options, done, NULL, &child, &err), -1);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_ptr_null(child);
    finish();
}
END_TEST

START_TEST(freeing_kills_and_reaps)
{
    ck_assert_int_eq(start("sleep 60", "x", 1, 60000), 0);
    finish();
    ck_assert_ptr_null(result.output);
}
END_TEST

START_TEST(freeing_inside_the_callback_is_safe)
{
    free_inside = true;
    run("echo still here", "", 5000);
    ck_assert_str_eq(output, "still here\n");
    finish();
}
END_TEST

START_TEST(the_child_starts_clean)
{
    struct source *source;

    ck_assert_int_eq(loop_new(&loop, &err), 0); /* ignores SIGPIPE */
    ck_assert_int_eq(loop_watch_signal(loop, SIGTERM, NULL, NULL, &source, &err), 0);
    ck_assert_int_ge(dup2(0, 77), 0); /* a descriptor without close-on-exec */
    /* Signals 32 and 33 belong to the C library and keep what we inherited. */
    run("sed -n 's/^SigBlk:.*\\(.......\\)$/\\1/p; s/^SigIgn:.*\\(.......\\)$/\\1/p' "
        "/proc/self/status; ls /proc/self/fd | grep -c 77",
        "", 5000);
    ck_assert_str_eq(output, "0000000\n0000000\n0\n");
    source_free(source);
    finish();
}
END_TEST

START_TEST(other_children_are_left_alone)
{
    int status;
    pid_t mine = fork();

    if (mine == 0)
        _exit(9);
    run("exit 0", "", 5000);
    ck_assert_int_eq(waitpid(mine, &status, 0), mine);
    ck_assert_int_eq(WEXITSTATUS(status), 9);
    finish();
}
END_TEST

START_TEST(a_central_reaper_can_hand_over_the_exit)
{
    int status;
    pid_t pid;

    ck_assert_int_eq(start("exit 5", "", 0, 5000), 0);
    pid = waitpid(-1, &status, 0);
    ck_assert_int_gt(pid, 0);
    ck_assert(child_adopt_exit(pid, status));
    ck_assert(!child_adopt_exit(pid, status));
    ck_assert(!child_adopt_exit(1, status));
    ck_assert_int_eq(loop_run(loop, &err), 0);
    ck_assert_int_eq(WEXITSTATUS(result.wait_status), 5);
    finish();
}
END_TEST

int main(void)
{
    return suite_run(
        "child",
        (const TTest *[]){
            input_goes_in_and_output_comes_out, more_than_a_pipe_holds_goes_both_ways,
            the_deadline_kills_the_whole_group, a_grandchild_that_holds_the_pipe_delays_nothing,
            too_much_output_ends_it, a_flood_of_diagnostics_keeps_the_last_lines,
            a_program_that_is_not_there_is_an_error, freeing_kills_and_reaps,
            freeing_inside_the_callback_is_safe, the_child_starts_clean,
            other_children_are_left_alone, a_central_reaper_can_hand_over_the_exit, NULL});
}
