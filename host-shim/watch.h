/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The process of a machine, held by pidfd: its death is noticed at once and it can be killed
 * without libvirt, without ever hitting a process that has inherited the number. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct loop;
struct watch;

struct watch_exit {
    bool known;           /* false: a kernel before 6.15, which tells nobody but the parent */
    uint32_t exit_status; /* as a container reports it: code, or 128 + signal */
    const char *reason;   /* a phrase, static */
};

typedef void watch_fn(void *user, const struct watch_exit *exit);

enum { WATCH_BOOT_ID_SIZE = 64 };

/* This boot of the machine, "" if the kernel does not say: pids and start times mean nothing in
 * another one. */
void watch_boot_id(char ret[WATCH_BOOT_ID_SIZE]);
/* Clock ticks since boot at which the process began; 0 if it is not there. */
uint64_t watch_start_time(pid_t pid);
/* start_time guards against a reused pid: another one is STATUS_NOT_FOUND. fn runs once. */
int watch_new(struct loop *loop, pid_t pid, uint64_t start_time, watch_fn *fn, void *user,
              struct watch **ret, struct error *err) __attribute__((warn_unused_result));
void watch_free(struct watch *watch);
/* SIGKILL. A process that is already gone is fine. */
void watch_kill(struct watch *watch);
/* Without a loop: kills the very process and waits until it is gone, at most timeout_ms. 0 also if
 * it was gone already. */
int watch_kill_now(pid_t pid, uint64_t start_time, int timeout_ms, struct error *err)
    __attribute__((warn_unused_result));
