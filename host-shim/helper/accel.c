/* SPDX-License-Identifier: Apache-2.0 */
#include "accel.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "libvirt.h"
#include "shim/host_conf.h"
#include "shim/state_file.h"

enum { PROBE_MS = 30000, PROBE_STEP_MS = 100, LOG_MAX = 4 * 1024 * 1024 };
#define PROBE_NAME "cleave-probe"
#define PROBE_LOG  "/run/cleave/probe-console.log"
/* Printed by every kernel as it hands over to user space. */
#define PROBE_MARK "Run /init as init process"

static const struct state_format format = {.kind = "accel", .version = 1};

/* What the result is about: another kernel, here or there, is another question. */
static char *fingerprint(const struct host_conf *conf)
{
    struct utsname host;
    struct stat kernel;

    if (uname(&host) < 0 || stat(conf->kernel, &kernel) < 0)
        return xstrdup("");
    return xformat("%s %s %lld %lld", host.release, conf->kernel, (long long) kernel.st_size,
                   (long long) kernel.st_mtime);
}

static bool kvm_has_booted(const struct host_conf *conf)
{
    scoped(js_freep) struct js *result = NULL;
    scoped(freep) char *about = fingerprint(conf);
    struct error err;

    return state_file_read(ACCEL_RESULT, &format, &result, &err) == 0 && about[0] &&
           text_equal(js_get_string(result, "about"), about) &&
           js_get_boolean(result, "kvm", false);
}

enum domain_accel accel_choose(const struct host_conf *conf)
{
    switch (host_conf_accel(conf)) {
    case HOST_ACCEL_KVM:
        return DOMAIN_KVM;
    case HOST_ACCEL_TCG:
        return DOMAIN_TCG;
    default:
        return kvm_has_booted(conf) ? DOMAIN_KVM : DOMAIN_TCG;
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

static int boot_probe(struct virt *virt, const struct host_conf *conf, bool *ret_booted,
                      struct error *err)
{
    scoped(virt_domain_freep) struct virt_domain *domain = NULL;
    scoped(freep) char *xml = NULL;
    struct domain_spec spec = {
        .name = PROBE_NAME,
        .node = "probe",
        .accel = DOMAIN_KVM,
        .vcpus = 1,
        .memory = conf->default_memory,
        .kernel = conf->kernel,
        .initrd = conf->initrd,
        .cmdline = "console=ttyS0 ignore_loglevel panic=-1",
        .firmware = conf->firmware,
        .console_log = PROBE_LOG,
    };
    struct error ended;

    if (domain_xml(&spec, &xml, err) < 0 || virt_create_paused(virt, xml, &domain, err) < 0 ||
        virt_resume(domain, err) < 0)
        return -1;
    *ret_booted = wait_for_mark();
    if (!*ret_booted)
        error_set(err, STATUS_DEADLINE_EXCEEDED,
                  "no kernel reached its init within %d s under KVM; the domain is '%s'",
                  PROBE_MS / 1000, virt_state(domain));
    return virt_destroy(domain, *ret_booted ? err : &ended);
}

int accel_probe(struct virt *virt, const struct host_conf *conf, bool *ret_booted,
                struct error *err)
{
    scoped(js_freep) struct js *result = js_new_object();
    scoped(freep) char *about = fingerprint(conf);
    struct error write_error;
    bool booted = false;

    if (file_make_directories("/run/cleave", 0711, err) < 0 ||
        file_make_directories("/var/lib/cleave/h", 0700, err) < 0)
        return -1;
    (void) unlink(PROBE_LOG);
    if (boot_probe(virt, conf, &booted, err) < 0)
        booted = false;
    (void) unlink(PROBE_LOG);
    js_set_string(result, "about", about);
    js_set(result, "kvm", js_new_boolean(booted));
    if (state_file_write(ACCEL_RESULT, &format, result, &write_error) < 0) {
        *err = write_error;
        return -1;
    }
    *ret_booted = booted;
    return 0;
}
