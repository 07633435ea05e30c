/* SPDX-License-Identifier: Apache-2.0 */
#include "volumes.h"

#include <errno.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <linux/magic.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "codec_volume.h"
#include "io/loop.h"
#include "link.h"
#include "spec_rules.h"
#include "volume_tree.h"

enum {
    SETTLE_MS = 50, /* kubelet makes a directory, fills it, and renames: one change */
    RETRY_MS = 3000,
    POLL_MS = 10 * 1000, /* of what cannot be watched; kubelet itself takes about a minute */
    EVENTS_SIZE = 16 * 1024,
};

struct volume {
    struct volume *next;
    struct volumes *volumes;
    char *name, *directory;
    enum volume_kind kind;
    int watch; /* -1: none */
    bool is_polled;
    bool is_there, has_failed;
    bool is_awaited; /* a container is to begin with what the node has now */
    struct error why;
    char *version; /* of a live one, in the guest */
    struct source *timer;
    struct link_call *call; /* with the three below, while something is sent */
    struct volume_tree *tree;
    uint64_t serial;
    size_t sent;
    bool again;     /* it changed meanwhile */
    bool is_queued; /* another one is being copied */
};

struct bring {
    struct bring *next;
    struct volumes *volumes;
    struct volume **wanted;
    size_t count;
    volumes_done_fn *done;
    void *user;
};

struct volumes {
    struct loop *loop;
    struct link *link;
    struct volume *first;
    struct bring *brings;
    struct volume *copying; /* one at a time: a pod's author says how many there are */
    uint64_t serial;
    int inotify; /* -1: this node has no more of them */
    struct source *events, *tell;
};

/* ---- who waits --------------------------------------------------------------------------------
 */

/* NULL in *ret_why: all are there. False: some are still under way. */
static bool is_decided(const struct bring *bring, const struct error **ret_why)
{
    *ret_why = NULL;
    for (size_t i = 0; i < bring->count; i++) {
        const struct volume *volume = bring->wanted[i];

        if (volume->has_failed)
            *ret_why = &volume->why;
        else if (!volume->is_there || volume->is_awaited)
            return false;
    }
    return true;
}

/* Whoever is told may bring and free others: begin anew after each. */
static void on_tell(void *user)
{
    struct volumes *volumes = user;
    const struct error *why;

    for (struct bring *bring = volumes->brings; bring; bring = bring->next) {
        if (!is_decided(bring, &why))
            continue;
        struct error err = why ? *why : (struct error){0};
        volumes_done_fn *done = bring->done;
        void *to = bring->user;

        source_rearm(volumes->tell, 0);
        bring->done = NULL;
        for (struct bring **p = &volumes->brings; *p; p = &(*p)->next) {
            if (*p == bring) {
                *p = bring->next;
                break;
            }
        }
        bring->volumes = NULL;
        done(to, why ? &err : NULL);
        return;
    }
}

/* ---- what is sent -----------------------------------------------------------------------------
 */

static void send_part(struct volume *volume);

static void begin_again(struct volume *volume, uint64_t delay_ms)
{
    source_rearm(volume->timer, delay_ms);
}

static bool is_passing(enum status status)
{
    return status == STATUS_UNAVAILABLE || status == STATUS_DEADLINE_EXCEEDED ||
           status == STATUS_CANCELLED || status == STATUS_ABORTED ||
           status == STATUS_FAILED_PRECONDITION;
}

/* The content is not needed any more, and the next volume's may be read. */
static void end_copy(struct volume *volume)
{
    struct volumes *volumes = volume->volumes;

    volume_tree_free(take_ptr(volume->tree));
    if (volumes->copying != volume)
        return;
    volumes->copying = NULL;
    for (struct volume *next = volumes->first; next; next = next->next) {
        if (next->is_queued)
            begin_again(next, 0);
        next->is_queued = false;
    }
}

/* The guest has the content before, if any; a refresh is tried again, as long as there is a guest.
 */
static void give_up(struct volume *volume, const struct error *err)
{
    end_copy(volume);
    if (!volume->is_there || volume->is_awaited) {
        volume->is_awaited = false;
        volume->has_failed = true;
        volume->why = *err;
        source_rearm(volume->volumes->tell, 0);
    }
    if (!volume->is_there || link_has_ended(volume->volumes->link))
        return;
    log_warn("the guest keeps the former content of '%s': %s", volume->directory, err->message);
    if (is_passing(err->status))
        begin_again(volume, RETRY_MS);
}

static bool is_current(const struct volume *volume)
{
    scoped(freep) char *version = NULL;

    if (!volume->is_there || volume->kind != VOLUME_LIVE)
        return volume->is_there;
    version = volume_tree_version(volume->directory);
    return !version || text_equal(version, volume->version); /* kubelet takes it away at the end */
}

static void arrived(struct volume *volume)
{
    if (volume->tree) {
        free(volume->version);
        volume->version = xstrdup(volume->tree->version);
        log_debug("volume '%s': %zu files, %zu bytes are in the guest", volume->directory,
                  volume->tree->count, volume->tree->bytes);
    }
    end_copy(volume);
    volume->is_there = true;
    volume->is_awaited = volume->is_awaited && !is_current(volume);
    source_rearm(volume->volumes->tell, 0);
}

static void on_sent(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct volume *volume = user;

    volume->call = NULL;
    if (err)
        give_up(volume, err);
    else if (volume->tree && volume->sent < volume->tree->count)
        send_part(volume);
    else
        arrived(volume);
    if (!volume->call && (volume->again || volume->is_awaited))
        begin_again(volume, 0);
}

static struct agent_ask ask(struct volume *volume)
{
    return (struct agent_ask){.link = volume->volumes->link, .done = on_sent, .user = volume};
}

static void send_part(struct volume *volume)
{
    struct volume_part part = {.name = volume->name,
                               .tree = volume->tree,
                               .serial = volume->serial,
                               .first = volume->sent};
    struct agent_ask guest = ask(volume);

    volume->sent = volume_part_end(&part);
    volume->call = agent_put_part(&guest, &part);
}

/* With the medium Memory kubelet mounts a tmpfs whose size is the limit. */
static uint64_t limit_of(const char *directory)
{
    struct statfs fs;

    if (statfs(directory, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
        return 0;
    return (uint64_t) fs.f_blocks * (uint64_t) fs.f_bsize;
}

static void send_empty(struct volume *volume)
{
    struct volume_empty empty = {.name = volume->name};
    struct agent_ask guest = ask(volume);
    struct error err;
    struct stat st;

    if (lstat(volume->directory, &st) < 0 || !S_ISDIR(st.st_mode)) {
        error_set(&err, STATUS_NOT_FOUND, "volume '%s' is no directory", volume->directory);
        give_up(volume, &err);
        return;
    }
    empty.mode = st.st_mode & 07777;
    empty.uid = st.st_uid;
    empty.gid = st.st_gid;
    empty.size = limit_of(volume->directory);
    volume->call = agent_put_empty(&guest, &empty);
}

static void send_copy(struct volume *volume)
{
    struct error err;
    int r = volume->kind == VOLUME_LIVE
                ? volume_tree_read_live(volume->directory, &volume->tree, &err)
                : volume_tree_read_once(volume->directory, &volume->tree, &err);

    if (r < 0) {
        give_up(volume, &err);
        return;
    }
    volume->volumes->copying = volume;
    volume->serial = ++volume->volumes->serial;
    volume->sent = 0;
    send_part(volume);
}

static void on_timer(void *user)
{
    struct volume *volume = user;

    if (volume->is_polled)
        begin_again(volume, POLL_MS);
    volume->again = volume->call != NULL;
    if (volume->call || is_current(volume))
        return;
    if (volume->kind == VOLUME_EMPTY)
        send_empty(volume);
    else if (volume->volumes->copying)
        volume->is_queued = true;
    else
        send_copy(volume);
}

/* ---- what changes -----------------------------------------------------------------------------
 */

static void watch_is_lost(struct volume *volume)
{
    volume->watch = -1;
    volume->is_polled = true;
    begin_again(volume, POLL_MS);
}

static void on_event(struct volumes *volumes, const struct inotify_event *event)
{
    for (struct volume *volume = volumes->first; volume; volume = volume->next) {
        bool is_it = volume->watch >= 0 && volume->watch == event->wd;

        if (is_it && (event->mask & IN_IGNORED))
            watch_is_lost(volume);
        else if (is_it || ((event->mask & IN_Q_OVERFLOW) && volume->watch >= 0))
            begin_again(volume, SETTLE_MS);
    }
}

static void on_events(void *user, uint32_t events)
{
    _Alignas(struct inotify_event) char buffer[EVENTS_SIZE];
    struct volumes *volumes = user;
    ssize_t length = read(volumes->inotify, buffer, sizeof(buffer));

    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (const struct inotify_event *) (buffer + at);

        on_event(volumes, event);
        at += (ssize_t) (sizeof(*event) + event->len);
    }
}

static int watch(struct volume *volume, struct error *err)
{
    int inotify = volume->volumes->inotify;

    if (volume->kind != VOLUME_LIVE || volume->watch >= 0)
        return 0;
    if (inotify >= 0)
        volume->watch = inotify_add_watch(inotify, volume->directory,
                                          IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    volume->is_polled = volume->watch < 0;
    if (inotify >= 0 && volume->watch < 0 && errno != ENOSPC)
        return error_errno(err, errno, "watch volume '%s'", volume->directory);
    return 0;
}

/* ---- the volumes ------------------------------------------------------------------------------
 */

static void volume_free(struct volume *volume)
{
    source_free(volume->timer);
    volume_tree_free(volume->tree);
    free(volume->version);
    free(volume->name);
    free(volume->directory);
    free(volume);
}

static int find_or_add(struct volumes *volumes, const struct spec_volume *wanted,
                       struct volume **ret, struct error *err)
{
    struct volume *volume;

    for (volume = volumes->first; volume; volume = volume->next) {
        if (text_equal(volume->name, wanted->name)) {
            *ret = volume;
            return 0;
        }
    }
    volume = xnew(struct volume);
    volume->volumes = volumes;
    volume->watch = -1;
    volume->kind = wanted->kind;
    volume->name = xstrdup(wanted->name);
    volume->directory = xstrdup(wanted->directory);
    if (loop_after(volumes->loop, LOOP_NEVER, on_timer, volume, &volume->timer, err) < 0) {
        volume_free(volume);
        return -1;
    }
    volume->next = volumes->first;
    volumes->first = volume;
    *ret = volume;
    return 0;
}

/* A part of a volume is copied anew for each container that has it. */
static int want(struct volumes *volumes, const struct spec_volume *wanted, struct volume **ret,
                struct error *err)
{
    struct volume *volume;

    if (find_or_add(volumes, wanted, &volume, err) < 0 || watch(volume, err) < 0)
        return -1;
    volume->has_failed = false;
    if (volume->kind == VOLUME_ONCE)
        volume->is_there = false;
    volume->is_awaited = !is_current(volume);
    if (volume->is_awaited || volume->is_polled)
        begin_again(volume, 0);
    *ret = volume;
    return 0;
}

int volumes_bring(struct volumes *volumes, const struct spec_volume *list, size_t count,
                  volumes_done_fn *done, void *user, struct bring **ret, struct error *err)
{
    scoped(freep) struct volume **wanted = xnew_array(struct volume *, count + 1);
    struct bring *bring;

    for (size_t i = 0; i < count; i++) {
        if (want(volumes, &list[i], &wanted[i], err) < 0)
            return -1;
    }
    bring = xnew(struct bring);
    bring->volumes = volumes;
    bring->wanted = take_ptr(wanted);
    bring->count = count;
    bring->done = done;
    bring->user = user;
    bring->next = volumes->brings;
    volumes->brings = bring;
    source_rearm(volumes->tell, 0);
    *ret = bring;
    return 0;
}

void bring_free(struct bring *bring)
{
    if (!bring)
        return;
    for (struct bring **p = bring->volumes ? &bring->volumes->brings : NULL; p && *p;
         p = &(*p)->next) {
        if (*p == bring) {
            *p = bring->next;
            break;
        }
    }
    free(bring->wanted);
    free(bring);
}

int volumes_new(struct loop *loop, struct link *link, struct volumes **ret, struct error *err)
{
    scoped(volumes_freep) struct volumes *volumes = xnew(struct volumes);

    volumes->loop = loop;
    volumes->link = link;
    volumes->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (volumes->inotify < 0)
        log_warn("volumes are looked at every %d s instead of watched (%s): raise "
                 "fs.inotify.max_user_instances",
                 POLL_MS / 1000, strerror(errno));
    if ((volumes->inotify >= 0 && loop_watch_fd(loop, volumes->inotify, LOOP_READ, on_events,
                                                volumes, &volumes->events, err) < 0) ||
        loop_after(loop, LOOP_NEVER, on_tell, volumes, &volumes->tell, err) < 0)
        return -1;
    *ret = take_ptr(volumes);
    return 0;
}

void volumes_free(struct volumes *volumes)
{
    if (!volumes)
        return;
    for (struct bring *bring = volumes->brings; bring; bring = bring->next)
        bring->volumes = NULL;
    while (volumes->first) {
        struct volume *volume = volumes->first;

        volumes->first = volume->next;
        link_cancel(volume->call);
        volume_free(volume);
    }
    source_free(volumes->events);
    source_free(volumes->tell);
    closep(&volumes->inotify);
    free(volumes);
}
