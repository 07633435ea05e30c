/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "shim/task_table.h"
#include "suite.h"

static struct task_table table;
static struct task_entry *task;
static struct error err;

static void setup(void)
{
    ck_assert_int_eq(task_table_add(&table, "web", &task, &err), 0);
}

static void teardown(void)
{
    task_table_clear(&table);
    ck_assert_uint_eq(table.count, 0);
}

static bool allowed(enum task_state state, enum task_op op)
{
    struct task_entry entry = {.id = (char *) "web", .state = state};

    return task_allow(&entry, op, &err) == 0;
}

static bool exec_allowed(enum task_state state, enum task_op op)
{
    struct task_entry entry = {.id = (char *) "e1", .state = state, .parent = task};

    return task_allow(&entry, op, &err) == 0;
}

/* The whole table, row by row: creating, created, running, paused, stopped. */
START_TEST(what_is_legal_when)
{
    static const struct {
        enum task_op op;
        const char *task, *exec;
    } rows[] = {
        {TASK_OP_START, "01000", "01000"},  {TASK_OP_KILL, "01110", "00100"},
        {TASK_OP_PAUSE, "00100", "00000"},  {TASK_OP_RESUME, "00010", "00000"},
        {TASK_OP_EXEC, "01100", "00000"},   {TASK_OP_UPDATE, "01110", "00000"},
        {TASK_OP_RESIZE, "01110", "01100"}, {TASK_OP_DELETE, "01001", "01001"},
    };

    ck_assert_uint_eq(ARRAY_LENGTH(rows), TASK_OPS);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (int state = TASK_CREATING; state <= TASK_STOPPED; state++) {
            ck_assert_msg(allowed((enum task_state) state, rows[i].op) ==
                              (rows[i].task[state] == '1'),
                          "op %d in state %d", rows[i].op, state);
            ck_assert_msg(exec_allowed((enum task_state) state, rows[i].op) ==
                              (rows[i].exec[state] == '1'),
                          "op %d of an exec in state %d", rows[i].op, state);
        }
    }
}
END_TEST

START_TEST(a_refusal_says_why)
{
    ck_assert(!allowed(TASK_RUNNING, TASK_OP_START));
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(err.message, "cannot start task 'web': it is running");
    ck_assert(!allowed(TASK_STOPPED, TASK_OP_KILL));
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
}
END_TEST

START_TEST(an_id_stands_once)
{
    struct task_entry *other;

    ck_assert_int_lt(task_table_add(&table, "web", &other, &err), 0);
    ck_assert_int_eq(err.status, STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(task_table_add_exec(task, "web", &other, &err), 0);
    ck_assert_int_lt(task_table_add_exec(task, "web", &other, &err), 0);
    ck_assert_int_eq(err.status, STATUS_ALREADY_EXISTS);
}
END_TEST

START_TEST(an_id_is_an_identifier)
{
    struct task_entry *other;

    ck_assert_int_lt(task_table_add(&table, "", &other, &err), 0);
    ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    ck_assert_int_lt(task_table_add(&table, "../etc", &other, &err), 0);
    ck_assert_int_lt(task_table_add_exec(task, "a/b", &other, &err), 0);
    ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(execs_are_found_under_their_task)
{
    struct task_entry *exec, *found;

    ck_assert_int_eq(task_table_add_exec(task, "e1", &exec, &err), 0);
    ck_assert_int_eq(exec->state, TASK_CREATED);
    ck_assert_int_eq(task_table_find(&table, "web", "e1", &found, &err), 0);
    ck_assert_ptr_eq(found, exec);
    ck_assert_int_eq(task_table_find(&table, "web", "", &found, &err), 0);
    ck_assert_ptr_eq(found, task);
    ck_assert_int_lt(task_table_find(&table, "web", "e2", &found, &err), 0);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_int_lt(task_table_find(&table, "db", NULL, &found, &err), 0);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    task_table_remove(&table, exec);
    ck_assert_int_lt(task_table_find(&table, "web", "e1", &found, &err), 0);
}
END_TEST

START_TEST(a_removed_task_takes_its_execs_along)
{
    struct task_entry *exec;

    ck_assert_int_eq(task_table_add_exec(task, "e1", &exec, &err), 0);
    ck_assert_int_eq(task_table_add_exec(task, "e2", &exec, &err), 0);
    task_table_remove(&table, task);
    ck_assert_ptr_null(table.first);
}
END_TEST

START_TEST(an_exit_code_never_changes)
{
    ck_assert(task_exited(task, 3, 1000));
    ck_assert(!task_exited(task, 4, 2000));
    task_set_state(task, TASK_RUNNING);
    ck_assert_int_eq(task->state, TASK_STOPPED);
    ck_assert_uint_eq(task->exit_status, 3);
    ck_assert_int_eq(task->exited_at_ns, 1000);
}
END_TEST

START_TEST(an_exit_without_a_time_is_now)
{
    ck_assert(task_exited(task, 0, 0));
    ck_assert(task->exited_at_ns > 1700000000000000000);
}
END_TEST

START_TEST(the_table_is_bounded)
{
    struct task_entry *other;
    char id[32];

    for (unsigned i = 1; i < TASK_TABLE_MAX; i++) {
        (void) snprintf(id, sizeof(id), "t%u", i);
        ck_assert_int_eq(task_table_add(&table, id, &other, &err), 0);
    }
    ck_assert_int_lt(task_table_add(&table, "one-more", &other, &err), 0);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "task_table", .setup = setup, .teardown = teardown},
        (const TTest *[]){what_is_legal_when, a_refusal_says_why, an_id_stands_once,
                          an_id_is_an_identifier, execs_are_found_under_their_task,
                          a_removed_task_takes_its_execs_along, an_exit_code_never_changes,
                          an_exit_without_a_time_is_now, the_table_is_bounded, NULL});
}
