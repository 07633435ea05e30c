/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one sandbox of this shim: its state, its machine, what is left to clean up. Knows nothing of
 * ttrpc; who asked is told through sandbox_events. */
#include <stdbool.h>
#include <stdint.h>
#include "machine.h"
#include "pod.h"
#include "shim/sandbox_state.h"

struct error;
struct host_conf;
struct loop;
struct sandbox;

struct sandbox_events {
    void (*on_started)(void *user, const struct error *err); /* err NULL: runs */
    void (*on_exited)(void *user);                           /* the machine is gone, once */
    /* The end of a stop: err NULL means nothing is left that anybody waits for. Each on its own
     * run of the loop, never from inside sandbox_stop(). */
    void (*on_stopped)(void *user, const struct error *err);
};

struct sandbox_view { /* what status and waits answer from */
    enum sandbox_state state;
    struct machine_process machine;
    int64_t created_at_ns; /* 0: not yet */
    int64_t exited_at_ns;
    uint32_t exit_status;
    const char *reason;    /* never NULL */
    const struct pod *pod; /* NULL before sandbox_create() */
};

struct sandbox_options {
    const char *id;
    const char *ns;
    const struct sandbox_events *events;
    void *user;
};

int sandbox_new(struct loop *loop, const struct sandbox_options *options, struct sandbox **ret,
                struct error *err) __attribute__((warn_unused_result));
/* A helper that still runs is killed; what it leaves is for the verb `delete`. */
void sandbox_free(struct sandbox *sandbox);

/* Reads host.conf, checks the pod, writes the state file. Takes nothing of input. */
int sandbox_create(struct sandbox *sandbox, const struct pod_input *input, struct error *err)
    __attribute__((warn_unused_result));
int sandbox_start(struct sandbox *sandbox, struct error *err) __attribute__((warn_unused_result));
/* Always ends in on_stopped, also when nothing runs. Repeated stops end together. */
void sandbox_stop(struct sandbox *sandbox);
/* The machine's power button: the guest drains. */
int sandbox_power(struct sandbox *sandbox, struct error *err) __attribute__((warn_unused_result));
int sandbox_allow(const struct sandbox *sandbox, enum sandbox_op op, struct error *err)
    __attribute__((warn_unused_result));
void sandbox_view(const struct sandbox *sandbox, struct sandbox_view *ret);
