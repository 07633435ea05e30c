/* SPDX-License-Identifier: Apache-2.0 */
#include "spec_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "mounts.h"
#include "namespaces.h"

#define NEWER     "newer than the version that the guest's runtime reads"
#define NODE      "names something of this node"
#define NO_USERNS "user namespaces are not available in the guest"

static const struct spec_rule rules[] = {
    {"ociVersion", SPEC_REWRITE, "the guest's runtime reads 1.0.2"},
    {"hostname", SPEC_DROP, "the agent sets it for the pod"},
    {"domainname", SPEC_DROP, "the agent sets the pod's names"},
    {"annotations", SPEC_REWRITE, "only those of CRI: others steer runtimes"},
    {"hooks", SPEC_DROP, "hooks are programs of this node"},
    {"solaris", SPEC_REFUSE, "not Linux"},
    {"windows", SPEC_REFUSE, "not Linux"},
    {"vm", SPEC_REFUSE, "the virtual machine is not the container's to describe"},
    {"zos", SPEC_REFUSE, "not Linux"},
    {"freebsd", SPEC_REFUSE, "not Linux"},
    {"root", SPEC_OBJECT, NULL},
    {"root.path", SPEC_REWRITE, NODE ": the agent makes the root"},
    {"root.readonly", SPEC_KEEP, NULL},
    {"mounts", SPEC_REWRITE, "each by its source"},

    {"process", SPEC_OBJECT, NULL},
    {"process.terminal", SPEC_KEEP, NULL},
    {"process.consoleSize", SPEC_OBJECT, NULL},
    {"process.consoleSize.height", SPEC_KEEP, NULL},
    {"process.consoleSize.width", SPEC_KEEP, NULL},
    {"process.user", SPEC_OBJECT, NULL},
    {"process.user.uid", SPEC_KEEP, NULL},
    {"process.user.gid", SPEC_KEEP, NULL},
    {"process.user.umask", SPEC_KEEP, NULL},
    {"process.user.additionalGids", SPEC_KEEP, NULL},
    {"process.user.username", SPEC_DROP, "for Windows; uid and gid say it"},
    {"process.args", SPEC_KEEP, NULL},
    {"process.commandLine", SPEC_REFUSE, "not Linux"},
    {"process.env", SPEC_KEEP, NULL},
    {"process.cwd", SPEC_KEEP, NULL},
    {"process.capabilities", SPEC_OBJECT, NULL},
    {"process.capabilities.bounding", SPEC_KEEP, NULL},
    {"process.capabilities.effective", SPEC_KEEP, NULL},
    {"process.capabilities.inheritable", SPEC_KEEP, NULL},
    {"process.capabilities.permitted", SPEC_KEEP, NULL},
    {"process.capabilities.ambient", SPEC_KEEP, NULL},
    {"process.rlimits", SPEC_LIST, NULL},
    {"process.rlimits[].type", SPEC_KEEP, NULL},
    {"process.rlimits[].hard", SPEC_KEEP, NULL},
    {"process.rlimits[].soft", SPEC_KEEP, NULL},
    {"process.noNewPrivileges", SPEC_KEEP, NULL},
    {"process.apparmorProfile", SPEC_DROP, "profiles are loaded on this node, not in the guest"},
    {"process.selinuxLabel", SPEC_DROP, "labels are of this node's policy"},
    {"process.oomScoreAdj", SPEC_KEEP, NULL},
    {"process.scheduler", SPEC_DROP, NEWER},
    {"process.ioPriority", SPEC_DROP, NEWER},
    {"process.execCPUAffinity", SPEC_DROP, NODE},

    {"linux", SPEC_OBJECT, NULL},
    {"linux.uidMappings", SPEC_REFUSE, NO_USERNS},
    {"linux.gidMappings", SPEC_REFUSE, NO_USERNS},
    {"linux.sysctl", SPEC_MAP, NULL},
    {"linux.cgroupsPath", SPEC_DROP, NODE ": the agent has its own tree"},
    {"linux.namespaces", SPEC_REWRITE, "paths of this node become names"},
    {"linux.devices", SPEC_DROP, NODE},
    {"linux.netDevices", SPEC_REFUSE, NODE},
    {"linux.rootfsPropagation", SPEC_KEEP, NULL},
    {"linux.maskedPaths", SPEC_KEEP, NULL},
    {"linux.readonlyPaths", SPEC_KEEP, NULL},
    {"linux.mountLabel", SPEC_DROP, "labels are of this node's policy"},
    {"linux.intelRdt", SPEC_DROP, NODE},
    {"linux.memoryPolicy", SPEC_DROP, NEWER},
    {"linux.timeOffsets", SPEC_DROP, NEWER},
    {"linux.personality", SPEC_OBJECT, NULL},
    {"linux.personality.domain", SPEC_KEEP, NULL},
    {"linux.personality.flags", SPEC_KEEP, NULL},

    {"linux.seccomp", SPEC_OBJECT, NULL},
    {"linux.seccomp.defaultAction", SPEC_KEEP, NULL},
    {"linux.seccomp.defaultErrnoRet", SPEC_KEEP, NULL},
    {"linux.seccomp.architectures", SPEC_KEEP, NULL},
    {"linux.seccomp.flags", SPEC_KEEP, NULL},
    {"linux.seccomp.listenerPath", SPEC_REFUSE, "a socket of this node"},
    {"linux.seccomp.listenerMetadata", SPEC_REFUSE, "a socket of this node"},
    {"linux.seccomp.syscalls", SPEC_LIST, NULL},
    {"linux.seccomp.syscalls[].names", SPEC_KEEP, NULL},
    {"linux.seccomp.syscalls[].action", SPEC_KEEP, NULL},
    {"linux.seccomp.syscalls[].errnoRet", SPEC_KEEP, NULL},
    {"linux.seccomp.syscalls[].args", SPEC_LIST, NULL},
    {"linux.seccomp.syscalls[].args[].index", SPEC_KEEP, NULL},
    {"linux.seccomp.syscalls[].args[].value", SPEC_KEEP, NULL},
    {"linux.seccomp.syscalls[].args[].valueTwo", SPEC_KEEP, NULL},
    {"linux.seccomp.syscalls[].args[].op", SPEC_KEEP, NULL},

    {"linux.resources", SPEC_OBJECT, NULL},
    {"linux.resources.devices", SPEC_REWRITE, "device numbers of this node"},
    {"linux.resources.memory", SPEC_OBJECT, NULL},
    {"linux.resources.memory.limit", SPEC_KEEP, NULL},
    {"linux.resources.memory.reservation", SPEC_KEEP, NULL},
    {"linux.resources.memory.swap", SPEC_DROP, "the guest has no swap"},
    {"linux.resources.memory.kernel", SPEC_DROP, "kernels have dropped it"},
    {"linux.resources.memory.kernelTCP", SPEC_DROP, "kernels have dropped it"},
    {"linux.resources.memory.swappiness", SPEC_DROP, "the guest has no swap"},
    {"linux.resources.memory.disableOOMKiller", SPEC_REWRITE, "a guest out of memory must go on"},
    {"linux.resources.memory.useHierarchy", SPEC_DROP, "always so"},
    {"linux.resources.memory.checkBeforeUpdate", SPEC_DROP, NEWER},
    {"linux.resources.cpu", SPEC_OBJECT, NULL},
    {"linux.resources.cpu.shares", SPEC_KEEP, NULL},
    {"linux.resources.cpu.quota", SPEC_KEEP, NULL},
    {"linux.resources.cpu.period", SPEC_KEEP, NULL},
    {"linux.resources.cpu.burst", SPEC_DROP, NEWER},
    {"linux.resources.cpu.idle", SPEC_DROP, NEWER},
    {"linux.resources.cpu.realtimeRuntime", SPEC_DROP, "processors of this node"},
    {"linux.resources.cpu.realtimePeriod", SPEC_DROP, "processors of this node"},
    {"linux.resources.cpu.cpus", SPEC_DROP, "processors of this node"},
    {"linux.resources.cpu.mems", SPEC_DROP, "processors of this node"},
    {"linux.resources.pids", SPEC_OBJECT, NULL},
    {"linux.resources.pids.limit", SPEC_KEEP, NULL},
    {"linux.resources.blockIO", SPEC_DROP, "devices of this node"},
    {"linux.resources.hugepageLimits", SPEC_REWRITE, "the guest has no huge pages"},
    {"linux.resources.network", SPEC_DROP, "classes of this node"},
    {"linux.resources.rdma", SPEC_DROP, "devices of this node"},
    {"linux.resources.unified", SPEC_DROP, "names files of this node's cgroup version"},
};

struct walk {
    const struct spec_context *context; /* NULL for a Process or LinuxResources alone */
    struct guest_spec *result;          /* likewise */
    char path[160];
};

/* One object of the input beside the one that is made of it. */
struct level {
    struct walk *walk;
    struct js *out;
    size_t length; /* of the object's own path */
};

const struct spec_rule *spec_rules_find(const char *path)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        if (strcmp(rules[i].path, path) == 0)
            return &rules[i];
    }
    return NULL;
}

const struct spec_rule *spec_rules_table(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(rules);
    return rules;
}

static bool says_nothing(const struct js *value)
{
    switch (js_type(value)) {
    case JS_NULL:
        return true;
    case JS_STRING:
        return js_string(value)[0] == '\0';
    case JS_ARRAY:
    case JS_OBJECT:
        return js_length(value) == 0;
    case JS_BOOLEAN:
        return !js_boolean(value, false);
    default:
        return js_integer(value, 1) == 0;
    }
}

static void note_dropped(struct walk *walk, const struct js *value)
{
    char *list;
    size_t used;

    if (!walk->result || says_nothing(value))
        return;
    list = walk->result->dropped;
    used = strlen(list);
    snprintf(list + used, sizeof(walk->result->dropped) - used, "%s%s", used ? "," : "",
             walk->path);
}

static bool is_scalar(const struct js *value)
{
    return js_type(value) != JS_ARRAY && js_type(value) != JS_OBJECT;
}

static int keep(struct walk *walk, const char *key, const struct js *value, struct js *out,
                struct error *err)
{
    bool flat = js_type(value) != JS_OBJECT;

    for (size_t i = 0; js_type(value) == JS_ARRAY && i < js_length(value); i++)
        flat = flat && is_scalar(js_at(value, i));
    if (!flat)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' has the wrong type", walk->path);
    js_set(out, key, js_copy(value));
    return 0;
}

static int keep_map_member(void *user, const char *key, struct js *value, struct error *err)
{
    struct level *level = user;

    if (!is_scalar(value))
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' is not flat", level->walk->path);
    js_set(level->out, key, js_copy(value));
    return 0;
}

static int keep_annotation(void *user, const char *key, struct js *value, struct error *err)
{
    if (text_starts(key, "io.kubernetes.cri."))
        return keep_map_member(user, key, value, err);
    return 0;
}

/* The node's numbers mean other devices in the guest. All or the runtime's own default set. */
static struct js *device_rules(const struct js *list)
{
    struct js *out = js_new_array(), *rule = js_new_object();
    bool all = false;

    for (size_t i = 0; i < js_length(list); i++) {
        const struct js *one = js_at(list, i);
        const char *type = js_get_string(one, "type");

        all = all || (js_get_boolean(one, "allow", false) && !js_get(one, "major") &&
                      !js_get(one, "minor") && (!type || text_equal(type, "a")));
    }
    js_set(rule, "allow", js_new_boolean(all));
    js_set_string(rule, "access", "rwm");
    js_append(out, rule);
    return out;
}

static int no_huge_pages(const struct js *list, struct error *err)
{
    for (size_t i = 0; i < js_length(list); i++) {
        if (js_get_integer(js_at(list, i), "limit", 0) != 0)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "huge pages are not available in the guest");
    }
    return 0;
}

static int rewrite(struct walk *walk, const char *key, const struct js *value, struct js *out,
                   struct error *err)
{
    struct level level = {.walk = walk};

    if (text_equal(walk->path, "ociVersion")) {
        js_set_string(out, key, "1.0.2");
    } else if (text_equal(walk->path, "annotations")) {
        js_set(out, key, level.out = js_new_object());
        return js_each(value, keep_annotation, &level, err);
    } else if (text_equal(walk->path, "root.path")) {
        js_set_string(out, key, "rootfs");
    } else if (text_equal(walk->path, "mounts")) {
        js_set(out, key, level.out = js_new_array());
        return mounts_rewrite(value, walk->context, walk->result, level.out, err);
    } else if (text_equal(walk->path, "linux.namespaces")) {
        js_set(out, key, level.out = js_new_array());
        return namespaces_rewrite(value, walk->context, level.out, err);
    } else if (text_equal(walk->path, "linux.resources.devices")) {
        js_set(out, key, device_rules(value));
    } else if (text_equal(walk->path, "linux.resources.hugepageLimits")) {
        return no_huge_pages(value, err);
    } else if (js_boolean(value, false)) { /* disableOOMKiller */
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "disableOOMKiller: a guest out of memory must be able to go on");
    }
    return 0;
}

static int each_member(void *user, const char *key, struct js *value, struct error *err);

static int descend(struct walk *walk, const struct js *in, struct js *out, struct error *err)
{
    struct level level = {.walk = walk, .out = out, .length = strlen(walk->path)};

    if (js_type(in) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' is not an object", walk->path);
    return js_each(in, each_member, &level, err);
}

static int descend_list(struct walk *walk, const char *key, const struct js *in, struct js *out,
                        struct error *err)
{
    struct js *list = js_new_array();
    size_t length = strlen(walk->path);

    js_set(out, key, list);
    if (js_type(in) != JS_ARRAY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' is not an array", walk->path);
    if (length + 3 > sizeof(walk->path))
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: nested too deep");
    for (size_t i = 0; i < js_length(in); i++) {
        struct js *element = js_new_object();

        js_append(list, element);
        memcpy(walk->path + length, "[]", 3);
        if (descend(walk, js_at(in, i), element, err) < 0)
            return -1;
    }
    walk->path[length] = '\0';
    return 0;
}

static int act(struct walk *walk, const char *key, const struct js *value, struct js *out,
               struct error *err)
{
    const struct spec_rule *rule = spec_rules_find(walk->path);
    struct level level = {.walk = walk};

    if (!rule)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "spec: the field '%s' has no rule in this version of cleave", walk->path);
    if (js_type(value) == JS_NULL)
        return 0;
    switch (rule->action) {
    case SPEC_KEEP:
        return keep(walk, key, value, out, err);
    case SPEC_MAP:
        js_set(out, key, level.out = js_new_object());
        return js_each(value, keep_map_member, &level, err);
    case SPEC_OBJECT:
        js_set(out, key, level.out = js_new_object());
        return descend(walk, value, level.out, err);
    case SPEC_LIST:
        return descend_list(walk, key, value, out, err);
    case SPEC_DROP:
        note_dropped(walk, value);
        return 0;
    case SPEC_REWRITE:
        return rewrite(walk, key, value, out, err);
    case SPEC_REFUSE:
        if (says_nothing(value))
            return 0;
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' is refused: %s", walk->path,
                         rule->reason);
    }
    return 0;
}

static int each_member(void *user, const char *key, struct js *value, struct error *err)
{
    struct level *level = user;
    struct walk *walk = level->walk;
    size_t length = level->length;
    int written, r;

    written = snprintf(walk->path + length, sizeof(walk->path) - length, "%s%s", length ? "." : "",
                       key);
    if (written < 0 || (size_t) written >= sizeof(walk->path) - length) {
        walk->path[length] = '\0';
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "spec: a field's name under '%s' is too long", walk->path);
    }
    r = act(walk, key, value, level->out, err);
    walk->path[length] = '\0';
    return r;
}

/* containerd's own mark of a privileged container: nothing in /sys is protected. */
static bool is_privileged(const struct js *spec)
{
    const struct js *mounts = js_get(spec, "mounts");

    for (size_t i = 0; i < js_length(mounts); i++) {
        const struct js *mount = js_at(mounts, i), *options = js_get(mount, "options");
        bool read_only = false;

        if (!text_equal(js_get_string(mount, "type"), "sysfs"))
            continue;
        for (size_t k = 0; k < js_length(options); k++)
            read_only = read_only || text_equal(js_string(js_at(options, k)), "ro");
        return !read_only;
    }
    return false;
}

static void complete_mounts(struct js *spec)
{
    struct js *mounts = js_get(spec, "mounts");
    bool read_only = js_get_boolean(js_get(spec, "root"), "readonly", false);

    if (!mounts)
        js_set(spec, "mounts", mounts = js_new_array());
    mounts_complete(mounts, read_only ? MOUNTS_READ_ONLY : 0);
}

int spec_rules_apply(const struct js *spec, const struct spec_context *context,
                     struct guest_spec **ret, struct error *err)
{
    scoped(guest_spec_freep) struct guest_spec *result = xnew(struct guest_spec);
    struct walk walk = {.context = context, .result = result};
    struct js *namespaces;

    result->spec = js_new_object();
    if (js_type(spec) != JS_OBJECT || !js_get(spec, "process") || !js_get(spec, "linux"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: not a Linux container's");
    if (descend(&walk, spec, result->spec, err) < 0)
        return -1;
    complete_mounts(result->spec);
    namespaces = js_path(result->spec, "linux", "namespaces");
    if (!namespaces)
        js_set(js_get(result->spec, "linux"), "namespaces", namespaces = js_new_array());
    if (namespaces_complete(namespaces, is_privileged(spec) ? NAMESPACES_PRIVILEGED : 0, err) < 0)
        return -1;
    *ret = take_ptr(result);
    return 0;
}

void guest_spec_free(struct guest_spec *spec)
{
    if (!spec)
        return;
    js_free(spec->spec);
    for (size_t i = 0; i < spec->file_count; i++) {
        free(spec->files[i].name);
        free(spec->files[i].content);
    }
    free(spec->termination_log);
    free(spec);
}

static int apply_part(const char *path, const struct js *in, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *out = js_new_object();
    struct walk walk = {0};

    snprintf(walk.path, sizeof(walk.path), "%s", path);
    if (descend(&walk, in, out, err) < 0)
        return -1;
    *ret = take_ptr(out);
    return 0;
}

int spec_rules_process(const struct js *process, struct js **ret, struct error *err)
{
    return apply_part("process", process, ret, err);
}

int spec_rules_resources(const struct js *resources, struct js **ret, struct error *err)
{
    return apply_part("linux.resources", resources, ret, err);
}
