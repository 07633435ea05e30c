/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_source.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"
#include "mountinfo.h"
#include "share_rules.h"

static const struct {
    const char *plugin;
    enum volume_kind kind;
} plugins[] = {
    {"kubernetes.io~empty-dir", VOLUME_EMPTY},   {"kubernetes.io~configmap", VOLUME_LIVE},
    {"kubernetes.io~secret", VOLUME_LIVE},       {"kubernetes.io~projected", VOLUME_LIVE},
    {"kubernetes.io~downward-api", VOLUME_LIVE},
};

/* The next component of a path; "" at its end. The caller frees. */
static char *take_component(const char **path)
{
    size_t length = strcspn(*path, "/");
    char *component = xstrndup(*path, length);

    *path += length + ((*path)[length] == '/');
    return component;
}

/* Only paths that say where they lead: kubelet and containerd write no others. */
static bool is_plain(const char *path)
{
    if (path[0] != '/')
        return false;
    for (path++; *path;) {
        scoped(freep) char *component = take_component(&path);

        if (!*component || text_equal(component, ".") || text_equal(component, ".."))
            return false;
    }
    return true;
}

/* containerd's `<its directory>/containers/<id>/volumes/<some id>`. */
static bool is_of_image(const struct volume_node *node, const char *of_pod, const char *path)
{
    const char *sandboxes = of_pod ? strstr(of_pod, "/sandboxes/") : NULL;
    scoped(freep) char *prefix = NULL;

    if (!sandboxes || !node->container_id)
        return false;
    prefix = xformat("%.*s/containers/%s/volumes/", (int) (sandboxes - of_pod), of_pod,
                     node->container_id);
    return text_starts(path, prefix) && path[strlen(prefix)] && !strchr(path + strlen(prefix), '/');
}

/* Others have a file system behind them, on this node or further away. */
static enum volume_kind kind_of_plugin(const char *plugin)
{
    for (size_t i = 0; i < ARRAY_LENGTH(plugins); i++) {
        if (text_equal(plugin, plugins[i].plugin))
            return plugins[i].kind;
    }
    return VOLUME_SHARE;
}

static void of_whole(enum volume_kind kind, const char *whole, struct volume_source *ret)
{
    ret->kind = kind;
    ret->directory = xstrdup(whole);
    ret->path = xstrdup("");
}

/* pod_directory/volumes/<plugin>/<name>[/<path>] */
static void find_volume(const char *pod_directory, const char *rest, const char *whole,
                        struct volume_source *ret)
{
    scoped(freep) char *plugin = take_component(&rest), *name = take_component(&rest);
    enum volume_kind kind = kind_of_plugin(plugin);

    if (kind == VOLUME_SHARE || !*name)
        return;
    if (kind == VOLUME_LIVE && *rest) {
        of_whole(VOLUME_ONCE, whole, ret);
        return;
    }
    ret->kind = kind;
    ret->directory = xformat("%s/volumes/%s/%s", pod_directory, plugin, name);
    ret->path = xstrdup(rest);
}

/* pod_directory/volume-subpaths/<name>/<container>/<index>: bind mounts that kubelet made. */
static int find_subpath(const struct volume_node *node, const char *pod_directory, const char *rest,
                        const char *whole, struct volume_source *ret, struct error *err)
{
    scoped(freep) char *name = take_component(&rest), *container = take_component(&rest);
    scoped(freep) char *number = take_component(&rest);

    if (!*number || *rest)
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(plugins); i++) {
        scoped(freep) char *directory = xformat("%s/volumes/%s/%s", pod_directory,
                                                plugins[i].plugin, name);
        struct stat st;

        if (lstat(directory, &st) < 0 || !S_ISDIR(st.st_mode))
            continue;
        if (plugins[i].kind == VOLUME_LIVE) {
            of_whole(VOLUME_ONCE, whole, ret);
            return 0;
        }
        if (mountinfo_origin(node->mountinfo, whole, directory, &ret->path, err) < 0)
            return -1;
        ret->kind = plugins[i].kind;
        ret->directory = take_ptr(directory);
        return 0;
    }
    return 0;
}

/* What kubelet has copied or made for the pod, if it is that. */
static int find_of_kubelet(const struct volume_node *node, const char *path,
                           struct volume_source *ret, struct error *err)
{
    static const char volumes[] = "/volumes/", subpaths[] = "/volume-subpaths/";
    scoped(freep) char *pod = NULL;
    const char *rest;

    if (!node->kubelet_root || !node->pod_uid || !text_is_identifier(node->pod_uid))
        return 0;
    pod = xformat("%s/pods/%s", node->kubelet_root, node->pod_uid);
    if (!text_starts(path, pod))
        return 0;
    rest = path + strlen(pod);
    if (text_starts(rest, volumes))
        find_volume(pod, rest + strlen(volumes), path, ret);
    else if (text_starts(rest, subpaths))
        return find_subpath(node, pod, rest + strlen(subpaths), path, ret, err);
    return 0;
}

int volume_source_find(const struct volume_node *node, const char *path, struct volume_source *ret,
                       struct error *err)
{
    scoped(volume_source_clear) struct volume_source found = {.kind = VOLUME_SHARE};

    if (!path || !is_plain(path))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%s' is no plain absolute path of this node", path ? path : "");
    if (is_of_image(node, node->sandbox_dir, path) || is_of_image(node, node->shm_source, path))
        found.kind = VOLUME_IMAGE;
    else if (find_of_kubelet(node, path, &found, err) < 0)
        return -1;
    if (found.kind == VOLUME_SHARE) {
        if (share_rules_check(node, path, err) < 0)
            return -1;
        of_whole(VOLUME_SHARE, path, &found);
    }
    *ret = found;
    found = (struct volume_source){0};
    return 0;
}

void volume_source_clear(struct volume_source *source)
{
    free(source->directory);
    free(source->path);
    *source = (struct volume_source){0};
}
