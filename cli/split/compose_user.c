/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is. Names, and the group of a user that is a number, are what the image's
 * /etc/passwd says; kubelet does not heed a group that the image names. What the image's /etc/group
 * adds is left out. */
#include <limits.h>
#include <stdlib.h>

#include "account.h"
#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "compose.h"
#include "compose_private.h"
#include "layout.h"

enum { GROUPS_MAX = 256, UNSAID = -1 };

struct user {
    int64_t uid, gid; /* UNSAID */
};

static int read_id(const struct js *value, const char *name, int64_t *ret, struct error *err)
{
    int64_t id = js_integer(value, UNSAID);

    if (value && (js_type(value) != JS_INTEGER || id < 0 || id > INT_MAX))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: no number of a user or group", name);
    *ret = value ? id : UNSAID;
    return 0;
}

/* Of the image's user, "NAME:GROUP", the part that kubelet heeds; the caller frees. */
static char *image_user(const struct compose *compose)
{
    const char *text = compose->image->process.user;

    return xstrndup(text, strcspn(text, ":"));
}

static int look_up(const struct compose *compose, const char *name, struct user *user,
                   struct error *err)
{
    scoped(freep) char *passwd = NULL;
    int64_t gid;

    if (layout_read_passwd(compose->layouts, compose->image, &passwd, err) < 0)
        return -1;
    if (user->uid != UNSAID)
        gid = account_group_of(passwd, user->uid);
    else if (account_find(passwd, name, &user->uid, &gid, err) < 0)
        return -1;
    if (user->gid == UNSAID)
        user->gid = gid;
    return 0;
}

static int find_user(const struct compose *compose, struct user *ret, struct error *err)
{
    scoped(freep) char *name = image_user(compose);
    struct user user = {0};
    int64_t uid;

    if (read_id(compose_inherited(compose, "runAsUser"), "runAsUser", &user.uid, err) < 0 ||
        read_id(compose_inherited(compose, "runAsGroup"), "runAsGroup", &user.gid, err) < 0)
        return -1;
    if (user.uid == UNSAID && !*name)
        user.uid = 0;
    if (user.uid == UNSAID && text_to_i64(name, &uid)) {
        if (uid < 0 || uid > INT_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "the image's user '%.64s' is none",
                             name);
        user.uid = uid;
    }
    if (user.uid == 0 && user.gid == UNSAID)
        user.gid = 0;
    /* The sentence for when it cannot be looked up. */
    if ((user.uid == UNSAID || user.gid == UNSAID) && look_up(compose, name, &user, err) < 0)
        return error_wrap(err, "securityContext.runAsUser and runAsGroup would say who it is");
    *ret = user;
    return 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *) a, right = *(const int64_t *) b;

    return (left > right) - (left < right);
}

/* Sorted, each once: the group itself is one of them, as with containerd. */
static int make_groups(const struct compose *compose, int64_t gid, struct js *out,
                       struct error *err)
{
    const struct js *context = js_path(compose->pod, "spec", "securityContext");
    const struct js *list = js_get(context, "supplementalGroups");
    int64_t groups[GROUPS_MAX + 2] = {gid};
    size_t count = 1;

    if (js_length(list) > GROUPS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "supplementalGroups: more than %d",
                         GROUPS_MAX);
    if (read_id(js_get(context, "fsGroup"), "fsGroup", &groups[count], err) < 0)
        return -1;
    count += groups[count] != UNSAID;
    for (size_t i = 0; i < js_length(list); i++) {
        if (read_id(js_at(list, i), "supplementalGroups", &groups[count++], err) < 0)
            return -1;
    }
    qsort(groups, count, sizeof(groups[0]), by_value);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || groups[i] != groups[i - 1])
            js_append(out, js_new_integer(groups[i]));
    }
    return 0;
}

int compose_user(const struct compose *compose, struct js *process, struct error *err)
{
    struct js *user = js_new_object(), *groups = js_new_array();
    bool not_root = js_boolean(compose_inherited(compose, "runAsNonRoot"), false);
    struct user who = {0};

    js_set(process, "user", user);
    js_set(user, "additionalGids", groups);
    if (find_user(compose, &who, err) < 0 || make_groups(compose, who.gid, groups, err) < 0)
        return -1;
    if (not_root && who.uid == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "runAsNonRoot, and the user is root: kubelet would not start it");
    js_set_integer(user, "uid", who.uid);
    js_set_integer(user, "gid", who.gid);
    return 0;
}
