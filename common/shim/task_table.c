/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/task_table.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

static const unsigned legal_in[TASK_OPS] = {
    [TASK_OP_START] = BIT(TASK_CREATED),
    [TASK_OP_KILL] = BIT(TASK_CREATED) | BIT(TASK_RUNNING) | BIT(TASK_PAUSED),
    [TASK_OP_PAUSE] = BIT(TASK_RUNNING),
    [TASK_OP_RESUME] = BIT(TASK_PAUSED),
    [TASK_OP_EXEC] = BIT(TASK_CREATED) | BIT(TASK_RUNNING),
    [TASK_OP_UPDATE] = BIT(TASK_CREATED) | BIT(TASK_RUNNING) | BIT(TASK_PAUSED),
    [TASK_OP_RESIZE] = BIT(TASK_CREATED) | BIT(TASK_RUNNING) | BIT(TASK_PAUSED),
    [TASK_OP_DELETE] = BIT(TASK_CREATED) | BIT(TASK_STOPPED),
};

/* An exec that was registered but never started has no process that a signal could reach. */
static const unsigned exec_legal_in[TASK_OPS] = {
    [TASK_OP_START] = BIT(TASK_CREATED),
    [TASK_OP_KILL] = BIT(TASK_RUNNING),
    [TASK_OP_RESIZE] = BIT(TASK_CREATED) | BIT(TASK_RUNNING),
    [TASK_OP_DELETE] = BIT(TASK_CREATED) | BIT(TASK_STOPPED),
};

static const char *const op_name[TASK_OPS] = {
    [TASK_OP_START] = "start",   [TASK_OP_KILL] = "kill",     [TASK_OP_PAUSE] = "pause",
    [TASK_OP_RESUME] = "resume", [TASK_OP_EXEC] = "exec in",  [TASK_OP_UPDATE] = "update",
    [TASK_OP_RESIZE] = "resize", [TASK_OP_DELETE] = "delete",
};

static struct task_entry *find(struct task_entry *first, const char *id)
{
    while (first && !text_equal(first->id, id))
        first = first->next;
    return first;
}

static unsigned length(const struct task_entry *first)
{
    unsigned n = 0;

    for (; first; first = first->next)
        n++;
    return n;
}

static struct task_entry *entry_new(const char *id, enum task_state state)
{
    struct task_entry *entry = xnew(struct task_entry);

    entry->id = xstrdup(id);
    entry->state = state;
    return entry;
}

static void fail_waiters(struct task_entry *entry)
{
    struct call *call;

    while ((call = call_unpark(&entry->waiters)))
        call_fail(call, STATUS_NOT_FOUND, "'%s' was deleted", entry->id);
}

static void entry_free(struct task_entry *entry)
{
    while (entry->execs) {
        struct task_entry *exec = entry->execs;

        entry->execs = exec->next;
        entry_free(exec);
    }
    fail_waiters(entry);
    free(entry->id);
    free(entry->bundle);
    free(entry->stdin_path);
    free(entry->stdout_path);
    free(entry->stderr_path);
    free(entry);
}

int task_table_add(struct task_table *table, const char *id, struct task_entry **ret,
                   struct error *err)
{
    if (!text_is_identifier(id))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.80s' is not a valid id", id);
    if (find(table->first, id))
        return error_set(err, STATUS_ALREADY_EXISTS, "task '%s' exists already", id);
    if (table->count >= TASK_TABLE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%u tasks are too many", table->count);

    struct task_entry *entry = entry_new(id, TASK_CREATING);

    entry->next = table->first;
    table->first = entry;
    table->count++;
    *ret = entry;
    return 0;
}

int task_table_add_exec(struct task_entry *task, const char *exec_id, struct task_entry **ret,
                        struct error *err)
{
    if (!text_is_identifier(exec_id))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.80s' is not a valid exec id", exec_id);
    if (find(task->execs, exec_id))
        return error_set(err, STATUS_ALREADY_EXISTS, "exec '%s' of task '%s' exists already",
                         exec_id, task->id);
    if (length(task->execs) >= TASK_EXECS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "task '%s' has too many execs", task->id);

    struct task_entry *entry = entry_new(exec_id, TASK_CREATED);

    entry->parent = task;
    entry->next = task->execs;
    task->execs = entry;
    *ret = entry;
    return 0;
}

int task_table_find(const struct task_table *table, const char *id, const char *exec_id,
                    struct task_entry **ret, struct error *err)
{
    struct task_entry *entry = find(table->first, id);

    if (!entry)
        return error_set(err, STATUS_NOT_FOUND, "no task '%.80s'", id);
    if (exec_id && *exec_id) {
        entry = find(entry->execs, exec_id);
        if (!entry)
            return error_set(err, STATUS_NOT_FOUND, "task '%.80s' has no exec '%.80s'", id,
                             exec_id);
    }
    *ret = entry;
    return 0;
}

void task_table_remove(struct task_table *table, struct task_entry *entry)
{
    struct task_entry **link = entry->parent ? &entry->parent->execs : &table->first;

    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    if (!entry->parent)
        table->count--;
    entry_free(entry);
}

void task_table_clear(struct task_table *table)
{
    while (table->first)
        task_table_remove(table, table->first);
}

int task_allow(const struct task_entry *entry, enum task_op op, struct error *err)
{
    const unsigned *legal = entry->parent ? exec_legal_in : legal_in;

    if (legal[op] & BIT(entry->state))
        return 0;
    if (op == TASK_OP_KILL && entry->state == TASK_STOPPED)
        return error_set(err, STATUS_NOT_FOUND, "process of '%s' has already finished", entry->id);
    return error_set(err, STATUS_FAILED_PRECONDITION, "cannot %s %s '%s': it is %s", op_name[op],
                     entry->parent ? "exec" : "task", entry->id, task_state_name(entry->state));
}

void task_set_state(struct task_entry *entry, enum task_state state)
{
    if (entry->state != TASK_STOPPED)
        entry->state = state;
}

bool task_exited(struct task_entry *entry, uint32_t exit_status, int64_t exited_at_ns)
{
    if (entry->state == TASK_STOPPED)
        return false;
    entry->state = TASK_STOPPED;
    entry->exit_status = exit_status;
    entry->exited_at_ns = exited_at_ns > 0 ? exited_at_ns : clock_wall_ns();
    return true;
}

const char *task_state_name(enum task_state state)
{
    static const char *const names[] = {
        [TASK_CREATING] = "being created", [TASK_CREATED] = "created", [TASK_RUNNING] = "running",
        [TASK_PAUSED] = "paused",          [TASK_STOPPED] = "stopped",
    };

    return names[state];
}
