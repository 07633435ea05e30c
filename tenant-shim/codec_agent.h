/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* agent.Control in plain terms: each function is one intent with an idempotency key of its own,
 * which the link repeats as often as connections break. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "codec_stats.h"

struct error;
struct guest_spec;
struct link;
struct link_call;
struct pod_config;
struct pod_network_facts;

struct exit_record {
    const char *container_id;
    const char *exec_id; /* "": the init */
    uint32_t exit_status;
    int64_t exited_at_ns;
    bool oom_killed;
    const uint8_t *message; /* termination message */
    size_t message_length;
};

/* What an answer may hold; which part is set follows from the call. Lives during the callback. */
struct agent_reply {
    const char *kernel_release; /* of Configure */
    uint64_t memory_total;
    unsigned offloads;
    struct container_sample sample;
};

/* Once: reply or err. Never from inside the call. */
typedef void agent_done_fn(void *user, const struct agent_reply *reply, const struct error *err);

/* Whom to tell; deadline_ms 0: the link's default. */
struct agent_ask {
    struct link *link;
    agent_done_fn *done; /* NULL: nobody waits; a failure is logged */
    void *user;
    uint64_t deadline_ms;
};

struct agent_process {
    const char *container_id;
    const char *exec_id; /* "": the init */
    const char *slot;    /* of Create, in a sealed pod: its name in the manifest; NULL: none */
    bool terminal, has_stdin, has_stdout, has_stderr;
    uint32_t width, height; /* of the terminal, 0: unknown */
};

struct agent_layer {
    const char *digest;
    const char *diff_id;
};

/* Of a manifest. */
struct agent_part {
    const char *data;
    size_t length, offset, total;
};

/* The handle is for link_cancel(); it is gone once done has run. */
struct link_call *agent_seal(const struct agent_ask *ask, const struct agent_part *part);
/* network NULL: none. */
struct link_call *agent_configure(const struct agent_ask *ask, const struct pod_config *config,
                                  const struct pod_network_facts *network);
struct link_call *agent_create(const struct agent_ask *ask, const struct agent_process *process,
                               const struct guest_spec *spec, const struct agent_layer *layers,
                               size_t layer_count);
struct link_call *agent_start(const struct agent_ask *ask, const char *container_id);
/* spec: the OCI Process, JSON. */
struct link_call *agent_exec(const struct agent_ask *ask, const struct agent_process *process,
                             const char *spec);
enum agent_kill_scope { AGENT_KILL_ONE, AGENT_KILL_ALL };
struct link_call *agent_kill(const struct agent_ask *ask, const struct agent_process *process,
                             uint32_t signal, enum agent_kill_scope scope);
struct link_call *agent_delete(const struct agent_ask *ask, const struct agent_process *process);
struct link_call *agent_resize(const struct agent_ask *ask, const struct agent_process *process);
/* resources: OCI LinuxResources, JSON. */
struct link_call *agent_update(const struct agent_ask *ask, const char *container_id,
                               const char *resources);
struct link_call *agent_pause(const struct agent_ask *ask, const char *container_id);
struct link_call *agent_resume(const struct agent_ask *ask, const char *container_id);
struct link_call *agent_stats(const struct agent_ask *ask, const char *container_id);
/* Mounts the live share. */
struct link_call *agent_open_share(const struct agent_ask *ask);
struct link_call *agent_ack(const struct agent_ask *ask, const struct exit_record *record);
struct link_call *agent_shutdown(const struct agent_ask *ask, uint32_t grace_ms);
