/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What happens in the guest without being asked for: exits (each until it is acknowledged) and
 * killings for lack of memory. Survives reconnects: the guest replays. */
#include "base/scoped.h"
#include "codec_agent.h"

struct loop;
struct watch;

struct watch_events {
    void (*begun)(void *user); /* on each connection: the replay follows */
    void (*exited)(void *user, const struct exit_record *record);
    void (*oom)(void *user, const char *container_id);
};

int watch_new(struct loop *loop, struct link *link, const struct watch_events *events, void *user,
              struct watch **ret, struct error *err) must_check;
void watch_free(struct watch *watch);
SCOPED_PTR(struct watch, watch_free)
