/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "compose.h"
#include "compose_private.h"
#include "layout.h"
#include "paths.h"
#include "volumes.h"

enum { OPTIONS_MAX = 6 };

/* containerd's, for every container. */
static const struct {
    const char *destination, *type;
    const char *options[OPTIONS_MAX + 1];
} kernel_mounts[] = {
    {"/proc", "proc", {"nosuid", "noexec", "nodev"}},
    {"/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
    {"/dev/pts",
     "devpts",
     {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
    {"/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
    {"/sys", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
    {"/sys/fs/cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
};

struct mounts {
    const struct compose *compose;
    struct js *spec;    /* the specification's */
    struct js *volumes; /* the slot's */
};

/* ---- what is where already ----------------------------------------------------------------- */

static const struct js *volume_mounts(const struct compose *compose)
{
    return js_get(compose->container, "volumeMounts");
}

/* A volume there takes the place of what each container has. */
static bool is_mounted(const struct compose *compose, const char *destination)
{
    const struct js *list = volume_mounts(compose);

    for (size_t i = 0; i < js_length(list); i++) {
        const char *path = js_get_string(js_at(list, i), "mountPath");

        if (text_equal(path, destination) ||
            (text_equal(path, "/dev") && text_starts(destination, "/dev/")))
            return true;
    }
    return false;
}

static bool has(const struct js *mounts, const char *destination)
{
    for (size_t i = 0; i < js_length(mounts); i++) {
        if (text_equal(js_get_string(js_at(mounts, i), "destination"), destination))
            return true;
    }
    return false;
}

/* ---- the specification's ------------------------------------------------------------------- */

static struct js *add(struct js *mounts, const char *destination, const char *type,
                      const char *source)
{
    struct js *mount = js_new_object(), *options = js_new_array();

    js_set_string(mount, "destination", destination);
    js_set_string(mount, "type", type);
    js_set_string(mount, "source", source);
    js_set(mount, "options", options);
    js_append(mounts, mount);
    return options;
}

static void add_bind(struct js *mounts, const char *destination, const char *source,
                     const char *access)
{
    struct js *options = add(mounts, destination, "bind", source);

    js_append(options, js_new_string("rbind"));
    js_append(options, js_new_string("rprivate"));
    js_append(options, js_new_string(access));
}

static void add_kernel(const struct mounts *mounts)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kernel_mounts); i++) {
        const char *destination = kernel_mounts[i].destination;
        const char *const *option = kernel_mounts[i].options;
        struct js *options;

        if (is_mounted(mounts->compose, destination))
            continue;
        options = add(mounts->spec, destination, kernel_mounts[i].type, kernel_mounts[i].type);
        for (; *option; option++)
            js_append(options, js_new_string(*option));
    }
}

/* The files that kubelet, or else containerd, makes for a container. */
static int add_files(const struct mounts *mounts, struct error *err)
{
    const struct compose *compose = mounts->compose;
    bool read_only = js_get_boolean(compose_context(compose), "readOnlyRootFilesystem", false);
    const char *log = js_get_string(compose->container, "terminationMessagePath");

    if (!paths_is_absolute(log))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "terminationMessagePath '%.128s' is no plain absolute path",
                         log ? log : "");
    if (!is_mounted(compose, "/etc/hosts"))
        add_bind(mounts->spec, "/etc/hosts", "cleave:file:hosts", "rw");
    if (!is_mounted(compose, log))
        add_bind(mounts->spec, log, "cleave:termination-log", "rw");
    if (!is_mounted(compose, "/etc/hostname"))
        add_bind(mounts->spec, "/etc/hostname", "cleave:hostname", read_only ? "ro" : "rw");
    if (!is_mounted(compose, "/etc/resolv.conf"))
        add_bind(mounts->spec, "/etc/resolv.conf", "cleave:resolv.conf", read_only ? "ro" : "rw");
    if (!is_mounted(compose, "/dev/shm"))
        add_bind(mounts->spec, "/dev/shm", "cleave:shm", "rw");
    return 0;
}

/* What an image declares stays as the image has it, writable. */
static int add_declared(void *user, const char *key, struct js *value, struct error *err)
{
    const struct mounts *mounts = user;
    scoped(freep) char *path = xformat("%s%s", key[0] == '/' ? "" : "/", key);
    size_t length = strlen(path);

    (void) value;
    if (length > 1 && path[length - 1] == '/')
        path[length - 1] = '\0';
    if (!paths_is_absolute(path))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the image declares a volume at '%.128s', which is no plain path", key);
    if (!is_mounted(mounts->compose, path) && !has(mounts->spec, path))
        add_bind(mounts->spec, path, "cleave:image", "rw");
    return 0;
}

static size_t depth_of(const struct js *mount)
{
    const char *path = js_get_string(mount, "destination");
    size_t depth = 0;

    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

/* As containerd does, so that none hides another. The kernel's are in front as they are. */
static struct js *by_depth(const struct js *mounts)
{
    struct js *sorted = js_new_array();
    size_t taken = 0;

    for (size_t depth = 0; taken < js_length(mounts); depth++) {
        for (size_t i = 0; i < js_length(mounts); i++) {
            const struct js *mount = js_at(mounts, i);
            bool is_bind = text_equal(js_get_string(mount, "type"), "bind");

            if ((is_bind ? depth_of(mount) : 0) != depth)
                continue;
            js_append(sorted, js_copy(mount));
            taken++;
        }
    }
    return sorted;
}

/* ---- volumes ------------------------------------------------------------------------------- */

/* Of these the node sends the file itself, whatever volume it is of. */
static const char *file_of(const char *destination)
{
    static const char *const names[] = {"hosts", "hostname", "resolv.conf"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (text_starts(destination, "/etc/") && text_equal(destination + 5, names[i]))
            return names[i];
    }
    return NULL;
}

static int check_mount(const struct js *mount, struct error *err)
{
    const char *propagation = js_get_string(mount, "mountPropagation");

    if (js_get(mount, "subPathExpr"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "subPathExpr: write out what it would be, as subPath");
    if (text_equal(propagation, "Bidirectional"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "mountPropagation Bidirectional: mounts cannot leave the guest");
    if (propagation && !text_equal(propagation, "None") &&
        !text_equal(propagation, "HostToContainer"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "mountPropagation: no '%.32s'", propagation);
    return 0;
}

static int read_mount(const struct mounts *mounts, const struct js *mount, struct error *err)
{
    const char *name, *path, *inner = js_get_string(mount, "subPath");
    struct js *out;
    bool read_only;

    if (js_need_string(mount, "name", &name, err) < 0 ||
        js_need_string(mount, "mountPath", &path, err) < 0 || check_mount(mount, err) < 0 ||
        compose_boolean(mount, "readOnly", &read_only, err) < 0)
        return -1;
    if (!js_get(mounts->compose->volumes, name))
        return error_set(err, STATUS_INVALID_ARGUMENT, "there is no volume '%.64s'", name);
    if (!paths_is_absolute(path))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "mountPath '%.128s' is no plain absolute path", path);
    if (inner && *inner && !paths_is_relative(inner))
        return error_set(err, STATUS_INVALID_ARGUMENT, "subPath '%.128s' is no plain relative path",
                         inner);
    if (has(mounts->volumes, path) || has(mounts->spec, path))
        return error_set(err, STATUS_INVALID_ARGUMENT, "two mounts at '%.128s'", path);
    read_only = read_only ||
                volumes_is_read_only(js_path(mounts->compose->pod, "spec", "volumes"), name);
    if (file_of(path)) {
        scoped(freep) char *source = xformat("cleave:file:%s", file_of(path));

        add_bind(mounts->spec, path, source, read_only ? "ro" : "rw");
        return 0;
    }
    out = js_new_object();
    js_append(mounts->volumes, out);
    js_set_string(out, "destination", path);
    js_set_string(out, "volume", name);
    js_set_string(out, "path", inner ? inner : "");
    js_set(out, "read_only", js_new_boolean(read_only));
    return 0;
}

static int add_volumes(const struct mounts *mounts, struct error *err)
{
    const struct js *list = volume_mounts(mounts->compose);

    if (js_length(js_get(mounts->compose->container, "volumeDevices")))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "volumeDevices: a block device of the tenant's node cannot be shared; "
                         "mount its filesystem");
    for (size_t i = 0; i < js_length(list); i++) {
        if (read_mount(mounts, js_at(list, i), err) < 0)
            return error_wrap(err, "volumeMounts[%zu]", i);
    }
    return 0;
}

/* Where containerd was told that a mount is to follow the node's. */
static void set_propagation(const struct compose *compose, struct js *linux_object)
{
    const struct js *list = volume_mounts(compose);

    for (size_t i = 0; i < js_length(list); i++) {
        if (text_equal(js_get_string(js_at(list, i), "mountPropagation"), "HostToContainer"))
            js_set_string(linux_object, "rootfsPropagation", "rslave");
    }
}

int compose_mounts(const struct compose *compose, struct js *spec, struct js *slot,
                   struct error *err)
{
    scoped(js_freep) struct js *list = js_new_array();
    struct mounts mounts = {.compose = compose, .spec = list, .volumes = js_new_array()};
    const struct js *declared = compose->image->process.volumes;

    js_set(slot, "mounts", mounts.volumes);
    add_kernel(&mounts);
    if (add_volumes(&mounts, err) < 0 || add_files(&mounts, err) < 0 ||
        (declared && js_each(declared, add_declared, &mounts, err) < 0))
        return -1;
    js_set(spec, "mounts", by_depth(list));
    set_propagation(compose, js_get(spec, "linux"));
    return 0;
}
