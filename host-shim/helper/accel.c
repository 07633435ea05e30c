/* SPDX-License-Identifier: Apache-2.0 */
#include "accel.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "libvirt.h"
#include "shim/accel_record.h"
#include "shim/host_conf.h"

enum { PROBE_MS = 30000, PROBE_STEP_MS = 100, LOG_MAX = 4 * 1024 * 1024 };
#define PROBE_NAME "cleave-probe"
#define PROBE_LOG  "/run/cleave/probe-console.log"
/* Printed by every kernel as it hands over to user space. */
#define PROBE_MARK "Run /init as init process"

static char *about_of(const struct host_conf *conf)
{
    return accel_record_about(&(struct accel_subject){conf->kernel, conf->kernel, conf->firmware});
}

static enum domain_accel choose_by_probe(const struct host_conf *conf)
{
    scoped(freep) char *about = about_of(conf);
    enum accel_proof proof = accel_record_read(ACCEL_RECORD, about);

    if (proof == ACCEL_PROOF_NONE || proof == ACCEL_PROOF_STALE)
        log_warn(
            "no probe has tried KVM with this kernel, image and firmware: the machine is emulated, "
            "which is slow (cleave-host-helper probe)");
    return proof == ACCEL_PROOF_FOR ? DOMAIN_KVM : DOMAIN_TCG;
}

enum domain_accel accel_choose(const struct host_conf *conf)
{
    switch (host_conf_accel(conf)) {
    case HOST_ACCEL_KVM:
        return DOMAIN_KVM;
    case HOST_ACCEL_TCG:
        return DOMAIN_TCG;
    default:
        return choose_by_probe(conf);
    }
}

static bool log_has_mark(void)
{
    scoped(freep) char *text = NULL;
    struct error err;
    size_t length;

    return file_read(PROBE_LOG, LOG_MAX, &text, &length, &err) == 0 &&
           memmem(text, length, PROBE_MARK, strlen(PROBE_MARK));
}

static bool wait_for_mark(void)
{
    uint64_t end = clock_monotonic_ms() + PROBE_MS;
    const struct timespec step = {.tv_nsec = PROBE_STEP_MS * 1000000L};

    while (clock_monotonic_ms() < end) {
        if (log_has_mark())
            return true;
        nanosleep(&step, NULL);
    }
    return false;
}

/* Of a probe that was cut down: its name is taken, and it holds memory. */
static int destroy_stale(struct virt *virt, struct error *err)
{
    scoped(virt_domain_freep) struct virt_domain *domain = NULL;

    if (virt_find(virt, PROBE_NAME, &domain, err) < 0)
        return -1;
    return domain ? virt_destroy(domain, err) : 0;
}

static int create_probe(struct virt *virt, const struct host_conf *conf, enum domain_accel accel,
                        struct virt_domain **ret, struct error *err)
{
    scoped(freep) char *xml = NULL;
    struct domain_spec spec = {
        .name = PROBE_NAME,
        .node = "probe",
        .accel = accel,
        .vcpus = 1,
        .memory = conf->default_memory,
        .kernel = conf->kernel,
        .initrd = conf->initrd,
        .cmdline = "console=ttyS0 ignore_loglevel panic=-1",
        .firmware = conf->firmware,
        .console_log = PROBE_LOG,
    };

    if (domain_xml(&spec, &xml, err) < 0)
        return -1;
    return virt_create_paused(virt, xml, ret, err);
}

/* Is it KVM that fails, or libvirt? Then the same machine does not come up emulated either. */
static bool comes_up_emulated(struct virt *virt, const struct host_conf *conf)
{
    scoped(virt_domain_freep) struct virt_domain *domain = NULL;
    struct error err;

    if (create_probe(virt, conf, DOMAIN_TCG, &domain, &err) < 0)
        return false;
    if (virt_destroy(domain, &err) < 0)
        log_warn("domain '" PROBE_NAME "' is still there: %s", err.message);
    return true;
}

/* Watches the machine to its mark, and ends it whatever comes. */
static int watch_probe(struct virt_domain *domain, bool *ret_booted, struct error *err)
{
    struct error ended;
    int failed = virt_resume(domain, err);

    if (failed == 0) {
        *ret_booted = wait_for_mark();
        if (!*ret_booted)
            error_set(err, STATUS_DEADLINE_EXCEEDED,
                      "no kernel reached its init within %d s under KVM; the domain is '%s'",
                      PROBE_MS / 1000, virt_state(domain));
    }
    if (virt_destroy(domain, &ended) < 0)
        log_warn("domain '" PROBE_NAME "' is still there: %s", ended.message);
    return failed;
}

/* -1: nothing was found out. A QEMU that does not even start under KVM is an answer, though. */
static int boot_probe(struct virt *virt, const struct host_conf *conf, bool *ret_booted,
                      struct error *err)
{
    scoped(virt_domain_freep) struct virt_domain *domain = NULL;

    if (destroy_stale(virt, err) < 0)
        return -1;
    if (create_probe(virt, conf, DOMAIN_KVM, &domain, err) < 0)
        return comes_up_emulated(virt, conf) ? 0 : -1;
    return watch_probe(domain, ret_booted, err);
}

int accel_probe(struct virt *virt, const struct host_conf *conf, bool *ret_booted,
                struct error *err)
{
    scoped(freep) char *about = about_of(conf);
    bool booted = false;
    int failed;

    if (file_make_directories("/run/cleave", 0711, err) < 0 ||
        file_make_directories("/var/lib/cleave/h", 0700, err) < 0)
        return -1;
    (void) unlink(PROBE_LOG);
    failed = boot_probe(virt, conf, &booted, err);
    (void) unlink(PROBE_LOG);
    if (failed < 0 || accel_record_write(ACCEL_RECORD, about, booted, err) < 0)
        return -1;
    *ret_booted = booted;
    return 0;
}
