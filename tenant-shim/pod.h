/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod on its way from nothing to a guest that runs containers, and to its end:
 *
 *   provisioning -> dialing -> appraised -> running <-> unknown
 *                                              \-> stopping -> dead
 *
 * In "stopping" the guest ends its processes and hands over what they left, then the host half is
 * removed. "unknown" is a lost channel: nothing is reported as ended because of it, calls wait,
 * and the link dials. It ends when the channel is back, when the host says that the machine is gone
 * and its half could be deleted, or with lost_timeout, when the guest must have powered itself off.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/scoped.h"
#include "codec_agent.h"

struct error;
struct js;
struct link;
struct loop;
struct pod;
struct pod_config;
struct rpc_queue;
struct shares;
struct stdio;
struct tenant_conf;
struct volumes;

enum pod_state {
    POD_PROVISIONING,
    POD_DIALING,
    POD_APPRAISED,
    POD_RUNNING,
    POD_UNKNOWN,
    POD_STOPPING,
    POD_DEAD,
};

struct pod_events {
    void (*created)(void *user, const struct error *err); /* once: the outcome of pod_create() */
    void (*exited)(void *user, const struct exit_record *record);
    void (*oom)(void *user, const char *container_id);
    void (*retold)(void *user); /* exits and OOMs that the guest keeps follow once more */
    /* Nothing runs in the guest, and all that it has to say is here. */
    bool (*quiet)(void *user);
    /* Once, after created without error: nothing of the pod runs any more. 137 if it was stopped,
     * 255 if the guest was lost. */
    void (*dead)(void *user, uint32_t exit_status);
    /* Once, after a stop or a loss: the host half is gone, or somebody else sees to it. */
    void (*removed)(void *user);
};

struct pod_options {
    struct loop *loop;
    struct rpc_queue *queue;
    const char *cri_sandbox_id;
    const char *conf_path;
    const char *bundle_path;   /* for the verb `delete` */
    const struct js *spec;     /* of pause; borrowed for the call */
    struct pod_config *config; /* instead of spec; taken, also on failure */
    uint64_t deadline_ms;      /* the caller's patience */
    bool unattended;           /* no verb `delete` follows: CRI-O */
};

/* Without a file the defaults hold, but one that was named is there. */
int pod_load_conf(const char *path, struct tenant_conf *ret, struct error *err) must_check;

/* Starts at once. Events never come from inside a call of this header. */
int pod_create(const struct pod_options *options, const struct pod_events *events, void *user,
               struct pod **ret, struct error *err) must_check;
/* Everything that used link and stdio has let go. */
void pod_free(struct pod *pod);
SCOPED_PTR(struct pod, pod_free)

/* Gives up a creation: `created` follows with CANCELLED. */
void pod_cancel(struct pod *pod);
/* Powers the guest off and has the host half removed; `dead` and `removed` follow. */
void pod_stop(struct pod *pod);
/* Something has ended or arrived: a stop may go on. */
void pod_changed(struct pod *pod);
/* Is `removed` still to come? */
bool pod_is_stopping(const struct pod *pod);
/* Nobody can wait for the removal any more: a reaper takes it over, `dead` and `removed` follow. */
void pod_give_away(struct pod *pod);

enum pod_state pod_state(const struct pod *pod);
const char *pod_state_name(enum pod_state state);
/* FAILED_PRECONDITION unless containers can be created in it. */
int pod_need_running(const struct pod *pod, struct error *err) must_check;
/* The channel is lost, for so long that the guest has frozen its containers. */
bool pod_has_lapsed(const struct pod *pod);
struct link *pod_link(const struct pod *pod);
struct stdio *pod_stdio(const struct pod *pod);
struct volumes *pod_volumes(const struct pod *pod);
struct shares *pod_shares(const struct pod *pod); /* NULL once it is dead */
const struct pod_config *pod_config(const struct pod *pod);
const struct tenant_conf *pod_conf(const struct pod *pod);
