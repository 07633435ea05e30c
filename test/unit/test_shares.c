/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's side of the pod's shares, with a real cleave-share and a guest that is none. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "pod_share.h"
#include "shares.h"
#include "spec_rules.h"
#include "suite.h"

/* ---- the guest's half ------------------------------------------------------------------------ */

struct pod_share {
    struct loop *loop;
    int stream;
    struct error *refusal;
    bool is_slow;
    pod_share_started_fn *started;
    void *user;
};

static struct pod_share guest;

void pod_share_on_ended(struct pod_share *share, pod_share_ended_fn *fn, void *user)
{
    (void) share;
    (void) fn;
    (void) user;
}

static void tell_started(void *user)
{
    struct pod_share *share = user;

    share->started(share->user, share->refusal);
}

int pod_share_start(struct pod_share *share, int stream, pod_share_started_fn *started, void *user,
                    struct error *err)
{
    (void) err;
    ck_assert_int_lt(share->stream, 0); /* once */
    share->stream = stream;
    share->started = started;
    share->user = user;
    if (!share->is_slow)
        loop_post(share->loop, tell_started, share);
    return 0;
}

/* ---- the bed --------------------------------------------------------------------------------- */

static char base[64];
static struct loop *loop;
static struct shares *shares;
static struct error err, told;
static unsigned done_count;

static void setup(void)
{
    scoped(freep) char *path = xformat("%s:%s", SHARE_DIRECTORY, getenv("PATH"));

    strcpy(base, "/tmp/cleave-shares-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    (void) setenv("PATH", path, 1);
    (void) setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* of the server, which has no /proc */
    (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    guest = (struct pod_share){.loop = loop, .stream = -1};
    ck_assert_int_eq(shares_new(loop, &guest, &shares, &err), 0);
    done_count = 0;
}

static void teardown(void)
{
    shares_free(shares);
    closep(&guest.stream);
    loop_free(loop);
    ck_assert_int_eq(file_remove_tree(base, &err), 0);
}

static void on_done(void *user, const struct error *why)
{
    (void) user;
    done_count++;
    told = why ? *why : (struct error){0};
}

static void turn_until(unsigned count)
{
    for (int i = 0; done_count < count; i++) {
        ck_assert_int_lt(i, 1000);
        ck_assert_int_eq(loop_turn(loop, 10, &err), 0);
    }
}

static struct spec_share wanted(const char *name, const char *options)
{
    return (struct spec_share){.source = xformat("%s%s%s", base, *name ? "/" : "", name),
                               .destination = xstrdup("/data"),
                               .options = xstrdup(options)};
}

static void clear(struct spec_share *share)
{
    free(share->source);
    free(share->destination);
    free(share->options);
    free(share->name);
}

/* Waits for the outcome, which is in `told`. */
static void add(struct spec_share *list, size_t count)
{
    struct share_request *request = NULL;
    unsigned before = done_count;

    ck_assert_msg(shares_add(shares, list, count, on_done, NULL, &request, &err) == 0, "%s",
                  err.message);
    ck_assert_uint_eq(done_count, before); /* never from inside */
    turn_until(before + 1);
    share_request_free(request);
}

/* 0: there is none. */
static pid_t child(void)
{
    char path[64];
    FILE *file;
    int pid = 0;

    (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getpid(), getpid());
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    return pid;
}

/* As the shim's reaper does; the server is an orphan when its keeper has gone. */
static void expect_no_child(void)
{
    for (int i = 0; child() != 0; i++) {
        ck_assert_int_lt(i, 1000);
        (void) waitpid(-1, NULL, WNOHANG);
        usleep(10000);
    }
}

/* ---- what holds ------------------------------------------------------------------------------ */

START_TEST(it_begins_with_the_first_share_and_ends_with_the_pod)
{
    struct spec_share one[] = {wanted("", "rw"), wanted("", "ro")}, two = wanted("", "rw");

    ck_assert_int_eq(child(), 0);
    add(one, 2);
    ck_assert_int_eq(told.status, 0);
    ck_assert_str_eq(one[0].name, "s1");
    ck_assert_str_eq(one[1].name, "s2");
    ck_assert_int_ne(child(), 0);
    add(&two, 1);
    ck_assert_str_eq(two.name, "s1"); /* what is the same is one */
    shares_free(take_ptr(shares));
    expect_no_child();
    clear(&one[0]);
    clear(&one[1]);
    clear(&two);
}
END_TEST

START_TEST(what_cannot_be_shared_is_said_and_the_rest_goes_on)
{
    struct spec_share list[] = {wanted("", "rw"), wanted("none", "rw"), wanted("", "ro")};

    add(list, 3);
    ck_assert_int_eq(told.status, STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(told.message, "mount '/data': open '"));
    ck_assert_ptr_nonnull(list[0].name); /* the caller removes them */
    ck_assert_ptr_null(list[1].name);
    shares_remove(shares, list[0].name);
    shares_remove(shares, list[2].name);
    for (int i = 0; i < 3; i++)
        clear(&list[i]);
    list[0] = wanted("", "rw");
    add(list, 1);
    ck_assert_str_eq(list[0].name, "s3"); /* s1 was removed */
    clear(&list[0]);
}
END_TEST

START_TEST(what_nobody_waits_for_is_removed_again)
{
    struct spec_share one = wanted("", "rw"), two = wanted("", "rw"), three = wanted("", "rw");
    struct share_request *request = NULL;

    ck_assert_int_eq(shares_add(shares, &one, 1, on_done, NULL, &request, &err), 0);
    share_request_free(request);
    clear(&one);
    add(&two, 1); /* asked before the removal: the same one */
    ck_assert_str_eq(two.name, "s1");
    shares_remove(shares, two.name);
    add(&three, 1);
    ck_assert_str_eq(three.name, "s2");
    ck_assert_uint_eq(done_count, 2);
    clear(&two);
    clear(&three);
}
END_TEST

START_TEST(what_is_given_up_while_a_storage_hangs_is_not_asked_for_later)
{
    struct spec_share one = wanted("", "rw"), next = wanted("", "ro");
    struct spec_share list[] = {wanted("", "ro"), wanted("", "rrro"), wanted("", "rslave")};
    struct share_request *request = NULL;
    pid_t keeper;

    add(&one, 1);
    keeper = child();
    ck_assert_int_eq(kill(keeper, SIGSTOP), 0);
    ck_assert_int_eq(shares_add(shares, list, 3, on_done, NULL, &request, &err), 0);
    share_request_free(request);
    ck_assert_int_eq(kill(keeper, SIGCONT), 0);
    add(&next, 1);
    ck_assert_str_eq(next.name, "s2"); /* the first of the list, until its removal */
    shares_remove(shares, next.name);
    clear(&next);
    next = wanted("", "ro");
    add(&next, 1);
    ck_assert_str_eq(next.name, "s3"); /* nothing else was attached meanwhile */
    clear(&one);
    clear(&next);
    for (int i = 0; i < 3; i++)
        clear(&list[i]);
}
END_TEST

START_TEST(a_start_that_failed_is_tried_again_by_the_next)
{
    struct error refusal;
    struct spec_share one = wanted("", "rw"), two = wanted("", "rw");

    error_set(&refusal, STATUS_UNIMPLEMENTED, "no such thing");
    guest.refusal = &refusal;
    add(&one, 1);
    ck_assert_int_eq(told.status, STATUS_UNIMPLEMENTED);
    ck_assert_ptr_nonnull(strstr(told.message, "no such thing"));
    closep(&guest.stream);
    guest.stream = -1;
    expect_no_child();
    guest.refusal = NULL;
    add(&two, 1);
    ck_assert_int_eq(told.status, 0);
    ck_assert_str_eq(two.name, "s1");
    clear(&one);
    clear(&two);
}
END_TEST

START_TEST(the_death_of_the_server_is_told_to_who_waits_and_who_comes)
{
    struct spec_share one = wanted("", "rw"), two = wanted("", "rw");
    struct share_request *request = NULL, *none;

    guest.is_slow = true;
    ck_assert_int_eq(shares_add(shares, &one, 1, on_done, NULL, &request, &err), 0);
    ck_assert_int_eq(kill(child(), SIGKILL), 0);
    turn_until(1);
    share_request_free(request);
    ck_assert_ptr_nonnull(strstr(told.message, "cleave-share has ended: it was ended by signal 9"));
    ck_assert_int_lt(shares_add(shares, &two, 1, on_done, NULL, &none, &err), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    closep(&guest.stream); /* as the relay does */
    guest.stream = -1;
    expect_no_child();
    clear(&one);
    clear(&two);
}
END_TEST

START_TEST(it_does_not_outlive_the_shim)
{
    struct spec_share one = wanted("", "rw");
    pid_t shim = fork();
    int status = 0;

    if (shim == 0) {
        add(&one, 1);
        (void) kill(getpid(), child() ? SIGKILL : SIGTERM);
    }
    ck_assert_int_eq(waitpid(shim, &status, 0), shim);
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    expect_no_child(); /* they are ours now */
    clear(&one);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {it_begins_with_the_first_share_and_ends_with_the_pod,
                                  what_cannot_be_shared_is_said_and_the_rest_goes_on,
                                  what_nobody_waits_for_is_removed_again,
                                  what_is_given_up_while_a_storage_hangs_is_not_asked_for_later,
                                  a_start_that_failed_is_tried_again_by_the_next,
                                  the_death_of_the_server_is_told_to_who_waits_and_who_comes,
                                  it_does_not_outlive_the_shim,
                                  NULL};
    const struct suite suite = {"shares", setup, teardown, 30};

    if (geteuid() != 0) {
        puts("skipped: needs root");
        return EXIT_SUCCESS;
    }
    return suite_run_with(&suite, tests);
}
