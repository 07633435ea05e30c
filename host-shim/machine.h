/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Asks the helper: one short-lived process for each question, JSON on its stdin and stdout, under a
 * deadline. libvirt never enters this process.
 *
 *   create   {..., parent, netns, initdata, vcpus, memory, cgroup_parent, dial_out} -> {pid,
 *            start_time, tpm: {pid, start_time}}   tpm: if the machine has one in software
 *   destroy  {..., pid, start_time, late} -> {}   late: nobody waits; a domain may yet appear
 *   status   {...} -> {state}
 *   power    {...} -> {}
 * each with {version, id, boot_id, uri, call_timeout, scratch}: how the machine was made, whatever
 * host.conf says by now. A failure is {code, message} and exit code 1. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct loop;
struct pod;
struct machine_call;

enum { MACHINE_PROTOCOL = 1 };

enum machine_verb { MACHINE_CREATE, MACHINE_DESTROY, MACHINE_STATUS, MACHINE_POWER };

struct machine_process { /* pid 0: not known */
    pid_t pid;
    uint64_t start_time;
};

struct machine_target { /* borrowed */
    const char *id;
    const char *uri; /* NULL: what host.conf says (a record of an older version) */
    int64_t call_timeout;
    const char *scratch; /* the directory of scratch disks; NULL: as host.conf says */
    struct machine_process process;
    bool late; /* of a destroy: look again for what a create that was cut down left in libvirt */
};

struct machine_question {
    const char *helper;
    enum machine_verb verb;
    const char *input; /* JSON, borrowed during machine_ask() */
    uint64_t deadline_ms;
};

struct machine_answer {
    struct machine_process process; /* of create */
    struct machine_process tpm;
    bool cut; /* libvirt gave create no answer: what it had begun may still appear */
};

/* err NULL: done. Runs once, on the loop; the call is freed by then. answer is never NULL. */
typedef void machine_done_fn(void *user, const struct machine_answer *answer,
                             const struct error *err);

int machine_ask(struct loop *loop, const struct machine_question *question, machine_done_fn *done,
                void *user, struct machine_call **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Kills the helper; done runs with CANCELLED, unless the answer was there already. */
void machine_call_cancel(struct machine_call *call);
/* Kills the helper if it still runs; done does not run. */
void machine_call_free(struct machine_call *call);

/* The caller frees the text. */
char *machine_create_input(const struct machine_target *target, const struct pod *pod);
char *machine_input(const struct machine_target *target);
