/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
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

enum { LATE_WAIT_MS = 1000, LOOK_MS = 10, YOUNG_SECONDS = 120 };

/* A shim that died without a machine to its name may have died while one was made. */
static enum record_create create_of(const struct record *record)
{
    return record->machine.pid ? RECORD_CREATE_ANSWERED : RECORD_CREATE_CUT;
}

static int left_until(uint64_t end_ms)
{
    uint64_t now = clock_monotonic_ms();

    return now < end_ms ? (int) (end_ms - now) : 0;
}

/* The reaper is nobody's child, so there is nothing better to wait for than its file. */
static void wait_for_reaper(const struct record *record, uint64_t end_ms)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    uint64_t late = clock_monotonic_ms() + LATE_WAIT_MS;

    if (create_of(record) == RECORD_CREATE_CUT && late < end_ms)
        end_ms = late; /* it goes on looking after it has found and ended what there was */
    while (record_is_buried(record->id)) {
        if (left_until(end_ms) == 0) {
            log_warn("machine of '%s' is left to the reaper", record->id);
            return;
        }
        nanosleep(&pause, NULL);
    }
}

/* The tombstone and its reaper first: whatever happens to this process, somebody will finish. */
int sweep_sandbox(const char *id, uint64_t end_ms, struct machine_process *ret_machine,
                  struct error *err)
{
    struct record record = {0};
    struct error kill_error;
    int failed;

    *ret_machine = (struct machine_process){0};
    if (record_read(id, &record, err) < 0)
        return err->status == STATUS_NOT_FOUND ? record_remove(id, err) : -1;
    *ret_machine = record.machine;
    failed = record_bury(&record, create_of(&record), err);
    if (record.machine.pid && watch_kill_now(record.machine.pid, record.machine.start_time,
                                             left_until(end_ms), &kill_error) < 0)
        log_warn("%s", kill_error.message);
    if (failed == 0)
        wait_for_reaper(&record, end_ms);
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
        if (!is_alive(&record.shim) && record_bury(&record, create_of(&record), &err) < 0)
            log_error("cannot leave a tombstone: %s", err.message);
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
    scoped(freep) char *swept = NULL;
    char boot[WATCH_BOOT_ID_SIZE];
    struct host_conf conf = {0};
    size_t swept_length;
    struct error err;

    watch_boot_id(boot);
    if (file_read(RECORD_SWEPT, 64, &swept, &swept_length, &err) == 0 && text_equal(boot, swept))
        return;
    if (host_conf_load(HOST_CONF_PATH, &conf, &err) == 0) {
        const char *argv[] = {conf.helper, "sweep", NULL};
        struct tombstone tombstone = {.kind = "sweep", .id = "sweep", .argv = argv, .input = "{}"};

        if (tombstone_write(RECORD_TOMBSTONES, &tombstone, &err) == 0 &&
            file_write_atomic(RECORD_SWEPT, boot, strlen(boot), 0600, &err) == 0)
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
    domain_logs_trim(DOMAIN_TPM_LOGS, DOMAIN_LOGS_KEPT);
    if (tombstone_count(RECORD_TOMBSTONES) > 0 && tombstone_reap(RECORD_TOMBSTONES, NULL, &err) < 0)
        log_warn("start the reapers: %s", err.message);
}
