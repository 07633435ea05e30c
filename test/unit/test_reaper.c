/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "reaper.h"

static void told(void *user, const struct reaper_exit *exit)
{
    *(int *) user = exit->status;
}

static void turn(struct loop *loop)
{
    struct error err;

    ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
}

/* Its end has been seen by nobody but the reaper. */
static pid_t ended(struct loop *loop, int status)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(status);
    while (waitid(P_PID, (id_t) pid, NULL, WEXITED | WNOWAIT | WNOHANG) == 0)
        turn(loop);
    return pid;
}

static void open_both(struct loop **ret_loop, struct reaper **ret)
{
    struct error err;

    ck_assert_int_eq(loop_new(ret_loop, &err), 0);
    ck_assert_int_eq(reaper_new(*ret_loop, ret, &err), 0);
}

START_TEST(an_end_before_the_watch_is_told)
{
    scoped(loop_freep) struct loop *loop = NULL;
    scoped(reaper_freep) struct reaper *reaper = NULL;
    struct reaper_watch *watch;
    int status = -1;

    open_both(&loop, &reaper);
    (void) reaper_hold(reaper);
    watch = reaper_watch(reaper, ended(loop, 7), told, &status);
    for (int i = 0; i < 20 && status < 0; i++)
        turn(loop);
    ck_assert_int_eq(status, 7);
    reaper_unwatch(watch);
    reaper_release(reaper);
}
END_TEST

START_TEST(an_end_before_the_mark_is_anothers)
{
    scoped(loop_freep) struct loop *loop = NULL;
    scoped(reaper_freep) struct reaper *reaper = NULL;
    struct reaper_mark mark;
    struct reaper_watch *watch;
    int status = -1;

    open_both(&loop, &reaper);
    ck_assert_uint_eq(reaper_hold(reaper), 0);
    mark.pid = ended(loop, 7);
    mark.mark = reaper_hold(reaper);
    ck_assert_uint_eq(mark.mark, 1);
    reaper_forget(reaper, &mark);
    watch = reaper_watch(reaper, mark.pid, told, &status);
    turn(loop);
    turn(loop);
    ck_assert_int_eq(status, -1);
    reaper_unwatch(watch);
    reaper_release(reaper);
    reaper_release(reaper);
}
END_TEST

START_TEST(a_child_that_was_started_now_has_not_ended)
{
    scoped(loop_freep) struct loop *loop = NULL;
    scoped(reaper_freep) struct reaper *reaper = NULL;
    struct reaper_watch *watch;
    int status = -1;

    open_both(&loop, &reaper);
    (void) reaper_hold(reaper);
    watch = reaper_watch_started(reaper, ended(loop, 7), told, &status); /* its number came again */
    turn(loop);
    turn(loop);
    ck_assert_int_eq(status, -1);
    reaper_unwatch(watch);
    reaper_release(reaper);
}
END_TEST

START_TEST(an_end_after_the_mark_is_kept)
{
    scoped(loop_freep) struct loop *loop = NULL;
    scoped(reaper_freep) struct reaper *reaper = NULL;
    struct reaper_mark mark;
    struct reaper_watch *watch;
    int status = -1;

    open_both(&loop, &reaper);
    mark.mark = reaper_hold(reaper);
    mark.pid = ended(loop, 8);
    reaper_forget(reaper, &mark);
    watch = reaper_watch(reaper, mark.pid, told, &status);
    for (int i = 0; i < 20 && status < 0; i++)
        turn(loop);
    ck_assert_int_eq(status, 8);
    reaper_unwatch(watch);
    reaper_release(reaper);
}
END_TEST

int main(void)
{
    return suite_run("reaper", (const TTest *[]){an_end_before_the_watch_is_told,
                                                 a_child_that_was_started_now_has_not_ended,
                                                 an_end_before_the_mark_is_anothers,
                                                 an_end_after_the_mark_is_kept, NULL});
}
