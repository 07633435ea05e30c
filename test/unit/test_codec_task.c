/* SPDX-License-Identifier: Apache-2.0 */
/* State is written by hand: what it says must be what the packer would have said. */
#include "codec_task.h"

#include "base/scoped.h"
#include "suite.h"
#include "task.pb-c.h"
#include "ttrpc/wire.h"

enum { LONG_TEXT = 4096 };

static struct task_entry task = {
    .id = (char *) "container",
    .state = TASK_RUNNING,
    .pid = 4711,
    .bundle = (char *) "/run/bundle",
    .stdin_path = (char *) "",
    .stdout_path = (char *) "/run/fifo/1",
    .terminal = true,
};

static Task__StateResponse *state_of(const struct task_entry *entry)
{
    uint8_t room[1024];
    struct wire wire;
    Task__StateResponse *state;

    wire_init(&wire, room, sizeof(room));
    codec_state(entry, &wire);
    ck_assert(!wire.full);
    state = task__state_response__unpack(NULL, (size_t) (wire.at - room), room);
    ck_assert_ptr_nonnull(state);
    ck_assert_uint_eq(task__state_response__get_packed_size(state), (size_t) (wire.at - room));
    return state;
}

START_TEST(the_state_of_a_running_task_is_complete)
{
    Task__StateResponse *state = state_of(&task);

    ck_assert_str_eq(state->id, "container");
    ck_assert_str_eq(state->bundle, "/run/bundle");
    ck_assert_uint_eq(state->pid, 4711);
    ck_assert_int_eq(state->status, TASK__STATUS__RUNNING);
    ck_assert_str_eq(state->stdin, "");
    ck_assert_str_eq(state->stdout, "/run/fifo/1");
    ck_assert_str_eq(state->stderr, "");
    ck_assert(state->terminal);
    ck_assert_uint_eq(state->exit_status, 0);
    ck_assert_ptr_null(state->exited_at);
    ck_assert_str_eq(state->exec_id, "");
    task__state_response__free_unpacked(state, NULL);
}
END_TEST

START_TEST(the_state_of_an_exec_that_has_ended_is_complete)
{
    struct task_entry exec = {
        .parent = &task,
        .id = (char *) "exec",
        .state = TASK_STOPPED,
        .pid = 300,
        .exit_status = 137,
        .exited_at_ns = 1700000000123456789,
        .stderr_path = (char *) "/run/fifo/2",
    };
    Task__StateResponse *state = state_of(&exec);

    ck_assert_str_eq(state->id, "container");
    ck_assert_str_eq(state->exec_id, "exec");
    ck_assert_uint_eq(state->pid, 300);
    ck_assert_int_eq(state->status, TASK__STATUS__STOPPED);
    ck_assert_str_eq(state->stderr, "/run/fifo/2");
    ck_assert_uint_eq(state->exit_status, 137);
    ck_assert_int_eq(state->exited_at->seconds, 1700000000);
    ck_assert_int_eq(state->exited_at->nanos, 123456789);
    task__state_response__free_unpacked(state, NULL);
}
END_TEST

static Task__Status status_of(enum task_state state)
{
    static const Task__Status all[] = {
        [TASK_CREATING] = TASK__STATUS__UNKNOWN, [TASK_CREATED] = TASK__STATUS__CREATED,
        [TASK_RUNNING] = TASK__STATUS__RUNNING,  [TASK_PAUSED] = TASK__STATUS__PAUSED,
        [TASK_STOPPED] = TASK__STATUS__STOPPED,
    };

    return all[state];
}

static size_t pack(const struct task_entry *entry, uint8_t *to)
{
    const struct task_entry *owner = entry->parent ? entry->parent : entry;
    Task__StateResponse state = TASK__STATE_RESPONSE__INIT;
    Ttrpc__Timestamp at = TTRPC__TIMESTAMP__INIT;

    state.id = owner->id;
    state.bundle = owner->bundle ? owner->bundle : state.bundle;
    state.pid = entry->pid;
    state.status = status_of(entry->state);
    state.stdin = entry->stdin_path;
    state.stdout = entry->stdout_path;
    state.stderr = entry->stderr_path;
    state.terminal = entry->terminal;
    state.exit_status = entry->exit_status;
    at.seconds = entry->exited_at_ns / 1000000000;
    at.nanos = (int32_t) (entry->exited_at_ns % 1000000000);
    if (entry->state == TASK_STOPPED)
        state.exited_at = &at;
    if (entry->parent)
        state.exec_id = entry->id;
    return task__state_response__pack(&state, to);
}

static uint64_t any(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Of any size in bits, and often zero or all ones. */
static uint64_t any_number(uint64_t *seed)
{
    uint64_t bits = any(seed) % 66, value = any(seed);

    if (bits == 65)
        return UINT64_MAX;
    return bits == 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

static char *any_text(uint64_t *seed, char room[LONG_TEXT + 1])
{
    static const size_t lengths[] = {0, 0, 1, 76, 127, 128, 129, LONG_TEXT};
    size_t length = lengths[any(seed) % ARRAY_LENGTH(lengths)];

    for (size_t i = 0; i < length; i++)
        room[i] = (char) ('a' + any(seed) % 26);
    room[length] = '\0';
    return room;
}

START_TEST(any_state_is_what_the_packer_says)
{
    static char texts[6][LONG_TEXT + 1];
    static uint8_t by_hand[8 * LONG_TEXT], packed[8 * LONG_TEXT];
    uint64_t seed = 4711;

    for (int round = 0; round < 20000; round++) {
        struct task_entry parent = {.id = any_text(&seed, texts[4]),
                                    .bundle = any_text(&seed, texts[5])};
        struct task_entry entry = {
            .parent = any(&seed) % 2 ? &parent : NULL,
            .id = any_text(&seed, texts[0]),
            .bundle = any_text(&seed, texts[5]),
            .state = (enum task_state)(any(&seed) % (TASK_STOPPED + 1)),
            .pid = (uint32_t) any_number(&seed),
            .exit_status = (uint32_t) any_number(&seed),
            .exited_at_ns = (int64_t) any_number(&seed), /* negative ones too */
            .stdin_path = any_text(&seed, texts[1]),
            .stdout_path = any_text(&seed, texts[2]),
            .stderr_path = any_text(&seed, texts[3]),
            .terminal = any(&seed) % 2,
        };
        struct wire wire;
        size_t length = pack(&entry, packed);

        wire_init(&wire, by_hand, sizeof(by_hand));
        codec_state(&entry, &wire);
        ck_assert(!wire.full);
        ck_assert_uint_eq((size_t) (wire.at - by_hand), length);
        ck_assert_mem_eq(by_hand, packed, length);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_not_written)
{
    uint8_t room[1024] = {0};
    struct wire wire;

    for (size_t size = 0; size < 40; size++) {
        wire_init(&wire, room, size);
        codec_state(&task, &wire);
        ck_assert(wire.full);
        ck_assert_uint_eq(room[size], 0);
    }
}
END_TEST

int main(void)
{
    return suite_run("codec_task",
                     (const TTest *[]){the_state_of_a_running_task_is_complete,
                                       the_state_of_an_exec_that_has_ended_is_complete,
                                       any_state_is_what_the_packer_says,
                                       what_does_not_fit_is_not_written, NULL});
}
