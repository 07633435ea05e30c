/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <linux/capability.h>
#include <stddef.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

enum reach { HARMLESS, REMOVED, REACHES };

/* All capabilities there are, by the only spelling that passes: a runtime takes numbers, lower case
 * and prefixes too, so a list of what is forbidden would be no rule. Those that reach read or write
 * kernel memory, mount, load code, or open files outside of the container's root; with
 * CAP_SYS_PTRACE the runtime itself is within reach while it is in the container to start an exec.
 * CAP_MKNOD is in every engine's default set, so refusing it would refuse every pod: it is taken
 * away. So is CAP_LINUX_IMMUTABLE, by which a container could keep its files from being removed. */
/* clang-format off */
static const struct {
    const char *name;
    int number;
    enum reach reach;
} capabilities[] = {
    {"CAP_AUDIT_CONTROL", CAP_AUDIT_CONTROL, HARMLESS},
    {"CAP_AUDIT_READ", CAP_AUDIT_READ, HARMLESS},
    {"CAP_AUDIT_WRITE", CAP_AUDIT_WRITE, HARMLESS},
    {"CAP_BLOCK_SUSPEND", CAP_BLOCK_SUSPEND, HARMLESS},
    {"CAP_BPF", CAP_BPF, REACHES},
    {"CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE, HARMLESS},
    {"CAP_CHOWN", CAP_CHOWN, HARMLESS},
    {"CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE, HARMLESS},
    {"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, REACHES},
    {"CAP_FOWNER", CAP_FOWNER, HARMLESS},
    {"CAP_FSETID", CAP_FSETID, HARMLESS},
    {"CAP_IPC_LOCK", CAP_IPC_LOCK, HARMLESS},
    {"CAP_IPC_OWNER", CAP_IPC_OWNER, HARMLESS},
    {"CAP_KILL", CAP_KILL, HARMLESS},
    {"CAP_LEASE", CAP_LEASE, HARMLESS},
    {"CAP_LINUX_IMMUTABLE", CAP_LINUX_IMMUTABLE, REMOVED},
    {"CAP_MAC_ADMIN", CAP_MAC_ADMIN, HARMLESS},
    {"CAP_MAC_OVERRIDE", CAP_MAC_OVERRIDE, HARMLESS},
    {"CAP_MKNOD", CAP_MKNOD, REMOVED},
    {"CAP_NET_ADMIN", CAP_NET_ADMIN, HARMLESS},
    {"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE, HARMLESS},
    {"CAP_NET_BROADCAST", CAP_NET_BROADCAST, HARMLESS},
    {"CAP_NET_RAW", CAP_NET_RAW, HARMLESS},
    {"CAP_PERFMON", CAP_PERFMON, REACHES},
    {"CAP_SETFCAP", CAP_SETFCAP, HARMLESS},
    {"CAP_SETGID", CAP_SETGID, HARMLESS},
    {"CAP_SETPCAP", CAP_SETPCAP, HARMLESS},
    {"CAP_SETUID", CAP_SETUID, HARMLESS},
    {"CAP_SYSLOG", CAP_SYSLOG, HARMLESS},
    {"CAP_SYS_ADMIN", CAP_SYS_ADMIN, REACHES},
    {"CAP_SYS_BOOT", CAP_SYS_BOOT, REACHES},
    {"CAP_SYS_CHROOT", CAP_SYS_CHROOT, HARMLESS},
    {"CAP_SYS_MODULE", CAP_SYS_MODULE, REACHES},
    {"CAP_SYS_NICE", CAP_SYS_NICE, HARMLESS},
    {"CAP_SYS_PACCT", CAP_SYS_PACCT, HARMLESS},
    {"CAP_SYS_PTRACE", CAP_SYS_PTRACE, REACHES},
    {"CAP_SYS_RAWIO", CAP_SYS_RAWIO, REACHES},
    {"CAP_SYS_RESOURCE", CAP_SYS_RESOURCE, HARMLESS},
    {"CAP_SYS_TIME", CAP_SYS_TIME, HARMLESS},
    {"CAP_SYS_TTY_CONFIG", CAP_SYS_TTY_CONFIG, HARMLESS},
    {"CAP_WAKE_ALARM", CAP_WAKE_ALARM, HARMLESS},
};
/* clang-format on */

static const char *const sets[] = {"bounding", "effective", "inheritable", "permitted", "ambient"};

/* What would be writable or readable of the kernel by root without any capability. */
static const char *const masked[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    "/sys/kernel/config",
    "/sys/kernel/security",
};
static const char *const read_only[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static bool is_any(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(name, names[i]))
            return true;
    }
    return false;
}

/* An absent member is of any type: the runtime does not see it. */
static int check_type(const struct js *object, const char *key, enum js_type type,
                      struct error *err)
{
    const struct js *value = js_get(object, key);

    if (!value || js_type(value) == type)
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' has the wrong type", key);
}

int confine_capability_number(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LENGTH(capabilities); i++) {
        if (text_equal(name, capabilities[i].name))
            return capabilities[i].number;
    }
    return -1;
}

static int judge_capability(const char *name, enum reach *ret, struct error *err)
{
    for (size_t i = 0; name && i < ARRAY_LENGTH(capabilities); i++) {
        if (text_equal(name, capabilities[i].name)) {
            *ret = capabilities[i].reach;
            return 0;
        }
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is not the name of a capability",
                     name ? name : "");
}

static int confine_capability_set(struct js *set, const struct confine_options *options,
                                  struct error *err)
{
    for (size_t i = js_length(set); i-- > 0;) {
        const char *name = js_string(js_at(set, i));
        enum reach reach = REACHES;

        if (judge_capability(name, &reach, err) < 0)
            return -1;
        if (options->guest_root || reach == HARMLESS)
            continue;
        if (reach == REACHES)
            return error_set(err, STATUS_PERMISSION_DENIED,
                             "%s reaches the guest agent: it needs guest_root in the initdata",
                             name);
        js_remove_at(set, i);
    }
    return 0;
}

static int confine_capabilities(struct js *process, const struct confine_options *options,
                                struct error *err)
{
    struct js *all = js_get(process, "capabilities");

    if (check_type(process, "capabilities", JS_OBJECT, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++) {
        if (check_type(all, sets[i], JS_ARRAY, err) < 0 ||
            confine_capability_set(js_get(all, sets[i]), options, err) < 0)
            return -1;
    }
    return 0;
}

int confine_process(struct js *process, const struct confine_options *options, struct error *err)
{
    if (js_type(process) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the process is not a JSON object");
    if (check_type(process, "args", JS_ARRAY, err) < 0)
        return -1;
    if (js_length(js_get(process, "args")) == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the process has no arguments");
    if (confine_capabilities(process, options, err) < 0)
        return -1;
    js_set(process, "terminal", js_new_boolean(options->terminal));
    js_remove(process, "apparmorProfile");
    js_remove(process, "selinuxLabel");
    if (js_get_integer(process, "oomScoreAdj", 1000) < options->lowest_oom_score)
        js_set_integer(process, "oomScoreAdj", options->lowest_oom_score);
    return 0;
}

/* By cgroup.procs a container could take the agent into its group, and to its end. */
static int check_unified(void *user, const char *key, struct js *value, struct error *err)
{
    if (text_starts(key, "cgroup."))
        return error_set(err, STATUS_PERMISSION_DENIED, "'%.64s' is not a container's to set", key);
    return 0;
}

int confine_resources(const struct js *resources, struct error *err)
{
    if (check_type(resources, "unified", JS_OBJECT, err) < 0)
        return -1;
    return js_each(js_get(resources, "unified"), check_unified, NULL, err);
}

int confine_sysctl(const char *name, struct error *err)
{
    static const char *const prefixes[] = {"net.", "kernel.shm", "kernel.msg", "fs.mqueue."};

    for (const char *c = name; *c; c++) {
        if (*c == '/' || (*c == '.' && c[1] == '.'))
            return error_set(err, STATUS_INVALID_ARGUMENT, "'%.100s' is not a sysctl", name);
    }
    if (text_equal(name, "kernel.sem"))
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++) {
        if (text_starts(name, prefixes[i]))
            return 0;
    }
    return error_set(err, STATUS_PERMISSION_DENIED,
                     "sysctl '%.100s' belongs to no namespace of a pod", name);
}

static void add_namespace(struct js *list, const char *type, const char *path)
{
    struct js *entry = js_new_object();

    js_set_string(entry, "type", type);
    if (path)
        js_set_string(entry, "path", path);
    js_append(list, entry);
}

static struct js *make_namespaces(const struct confine_options *options)
{
    struct js *list = js_new_array();

    add_namespace(list, "mount", NULL);
    add_namespace(list, "cgroup", NULL);
    add_namespace(list, "network", options->net_path);
    add_namespace(list, "ipc", options->ipc_path);
    add_namespace(list, "uts", options->uts_path);
    add_namespace(list, "pid", options->pid_path);
    return list;
}

static bool contains(const struct js *list, const char *text)
{
    for (size_t i = 0; i < js_length(list); i++) {
        if (text_equal(js_string(js_at(list, i)), text))
            return true;
    }
    return false;
}

static void add_paths(struct js *linux_object, const char *key, const char *const *paths,
                      size_t count)
{
    struct js *list = js_get(linux_object, key);

    if (js_type(list) != JS_ARRAY) {
        list = js_new_array();
        js_set(linux_object, key, list);
    }
    for (size_t i = 0; i < count; i++) {
        if (!contains(list, paths[i]))
            js_append(list, js_new_string(paths[i]));
    }
}

/* Nothing but the nodes that every container has; the runtime adds those by itself. */
static void deny_devices(struct js *linux_object)
{
    struct js *rule = js_new_object();
    struct js *list = js_new_array();
    struct js *resources = js_get(linux_object, "resources");

    if (js_type(resources) != JS_OBJECT) {
        resources = js_new_object();
        js_set(linux_object, "resources", resources);
    }
    js_set(rule, "allow", js_new_boolean(false));
    js_set_string(rule, "access", "rwm");
    js_append(list, rule);
    js_set(resources, "devices", list);
}

static int check_sysctl(void *user, const char *key, struct js *value, struct error *err)
{
    return confine_sysctl(key, err);
}

/* What the runtime may read of it: a newer one could know more, such as netDevices, which would
 * take the uplink into the pod. Some of these are replaced or removed. */
static int check_linux_member(void *user, const char *key, struct js *value, struct error *err)
{
    static const char *const members[] = {
        "cgroupsPath",       "devices",    "gidMappings", "intelRdt",      "maskedPaths",
        "mountLabel",        "namespaces", "personality", "readonlyPaths", "resources",
        "rootfsPropagation", "seccomp",    "sysctl",      "uidMappings"};

    if (is_any(key, members, ARRAY_LENGTH(members)))
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "'linux.%.64s' is not known here", key);
}

static int check_linux_types(const struct js *linux_object, struct error *err)
{
    static const char *const objects[] = {"sysctl", "resources", "seccomp"};
    static const char *const arrays[] = {"devices", "maskedPaths", "readonlyPaths"};

    for (size_t i = 0; i < ARRAY_LENGTH(objects); i++) {
        if (check_type(linux_object, objects[i], JS_OBJECT, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(arrays); i++) {
        if (check_type(linux_object, arrays[i], JS_ARRAY, err) < 0)
            return -1;
    }
    return 0;
}

/* The runtime would hand the filter's descriptor to whoever listens at a path of ours. */
static void forget_listener(struct js *seccomp)
{
    if (!seccomp)
        return;
    js_remove(seccomp, "listenerPath");
    js_remove(seccomp, "listenerMetadata");
}

static int confine_linux(struct js *linux_object, const struct confine_options *options,
                         struct error *err)
{
    struct js *sysctls = js_get(linux_object, "sysctl");

    if (js_each(linux_object, check_linux_member, NULL, err) < 0 ||
        check_linux_types(linux_object, err) < 0 ||
        confine_resources(js_get(linux_object, "resources"), err) < 0 ||
        (sysctls && js_each(sysctls, check_sysctl, NULL, err) < 0))
        return -1;
    if (!options->guest_root) {
        if (js_length(js_get(linux_object, "devices")) > 0)
            return error_set(
                err, STATUS_PERMISSION_DENIED, "device '%.100s' needs guest_root in the initdata",
                js_get_string(js_at(js_get(linux_object, "devices"), 0), "path") ?: "?");
        deny_devices(linux_object);
        add_paths(linux_object, "maskedPaths", masked, ARRAY_LENGTH(masked));
        add_paths(linux_object, "readonlyPaths", read_only, ARRAY_LENGTH(read_only));
    }
    js_set(linux_object, "namespaces", make_namespaces(options));
    js_set_string(linux_object, "cgroupsPath", options->cgroup);
    js_remove(linux_object, "rootfsPropagation");
    js_remove(linux_object, "mountLabel");
    js_remove(linux_object, "intelRdt");
    js_remove(linux_object, "uidMappings");
    js_remove(linux_object, "gidMappings");
    forget_listener(js_get(linux_object, "seccomp"));
    return 0;
}

/* What is masked is masked at one place: these are nowhere else. */
static int check_place(const struct js *mount, struct error *err)
{
    static const struct {
        const char *type, *place;
    } places[] = {{"proc", "/proc"}, {"sysfs", "/sys"}};
    const char *type = js_get_string(mount, "type");
    const char *destination = js_get_string(mount, "destination");

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        if (text_equal(type, places[i].type) && !text_equal(destination, places[i].place))
            return error_set(err, STATUS_PERMISSION_DENIED,
                             "a %s on '%.100s' instead of '%s' needs guest_root in the initdata",
                             type, destination ? destination : "", places[i].place);
    }
    return 0;
}

/* The kernel's own trees read-only: root in a container could write there without a capability.
 * Neither may a mount undo that of another: "remount" changes what is mounted there already, "rrw"
 * all that is mounted below. In a procfs, which is writable, the parts that matter are masked. */
static int confine_mount(struct js *mount, struct error *err)
{
    static const char *const trees[] = {"proc", "sysfs", "cgroup", "cgroup2"};
    const char *type = js_get_string(mount, "type");
    struct js *flags = js_get(mount, "options");

    if (check_place(mount, err) < 0)
        return -1;
    if (contains(flags, "remount"))
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "the mount option 'remount' needs guest_root in the initdata");
    if (!is_any(type, trees, ARRAY_LENGTH(trees)))
        return 0;
    if (contains(flags, "rrw") || (contains(flags, "rw") && !text_equal(type, "proc")))
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "a writable %s needs guest_root in the initdata", type);
    if (text_equal(type, "proc"))
        return 0;
    if (!flags) {
        flags = js_new_array();
        js_set(mount, "options", flags);
    }
    if (!contains(flags, "ro"))
        js_append(flags, js_new_string("ro"));
    return 0;
}

static int confine_mounts(struct js *spec, const struct confine_options *options, struct error *err)
{
    struct js *mounts = js_get(spec, "mounts");

    if (check_type(spec, "mounts", JS_ARRAY, err) < 0)
        return -1;
    for (size_t i = 0; i < js_length(mounts); i++) {
        struct js *mount = js_at(mounts, i);

        if (js_type(mount) != JS_OBJECT)
            return error_set(err, STATUS_INVALID_ARGUMENT, "a mount is not a JSON object");
        if (check_type(mount, "options", JS_ARRAY, err) < 0 ||
            (!options->guest_root && confine_mount(mount, err) < 0))
            return -1;
    }
    return 0;
}

static int confine_hooks(const struct js *spec, struct error *err)
{
    static const char *const kinds[] = {"prestart",       "createRuntime", "createContainer",
                                        "startContainer", "poststart",     "poststop"};

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (js_length(js_path(spec, "hooks", kinds[i])) > 0)
            return error_set(err, STATUS_PERMISSION_DENIED,
                             "hooks are programs of a node: a guest has none");
    }
    return 0;
}

int confine_spec(struct js *spec, const struct confine_options *options, struct error *err)
{
    struct js *linux_object = js_get(spec, "linux");
    struct js *root;

    if (js_type(spec) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the spec is not a JSON object");
    if (confine_hooks(spec, err) < 0 ||
        confine_process(js_get(spec, "process"), options, err) < 0 ||
        check_type(spec, "linux", JS_OBJECT, err) < 0)
        return -1;
    if (!linux_object) {
        linux_object = js_new_object();
        js_set(spec, "linux", linux_object);
    }
    if (confine_linux(linux_object, options, err) < 0 || confine_mounts(spec, options, err) < 0)
        return -1;
    root = js_new_object();
    js_set_string(root, "path", options->root);
    js_set(root, "readonly",
           js_new_boolean(js_get_boolean(js_get(spec, "root"), "readonly", false)));
    js_set(spec, "root", root);
    js_set_string(spec, "ociVersion", "1.0.2");
    js_remove(spec, "hooks");
    js_remove(spec, "annotations"); /* the runtime takes orders from them */
    js_remove(spec, "hostname");    /* the pod's namespace has it */
    js_remove(spec, "domainname");
    return 0;
}
