/* SPDX-License-Identifier: Apache-2.0 */
/* <directory>/<id>.json is the work, <directory>/<id>.lock belongs to whoever does it. The lock
 * file goes after the record: whoever locks one that was removed meanwhile finds no record and
 * stops. */
#include "shim/tombstone.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/child.h"
#include "io/loop.h"
#include "shim/state_file.h"

enum { DEADLINE_MS = 60000, PAUSE_FIRST_MS = 1000, PAUSE_MAX_MS = 60000, WORDS_MAX = 64 };

/* After this long without a word in its record a tombstone has no reaper any more. */
enum { SILENCE_S = 180 };

static const struct state_format format = {.kind = "tombstone", .version = 1};

static char *file_of(const char *directory, const char *id, const char *suffix)
{
    return xformat("%s/%s.%s", directory, id, suffix);
}

static struct js *words(const char *const *list)
{
    struct js *array = js_new_array();

    for (; list && *list; list++)
        js_append(array, js_new_string(*list));
    return array;
}

int tombstone_write(const char *directory, const struct tombstone *tombstone, struct error *err)
{
    scoped(js_freep) struct js *record = js_new_object();
    scoped(freep) char *file = NULL;

    if (!text_is_identifier(tombstone->id))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not a valid id", tombstone->id);
    if (file_make_directories(directory, 0700, err) < 0)
        return -1;
    js_set_string(record, "work", tombstone->kind);
    js_set_string(record, "id", tombstone->id);
    js_set(record, "argv", words(tombstone->argv));
    if (tombstone->input)
        js_set_string(record, "input", tombstone->input);
    js_set_integer(record, "deadline_ms",
                   tombstone->deadline_ms ? (int64_t) tombstone->deadline_ms : DEADLINE_MS);
    js_set(record, "remove", words(tombstone->remove));
    js_set_integer(record, "attempts", 0);
    file = file_of(directory, tombstone->id, "json");
    return state_file_write(file, &format, record, err);
}

int tombstone_remove(const char *directory, const char *id, struct error *err)
{
    scoped(freep) char *file = file_of(directory, id, "json");
    scoped(freep) char *lock = file_of(directory, id, "lock");

    if (unlink(file) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove %s", file);
    (void) unlink(lock);
    return 0;
}

/* Not file_lock(): a second reaper must leave, not wait. */
int tombstone_hold(const char *directory, const char *id, int *ret_fd, struct error *err)
{
    scoped(freep) char *file = file_of(directory, id, "lock");
    scoped(closep) int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_errno(err, errno, "open %s", file);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(err, STATUS_ABORTED, "'%s' is in other hands", id);
    *ret_fd = take_fd(fd);
    return 0;
}

/* ---- one attempt ---- */

struct run {
    bool ended;
    bool succeeded;
    char why[512];
};

static void on_run_done(void *user, const struct child_result *result)
{
    struct run *run = user;

    run->ended = true;
    run->succeeded = !result->timed_out && !result->overflowed && WIFEXITED(result->wait_status) &&
                     WEXITSTATUS(result->wait_status) == 0;
    child_explain(result, run->why, sizeof(run->why));
}

static int run_program(const struct js *record, struct run *run, struct error *err)
{
    scoped(loop_freep) struct loop *loop = NULL;
    scoped(child_freep) struct child *child = NULL;
    const struct js *list = js_get(record, "argv");
    const char *argv[WORDS_MAX + 1] = {0};
    const char *input = js_get_string(record, "input");
    struct child_options options = {.argv = argv, .input = input ? input : ""};

    if (js_length(list) == 0 || js_length(list) > WORDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the record has no usable command");
    for (size_t i = 0; i < js_length(list); i++) {
        argv[i] = js_string(js_at(list, i));
        if (!argv[i])
            return error_set(err, STATUS_INVALID_ARGUMENT, "the record has no usable command");
    }
    options.input_length = strlen(options.input);
    options.deadline_ms = (uint64_t) js_get_integer(record, "deadline_ms", DEADLINE_MS);
    if (loop_new(&loop, err) < 0 || child_start(loop, &options, on_run_done, run, &child, err) < 0)
        return -1;
    while (!run->ended) {
        if (loop_turn(loop, 1000, err) < 0)
            return -1;
    }
    return 0;
}

static void remove_paths(const struct js *record)
{
    const struct js *list = js_get(record, "remove");
    struct error err;

    for (size_t i = 0; i < js_length(list); i++) {
        const char *path = js_string(js_at(list, i));

        if (path && *path == '/' && file_remove_tree(path, &err) < 0)
            log_warn("%s", err.message);
    }
}

static uint64_t pause_after(int64_t attempts)
{
    uint64_t pause = PAUSE_FIRST_MS;

    while (attempts-- > 1 && pause < PAUSE_MAX_MS)
        pause *= 2;
    return pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
}

static int attempt_locked(const char *directory, const char *id, uint64_t *ret_delay_ms,
                          struct error *err)
{
    scoped(freep) char *file = file_of(directory, id, "json");
    scoped(js_freep) struct js *record = NULL;
    struct run run = {0};

    if (!file_exists(file)) {
        *ret_delay_ms = 0;
        return tombstone_remove(directory, id, err);
    }
    if (state_file_read(file, &format, &record, err) < 0)
        return -1;

    int64_t attempts = js_get_integer(record, "attempts", 0) + 1;

    if (run_program(record, &run, err) < 0)
        (void) snprintf(run.why, sizeof(run.why), "%s", err->message);
    if (run.succeeded) {
        remove_paths(record);
        *ret_delay_ms = 0;
        return tombstone_remove(directory, id, err);
    }
    js_set_integer(record, "attempts", attempts);
    text_make_utf8(run.why);
    js_set_string(record, "last_error", run.why);
    *ret_delay_ms = pause_after(attempts);
    /* Removed by its owner while we ran: done is done. */
    if (!file_exists(file)) {
        *ret_delay_ms = 0;
        return 0;
    }
    return state_file_write(file, &format, record, err);
}

int tombstone_attempt(const char *directory, const char *id, uint64_t *ret_delay_ms,
                      struct error *err)
{
    scoped(closep) int lock = -1;

    if (tombstone_hold(directory, id, &lock, err) < 0)
        return -1;
    return attempt_locked(directory, id, ret_delay_ms, err);
}

bool tombstone_is_attended(const char *directory, const char *id)
{
    scoped(freep) char *file = file_of(directory, id, "json");
    scoped(js_freep) struct js *record = NULL;
    struct error ignored;
    struct stat status;
    int64_t age_s;

    if (stat(file, &status) < 0 || state_file_read(file, &format, &record, &ignored) < 0)
        return false;
    age_s = clock_wall_ns() / 1000000000 - status.st_mtime;
    return js_get_integer(record, "attempts", 0) > 0 && age_s >= 0 && age_s < SILENCE_S;
}

void tombstone_each(const char *directory, tombstone_fn *fn, void *user)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        size_t length = strlen(entry->d_name);
        char id[256];

        if (!text_ends(entry->d_name, ".json") || length >= sizeof(id))
            continue;
        memcpy(id, entry->d_name, length - 5);
        id[length - 5] = '\0';
        if (text_is_identifier(id))
            fn(user, id);
    }
    (void) closedir(dir);
}

static void count_one(void *user, const char *id)
{
    ++*(size_t *) user;
}

size_t tombstone_count(const char *directory)
{
    size_t count = 0;

    tombstone_each(directory, count_one, &count);
    return count;
}
