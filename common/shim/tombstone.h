/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Work that must be finished although nobody waits for it any more: a machine that would not die, a
 * host half that could not be deleted. One file per piece of work in a persistent directory; a
 * detached process (the reaper) runs its program again and again, with growing pauses, until it
 * succeeds. A file has at most one reaper (a lock). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

struct tombstone {
    const char *kind;          /* "host-half", "machine" */
    const char *id;            /* unique within the directory; an identifier */
    const char *const *argv;   /* of the program; exit 0 means done; NULL-terminated */
    const char *input;         /* its stdin (JSON), may be NULL */
    uint64_t deadline_ms;      /* of one run; 0: 60 s */
    const char *const *remove; /* paths removed after success (trees), NULL-terminated, or NULL */
};

/* Makes the directory (0700) if need be; writes <directory>/<id>.json durably. Writing an id that
 * is there replaces it. */
int tombstone_write(const char *directory, const struct tombstone *tombstone, struct error *err)
    __attribute__((warn_unused_result));
/* Done after all: nobody needs to come back. An absent one is no error. */
int tombstone_remove(const char *directory, const char *id, struct error *err)
    __attribute__((warn_unused_result));

/* Keeps reapers away from id until the descriptor is closed, or this process is gone: for whoever
 * wrote it in case that it gets killed, and does the work itself. ABORTED: somebody has it. */
int tombstone_hold(const char *directory, const char *id, int *ret_fd, struct error *err)
    __attribute__((warn_unused_result));

/* Starts the reaper, detached (double fork, session of its own, stdio closed), for this one or (id
 * NULL) for every tombstone of the directory that has none. Returns at once; cheap when there is
 * nothing. Reapers end when their work is done, or after a day. */
int tombstone_reap(const char *directory, const char *id, struct error *err)
    __attribute__((warn_unused_result));

/* One attempt, in this process. *ret_delay_ms: 0 when done (the file is gone), else the pause that
 * the record asks for. Another process holding it is STATUS_ABORTED. */
int tombstone_attempt(const char *directory, const char *id, uint64_t *ret_delay_ms,
                      struct error *err) __attribute__((warn_unused_result));
/* Has a reaper tried lately? It writes down each attempt and pauses a minute at most. */
bool tombstone_is_attended(const char *directory, const char *id);
/* The reaper itself: /proc/self/exe started anew as "NAME reap DIRECTORY ID" (a program with
 * threads cannot go on after a mere fork). A program that calls tombstone_reap() begins its main()
 * with if (tombstone_is_reaper(argc, argv)) return tombstone_main(argc, argv); shim_main() does
 * that. */
bool tombstone_is_reaper(int argc, char *argv[]);
int tombstone_main(int argc, char *argv[]);

typedef void tombstone_fn(void *user, const char *id);
void tombstone_each(const char *directory, tombstone_fn *fn, void *user);
size_t tombstone_count(const char *directory);
