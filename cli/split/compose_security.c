/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "compose.h"
#include "compose_private.h"

/* clang-format off */
static const char *const default_capabilities[] = {
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
    "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
};

/* By their numbers in the kernel. */
static const char *const all_capabilities[] = {
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
};

/* What kubelet masks with procMount Default. */
static const char *const masked_paths[] = {
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
    "/sys/firmware", "/sys/devices/virtual/powercap",
};
static const char *const readonly_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};
/* clang-format on */

enum { CAPABILITIES = ARRAY_LENGTH(all_capabilities) };

/* ---- capabilities -------------------------------------------------------------------------- */

/* By the index in all_capabilities; CAPABILITIES: "ALL". */
static int capability_of(const struct js *value, size_t *ret, struct error *err)
{
    const char *text = js_string(value);

    if (text && strcasecmp(text, "ALL") == 0) {
        *ret = CAPABILITIES;
        return 0;
    }
    for (size_t i = 0; text && i < CAPABILITIES; i++) {
        if (strcasecmp(text, all_capabilities[i]) == 0) {
            *ret = i;
            return 0;
        }
    }
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "capabilities: '%.64s' is none (they are written without CAP_)",
                     text ? text : "");
}

static int has_all(const struct js *list, bool *ret, struct error *err)
{
    *ret = false;
    for (size_t i = 0; i < js_length(list); i++) {
        size_t index = 0;

        if (capability_of(js_at(list, i), &index, err) < 0)
            return -1;
        *ret = *ret || index == CAPABILITIES;
    }
    return 0;
}

static void set_all(bool set[CAPABILITIES], bool value)
{
    for (size_t i = 0; i < CAPABILITIES; i++)
        set[i] = value;
}

static void set_defaults(bool set[CAPABILITIES])
{
    set_all(set, false);
    for (size_t i = 0; i < CAPABILITIES; i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(default_capabilities); j++)
            set[i] = set[i] || text_equal(all_capabilities[i], default_capabilities[j]);
    }
}

/* Each that is named; both lists were read before. */
static void change(bool set[CAPABILITIES], const struct js *list, bool value)
{
    struct error err;
    size_t index = 0;

    for (size_t i = 0; i < js_length(list); i++) {
        if (capability_of(js_at(list, i), &index, &err) == 0 && index < CAPABILITIES)
            set[index] = value;
    }
}

/* "ALL" first, so that the other list can take single ones out of it or put them back. */
static int read_capabilities(const struct js *wishes, bool set[CAPABILITIES], struct error *err)
{
    const struct js *add = js_get(wishes, "add"), *drop = js_get(wishes, "drop");
    bool adds_all, drops_all;

    if (has_all(add, &adds_all, err) < 0 || has_all(drop, &drops_all, err) < 0)
        return -1;
    set_defaults(set);
    if (adds_all)
        set_all(set, true);
    if (drops_all)
        set_all(set, false);
    change(set, add, true);
    change(set, drop, false);
    return 0;
}

static struct js *names_of(const bool set[CAPABILITIES])
{
    struct js *list = js_new_array();

    for (size_t i = 0; i < CAPABILITIES; i++) {
        scoped(freep) char *name = xformat("CAP_%s", all_capabilities[i]);

        if (set[i])
            js_append(list, js_new_string(name));
    }
    return list;
}

static int make_capabilities(const struct compose *compose, struct js *process, struct error *err)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    struct js *capabilities = js_new_object();
    bool set[CAPABILITIES];

    js_set(process, "capabilities", capabilities);
    if (read_capabilities(js_get(compose_context(compose), "capabilities"), set, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++)
        js_set(capabilities, sets[i], names_of(set));
    return 0;
}

/* ---- seccomp ------------------------------------------------------------------------------- */

static int make_seccomp(const struct compose *compose, struct js *linux_object, struct error *err)
{
    const struct js *profile = compose_inherited(compose, "seccompProfile");
    const char *type = js_get_string(profile, "type");

    if (!profile || text_equal(type, "Unconfined"))
        return 0;
    if (!text_equal(type, "RuntimeDefault") && !text_equal(type, "Localhost"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "seccompProfile: no type '%.64s'",
                         type ? type : "");
    if (!compose->seccomp)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "seccompProfile %s is a file of the tenant's node: give its content, a "
                         "LinuxSeccomp object of the OCI specification, with --seccomp FILE",
                         type);
    js_set(linux_object, "seccomp", js_copy(compose->seccomp));
    return 0;
}

/* ---- the rest ------------------------------------------------------------------------------ */

static struct js *list_of(const char *const *texts, size_t count)
{
    struct js *list = js_new_array();

    for (size_t i = 0; i < count; i++)
        js_append(list, js_new_string(texts[i]));
    return list;
}

static int make_paths(const struct compose *compose, struct js *linux_object, struct error *err)
{
    const char *mount = js_get_string(compose_context(compose), "procMount");
    bool is_masked = !text_equal(mount, "Unmasked");

    if (mount && is_masked && !text_equal(mount, "Default"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "procMount: no type '%.64s'", mount);
    js_set(linux_object, "maskedPaths",
           list_of(masked_paths, is_masked ? ARRAY_LENGTH(masked_paths) : 0));
    js_set(linux_object, "readonlyPaths",
           list_of(readonly_paths, is_masked ? ARRAY_LENGTH(readonly_paths) : 0));
    return 0;
}

static struct js *make_namespaces(const struct compose *compose)
{
    static const char *const types[] = {"pid", "ipc", "uts", "mount", "network", "cgroup"};
    bool shared = js_get_boolean(js_get(compose->pod, "spec"), "shareProcessNamespace", false);
    struct js *list = js_new_array();

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        struct js *namespace = js_new_object();
        bool own = text_equal(types[i], "mount") || text_equal(types[i], "cgroup") ||
                   (text_equal(types[i], "pid") && !shared);

        js_set_string(namespace, "type", types[i]);
        if (!own)
            js_set_string(namespace, "path", "cleave:pod");
        js_append(list, namespace);
    }
    return list;
}

static int refuse(const struct compose *compose, struct error *err)
{
    const struct js *context = compose_context(compose);
    bool is_privileged;

    if (compose_boolean(context, "privileged", &is_privileged, err) < 0)
        return -1;
    if (is_privileged)
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "privileged: such a container could change what the others are given; name "
            "the capabilities that it needs");
    return 0;
}

int compose_security(const struct compose *compose, struct js *spec, struct error *err)
{
    struct js *process = js_get(spec, "process"), *linux_object = js_get(spec, "linux");
    const struct js *context = compose_context(compose);
    struct js *root = js_new_object();
    bool read_only, escalates;

    js_set(spec, "root", root);
    js_set_string(root, "path", "rootfs");
    if (refuse(compose, err) < 0 ||
        compose_boolean(context, "readOnlyRootFilesystem", &read_only, err) < 0 ||
        compose_boolean(context, "allowPrivilegeEscalation", &escalates, err) < 0 ||
        make_capabilities(compose, process, err) < 0 ||
        make_seccomp(compose, linux_object, err) < 0 || make_paths(compose, linux_object, err) < 0)
        return -1;
    if (read_only)
        js_set(root, "readonly", js_new_boolean(true));
    if (js_get(context, "allowPrivilegeEscalation") && !escalates)
        js_set(process, "noNewPrivileges", js_new_boolean(true));
    js_set(linux_object, "namespaces", make_namespaces(compose));
    return 0;
}
