/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed_volumes.h"

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "sealed/manifest.h"
#include "share_name.h"
#include "volumes.h"

struct sealed_volumes {
    const struct manifest *manifest;
    sealed_volumes_look_fn *look;
    void *user;
    char *names[MANIFEST_VOLUMES_MAX]; /* the guest's, by the manifest's index */
};

/* A mount that is being judged. */
struct judged {
    const struct manifest_mount *mount;
    char *name; /* of the guest's volume */
    const char *path;
    struct volumes_about about;
};

static void judged_clear(struct judged *judged)
{
    free(judged->name);
}

struct sealed_volumes *sealed_volumes_new(const struct manifest *manifest,
                                          sealed_volumes_look_fn *look, void *user)
{
    struct sealed_volumes *volumes = xnew(struct sealed_volumes);

    volumes->manifest = manifest;
    volumes->look = look;
    volumes->user = user;
    return volumes;
}

void sealed_volumes_free(struct sealed_volumes *volumes)
{
    if (!volumes)
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(volumes->names); i++)
        free(volumes->names[i]);
    free(volumes);
}

static size_t index_of(const struct sealed_volumes *volumes, const struct manifest_volume *volume)
{
    return (size_t) (volume - volumes->manifest->volumes);
}

const char *sealed_volumes_name(const struct sealed_volumes *volumes,
                                const struct manifest_volume *volume)
{
    return volumes->names[index_of(volumes, volume)];
}

static int refuse(const struct judged *judged, struct error *err, const char *why)
{
    const struct manifest_volume *volume = judged->mount->volume;

    return error_set(err, STATUS_PERMISSION_DENIED,
                     "mount '%s': the manifest has the %s volume '%s' there, and what came %s",
                     judged->mount->destination, manifest_volume_kind_name(volume->kind),
                     volume->name, why);
}

/* One volume of the guest never stands for two of the manifest: what one container writes to the
 * one would be read by another as the other. */
static int check_others(const struct sealed_volumes *volumes, const struct judged *judged,
                        struct error *err)
{
    size_t own = index_of(volumes, judged->mount->volume);

    for (size_t i = 0; i < volumes->manifest->volume_count; i++) {
        if (i != own && text_equal(volumes->names[i], judged->name))
            return refuse(judged, err, "stands for another volume already");
    }
    return 0;
}

static int bind(struct sealed_volumes *volumes, const struct judged *judged, struct error *err)
{
    char **name = &volumes->names[index_of(volumes, judged->mount->volume)];

    if (*name && !text_equal(*name, judged->name))
        return refuse(judged, err, "is not the volume that came with an earlier container");
    if (!*name)
        *name = xstrdup(judged->name);
    return 0;
}

static int check_empty(struct sealed_volumes *volumes, const struct judged *judged,
                       struct error *err)
{
    if (judged->about.is_copied)
        return refuse(judged, err, "has content that was copied from the node");
    if (judged->mount->volume->memory && !judged->about.is_in_memory)
        return refuse(judged, err, "is not in memory");
    if (!text_equal(judged->path, judged->mount->path))
        return refuse(judged, err, "has another subPath");
    return bind(volumes, judged, err);
}

/* kubelet makes a part of one for each container that mounts it; the shim copies it by itself. */
static int check_copied(struct sealed_volumes *volumes, const struct judged *judged,
                        struct error *err)
{
    if (!judged->about.is_copied)
        return refuse(judged, err, "is an empty volume");
    if (*judged->mount->path == '\0')
        return *judged->path ? refuse(judged, err, "is a part of a volume")
                             : bind(volumes, judged, err);
    if (text_equal(judged->path, "..data") || text_equal(judged->path, "..data/file"))
        return 0;
    return refuse(judged, err, "is no part that was copied for it");
}

static int judge(struct sealed_volumes *volumes, struct judged *judged, struct error *err)
{
    if (!volumes->look(volumes->user, judged->name, &judged->about))
        return refuse(judged, err, "was not handed over");
    if (check_others(volumes, judged, err) < 0)
        return -1;
    return judged->mount->volume->kind == MANIFEST_EMPTY ? check_empty(volumes, judged, err)
                                                         : check_copied(volumes, judged, err);
}

static char *of_share(const struct judged *judged, const char *came, struct error *err)
{
    static const char of_share[] = "cleave:share:";
    struct share_name name;

    if (!text_starts(came, of_share)) {
        refuse(judged, err, "is not a live share");
        return NULL;
    }
    return share_name_set(&name, came + strlen(of_share), err) < 0 ? NULL : xstrdup(came);
}

char *sealed_volumes_source(struct sealed_volumes *volumes, const struct manifest_mount *mount,
                            const char *came, struct error *err)
{
    static const char of_volume[] = "cleave:volume:";
    scoped(judged_clear) struct judged judged = {.mount = mount};
    size_t length;

    if (mount->volume->kind == MANIFEST_SHARE)
        return of_share(&judged, came, err);
    if (!text_starts(came, of_volume)) {
        refuse(&judged, err, "is no volume of the guest");
        return NULL;
    }
    came += strlen(of_volume);
    length = strcspn(came, "/");
    judged.name = xstrndup(came, length);
    judged.path = came[length] ? came + length + 1 : "";
    if (judge(volumes, &judged, err) < 0)
        return NULL;
    return xformat("%s%s%s%s", of_volume, judged.name, *judged.path ? "/" : "", judged.path);
}
