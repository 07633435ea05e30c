/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "domain_logs.h"
#include "record.h"
#include "shim/host_conf.h"
#include "shim/tombstone.h"
#include "watch.h"

enum { LATER_DEADLINE_MS = 30000, KILL_MS = 2000, YOUNG_SECONDS = 120 };

static void reap_later(const struct record *record)
{
    struct error err;

    if (record_bury(record, LATER_DEADLINE_MS, &err) < 0 ||
        tombstone_reap(RECORD_TOMBSTONES, record->id, &err) < 0)
        log_error("cannot leave a tombstone: %s", err.message);
}

/* The tombstone first: whatever happens to this process, somebody will finish. */
int sweep_sandbox(const char *id, uint64_t deadline_ms, struct machine_process *ret_machine,
                  struct error *err)
{
    struct record record = {0};
    uint64_t delay = 0;
    int failed;

    *ret_machine = (struct machine_process){0};
    if (record_read(id, &record, err) < 0)
        return err->status == STATUS_NOT_FOUND ? 0 : -1;
    *ret_machine = record.machine;
    failed = record_bury(&record, deadline_ms, err);
    if (record.machine.pid &&
        watch_kill_now(record.machine.pid, record.machine.start_time, KILL_MS, err) < 0)
        log_warn("%s", err->message);
    if (failed == 0 && (tombstone_attempt(RECORD_TOMBSTONES, id, &delay, err) < 0 || delay > 0)) {
        log_warn("machine of '%s' is left to the reaper", id);
        reap_later(&record);
    }
    record_clear(&record);
    return failed;
}

static bool is_alive(const struct machine_process *process)
{
    return process->pid > 0 && watch_start_time(process->pid) == process->start_time;
}

static bool is_young(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && time(NULL) - status.st_mtime < YOUNG_SECONDS;
}

/* One state directory. containerd's own `delete` may be at work on it: everything is repeatable. */
static void sweep_directory(const char *id)
{
    struct record record = {0};
    char path[RECORD_PATH_SIZE];
    struct error err;

    if (record_directory(id, path, &err) < 0 || is_young(path))
        return;
    if (record_read(id, &record, &err) == 0) {
        if (!is_alive(&record.shim))
            reap_later(&record);
    } else if (err.status == STATUS_NOT_FOUND && record_remove(id, &err) < 0) {
        log_warn("remove %s: %s", path, err.message);
    }
    record_clear(&record);
}

static void sweep_directories(void)
{
    DIR *root = opendir(RECORD_ROOT);
    const struct dirent *entry;

    if (!root)
        return;
    while ((entry = readdir(root)))
        if (text_is_identifier(entry->d_name))
            sweep_directory(entry->d_name);
    closedir(root);
}

/* Domains that nothing on disk speaks of. Opening libvirt is not free: once a boot, detached. */
static void sweep_domains(void)
{
    scoped(freep) char *boot = NULL, *swept = NULL;
    struct host_conf conf = {0};
    size_t boot_length, swept_length;
    struct error err;

    if (file_read("/proc/sys/kernel/random/boot_id", 64, &boot, &boot_length, &err) < 0)
        return;
    if (file_read(RECORD_SWEPT, 64, &swept, &swept_length, &err) == 0 && text_equal(boot, swept))
        return;
    if (host_conf_load(HOST_CONF_PATH, &conf, &err) == 0) {
        const char *argv[] = {conf.helper, "sweep", NULL};
        struct tombstone tombstone = {.kind = "sweep", .id = "sweep", .argv = argv, .input = "{}"};

        if (tombstone_write(RECORD_TOMBSTONES, &tombstone, &err) == 0 &&
            file_write_atomic(RECORD_SWEPT, boot, boot_length, 0600, &err) == 0)
            log_debug("sweeping libvirt's domains");
    }
    host_conf_fini(&conf);
}

void sweep_stale(void)
{
    struct error err;

    sweep_domains();
    sweep_directories();
    domain_logs_trim(DOMAIN_LOGS, DOMAIN_LOGS_KEPT);
    if (tombstone_count(RECORD_TOMBSTONES) > 0 && tombstone_reap(RECORD_TOMBSTONES, NULL, &err) < 0)
        log_warn("start the reapers: %s", err.message);
}
