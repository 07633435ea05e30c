/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/host_conf.h"

#include "base/config.h"
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

#define KEY(t, k, ty, field, lo, hi, text)                                                         \
    {                                                                                              \
        .table = t, .key = k, .type = ty, .offset = offsetof(struct host_conf, field), .min = lo,  \
        .max = hi, .initial = text                                                                 \
    }

#define MIB (INT64_C(1) << 20)
#define TIB (INT64_C(1) << 40)

static const struct config_key keys[] = {
    KEY("machine", "helper", CONFIG_STRING, helper, 0, 0,
        "\"" CLEAVE_PREFIX "/bin/cleave-host-helper\""),
    KEY("machine", "accel", CONFIG_STRING, accel, 0, 0, "\"auto\""),
    KEY("machine", "launch_security", CONFIG_STRING, launch, 0, 0, "\"none\""),
    KEY("machine", "tpm", CONFIG_STRING, tpm, 0, 0, "\"none\""),
    KEY("machine", "console", CONFIG_BOOLEAN, console, 0, 0, "false"),
    KEY("machine", "boot_timeout", CONFIG_INTEGER, boot_timeout, 1, 600, "60"),
    KEY("machine", "call_timeout", CONFIG_INTEGER, call_timeout, 1, 120, "20"),
    KEY("machine", "default_vcpus", CONFIG_INTEGER, default_vcpus, 1, 512, "1"),
    KEY("machine", "max_vcpus", CONFIG_INTEGER, max_vcpus, 1, 512, "16"),
    KEY("machine", "default_memory", CONFIG_SIZE, default_memory, 128 * MIB, TIB, "\"512MiB\""),
    KEY("machine", "max_memory", CONFIG_SIZE, max_memory, 128 * MIB, 16 * TIB, "\"16GiB\""),
    KEY("machine", "scratch", CONFIG_SIZE, scratch, 0, 16 * TIB, "\"10GiB\""),
    KEY("machine", "scratch_directory", CONFIG_STRING, scratch_directory, 0, 0,
        "\"" HOST_CONF_SCRATCH "\""),
    KEY("libvirt", "uri", CONFIG_STRING, uri, 0, 0, "\"qemu:///system\""),
    KEY("image", "kernel", CONFIG_STRING, kernel, 0, 0,
        "\"" CLEAVE_PREFIX "/share/cleave/image/vmlinuz\""),
    KEY("image", "initrd", CONFIG_STRING, initrd, 0, 0,
        "\"" CLEAVE_PREFIX "/share/cleave/image/initrd.img\""),
    KEY("image", "cmdline", CONFIG_STRING, cmdline, 0, 0,
        "\"" CLEAVE_PREFIX "/share/cleave/image/cmdline\""),
    KEY("image", "firmware", CONFIG_STRING, firmware, 0, 0, "\"\""),
    KEY("stub", "guest", CONFIG_STRING, stub_guest, 0, 0, "\"\""),
    KEY("stub", "agent", CONFIG_STRING, stub_agent, 0, 0, "\"\""),
    KEY("stub", "root", CONFIG_STRING, stub_root, 0, 0, "\"\""),
};

static const char *const accel_names[] = {"auto", "kvm", "tcg"};
static const char *const launch_names[] = {"none", "sev-snp", "tdx"};
static const char *const tpm_names[] = {"none", "swtpm"};

static int name_index(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(name, names[i]))
            return (int) i;
    return -1;
}

static int check_names(const char *name, const struct host_conf *conf, struct error *err)
{
    if (name_index(conf->accel, accel_names, ARRAY_LENGTH(accel_names)) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.accel is '%s': it can be auto, kvm or tcg", name,
                         conf->accel);
    if (name_index(conf->launch, launch_names, ARRAY_LENGTH(launch_names)) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.launch_security is '%s': it can be none, sev-snp or tdx",
                         name, conf->launch);
    if (name_index(conf->tpm, tpm_names, ARRAY_LENGTH(tpm_names)) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.tpm is '%s': it can be none or swtpm", name, conf->tpm);
    return 0;
}

/* Whose word the evidence is: the firmware's, and that of one root of trust, not two. */
static int check_roots(const char *name, const struct host_conf *conf, struct error *err)
{
    bool launch = host_conf_launch(conf) != HOST_LAUNCH_NONE;
    bool tpm = host_conf_tpm(conf) != HOST_TPM_NONE;

    if (launch && conf->firmware[0] == '\0')
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.launch_security = \"%s\" needs image.firmware", name,
                         conf->launch);
    if (tpm && conf->firmware[0] == '\0')
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.tpm = \"%s\" needs image.firmware: QEMU's own measures no "
                         "kernel",
                         name, conf->tpm);
    if (launch && tpm)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.tpm is this host's own and proves nothing beside "
                         "machine.launch_security = \"%s\": set one of them to \"none\"",
                         name, conf->launch);
    return 0;
}

static int check_scratch(const char *name, const struct host_conf *conf, struct error *err)
{
    if (conf->scratch && conf->scratch < HOST_CONF_SCRATCH_MIN)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.scratch is smaller than %llu MiB: make it larger, or 0 for "
                         "guests without a disk",
                         name, (unsigned long long) (HOST_CONF_SCRATCH_MIN / MIB));
    if (conf->scratch_directory[0] != '/')
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.scratch_directory is '%s', which is no absolute path", name,
                         conf->scratch_directory);
    return 0;
}

/* What the key table cannot say: enumerations, and one value against another. */
static int check(const char *name, const struct host_conf *conf, struct error *err)
{
    if (check_names(name, conf, err) < 0)
        return -1;
    if (conf->default_vcpus > conf->max_vcpus)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.default_vcpus is larger than machine.max_vcpus", name);
    if (conf->default_memory > conf->max_memory)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: machine.default_memory is larger than machine.max_memory", name);
    return check_scratch(name, conf, err) < 0 ? -1 : check_roots(name, conf, err);
}

const struct config_key *host_conf_keys(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(keys);
    return keys;
}

static int finish(const char *name, struct host_conf *conf, struct host_conf *ret,
                  struct error *err)
{
    if (check(name, conf, err) < 0) {
        host_conf_fini(conf);
        return -1;
    }
    *ret = *conf;
    return 0;
}

int host_conf_load(const char *path, struct host_conf *ret, struct error *err)
{
    struct host_conf conf = {0};

    if (config_load(path, keys, ARRAY_LENGTH(keys), &conf, err) < 0 &&
        err->status != STATUS_NOT_FOUND) {
        host_conf_fini(&conf);
        return -1;
    }
    return finish(path, &conf, ret, err);
}

int host_conf_parse(const char *text, struct host_conf *ret, struct error *err)
{
    struct host_conf conf = {0};

    if (config_parse("host.conf", text, keys, ARRAY_LENGTH(keys), &conf, err) < 0) {
        host_conf_fini(&conf);
        return -1;
    }
    return finish("host.conf", &conf, ret, err);
}

void host_conf_fini(struct host_conf *conf)
{
    config_clear(keys, ARRAY_LENGTH(keys), conf);
}

enum host_accel host_conf_accel(const struct host_conf *conf)
{
    return (enum host_accel) name_index(conf->accel, accel_names, ARRAY_LENGTH(accel_names));
}

enum host_launch host_conf_launch(const struct host_conf *conf)
{
    return (enum host_launch) name_index(conf->launch, launch_names, ARRAY_LENGTH(launch_names));
}

enum host_tpm host_conf_tpm(const struct host_conf *conf)
{
    return (enum host_tpm) name_index(conf->tpm, tpm_names, ARRAY_LENGTH(tpm_names));
}
