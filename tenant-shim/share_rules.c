/* SPDX-License-Identifier: Apache-2.0 */
#include "share_rules.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "volume_source.h"

/* The path itself, or one below it. */
static bool is_in(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static int refuse(const char *path, const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' of this node is not shared: %s", path,
                     what);
}

static size_t components(const char *path)
{
    size_t count = *path != '\0';

    for (; *path; path++)
        count += *path == '/';
    return count;
}

/* A volume or what is in it; of what kubelet has mounted for a subPath the whole. */
static bool is_volume(const char *rest)
{
    static const char volumes[] = "/volumes/", subpaths[] = "/volume-subpaths/";

    if (text_starts(rest, volumes))
        return components(rest + strlen(volumes)) >= 2;
    return text_starts(rest, subpaths) && components(rest + strlen(subpaths)) == 3;
}

static int check_kubelet(const struct volume_node *node, const char *path, struct error *err)
{
    scoped(freep) char *pods = xformat("%s/pods", node->kubelet_root);
    scoped(freep) char *own = xformat("%s/%s", pods, node->pod_uid ? node->pod_uid : "");
    bool has_own = node->pod_uid && text_is_identifier(node->pod_uid);

    if (!is_in(path, node->kubelet_root))
        return 0;
    if (has_own && is_in(path, own) && is_volume(path + strlen(own)))
        return 0;
    if (is_in(path, pods) && !(has_own && is_in(path, own)))
        return refuse(path, "it is another pod's", err);
    return refuse(path, "it is kubelet's own state", err);
}

/* Where the pod's directories show which one its containerd has: "<state>/io.containerd...". */
static bool is_in_state_of(const char *path, const char *of_pod)
{
    const char *plugin = of_pod ? strstr(of_pod, "/io.containerd.") : NULL;
    scoped(freep) char *state = plugin ? xstrndup(of_pod, (size_t) (plugin - of_pod)) : NULL;

    return state && *state && is_in(path, state);
}

bool share_rules_is_image(const char *path)
{
    static const char images[] = "/io.containerd.grpc.v1.cri/image-volumes/";

    return strstr(path, images) != NULL;
}

int share_rules_check(const struct volume_node *node, const char *path, struct error *err)
{
    static const struct {
        const char *directory, *what;
    } refused[] = {
        {"/proc", "it is a view of this node's kernel"},
        {"/sys", "it is a view of this node's kernel"},
        {"/dev", "devices of this node are none of the guest"},
        {"/var/lib/containerd", "it is the container runtime's own state"},
        {"/run/containerd", "it is the container runtime's own state"},
        {"/var/lib/containers", "it is the container runtime's own state"},
        {"/run/containers", "it is the container runtime's own state"},
        {"/run/crio", "it is the container runtime's own state"},
        {"/var/lib/cleave", "it is cleave's own state"},
        {"/run/cleave", "it is cleave's own state"},
        {"/etc/cleave", "it is cleave's own state"},
    };
    /* /var/run is a link to /run, and so it may be named. */
    const char *named = is_in(path, "/var/run") ? path + strlen("/var") : path;
    bool is_state = is_in_state_of(path, node->sandbox_dir) ||
                    is_in_state_of(path, node->shm_source);

    if (node->kubelet_root && check_kubelet(node, path, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
        if (is_in(named, refused[i].directory) && !share_rules_is_image(path))
            return refuse(path, refused[i].what, err);
    if (is_state && !share_rules_is_image(path))
        return refuse(path, "it is the container runtime's own state", err);
    return 0;
}
