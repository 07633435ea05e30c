/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The machine's process, found by libvirt's pid file, else by the name that libvirt gives to QEMU:
 * it works while libvirt does not. */
#include <stdint.h>
#include <sys/types.h>

struct error;

enum { PROCESS_KILL_MS = 5000 };

/* 0: there is none. */
pid_t process_find(const char *domain);
/* SIGKILL to all of that name, until there is none. */
int process_kill(const char *domain, struct error *err) __attribute__((warn_unused_result));
