/* SPDX-License-Identifier: Apache-2.0 */
#include "mounts.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "pod_share.h"
#include "share_mount.h"
#include "spec_rules.h"

struct mount_view {
    const char *destination;
    const char *type;
    const char *source;
    const struct js *options;
};

static struct mount_view view_of(const struct js *mount)
{
    return (struct mount_view){.destination = js_get_string(mount, "destination"),
                               .type = js_get_string(mount, "type"),
                               .source = js_get_string(mount, "source"),
                               .options = js_get(mount, "options")};
}

static bool is_bind(const struct mount_view *mount)
{
    if (text_equal(mount->type, "bind") || text_equal(mount->type, "none"))
        return true;
    for (size_t i = 0; i < js_length(mount->options); i++) {
        const char *option = js_string(js_at(mount->options, i));

        if (text_equal(option, "bind") || text_equal(option, "rbind"))
            return true;
    }
    return false;
}

static bool is_kernel_filesystem(const char *type)
{
    static const char *const known[] = {"proc",   "sysfs",  "tmpfs",  "devpts",
                                        "mqueue", "cgroup", "cgroup2"};

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (text_equal(type, known[i]))
            return true;
    }
    return false;
}

/* The node's SELinux labels and its propagation mean nothing in the guest. */
static int copy_options(const struct mount_view *mount, struct js *out, struct error *err)
{
    struct js *options = js_new_array();
    bool is_share = text_equal(js_get_string(out, "source"), POD_SHARE_SOURCE);

    js_set(out, "options", options);
    for (size_t i = 0; i < js_length(mount->options); i++) {
        const char *option = js_string(js_at(mount->options, i));

        if (!option)
            return error_set(err, STATUS_INVALID_ARGUMENT, "mount '%s': an option is not a string",
                             mount->destination);
        if (text_equal(option, "rshared") || text_equal(option, "shared"))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "mount '%s': bidirectional propagation cannot leave the guest",
                             mount->destination);
        if (text_equal(option, "rslave") || text_equal(option, "slave"))
            option = "rprivate";
        if (!strstr(option, "context=") && (!is_share || share_mount_keeps(option)))
            js_append(options, js_new_string(option));
    }
    return 0;
}

static bool is_in(const char *directory, const char *name, const char *path)
{
    char full[4096];

    return directory && path &&
           snprintf(full, sizeof(full), "%s/%s", directory, name) < (int) sizeof(full) &&
           strcmp(full, path) == 0;
}

/* The agent's name for what containerd made for the pod, or NULL. */
static const char *pod_file(const struct mount_view *mount, const struct spec_context *context)
{
    static const struct {
        const char *file, *name;
    } files[] = {
        {"hosts", "cleave:hosts"},
        {"hostname", "cleave:hostname"},
        {"resolv.conf", "cleave:resolv.conf"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        if (is_in(context->node.sandbox_dir, files[i].file, mount->source))
            return files[i].name;
    }
    if (text_equal(mount->destination, "/dev/shm") &&
        (text_equal(mount->source, context->node.shm_source) ||
         text_equal(mount->source, "/dev/shm")))
        return "cleave:shm";
    return NULL;
}

/* kubelet's own /etc/hosts (with hostAliases) and the like: the bytes go along. */
static int copy_in(const struct mount_view *mount, const char *name, struct guest_spec *result,
                   struct error *err)
{
    struct spec_file *file = &result->files[result->file_count];
    struct stat st;
    size_t length;
    char *content;

    if (result->file_count == SPEC_FILES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d files to copy",
                         SPEC_FILES_MAX);
    if (stat(mount->source, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, STATUS_INVALID_ARGUMENT, "mount '%s': '%s' is not a file",
                         mount->destination, mount->source);
    if (file_read(mount->source, SPEC_FILE_SIZE_MAX, &content, &length, err) < 0)
        return -1;
    *file = (struct spec_file){.name = xstrdup(name),
                               .content = content,
                               .length = length,
                               .mode = st.st_mode & 07777,
                               .uid = st.st_uid,
                               .gid = st.st_gid};
    result->file_count++;
    return 0;
}

/* Files whose bytes go along; the last is CRI-O's mark of a container. */
static const char *etc_name(const char *destination)
{
    static const char *const names[] = {"hosts", "hostname", "resolv.conf"};

    if (text_equal(destination, "/run/.containerenv"))
        return "containerenv";
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (text_starts(destination, "/etc/") && text_equal(destination + 5, names[i]))
            return names[i];
    }
    return NULL;
}

static bool is_read_only(const struct mount_view *mount)
{
    for (size_t i = 0; i < js_length(mount->options); i++) {
        const char *option = js_string(js_at(mount->options, i));

        if (text_equal(option, "ro") || text_equal(option, "rro"))
            return true;
    }
    return false;
}

/* A read-only file at that path is somebody's input: what the guest says must not be written there.
 */
static bool is_termination_log(const struct mount_view *mount, const struct js *spec_annotations)
{
    const char *path = js_get_string(spec_annotations,
                                     "io.kubernetes.container.terminationMessagePath");

    return text_equal(mount->destination, path ? path : "/dev/termination-log") &&
           !is_read_only(mount);
}

/* What containerd's default spec has where CRI says nothing: a tmpfs of the container's own. The
 * pod's takes its place. */
static bool is_default_shm(const struct mount_view *mount)
{
    return text_equal(mount->destination, "/dev/shm") && text_equal(mount->type, "tmpfs") &&
           text_equal(mount->source, "shm");
}

/* The same for every container of the pod: by what it is of this node. */
static char *volume_name(const struct volume_source *source)
{
    scoped(freep) char *text = xformat("%d %s", source->kind, source->directory);
    uint8_t digest[SHA256_SIZE];
    char name[2 * SHA256_SIZE + 1];

    digest_sha256(text, strlen(text), digest);
    hex_encode(digest, sizeof(digest), name);
    return xstrndup(name, 32);
}

static int add_volume(const struct volume_source *source, struct guest_spec *result,
                      const char **ret_name, struct error *err)
{
    scoped(freep) char *name = volume_name(source);

    for (size_t i = 0; i < result->volume_count; i++) {
        *ret_name = result->volumes[i].name;
        if (text_equal(name, *ret_name))
            return 0;
    }
    if (result->volume_count == SPEC_VOLUMES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d volumes", SPEC_VOLUMES_MAX);
    *ret_name = name;
    result->volumes[result->volume_count++] = (struct spec_volume){
        .name = take_ptr(name), .kind = source->kind, .directory = xstrdup(source->directory)};
    return 0;
}

/* Of what is copied once, the mount is the version that the container begins with. */
static const char *path_in_volume(const struct volume_source *source)
{
    struct stat st;

    if (source->kind != VOLUME_ONCE)
        return source->path;
    return stat(source->directory, &st) == 0 && S_ISDIR(st.st_mode) ? "..data" : "..data/file";
}

static int add_share(const struct mount_view *mount, const struct spec_context *context,
                     struct guest_spec *result, struct js *out, struct error *err)
{
    const struct share_mount share = {
        .destination = mount->destination, .source = mount->source, .options = mount->options};

    if (context->refuses_shares)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "mount '%s': '%s' would be a live share of this node, and tenant.conf has "
                         "live_shares = false",
                         mount->destination, mount->source);
    return share_mount_add(&share, result, out, err);
}

static int rewrite_volume(const struct mount_view *mount, const struct spec_context *context,
                          struct guest_spec *result, struct js *out, struct error *err)
{
    scoped(volume_source_clear) struct volume_source source = {0};
    scoped(freep) char *text = NULL;
    const char *name, *path;

    if (volume_source_find(&context->node, mount->source, &source, err) < 0)
        return error_wrap(err, "mount '%s'", mount->destination);
    if (source.kind == VOLUME_SHARE)
        return add_share(mount, context, result, out, err);
    if (source.kind == VOLUME_IMAGE) {
        js_set_string(out, "source", "cleave:image");
        return 0;
    }
    if (add_volume(&source, result, &name, err) < 0)
        return error_wrap(err, "mount '%s'", mount->destination);
    path = path_in_volume(&source);
    text = xformat("cleave:volume:%s%s%s", name, *path ? "/" : "", path);
    js_set_string(out, "source", text);
    return 0;
}

static int rewrite_bind(const struct mount_view *mount, const struct spec_context *context,
                        struct guest_spec *result, struct js *out, struct error *err)
{
    const char *name = pod_file(mount, context), *etc = etc_name(mount->destination);
    char source[64];

    if (name) {
        js_set_string(out, "source", name);
    } else if (etc) {
        if (copy_in(mount, etc, result, err) < 0)
            return -1;
        snprintf(source, sizeof(source), "cleave:file:%s", etc);
        js_set_string(out, "source", source);
    } else if (is_termination_log(mount, context->annotations) && !result->termination_log) {
        result->termination_log = xstrdup(mount->source);
        js_set_string(out, "source", "cleave:termination-log");
    } else if (rewrite_volume(mount, context, result, out, err) < 0) {
        return -1;
    }
    js_set_string(out, "type", "bind");
    return copy_options(mount, out, err);
}

static int rewrite_one(const struct js *in, const struct spec_context *context,
                       struct guest_spec *result, struct js *out, struct error *err)
{
    struct mount_view mount = view_of(in);

    if (js_need_string(in, "destination", &mount.destination, err) < 0)
        return error_wrap(err, "spec: mounts");
    js_set_string(out, "destination", mount.destination);
    if (is_bind(&mount))
        return rewrite_bind(&mount, context, result, out, err);
    if (!is_kernel_filesystem(mount.type))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "mount '%s': the filesystem type '%s' is not available in the guest",
                         mount.destination, mount.type ? mount.type : "");
    js_set_string(out, "type", mount.type);
    js_set_string(out, "source", mount.type);
    return copy_options(&mount, out, err);
}

int mounts_rewrite(const struct js *mounts, const struct spec_context *context,
                   struct guest_spec *result, struct js *out, struct error *err)
{
    for (size_t i = 0; i < js_length(mounts); i++) {
        struct mount_view view = view_of(js_at(mounts, i));
        struct js *mount;

        if (is_default_shm(&view))
            continue; /* see mounts_complete() */
        mount = js_new_object();
        js_append(out, mount);
        if (rewrite_one(js_at(mounts, i), context, result, mount, err) < 0)
            return -1;
    }
    return 0;
}

static bool has(const struct js *mounts, const char *destination)
{
    for (size_t i = 0; i < js_length(mounts); i++) {
        if (text_equal(js_get_string(js_at(mounts, i), "destination"), destination))
            return true;
    }
    return false;
}

static struct js *make_mount(const char *destination, const char *source, const char *access)
{
    struct js *mount = js_new_object(), *options = js_new_array();

    js_set_string(mount, "destination", destination);
    js_set_string(mount, "type", "bind");
    js_set_string(mount, "source", source);
    js_append(options, js_new_string("rbind"));
    js_append(options, js_new_string("rprivate"));
    js_append(options, js_new_string(access));
    js_set(mount, "options", options);
    return mount;
}

void mounts_complete(struct js *mounts, enum mounts_flags flags)
{
    static const struct {
        const char *destination, *source;
    } wanted[] = {
        {"/etc/hosts", "cleave:hosts"},
        {"/etc/resolv.conf", "cleave:resolv.conf"},
        {"/etc/hostname", "cleave:hostname"},
        {"/dev/shm", "cleave:shm"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        bool is_file = text_starts(wanted[i].destination, "/etc/");

        if (!has(mounts, wanted[i].destination))
            js_append(mounts, make_mount(wanted[i].destination, wanted[i].source,
                                         is_file && flags & MOUNTS_READ_ONLY ? "ro" : "rw"));
    }
}
