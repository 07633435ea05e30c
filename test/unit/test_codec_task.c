/* SPDX-License-Identifier: Apache-2.0 */
/* State is written by hand: what it says must be what the packer would have said. */
#include "codec_task.h"

#include "base/scoped.h"
#include "suite.h"
#include "task.pb-c.h"
#include "ttrpc/wire.h"

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
                                       what_does_not_fit_is_not_written, NULL});
}
