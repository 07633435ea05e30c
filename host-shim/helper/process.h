/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The processes of a machine, found by libvirt's pid file or by the arguments that libvirt gives
 * them: it works while libvirt does not. */
#include <stdint.h>
#include <sys/types.h>

struct error;

enum { PROCESS_KILL_MS = 5000 };

enum process_kind {
    PROCESS_MACHINE, /* QEMU, known by the domain's name */
    PROCESS_TPM,     /* its swtpm, and what prepares one, known by the domain's UUID */
};

/* 0: there is none. */
pid_t process_find(enum process_kind kind, const char *whose);
/* SIGKILL to all of them, until there is none. */
int process_kill(enum process_kind kind, const char *whose, struct error *err)
    __attribute__((warn_unused_result));
