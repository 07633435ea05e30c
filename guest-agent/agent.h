/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The agent's core, from the system's side: boot.c has made the machine ready, this serves it. */
#include <stddef.h>

struct attester_devices;
struct dial_out;
struct error;
struct loop;
struct scratch;

enum agent_place {
    AGENT_IN_VM,
    AGENT_IN_STUB, /* in namespaces instead of a machine: the clock is not ours to set */
};

/* The end of the machine, as soon as nothing is served any more: what is taken apart otherwise may
 * wait for a worker in the middle of a layer, or for a connection's last word. */
typedef void agent_off_fn(void *user, int result, const struct error *err);

/* Gives the machine what only containers with guest_root can use. */
typedef int agent_grant_root_fn(struct error *err);

struct agent_options {
    enum agent_place place;
    const void
        *initdata; /* the exact bytes of the disk, read once, already known to be <= 16 KiB */
    size_t initdata_length;
    const struct attester_devices *devices; /* that can speak for this machine */
    const struct dial_out *dial_out;        /* of the network block; family 0: the guest listens */
    const void *network; /* the network block of the host's disk, in force for the uplink */
    size_t network_length;
    int outer_netns;            /* the calling thread is in it; the channel's listener lives here */
    int pod_netns;              /* only lo, up */
    const char *pod_netns_path; /* a file that crun can open */
    struct scratch *scratch;    /* being made ready; NULL: there is none */
    const char *state_directory;     /* on a tmpfs, empty, ours alone: "/run/cleave" */
    int power_button;                /* -1: SIGTERM alone is it */
    agent_grant_root_fn *grant_root; /* called once if the initdata grants it; NULL: nothing */
    agent_off_fn *off;               /* does not return; NULL: everything is freed instead */
    void *user;
};

/* Has the hardware vouch for the initdata, parses it, makes the key, listens on TCP 7433 (or only
 * dials out) and serves until an orderly power-off (Shutdown, SIGTERM or the power button), for
 * which it returns 0. Any error means: power off, fail closed. Called once, on the main thread, as
 * pid 1. */
int agent_run(struct loop *loop, const struct agent_options *options, struct error *err)
    __attribute__((warn_unused_result));
