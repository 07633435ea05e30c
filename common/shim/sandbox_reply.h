/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Answers of the Sandbox API: what containerd insists on is the same for both shims. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;

struct sandbox_facts {
    const char *id;
    bool is_ready;
    int64_t created_at_ns; /* 0: not yet */
    int64_t exited_at_ns;  /* 0: lives */
    uint32_t exit_status;
    const char *info; /* JSON for `crictl inspectp`, or NULL */
};

/* containerd's client takes an end of file that comes on the heels of an answer for a lost answer:
 * it fails RemovePodSandbox with "ttrpc: closed". So a process ends this long after its answer to
 * ShutdownSandbox. */
enum { SANDBOX_FAREWELL_MS = 200 };

/* The pid is this process's own: containers' specs name /proc/<pid>/ns. */
void sandbox_reply_started(struct call *call, const struct sandbox_facts *facts);
void sandbox_reply_status(struct call *call, const struct sandbox_facts *facts);
void sandbox_reply_wait(struct call *call, const struct sandbox_facts *facts);
void sandbox_reply_platform(struct call *call);

struct sandbox_metric {
    const char *id;
    const char *type_url;
    uint8_t *value;
    size_t length;
};
void sandbox_reply_metrics(struct call *call, const struct sandbox_metric *metric);
