/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What pid 1 does before the agent serves and after it has ended. A virtual machine and a stub
 * guest differ in one table only. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent.h"
#include "attester.h"

struct disks;
struct error;

/* Why a guest gave up, the only thing that it may say on a console. Values are documented in
 * docs/guest-image.md: they do not change. */
enum boot_code {
    BOOT_OK = 0,
    BOOT_MOUNT = 10,
    BOOT_MODULE = 11,
    BOOT_ROOT = 12,
    BOOT_INITDATA_ABSENT = 20,
    BOOT_INITDATA_DOUBLED = 21,
    BOOT_INITDATA_MALFORMED = 22,
    BOOT_DISKS = 23,
    BOOT_SCRATCH_DOUBLED = 24,
    BOOT_SCRATCH = 25,
    BOOT_NETWORK_ABSENT = 30,
    BOOT_NETWORK_DOUBLED = 31,
    BOOT_NETWORK_MALFORMED = 32,
    BOOT_NETWORK_DEVICE = 33,
    BOOT_NAMESPACE = 34,
    BOOT_AGENT = 40,
};

struct boot_options {
    const char *initdata_path;       /* stub only */
    const char *network_path;        /* stub only */
    struct attester_devices devices; /* stub only: a machine's are the platform's */
};

struct platform {
    enum agent_place place;
    /* File systems, log, modules and the root. */
    enum boot_code (*prepare)(struct error *err);
    /* Reads every disk once. */
    enum boot_code (*read_disks)(const struct boot_options *options, struct disks *ret,
                                 struct error *err);
    /* NULL where the kernel is not the guest's own. */
    agent_grant_root_fn *grant_root;
    /* NULL: those of the options. */
    const struct attester_devices *devices;
    /* A descriptor for power_button.h, or -1. */
    int (*open_button)(void);
    /* Its end is a machine's: nothing need be taken apart before it. */
    bool abrupt;
    /* The end. */
    void (*finish)(enum boot_code code, const struct error *err) __attribute__((noreturn));
};

extern const struct platform platform_vm;
extern const struct platform platform_stub;

/* Everything from the first instruction to the last. */
void boot(const struct platform *platform, const struct boot_options *options)
    __attribute__((noreturn));
