/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A real software TPM on ports of the loopback, which has to be a network of one's own. */
#include <sys/types.h>

#define SWTPM_TRANSPORT "swtpm:host=127.0.0.1,port=2321"

struct swtpm {
    char directory[64]; /* of its state */
    pid_t pid;
};

/* In a new network namespace, with lo. */
void swtpm_own_network(void);
/* One that was never used. */
void swtpm_init(struct swtpm *swtpm);
void swtpm_fini(struct swtpm *swtpm);
/* Power on and off; its state stays, its registers do not. */
void swtpm_start(struct swtpm *swtpm);
void swtpm_stop(struct swtpm *swtpm);
