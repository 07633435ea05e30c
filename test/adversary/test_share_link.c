/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a live share, as it is: a mount of the guest's kernel, the agent's shuttle, the
 * attested channel, the tenant's shuttle, cleave-share. Who sits between cuts it, for a while or
 * for good; the server dies; the guest's end says what no guest says. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "io/loop.h"
#include "io/replay.h"
#include "io/shuttle.h"
#include "pair.h"
#include "share.h"
#include "share_fixture.h"
#include "suite.h"

enum { OUTAGE_MS = 4000, SHORT_OUTAGE_MS = 1500, CUTS = 30, ENDLESS = 1 << 30 };

static struct pair pair;
static struct outcome control, joined;
static struct share_fixture fixture;
static struct share *share;
static struct replay *replay;
static struct shuttle_state state;
static struct shuttle *shuttle;
static int stream;
static bool over;
static enum shuttle_outcome outcome;
static struct error why, err;

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, err.message)

static void on_over(void *user, enum shuttle_outcome how, const struct error *fault)
{
    (void) user;
    over = true;
    outcome = how;
    if (fault)
        why = *fault;
}

/* A connection of the class share, with the real ends. */
static void join(void)
{
    struct shuttle_options options = {.loop = pair.loop, .state = &state, .over = on_over};
    struct outcome *guest = pair_join_class(&pair, &control, CHANNEL_SHARE, &joined);

    over = false;
    OK(shuttle_new(&options, &shuttle, &err));
    OK(channel_carry(joined.channel, shuttle, &err));
    OK(share_carry(share, take_ptr(guest->channel), &err));
    pair.guest_count--; /* the agent's now */
}

/* Of who uses the share, in memory that is that process's as well. */
static struct {
    atomic_int rounds; /* that are done */
    atomic_bool is_enough;
} * progress;

/* Nothing that was on the way arrives. */
static void cut(void)
{
    channel_free(take_ptr(joined.channel));
    shuttle_free(take_ptr(shuttle));
    outcome_fini(&joined);
}

static void open_share(uint64_t outage_ms)
{
    scoped(freep) char *place = xformat("%s/mnt", fixture.base);

    OK(share_new(pair.loop, &(struct share_options){.place = place, .outage_ms = outage_ms}, &share,
                 &err));
}

static void setup(void)
{
    share_fixture_start(&fixture);
    pair_init(&pair);
    pair_listen(&pair);
    (void) pair_open(&pair, &control);
    open_share(OUTAGE_MS);
    replay = replay_new();
    stream = fixture.peer;
    fixture.peer = -1;
    state = (struct shuttle_state){
        .end = &shuttle_socket, .user = &stream, .fd = stream, .replay = replay};
    progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                    0);
    ck_assert_ptr_ne(progress, MAP_FAILED);
}

static void teardown(void)
{
    cut();
    share_free(share);
    replay_free(replay);
    (void) close(stream);
    outcome_fini(&control);
    pair_fini(&pair);
    if (fixture.server > 0)
        (void) kill(fixture.server, SIGKILL);
    (void) umount2(fixture.base, MNT_DETACH);
}

/* ---- who uses it ----------------------------------------------------------------------------- */

/* Everything that a round does is looked at; the number of what was wrong. */
static int work(const char *directory, int serial)
{
    scoped(freep) char *path = xformat("%s/f%d", directory, serial);
    scoped(freep) char *other = xformat("%s/g%d", directory, serial);
    static char text[70000], seen[sizeof(text)];
    size_t length = serial % 16 == 0 ? sizeof(text) : 100;
    struct stat st;
    int wrong = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

    memset(text, serial, sizeof(text));
    wrong += fd < 0;
    wrong += write(fd, text, length) != (ssize_t) length;
    wrong += fsync(fd) != 0;
    wrong += pread(fd, seen, length, 0) != (ssize_t) length || memcmp(text, seen, length) != 0;
    wrong += close(fd) != 0;
    wrong += rename(path, other) != 0;
    wrong += stat(other, &st) != 0 || st.st_size != (off_t) length;
    wrong += stat(path, &st) == 0 || errno != ENOENT;
    wrong += mkdir(path, 0755) != 0 || rmdir(path) != 0;
    wrong += serial % 2 && unlink(other) != 0;
    return wrong;
}

static pid_t user(int rounds)
{
    pid_t pid = fork();
    int wrong = 0;

    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    fd_close_from(3, NULL, 0); /* its copies would keep connections open, and the device */
    scoped(freep) char *directory = xformat("%s/mnt/rw", fixture.base);
    for (int i = 0; i < rounds && !progress->is_enough; i++) {
        wrong += work(directory, i);
        progress->rounds++;
    }
    _exit(wrong > 100 ? 100 : wrong);
}

static void turn_for(uint64_t ms)
{
    uint64_t end = clock_monotonic_ms() + ms;

    while (clock_monotonic_ms() < end)
        OK(loop_turn(pair.loop, 20, &err));
}

/* Its exit code, or -1 while it lives. */
static int ended(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, WNOHANG) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

/* Some rounds more than there are. */
static void until_goes_on(void)
{
    int rounds = progress->rounds + 20;

    while (progress->rounds < rounds)
        OK(loop_turn(pair.loop, 20, &err));
}

/* It runs until it asks the share something, and waits: 'S' for the answer, 'D' for somebody to
 * ask. */
static void until_waits(pid_t pid, char as)
{
    scoped(freep) char *path = xformat("/proc/%d/stat", (int) pid);
    char how = 'R';

    while (how != as) {
        scoped(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        char text[512] = "";

        OK(loop_turn(pair.loop, 20, &err));
        ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
        ck_assert_int_eq(sscanf(text, "%*d (%*[^)]) %c", &how), 1);
    }
}

static int until_ended(pid_t pid)
{
    int code;

    while ((code = ended(pid)) < 0)
        OK(loop_turn(pair.loop, 20, &err));
    return code;
}

/* How many of the files that stay are there on the node. */
static int count_files(void)
{
    scoped(freep) char *directory = xformat("%s/rw", fixture.base);
    DIR *stream_of_names = opendir(directory);
    int count = 0;

    ck_assert_ptr_nonnull(stream_of_names);
    for (struct dirent *entry; (entry = readdir(stream_of_names));)
        count += entry->d_name[0] == 'g';
    (void) closedir(stream_of_names);
    return count;
}

/* All that it saw was right, and what it made is there. */
static void is_without_fault(pid_t pid)
{
    until_goes_on();
    progress->is_enough = true;
    ck_assert_int_eq(until_ended(pid), 0);
    ck_assert_int_eq(count_files(), (progress->rounds + 1) / 2);
}

START_TEST(cuts_are_not_noticed_but_by_the_clock)
{
    pid_t pid = user(ENDLESS);

    join();
    for (int i = 0; i < 2; i++) {
        until_goes_on();
        cut();
        turn_for(OUTAGE_MS / 8);
        join();
    }
    is_without_fault(pid);
}
END_TEST

/* Dozens of cuts, each in the middle of something. */
START_TEST(cuts_one_after_the_other_lose_nothing)
{
    pid_t pid = user(ENDLESS);

    join();
    for (int i = 0; i < CUTS; i++) {
        turn_for(5 + i % 7 * 5);
        cut();
        join();
    }
    is_without_fault(pid);
}
END_TEST

/* What was asked and is not answered holds its process, SIGKILL or not. */
START_TEST(nobody_waits_longer_than_the_outage)
{
    uint64_t before;
    pid_t pid;

    share_free(take_ptr(share));
    open_share(SHORT_OUTAGE_MS);
    join();
    ck_assert_int_eq(until_ended(user(10)), 0);
    ck_assert_int_eq(kill(fixture.server, SIGSTOP), 0);
    pid = user(1);
    until_waits(pid, 'S');
    before = clock_monotonic_ms();
    cut();
    (void) kill(pid, SIGKILL);
    ck_assert_int_eq(until_ended(pid), 1000);
    ck_assert_uint_ge(clock_monotonic_ms() - before, SHORT_OUTAGE_MS - 100); /* by its own clock */
    ck_assert_int_gt(until_ended(user(1)), 5);                               /* errors, at once */
    ck_assert_int_lt(share_check(share, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "no connection"));
    join(); /* and who comes back hears of it */
    pair_until(&pair, &over);
    ck_assert_int_eq(outcome, SHUTTLE_PEER_ENDED);
}
END_TEST

START_TEST(the_death_of_the_server_is_told_at_once)
{
    pid_t pid = user(ENDLESS);

    join();
    until_goes_on();
    ck_assert_int_eq(kill(fixture.server, SIGKILL), 0);
    ck_assert_int_eq(share_fixture_wait(&fixture), -1);
    pair_until(&pair, &over);
    ck_assert_int_eq(outcome, SHUTTLE_OWN_ENDED);
    while (share_check(share, &err) == 0)
        OK(loop_turn(pair.loop, 20, &err));
    ck_assert_msg(!strstr(err.message, "no connection"), "%s", err.message); /* an outage later */
    (void) kill(pid, SIGKILL);
    ck_assert_int_ge(until_ended(pid), 0);
    ck_assert_int_gt(until_ended(user(1)), 5);
}
END_TEST

/* ---- names ----------------------------------------------------------------------------------- */

static struct share_name found[3];
static unsigned answers;
static bool answered, failed;

static void on_names(void *of, const struct share_name *names, size_t count,
                     const struct error *fault)
{
    (void) of;
    answered = true;
    answers++;
    failed = fault != NULL;
    if (fault)
        why = *fault;
    for (size_t i = 0; i < count && !fault; i++) {
        found[i] = names[i];
        found[i].fd = dup(names[i].fd);
    }
}

static int try_to_look_up(const char *container, const char *first, const char *second)
{
    struct share_name names[2];

    answered = false;
    OK(share_name_set(&names[0], first, &err));
    OK(share_name_set(&names[1], second, &err));
    return share_open(share, &(struct share_wish){container, names, 2}, on_names, NULL, &err);
}

static void look_up(const char *first, const char *second)
{
    OK(try_to_look_up("one", first, second));
}

START_TEST(names_are_opened_when_a_connection_is_there)
{
    struct stat st;

    look_up("rw", "ro");
    turn_for(200);
    ck_assert(!answered);
    join();
    pair_until(&pair, &answered);
    ck_assert_msg(!failed, "%s", why.message);
    ck_assert_int_eq(fstat(found[0].fd, &st), 0);
    ck_assert(S_ISDIR(st.st_mode));
    (void) close(found[0].fd);
    (void) close(found[1].fd);
    look_up("rw", "nothing");
    pair_until(&pair, &answered);
    ck_assert(failed);
    ck_assert_ptr_nonnull(strstr(why.message, "'nothing'"));
}
END_TEST

START_TEST(what_is_withdrawn_is_told_at_once_and_only_then)
{
    look_up("rw", "ro");
    OK(try_to_look_up("two", "rw", "ro"));
    ck_assert(!share_withdraw(share, "three"));
    ck_assert(!answered);
    ck_assert(share_withdraw(share, "one"));
    ck_assert(answered && failed);
    ck_assert_int_eq(why.status, STATUS_ABORTED);
    ck_assert(!share_withdraw(share, "one"));
    for (int i = 2; i < SHARE_OPENINGS_MAX; i++) /* what was withdrawn is one of them */
        OK(try_to_look_up("more", "rw", "ro"));
    ck_assert_int_lt(try_to_look_up("more", "rw", "ro"), 0);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert(share_withdraw(share, "more"));
    answers = 0;
    answered = false;
    join();
    pair_until(&pair, &answered); /* the other container's */
    ck_assert_msg(!failed, "%s", why.message);
    (void) close(found[0].fd);
    (void) close(found[1].fd);
    while (try_to_look_up("four", "rw", "nothing") < 0) /* the threads end one by one */
        turn_for(10);
    pair_until(&pair, &answered);
    turn_for(100);
    ck_assert_uint_eq(answers, 2);
}
END_TEST

START_TEST(a_pod_that_ends_waits_for_nobody)
{
    pid_t pid = user(1);

    look_up("rw", "ro");
    until_waits(pid, 'D');
    share_free(take_ptr(share)); /* in the middle of all that */
    ck_assert_int_ge(until_ended(pid), 0);
    ck_assert(!answered);
}
END_TEST

/* ---- a hostile guest ------------------------------------------------------------------------- */

static int hostile;

static void join_hostile(void)
{
    struct shuttle_options options = {.loop = pair.loop, .state = &state, .over = on_over};
    struct outcome *guest = pair_join_class(&pair, &control, CHANNEL_SHARE, &joined);

    over = false;
    OK(shuttle_new(&options, &shuttle, &err));
    OK(channel_carry(joined.channel, shuttle, &err));
    OK(channel_take_fd(guest->channel, &hostile, &err));
}

static void say(const struct replay_head *head, const void *body, size_t length)
{
    uint8_t bytes[REPLAY_HEAD];

    replay_head_put(bytes, head);
    ck_assert_int_eq(send(hostile, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
    if (length)
        ck_assert_int_eq(send(hostile, body, length, MSG_NOSIGNAL), (ssize_t) length);
}

static void until_broken(const char *word)
{
    pair_until(&pair, &over);
    ck_assert_int_eq(outcome, SHUTTLE_PEER_BROKE);
    ck_assert_msg(strstr(why.message, word), "%s", why.message);
    (void) close(hostile);
}

START_TEST(a_guest_that_acknowledges_what_was_not_sent_ends_it)
{
    join_hostile();
    say(&(struct replay_head){.type = REPLAY_RESUME, .number = 7, .taken = 7}, NULL, 0);
    until_broken("is expected");
}
END_TEST

START_TEST(a_guest_that_jumps_a_number_ends_it)
{
    uint8_t body[40] = {40};

    join_hostile();
    say(&(struct replay_head){.type = REPLAY_RESUME}, NULL, 0);
    say(&(struct replay_head){.type = REPLAY_MESSAGE, .length = 40, .number = 1}, body, 40);
    until_broken("came instead of 0");
}
END_TEST

/* The server goes by the length within: one that differs would shift all that follows. */
START_TEST(a_message_that_lies_about_its_length_never_reaches_the_server)
{
    uint8_t body[40] = {41};

    join_hostile();
    say(&(struct replay_head){.type = REPLAY_RESUME}, NULL, 0);
    say(&(struct replay_head){.type = REPLAY_MESSAGE, .length = 40}, body, 40);
    pair_until(&pair, &over);
    ck_assert_int_eq(outcome, SHUTTLE_OWN_ENDED);
    ck_assert_ptr_nonnull(strstr(why.message, "says that it has 41"));
    (void) close(hostile);
}
END_TEST

/* What no kernel sends makes the server drop the guest, and the guest hears of it. */
START_TEST(a_guest_that_the_server_drops_is_told_so)
{
    uint8_t body[40] = {40, 0, 0, 0, 255};
    uint8_t heard[2 * REPLAY_HEAD] = {0};
    size_t got = 0;

    join_hostile();
    say(&(struct replay_head){.type = REPLAY_RESUME}, NULL, 0);
    say(&(struct replay_head){.type = REPLAY_MESSAGE, .length = 40}, body, 40);
    pair_until(&pair, &over);
    ck_assert_int_eq(outcome, SHUTTLE_OWN_ENDED);
    for (int i = 0; got < sizeof(heard) && i < 200; i++) {
        ssize_t n = recv(hostile, heard + got, sizeof(heard) - got, 0);

        if (n > 0)
            got += (size_t) n;
        else
            OK(loop_turn(pair.loop, 20, &err));
    }
    ck_assert_uint_eq(got, sizeof(heard));
    ck_assert_int_eq(heard[REPLAY_HEAD], REPLAY_END);
    (void) close(hostile);
}
END_TEST

/* An end that always has something to ask. */
static enum shuttle_result talk(void *user, uint8_t *data, size_t *filled, struct error *fault)
{
    (void) user;
    (void) fault;
    memset(data, 1, REPLAY_MESSAGE_MIN);
    *filled = REPLAY_MESSAGE_MIN;
    return SHUTTLE_DONE;
}

static enum shuttle_result hear(void *user, const uint8_t *data, size_t length, size_t *written,
                                struct error *fault)
{
    (void) user;
    (void) data;
    (void) length;
    (void) written;
    (void) fault;
    return SHUTTLE_DONE;
}

static void on_guest_end(void *user, struct channel *channel, const struct error *fault)
{
    (void) channel;
    (void) fault;
    *(bool *) user = true;
}

/* The guest has gone, and what it said lies in the socket into which nothing can be sent. */
START_TEST(that_nothing_follows_is_heard_where_nothing_can_be_sent)
{
    static const struct shuttle_end talker = {.read = talk, .write = hear};
    struct shuttle_options options = {.loop = pair.loop, .state = &state, .over = on_over};
    struct outcome *guest = pair_join_class(&pair, &control, CHANNEL_SHARE, &joined);
    bool gone = false;

    OK(channel_take_fd(guest->channel, &hostile, &err));
    channel_on_end(guest->channel, on_guest_end, &gone);
    say(&(struct replay_head){.type = REPLAY_RESUME}, NULL, 0);
    turn_for(100); /* so that these are two records */
    say(&(struct replay_head){.type = REPLAY_END}, NULL, 0);
    (void) close(hostile);
    pair_until(&pair, &gone);
    over = false;
    state.end = &talker;
    OK(shuttle_new(&options, &shuttle, &err));
    OK(channel_carry(joined.channel, shuttle, &err));
    pair_until(&pair, &over);
    ck_assert_int_eq(outcome, SHUTTLE_PEER_ENDED);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "share_link", .setup = setup, .teardown = teardown, .timeout_s = 120},
        (const TTest *[]){
            cuts_are_not_noticed_but_by_the_clock, cuts_one_after_the_other_lose_nothing,
            nobody_waits_longer_than_the_outage, the_death_of_the_server_is_told_at_once,
            names_are_opened_when_a_connection_is_there,
            what_is_withdrawn_is_told_at_once_and_only_then, a_pod_that_ends_waits_for_nobody,
            a_guest_that_acknowledges_what_was_not_sent_ends_it,
            a_guest_that_jumps_a_number_ends_it,
            a_message_that_lies_about_its_length_never_reaches_the_server,
            a_guest_that_the_server_drops_is_told_so,
            that_nothing_follows_is_heard_where_nothing_can_be_sent, NULL});
}
