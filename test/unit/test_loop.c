/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "io/loop.h"

static struct loop *loop;
static struct error err;
static int calls;
static struct source *sources[3];

static void begin(void)
{
    calls = 0;
    ck_assert_int_eq(loop_new(&loop, &err), 0);
}

static void count_call(void *user)
{
    calls++;
}

static void quit(void *user)
{
    calls++;
    loop_quit(loop);
}

static void turn(uint64_t timeout_ms)
{
    ck_assert_int_eq(loop_turn(loop, timeout_ms, &err), 0);
}

START_TEST(a_timer_fires_once_and_rearms)
{
    struct source *timer;
    uint64_t start = clock_monotonic_ms();

    begin();
    ck_assert_int_eq(loop_after(loop, 20, quit, NULL, &timer, &err), 0);
    ck_assert_int_eq(loop_run(loop, &err), 0);
    ck_assert_uint_ge(clock_monotonic_ms() - start, 19);
    turn(30);
    ck_assert_int_eq(calls, 1);
    source_rearm(timer, 0);
    ck_assert_int_eq(loop_run(loop, &err), 0);
    ck_assert_int_eq(calls, 2);
    source_rearm(timer, 10);
    source_free(timer);
    turn(30);
    ck_assert_int_eq(calls, 2);
    loop_free(loop);
}
END_TEST

START_TEST(a_quit_before_the_run_counts)
{
    begin();
    loop_quit(loop);
    ck_assert_int_eq(loop_run(loop, &err), 0);
    loop_free(loop);
}
END_TEST

static void remember_events(void *user, uint32_t events)
{
    *(uint32_t *) user = events;
    calls++;
}

START_TEST(descriptors_are_level_triggered_and_can_pause)
{
    struct source *source;
    uint32_t events = 0;
    int pair[2];
    char byte;

    begin();
    ck_assert_int_eq(fd_pair(pair, &err), 0);
    ck_assert_int_eq(
        loop_watch_fd(loop, pair[0], LOOP_READ, remember_events, &events, &source, &err), 0);
    turn(0);
    ck_assert_int_eq(calls, 0);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    turn(100);
    turn(100);
    ck_assert_int_eq(calls, 2);
    ck_assert_uint_eq(events, LOOP_READ);
    source_set_events(source, 0);
    turn(0);
    ck_assert_int_eq(calls, 2);
    source_set_events(source, LOOP_READ | LOOP_WRITE);
    turn(100);
    ck_assert_uint_eq(events, LOOP_READ | LOOP_WRITE);
    source_set_events(source, LOOP_READ);
    ck_assert_int_eq(read(pair[0], &byte, 1), 1);
    calls = 0;
    turn(0);
    ck_assert_int_eq(calls, 0);
    (void) close(pair[1]);
    turn(100);
    ck_assert_uint_eq(events, LOOP_READ); /* the hang-up */
    source_free(source);
    (void) close(pair[0]);
    loop_free(loop);
}
END_TEST

START_TEST(a_file_that_cannot_be_watched_is_an_error)
{
    struct source *source = NULL;
    FILE *file = tmpfile();

    begin();
    ck_assert_int_eq(
        loop_watch_fd(loop, fileno(file), LOOP_READ, remember_events, NULL, &source, &err), -1);
    ck_assert_ptr_null(source);
    (void) fclose(file);
    loop_free(loop);
}
END_TEST

static void free_all(void *user)
{
    calls++;
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++)
        source_free(take_ptr(sources[i]));
}

START_TEST(a_callback_may_free_itself_and_others)
{
    begin();
    /* All three are ready in the same turn: the first that runs frees the other two. */
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++)
        ck_assert_int_eq(loop_after(loop, 0, free_all, NULL, &sources[i], &err), 0);
    turn(100);
    turn(0);
    ck_assert_int_eq(calls, 1);
    loop_free(loop);
}
END_TEST

static void free_all_on_fd(void *user, uint32_t events)
{
    free_all(user);
}

START_TEST(a_descriptors_callback_may_free_its_neighbours)
{
    int pairs[3][2];

    begin();
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
        ck_assert_int_eq(fd_pair(pairs[i], &err), 0);
        ck_assert_int_eq(write(pairs[i][1], "x", 1), 1);
        ck_assert_int_eq(
            loop_watch_fd(loop, pairs[i][0], LOOP_READ, free_all_on_fd, NULL, &sources[i], &err),
            0);
    }
    turn(100);
    turn(0);
    ck_assert_int_eq(calls, 1);
    loop_free(loop);
}
END_TEST

START_TEST(a_source_may_outlive_its_loop)
{
    struct source *timer;

    begin();
    ck_assert_int_eq(loop_after(loop, 5, count_call, NULL, &timer, &err), 0);
    loop_free(loop);
    source_rearm(timer, 1);
    source_set_events(timer, LOOP_READ);
    source_free(timer);
}
END_TEST

START_TEST(a_signal_arrives_on_the_loop)
{
    struct source *source;

    begin();
    ck_assert_int_eq(loop_watch_signal(loop, SIGUSR1, count_call, NULL, &source, &err), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    turn(100);
    ck_assert_int_eq(calls, 1);
    turn(0);
    ck_assert_int_eq(calls, 1);
    source_free(source);
    loop_free(loop);
}
END_TEST

START_TEST(a_childs_exit_is_seen_and_not_reaped)
{
    struct source *source;
    int status = 0;
    pid_t pid;

    begin();
    pid = fork();
    if (pid == 0)
        _exit(3);
    ck_assert_int_eq(loop_watch_child(loop, pid, quit, NULL, &source, &err), 0);
    ck_assert_int_eq(loop_run(loop, &err), 0);
    turn(10);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 3);
    source_free(source);
    loop_free(loop);
}
END_TEST

static int order[4000];

static void note(void *user)
{
    order[calls++] = (int) (intptr_t) user;
    if (calls == 4000)
        loop_quit(loop);
}

static void *post_many(void *user)
{
    for (intptr_t i = 0; i < 1000; i++)
        loop_post(loop, note, (void *) ((intptr_t) user * 10000 + i));
    return NULL;
}

START_TEST(posts_of_each_thread_run_in_order)
{
    pthread_t threads[4];
    int next[4] = {0};

    begin();
    for (intptr_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, (void *) i), 0);
    ck_assert_int_eq(loop_run(loop, &err), 0);
    for (int i = 0; i < 4; i++)
        (void) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4000; i++)
        ck_assert_int_eq(order[i] % 10000, next[order[i] / 10000]++);
    loop_free(loop);
}
END_TEST

static void post_again(void *user)
{
    if (++calls < 5)
        loop_post(loop, post_again, NULL);
}

START_TEST(a_post_may_post_and_pending_ones_die_with_the_loop)
{
    begin();
    loop_post(loop, post_again, NULL);
    for (int i = 0; i < 5; i++)
        turn(100);
    ck_assert_int_eq(calls, 5);
    loop_post(loop, count_call, NULL);
    loop_free(loop);
    ck_assert_int_eq(calls, 5);
}
END_TEST

START_TEST(unix_sockets_replace_the_dead_only)
{
    char directory[] = "/tmp/cleave-loop-XXXXXX", path[64], again[200];
    int listener = -1, other = -1, peer = -1;
    pid_t pid = 0;
    uid_t uid = 1;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void) snprintf(path, sizeof path, "%s/s", directory);
    ck_assert_int_eq(fd_listen_unix(path, &listener, &err), 0);
    ck_assert_int_eq(fd_listen_unix(path, &other, &err), -1);
    ck_assert_int_eq(err.status, STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(fd_connect_unix(path, &peer, &err), 0);
    ck_assert_int_eq(fd_peer(peer, &pid, &uid, NULL, &err), 0);
    ck_assert_int_eq(pid, getpid());
    ck_assert_uint_eq(uid, getuid());
    (void) close(peer);
    (void) close(listener);
    ck_assert_int_eq(fd_connect_unix(path, &peer, &err), -1);
    ck_assert_int_eq(fd_listen_unix(path, &listener, &err), 0);
    (void) close(listener);
    (void) memset(again, 'x', sizeof again);
    again[sizeof again - 1] = '\0';
    ck_assert_int_eq(fd_listen_unix(again, &listener, &err), -1);
    ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    (void) unlink(path);
    (void) rmdir(directory);
}
END_TEST

static bool is_open(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0 || errno != EBADF;
}

START_TEST(close_from_keeps_what_it_shall)
{
    int pairs[3][2], lowest = 1000, keep[2];

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(fd_pair(pairs[i], &err), 0);
        lowest = pairs[i][0] < lowest ? pairs[i][0] : lowest;
    }
    keep[0] = pairs[2][1];
    keep[1] = pairs[0][1];
    fd_close_from(lowest, keep, 2);
    ck_assert(is_open(pairs[0][1]) && is_open(pairs[2][1]));
    ck_assert(!is_open(pairs[0][0]) && !is_open(pairs[1][0]) && !is_open(pairs[1][1]) &&
              !is_open(pairs[2][0]));
}
END_TEST

int main(void)
{
    return suite_run(
        "loop",
        (const TTest *[]){
            a_timer_fires_once_and_rearms, a_quit_before_the_run_counts,
            descriptors_are_level_triggered_and_can_pause,
            a_file_that_cannot_be_watched_is_an_error, a_callback_may_free_itself_and_others,
            a_descriptors_callback_may_free_its_neighbours, a_source_may_outlive_its_loop,
            a_signal_arrives_on_the_loop, a_childs_exit_is_seen_and_not_reaped,
            posts_of_each_thread_run_in_order, a_post_may_post_and_pending_ones_die_with_the_loop,
            unix_sockets_replace_the_dead_only, close_from_keeps_what_it_shall, NULL});
}
