/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The real cleave-share over a real /dev/fuse, without a guest: processes carry the messages as the
 * guest's agent would. All in a mount namespace of the test. */
#include <sys/types.h>

struct share_fixture {
    char base[64];
    int peer;    /* our end, while nothing is mounted; else -1 */
    int control; /* our end of a keeper's; -1: there is none */
    pid_t server;
    pid_t carriers[3]; /* of requests, of answers, of notices */
};

/* base/rw, base/ro and base/slave are shared as rw, ro and slave; base/secret is not. */
void share_fixture_start(struct share_fixture *fixture);
/* The same directories, nothing of which is shared until the keeper is asked. */
void share_fixture_start_keeper(struct share_fixture *fixture);
/* Mounts them at base/mnt. */
void share_fixture_mount(struct share_fixture *fixture);
void share_fixture_stop(struct share_fixture *fixture);
/* Until the server is gone; its exit code, or -1 if it was killed. */
int share_fixture_wait(struct share_fixture *fixture);
