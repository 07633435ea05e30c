/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "shim/state_file.h"
#include "shim/tombstone.h"
#include "watch.h"

enum { BURIED_DEADLINE_MS = 60000 };

static const struct state_format format = {.kind = "host-sandbox", .version = 1};

static int state_path(const char *id, char ret[RECORD_PATH_SIZE], struct error *err)
{
    return text_format(ret, RECORD_PATH_SIZE, err, "%s/%s/state.json", RECORD_ROOT, id);
}

static void put_process(struct js *object, const char *key, const struct machine_process *process)
{
    struct js *child = js_new_object();

    js_set_integer(child, "pid", process->pid);
    js_set_integer(child, "start_time", (int64_t) process->start_time);
    js_set(object, key, child);
}

static void get_process(const struct js *object, const char *key, struct machine_process *ret)
{
    struct js *child = js_get(object, key);

    ret->pid = (pid_t) js_get_integer(child, "pid", 0);
    ret->start_time = (uint64_t) js_get_integer(child, "start_time", 0);
}

int record_directory(const char *id, char ret[RECORD_PATH_SIZE], struct error *err)
{
    if (!text_is_identifier(id))
        return error_set(err, STATUS_INVALID_ARGUMENT, "not an identifier");
    return text_format(ret, RECORD_PATH_SIZE, err, "%s/%s", RECORD_ROOT, id);
}

/* QEMU may run as a user of its own and must reach its disks; which sandboxes there are is still
 * nobody's business. Whoever made the upper ones, under whatever umask, may have been stricter. */
static int make_passable(const char *directory, struct error *err)
{
    const char *const levels[] = {RECORD_PARENT, RECORD_ROOT, directory};

    for (size_t i = 0; i < ARRAY_LENGTH(levels); i++)
        if ((mkdir(levels[i], 0711) < 0 && errno != EEXIST) || chmod(levels[i], 0711) < 0)
            return error_errno(err, errno, "make directory '%s'", levels[i]);
    return 0;
}

int record_make_directory(const char *id, char ret[RECORD_PATH_SIZE], struct error *err)
{
    if (record_directory(id, ret, err) < 0)
        return -1;
    return make_passable(ret, err);
}

int record_write(const struct record *record, struct error *err)
{
    scoped(js_freep) struct js *state = js_new_object();
    char directory[RECORD_PATH_SIZE], path[RECORD_PATH_SIZE], boot[WATCH_BOOT_ID_SIZE];

    if (record_make_directory(record->id, directory, err) < 0 ||
        state_path(record->id, path, err) < 0)
        return -1;
    watch_boot_id(boot);
    js_set_string(state, "id", record->id);
    js_set_string(state, "boot_id", boot);
    js_set_string(state, "helper", record->helper);
    js_set_string(state, "uri", record->uri);
    js_set_integer(state, "call_timeout", record->call_timeout);
    js_set_string(state, "scratch", record->scratch);
    put_process(state, "machine", &record->machine);
    put_process(state, "shim", &record->shim);
    return state_file_write(path, &format, state, err);
}

int record_read(const char *id, struct record *ret, struct error *err)
{
    scoped(js_freep) struct js *state = NULL;
    char path[RECORD_PATH_SIZE], boot[WATCH_BOOT_ID_SIZE];
    const char *helper;

    if (!text_is_identifier(id))
        return error_set(err, STATUS_NOT_FOUND, "not an identifier");
    if (state_path(id, path, err) < 0 || state_file_read(path, &format, &state, err) < 0)
        return -1;
    watch_boot_id(boot);
    if (!text_equal(js_get_string(state, "boot_id"), boot))
        return error_set(err, STATUS_NOT_FOUND, "the state of '%s' is of an earlier boot", id);
    if (js_need_string(state, "helper", &helper, err) < 0)
        return -1;
    *ret = (struct record){
        .id = xstrdup(id),
        .helper = xstrdup(helper),
        .uri = xstrdup(js_get_string(state, "uri")),
        .call_timeout = js_get_integer(state, "call_timeout", 0),
        .scratch = xstrdup(js_get_string(state, "scratch")),
    };
    get_process(state, "machine", &ret->machine);
    get_process(state, "shim", &ret->shim);
    return 0;
}

void record_clear(struct record *record)
{
    free(record->id);
    free(record->helper);
    free(record->uri);
    free(record->scratch);
    *record = (struct record){0};
}

int record_remove(const char *id, struct error *err)
{
    char directory[RECORD_PATH_SIZE];

    if (record_directory(id, directory, err) < 0)
        return -1;
    return file_remove_tree(directory, err);
}

void record_target(const struct record *record, struct machine_target *ret)
{
    *ret = (struct machine_target){
        .id = record->id,
        .uri = record->uri,
        .call_timeout = record->call_timeout,
        .scratch = record->scratch,
        .process = record->machine,
    };
}

int record_bury(const struct record *record, enum record_create create, struct error *err)
{
    scoped(freep) char *input = NULL;
    struct machine_target target;
    char directory[RECORD_PATH_SIZE];
    const char *argv[] = {record->helper, "destroy", NULL};
    const char *remove[] = {directory, NULL};
    struct tombstone tombstone = {
        .kind = "machine",
        .id = record->id,
        .argv = argv,
        .deadline_ms = BURIED_DEADLINE_MS,
        .remove = remove,
    };

    if (record_directory(record->id, directory, err) < 0)
        return -1;
    record_target(record, &target);
    target.late = create == RECORD_CREATE_CUT;
    input = machine_input(&target);
    tombstone.input = input;
    if (tombstone_write(RECORD_TOMBSTONES, &tombstone, err) < 0)
        return -1;
    return tombstone_reap(RECORD_TOMBSTONES, record->id, err);
}

bool record_is_buried(const char *id)
{
    scoped(freep) char *path = xformat("%s/%s.json", RECORD_TOMBSTONES, id);

    return file_exists(path);
}
