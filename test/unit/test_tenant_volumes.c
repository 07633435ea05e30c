/* SPDX-License-Identifier: Apache-2.0 */
/* When the shim sends what: the guest is a list of questions, kubelet is the test. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "codec_volume.h"
#include "fake_time.h"
#include "link.h"
#include "spec_rules.h"
#include "suite.h"
#include "volume_tree.h"
#include "volumes.h"

/* ---- the guest and the loop ---- */

struct link_call {
    struct link_call *next;
    char text[64];
    agent_done_fn *done;
    void *user;
};

static struct link_call *asked;
static loop_fd_fn *on_readable;
static void *readable_user;
static size_t part_files = 1000; /* how many go into one message */

static struct link_call *question(const struct agent_ask *ask, char *text)
{
    struct link_call *call = xnew(struct link_call), **end = &asked;

    snprintf(call->text, sizeof(call->text), "%s", text);
    free(text);
    call->done = ask->done;
    call->user = ask->user;
    while (*end)
        end = &(*end)->next;
    return *end = call;
}

size_t volume_part_end(const struct volume_part *part)
{
    size_t left = part->tree->count - part->first;

    return part->first + (left < part_files ? left : part_files);
}

struct link_call *agent_put_part(const struct agent_ask *ask, const struct volume_part *part)
{
    const struct volume_tree *tree = part->tree;

    return question(ask, xformat("%s #%d %zu-%zu/%zu", part->name, (int) part->serial, part->first,
                                 volume_part_end(part), tree->count));
}

struct link_call *agent_put_empty(const struct agent_ask *ask, const struct volume_empty *empty)
{
    return question(ask, xformat("%s %o", empty->name, empty->mode));
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

static bool has_ended;

bool link_has_ended(const struct link *link)
{
    return has_ended;
}

int loop_watch_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *user,
                  struct source **ret, struct error *err)
{
    on_readable = fn;
    readable_user = user;
    return loop_after(loop, LOOP_NEVER, NULL, NULL, ret, err);
}

static void answer(enum status status)
{
    struct link_call *call = asked;
    struct agent_reply reply = {0};
    struct error err;

    ck_assert_ptr_nonnull(call);
    asked = call->next;
    if (status != STATUS_OK)
        error_set(&err, status, "guest: no");
    call->done(call->user, status == STATUS_OK ? &reply : NULL, status == STATUS_OK ? NULL : &err);
    free(call);
    pass(0);
}

static void expect_question(const char *text)
{
    ck_assert_msg(asked && strcmp(asked->text, text) == 0, "'%s', not '%s'",
                  asked ? asked->text : "nothing", text);
}

/* ---- the node ---- */

static char root[64];
static struct volumes *volumes;
static struct bring *bring;
static char told[600];

static void setup(void)
{
    struct error err;

    strcpy(root, "/tmp/cleave-bring-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(volumes_new(NULL, NULL, &volumes, &err), 0);
}

static void teardown(void)
{
    struct error err;

    bring_free(bring);
    volumes_free(volumes);
    ck_assert_ptr_null(asked); /* what was under way was cancelled */
    ck_assert_ptr_null(sources);
    ck_assert_int_eq(file_remove_tree(root, &err), 0);
}

static void write_version(const char *version, size_t files)
{
    scoped(freep) char *directory = xformat("%s/%s", root, version);
    scoped(freep) char *link = xformat("%s/..tmp", root), *data = xformat("%s/..data", root);
    struct error err;

    ck_assert_int_eq(mkdir(directory, 0755), 0);
    for (size_t i = 0; i < files; i++) {
        scoped(freep) char *path = xformat("%s/%zu", directory, i);

        ck_assert_int_eq(file_write_atomic(path, "x", 1, 0600, &err), 0);
    }
    ck_assert_int_eq(symlink(version, link), 0);
    ck_assert_int_eq(rename(link, data), 0);
}

static void kubelet_writes(const char *version)
{
    write_version(version, 1);
    on_readable(readable_user, LOOP_READ);
    pass(50);
}

static void done(void *user, const struct error *err)
{
    snprintf(told, sizeof(told), "%s", err ? err->message : "ok");
    bring_free(take_ptr(bring));
}

static void want_all(const struct spec_volume *wanted, size_t count)
{
    struct error err;

    told[0] = '\0';
    ck_assert_msg(volumes_bring(volumes, wanted, count, done, NULL, &bring, &err) == 0, "%s",
                  err.message);
    pass(0);
}

static void want(enum volume_kind kind)
{
    char name[] = "v";
    struct spec_volume wanted = {.name = name, .kind = kind, .directory = root};

    want_all(&wanted, 1);
}

START_TEST(an_empty_one_is_asked_for_once)
{
    chmod(root, 0750);
    want(VOLUME_EMPTY);
    expect_question("v 750");
    ck_assert_str_eq(told, "");
    answer(STATUS_OK);
    ck_assert_str_eq(told, "ok");
    want(VOLUME_EMPTY);
    ck_assert_str_eq(told, "ok");
    ck_assert_ptr_null(asked);
}
END_TEST

START_TEST(a_live_one_goes_in_parts_and_then_again_when_it_changes)
{
    part_files = 2;
    write_version("..1", 4);
    want(VOLUME_LIVE);
    expect_question("v #1 0-2/5");
    answer(STATUS_OK);
    expect_question("v #1 2-4/5");
    answer(STATUS_OK);
    expect_question("v #1 4-5/5");
    ck_assert_str_eq(told, "");
    answer(STATUS_OK);
    ck_assert_str_eq(told, "ok");
    part_files = 1000;
    kubelet_writes("..2");
    expect_question("v #2 0-2/2");
    answer(STATUS_OK);
    ck_assert_ptr_null(asked);
}
END_TEST

START_TEST(what_changes_while_it_is_sent_is_sent_after_it)
{
    write_version("..1", 1);
    want(VOLUME_LIVE);
    kubelet_writes("..2");
    kubelet_writes("..3");
    expect_question("v #1 0-2/2");
    answer(STATUS_OK);
    expect_question("v #2 0-2/2"); /* once, the newest */
    answer(STATUS_OK);
    ck_assert_ptr_null(asked);
}
END_TEST

START_TEST(events_without_a_change_send_nothing)
{
    scoped(freep) char *other = xformat("%s/..unfinished", root);

    write_version("..1", 1);
    want(VOLUME_LIVE);
    answer(STATUS_OK);
    ck_assert_int_eq(mkdir(other, 0755), 0);
    on_readable(readable_user, LOOP_READ);
    pass(50);
    ck_assert_ptr_null(asked);
}
END_TEST

START_TEST(a_refresh_that_was_cut_is_sent_again_as_a_whole)
{
    write_version("..1", 1);
    want(VOLUME_LIVE);
    answer(STATUS_OK);
    part_files = 1;
    kubelet_writes("..2");
    answer(STATUS_OK);
    expect_question("v #2 1-2/2");
    answer(STATUS_DEADLINE_EXCEEDED);
    ck_assert_ptr_null(asked);
    pass(3000);
    expect_question("v #3 0-1/2");
    answer(STATUS_OK);
    answer(STATUS_OK);
    pass(10000);
    ck_assert_ptr_null(asked);
}
END_TEST

START_TEST(a_refresh_that_the_guest_cannot_take_waits_for_the_next)
{
    write_version("..1", 1);
    want(VOLUME_LIVE);
    answer(STATUS_OK);
    kubelet_writes("..2");
    answer(STATUS_RESOURCE_EXHAUSTED);
    pass(10000);
    ck_assert_ptr_null(asked);
    kubelet_writes("..3");
    expect_question("v #3 0-2/2");
    answer(STATUS_OK);
}
END_TEST

START_TEST(a_failure_is_told_and_the_next_container_tries_again)
{
    want(VOLUME_LIVE);
    ck_assert_ptr_nonnull(strstr(told, "kubelet has not filled it"));
    write_version("..1", 1);
    want(VOLUME_LIVE);
    answer(STATUS_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(told, "guest: no");
    want(VOLUME_LIVE);
    answer(STATUS_OK);
    ck_assert_str_eq(told, "ok");
}
END_TEST

START_TEST(a_part_is_sent_for_each_container)
{
    write_version("..1", 1);
    want(VOLUME_ONCE);
    answer(STATUS_OK);
    ck_assert_str_eq(told, "ok");
    want(VOLUME_ONCE);
    ck_assert_str_eq(told, "");
    ck_assert_ptr_nonnull(strstr(asked->text, "v #2"));
    answer(STATUS_OK);
    ck_assert_str_eq(told, "ok");
}
END_TEST

START_TEST(who_gives_up_waiting_is_not_told)
{
    write_version("..1", 1);
    want(VOLUME_LIVE);
    bring_free(take_ptr(bring));
    answer(STATUS_OK);
    ck_assert_str_eq(told, "");
    kubelet_writes("..2"); /* and the end comes while something is under way */
    ck_assert_ptr_nonnull(asked);
}
END_TEST

/* As on any node: what begins after kubelet's write sees it. */
START_TEST(a_container_waits_for_what_the_node_has_now)
{
    write_version("..1", 1);
    want(VOLUME_LIVE);
    answer(STATUS_OK);
    write_version("..2", 1);
    want(VOLUME_LIVE);
    expect_question("v #2 0-2/2");
    ck_assert_str_eq(told, "");
    write_version("..3", 1);
    bring_free(take_ptr(bring));
    want(VOLUME_LIVE); /* while the second is under way */
    answer(STATUS_OK);
    ck_assert_str_eq(told, "");
    expect_question("v #3 0-2/2");
    answer(STATUS_OK);
    ck_assert_str_eq(told, "ok");
    write_version("..4", 1);
    want(VOLUME_LIVE);
    answer(STATUS_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(told, "guest: no");
}
END_TEST

START_TEST(one_volume_is_in_memory_at_a_time)
{
    char first[] = "a", second[] = "b", third[] = "c";
    const struct spec_volume wanted[] = {
        {.name = first, .kind = VOLUME_LIVE, .directory = root},
        {.name = second, .kind = VOLUME_ONCE, .directory = root},
        {.name = third, .kind = VOLUME_ONCE, .directory = root},
    };
    char seen[4] = "";

    part_files = 1;
    write_version("..1", 1);
    want_all(wanted, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(asked);
        seen[i] = asked->text[0];
        while (asked && asked->text[0] == seen[i]) {
            ck_assert_ptr_null(asked->next);
            answer(STATUS_OK);
        }
    }
    ck_assert(strchr(seen, 'a') && strchr(seen, 'b') && strchr(seen, 'c'));
    ck_assert_str_eq(told, "ok");
    part_files = 1000;
}
END_TEST

START_TEST(a_failure_lets_the_next_volume_be_read)
{
    char first[] = "a", second[] = "b";
    const struct spec_volume wanted[] = {
        {.name = first, .kind = VOLUME_LIVE, .directory = root},
        {.name = second, .kind = VOLUME_LIVE, .directory = root},
    };

    write_version("..1", 1);
    want_all(wanted, 2);
    answer(STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(asked);
    answer(STATUS_OK);
    ck_assert_str_eq(told, "guest: no");
}
END_TEST

START_TEST(after_the_guest_has_gone_nothing_is_tried_again)
{
    write_version("..1", 1);
    want(VOLUME_LIVE);
    answer(STATUS_OK);
    kubelet_writes("..2");
    has_ended = true;
    answer(STATUS_UNAVAILABLE);
    pass(60000);
    ck_assert_ptr_null(asked);
    has_ended = false;
}
END_TEST

START_TEST(a_directory_that_was_made_again_is_looked_at)
{
    struct error err;

    write_version("..1", 1);
    want(VOLUME_LIVE);
    answer(STATUS_OK);
    ck_assert_int_eq(file_remove_tree(root, &err), 0);
    on_readable(readable_user, LOOP_READ);
    pass(10000);
    ck_assert_ptr_null(asked);
    ck_assert_int_eq(mkdir(root, 0755), 0);
    write_version("..2", 1);
    pass(10000);
    expect_question("v #2 0-2/2");
    answer(STATUS_OK);
    write_version("..3", 1);
    pass(10000);
    expect_question("v #3 0-2/2");
    answer(STATUS_OK);
}
END_TEST

START_TEST(without_inotify_the_node_is_asked_instead)
{
    struct rlimit limit, none;
    struct error err;

    volumes_free(volumes);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = volumes_new(NULL, NULL, &volumes, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(r, 0);
    write_version("..1", 1);
    want(VOLUME_LIVE);
    answer(STATUS_OK);
    ck_assert_str_eq(told, "ok");
    write_version("..2", 1);
    pass(10000);
    expect_question("v #2 0-2/2");
    answer(STATUS_OK);
    ck_assert_ptr_null(asked);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "tenant_volumes", .setup = setup, .teardown = teardown},
        (const TTest *[]){
            an_empty_one_is_asked_for_once, a_live_one_goes_in_parts_and_then_again_when_it_changes,
            what_changes_while_it_is_sent_is_sent_after_it, events_without_a_change_send_nothing,
            a_refresh_that_was_cut_is_sent_again_as_a_whole,
            a_refresh_that_the_guest_cannot_take_waits_for_the_next,
            a_failure_is_told_and_the_next_container_tries_again, a_part_is_sent_for_each_container,
            who_gives_up_waiting_is_not_told, a_container_waits_for_what_the_node_has_now,
            one_volume_is_in_memory_at_a_time, a_failure_lets_the_next_volume_be_read,
            after_the_guest_has_gone_nothing_is_tried_again,
            a_directory_that_was_made_again_is_looked_at, without_inotify_the_node_is_asked_instead,
            NULL});
}
