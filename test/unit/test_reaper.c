/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "io/child.h"
#include "io/loop.h"
#include "reaper.h"

static struct loop *loop;
static struct reaper *reaper;
static struct reaper_watch *watch; /* of the test */
static int status;                 /* that it was told; -1: none */

static void told(void *user, const struct reaper_exit *exit)
{
    status = exit->status;
}

static void turn(void)
{
    struct error err;

    ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
}

/* Its end has been seen by nobody but the reaper. */
static pid_t ended(int code)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(code);
    while (waitid(P_PID, (id_t) pid, NULL, WEXITED | WNOWAIT | WNOHANG) == 0)
        turn();
    return pid;
}

static void setup(void)
{
    struct error err;

    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(reaper_new(loop, &reaper, &err), 0);
    status = -1;
}

static void teardown(void)
{
    reaper_unwatch(watch);
    reaper_free(reaper);
    loop_free(loop);
}

static void turn_until_told(void)
{
    for (int i = 0; i < 20 && status < 0; i++)
        turn();
}

START_TEST(an_end_before_the_watch_is_told)
{
    (void) reaper_hold(reaper);
    watch = reaper_watch(reaper, ended(7), told, NULL);
    turn_until_told();
    ck_assert_int_eq(status, 7);
    reaper_release(reaper);
}
END_TEST

START_TEST(an_end_before_the_mark_is_anothers)
{
    struct reaper_mark mark;

    ck_assert_uint_eq(reaper_hold(reaper), 0);
    mark.pid = ended(7);
    mark.mark = reaper_hold(reaper);
    ck_assert_uint_eq(mark.mark, 1);
    reaper_forget(reaper, &mark);
    watch = reaper_watch(reaper, mark.pid, told, NULL);
    turn();
    turn();
    ck_assert_int_eq(status, -1);
    reaper_release(reaper);
    reaper_release(reaper);
}
END_TEST

START_TEST(a_child_that_was_started_now_has_not_ended)
{
    (void) reaper_hold(reaper);
    watch = reaper_watch_started(reaper, ended(7), told, NULL); /* its number came again */
    turn();
    turn();
    ck_assert_int_eq(status, -1);
    reaper_release(reaper);
}
END_TEST

START_TEST(an_end_after_the_mark_is_kept)
{
    struct reaper_mark mark;

    mark.mark = reaper_hold(reaper);
    mark.pid = ended(8);
    reaper_forget(reaper, &mark);
    watch = reaper_watch(reaper, mark.pid, told, NULL);
    turn_until_told();
    ck_assert_int_eq(status, 8);
    reaper_release(reaper);
}
END_TEST

static void child_told(void *user, const struct child_result *result)
{
    status = result->wait_status;
}

/* Whoever of the two looks first. */
START_TEST(a_program_of_the_io_room_keeps_its_end)
{
    static const char *const argv[] = {"sh", "-c", "exit 3", NULL};
    const struct child_options options = {.argv = argv, .deadline_ms = 5000};

    for (int i = 0; i < 50; i++) {
        struct child *child;
        struct error err;

        status = -1;
        ck_assert_int_eq(child_start(loop, &options, child_told, NULL, &child, &err), 0);
        if (i % 2) /* both are there */
            while (waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOWAIT) < 0)
                continue;
        turn_until_told();
        ck_assert_int_eq(status, 3 << 8);
        child_free(child);
    }
}
END_TEST

int main(void)
{
    return suite_run_with(&(struct suite){.name = "reaper", .setup = setup, .teardown = teardown},
                          (const TTest *[]){an_end_before_the_watch_is_told,
                                            a_child_that_was_started_now_has_not_ended,
                                            an_end_before_the_mark_is_anothers,
                                            an_end_after_the_mark_is_kept,
                                            a_program_of_the_io_room_keeps_its_end, NULL});
}
