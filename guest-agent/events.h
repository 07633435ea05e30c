/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What happened, until the tenant has taken it over: exits stay until they are acknowledged or
 * their object is deleted, OOM kills until the container is deleted. Watchers replay from the
 * start. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct events;
struct events_watcher;

enum { EVENTS_MESSAGE_MAX = 4096, EVENTS_OOM_MAX = 64 /* of one container */ };

struct exit_record {
    const char *container_id;
    const char *exec_id; /* "": init */
    pid_t pid;
    int status;
    int64_t at_ns;
    bool oom_killed;
    uint64_t stdout_total;
    uint64_t stderr_total;
    const uint8_t *message; /* termination message, of init */
    size_t message_length;
};

enum event_kind { EVENT_EXIT, EVENT_OOM };

struct event {
    struct event *next;
    uint64_t serial; /* from 1 */
    enum event_kind kind;
    struct exit_record exit; /* of an OOM: container_id only */
};

struct events *events_new(void);
void events_free(struct events *events); /* its watchers are gone */
void events_add_exit(struct events *events, const struct exit_record *record); /* copied */
void events_add_oom(struct events *events, const char *container_id);
/* The oldest behind a serial, NULL if there is none. */
const struct event *events_after(const struct events *events, uint64_t serial);
/* The exit was taken over. */
void events_acknowledge(struct events *events, const char *container_id, const char *exec_id);
/* exec_id NULL: everything of the container. */
void events_forget(struct events *events, const char *container_id, const char *exec_id);
size_t events_unacknowledged(const struct events *events); /* exits */

/* fn runs at each new event. */
struct events_watcher *events_watch(struct events *events, void (*fn)(void *user), void *user);
void events_unwatch(struct events_watcher *watcher);

void exit_record_copy(struct exit_record *to, const struct exit_record *from);
void exit_record_fini(struct exit_record *record);
