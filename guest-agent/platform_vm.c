/* SPDX-License-Identifier: Apache-2.0 */
/* Pid 1 of a virtual machine. What it says goes to the kernel's log, and whether a console shows
 * that is the measured command line's decision; without "cleave.debug" there only a code is said.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "boot.h"
#include "disks.h"
#include "power_button.h"
#include "root.h"

#define MODULE_LIST      "/etc/cleave/modules"
#define ROOT_MODULE_LIST "/etc/cleave/modules.guest-root"

enum { DESCRIPTORS_MAX = 1024 * 1024 };

/* Nobody can name others to a machine. */
static const struct attester_devices devices = {
    .program = "/usr/bin/cleave-attest",
    .tsm = "/sys/kernel/config/tsm/report",
    .td = "/dev/tdx_guest",
    .ccel = "/sys/firmware/acpi/tables/data/CCEL",
    .tpm = "device:/dev/tpmrm0",
    .tpm_log = "/sys/kernel/security/tpm0/binary_bios_measurements",
};

static bool debug;

/* The kernel opens no console for us if there is none, and descriptors 0 to 2 must exist. */
static void fill_descriptors(void)
{
    int fd = open("/dev/null", O_RDWR);

    if (fd < 0)
        return;
    for (int i = 0; i < 3; i++)
        if (fd != i)
            (void) dup2(fd, i);
    if (fd > 2)
        (void) close(fd);
}

/* A word of the command line, which is measured. */
static bool command_line_has(const char *word)
{
    scoped(freep) char *text = NULL;
    size_t length;
    char *state = NULL;
    struct error ignored;

    if (file_read("/proc/cmdline", 64 * 1024, &text, &length, &ignored) < 0)
        return false;
    for (char *at = strtok_r(text, " \n", &state); at; at = strtok_r(NULL, " \n", &state))
        if (strcmp(at, word) == 0)
            return true;
    return false;
}

/* Lines of the agent's log, which may name containers, only in a debug image; /dev/null else. */
static void open_log(void)
{
    log_open("guest-agent");
    debug = command_line_has("cleave.debug");
    if (!debug)
        return;
    int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        log_to(fd); /* for life */
    log_set_level(LOG_LEVEL_DEBUG);
}

/* A kernel gives pid 1 so few that a pod of some containers would use them up. */
static void raise_limits(void)
{
    const struct rlimit files = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};

    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        log_warn("cannot have %d descriptors: %s", DESCRIPTORS_MAX, strerror(errno));
}

static enum boot_code vm_prepare(struct error *err)
{
    if (root_mount_system(err) < 0)
        return BOOT_MOUNT;
    fill_descriptors();
    open_log();
    raise_limits();
    if (root_load_modules(MODULE_LIST, err) < 0)
        return BOOT_MODULE;
    if (root_mount_evidence(err) < 0)
        return BOOT_MOUNT;
    if (root_leave_initrd(err) < 0)
        return BOOT_ROOT;
    return BOOT_OK;
}

static enum boot_code vm_read_disks(const struct boot_options *options, struct disks *ret,
                                    struct error *err)
{
    (void) options;
    return disks_scan(ret, err);
}

/* Not at every boot: a bridge is more kernel for a workload to try. What `modules` loaded is there
 * already, which is no error. */
static int vm_grant_root(struct error *err)
{
    return root_load_modules(ROOT_MODULE_LIST, err);
}

/* Without one the guest does not hear that it should end, and is ended without grace. */
static int vm_open_button(void)
{
    int fd = power_button_open();

    if (fd < 0)
        log_warn("this machine has no power button");
    return fd;
}

static void say(enum boot_code code)
{
    scoped(closep) int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    char text[64];
    int length = snprintf(text, sizeof(text), "<0>cleave: boot failed: code %d", code);

    if (fd >= 0 && write(fd, text, (size_t) length) < 0)
        return; /* there is nobody else to tell */
}

static __attribute__((noreturn)) void vm_finish(enum boot_code code, const struct error *err)
{
    if (code != BOOT_OK) {
        say(code);
        if (debug)
            log_error("%s", err->message);
    }
    (void) reboot(RB_POWER_OFF);
    /* Nothing is served from here on; the end of pid 1 is a panic, which ends the machine too. */
    _exit(code);
}

const struct platform platform_vm = {
    .place = AGENT_IN_VM,
    .prepare = vm_prepare,
    .read_disks = vm_read_disks,
    .grant_root = vm_grant_root,
    .devices = &devices,
    .open_button = vm_open_button,
    .abrupt = true,
    .finish = vm_finish,
};
