/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/scoped.h"
#include "events.h"

static void add_exit(struct events *events, const char *container, const char *exec, int status)
{
    const struct exit_record record = {
        .container_id = container, .exec_id = exec, .pid = 7, .status = status};

    events_add_exit(events, &record);
}

static void count(void *user)
{
    ++*(unsigned *) user;
}

START_TEST(events_are_replayed_in_order)
{
    struct events *events = events_new();
    const struct event *event;

    ck_assert_ptr_null(events_after(events, 0));
    add_exit(events, "one", "", 3);
    events_add_oom(events, "two");
    add_exit(events, "one", "e", 4);
    event = events_after(events, 0);
    ck_assert_int_eq(event->kind, EVENT_EXIT);
    ck_assert_int_eq(event->exit.status, 3);
    event = events_after(events, event->serial);
    ck_assert_int_eq(event->kind, EVENT_OOM);
    ck_assert_str_eq(event->exit.container_id, "two");
    event = events_after(events, event->serial);
    ck_assert_str_eq(event->exit.exec_id, "e");
    ck_assert_ptr_null(events_after(events, event->serial));
    events_free(events);
}
END_TEST

START_TEST(an_exit_stays_until_it_is_acknowledged)
{
    struct events *events = events_new();

    add_exit(events, "one", "", 0);
    add_exit(events, "one", "e", 0);
    add_exit(events, "two", "", 0);
    events_add_oom(events, "one");
    ck_assert_uint_eq(events_unacknowledged(events), 3);
    events_acknowledge(events, "one", "");
    events_acknowledge(events, "one", "");
    events_acknowledge(events, "three", "");
    ck_assert_uint_eq(events_unacknowledged(events), 2);
    events_forget(events, "one", NULL); /* with its OOM kills */
    ck_assert_uint_eq(events_unacknowledged(events), 1);
    ck_assert_str_eq(events_after(events, 0)->exit.container_id, "two");
    ck_assert_ptr_null(events_after(events, events_after(events, 0)->serial));
    events_free(events);
}
END_TEST

START_TEST(a_record_is_a_copy)
{
    struct events *events = events_new();
    char id[] = "one";
    uint8_t words[] = "last words";
    struct exit_record record = {.container_id = id,
                                 .exec_id = "",
                                 .status = 137,
                                 .oom_killed = true,
                                 .stdout_total = 5,
                                 .message = words,
                                 .message_length = 10};
    const struct event *event;

    events_add_exit(events, &record);
    memset(id, 'x', 3);
    memset(words, 'x', 10);
    event = events_after(events, 0);
    ck_assert_str_eq(event->exit.container_id, "one");
    ck_assert_mem_eq(event->exit.message, "last words", 10);
    ck_assert(event->exit.oom_killed);
    ck_assert_uint_eq(event->exit.stdout_total, 5);
    events_free(events);
}
END_TEST

START_TEST(oom_kills_of_one_container_are_bounded)
{
    struct events *events = events_new();
    const struct event *event = NULL;
    unsigned one = 0, two = 0;

    events_add_oom(events, "two");
    for (int i = 0; i < 3 * EVENTS_OOM_MAX; i++)
        events_add_oom(events, "one");
    while ((event = events_after(events, event ? event->serial : 0))) {
        one += strcmp(event->exit.container_id, "one") == 0;
        two += strcmp(event->exit.container_id, "two") == 0;
    }
    ck_assert_uint_eq(one, EVENTS_OOM_MAX);
    ck_assert_uint_eq(two, 1);
    events_free(events);
}
END_TEST

START_TEST(watchers_are_told_of_each)
{
    struct events *events = events_new();
    unsigned first = 0, second = 0;
    struct events_watcher *a = events_watch(events, count, &first);
    struct events_watcher *b = events_watch(events, count, &second);

    add_exit(events, "one", "", 0);
    events_unwatch(a);
    events_add_oom(events, "one");
    events_unwatch(b);
    add_exit(events, "two", "", 0);
    ck_assert_uint_eq(first, 1);
    ck_assert_uint_eq(second, 2);
    events_free(events);
}
END_TEST

int main(void)
{
    return suite_run("events", (const TTest *[]){
                                   events_are_replayed_in_order,
                                   an_exit_stays_until_it_is_acknowledged,
                                   a_record_is_a_copy,
                                   oom_kills_of_one_container_are_bounded,
                                   watchers_are_told_of_each,
                                   NULL,
                               });
}
