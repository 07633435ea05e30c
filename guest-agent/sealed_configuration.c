/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed_configuration.h"

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "dropped.h"
#include "pod.h"
#include "sealed.h"
#include "sealed/manifest.h"

struct list {
    struct pod_sysctl *sysctls;
    size_t count;
};

static int add(void *user, const char *name, struct js *value, struct error *err)
{
    struct list *list = user;

    list->sysctls[list->count++] = (struct pod_sysctl){name, js_string(value)};
    return 0;
}

static void compare(const struct manifest *manifest, const struct pod_configuration *came,
                    struct dropped *dropped)
{
    if (!text_equal(came->hostname, manifest->hostname))
        dropped_add(dropped, "the hostname", "");
    if (came->share_pid)
        dropped_add(dropped, "a shared PID namespace", "");
    for (size_t i = 0; i < came->sysctl_count; i++) {
        const struct pod_sysctl *sysctl = &came->sysctls[i];

        if (!text_equal(js_get_string(manifest->sysctls, sysctl->name), sysctl->value))
            dropped_add(dropped, "sysctl", sysctl->name);
    }
}

int sealed_configuration(const struct sealed *sealed, const struct pod_configuration *came,
                         struct pod_configuration *ret, struct pod_sysctl **ret_sysctls,
                         struct error *err)
{
    const struct manifest *manifest = sealed_manifest(sealed);
    struct dropped dropped = {0};
    struct list list = {0};

    if (!manifest)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the guest's initdata says that it is sealed, and its manifest has not "
                         "come: SealPod goes before Configure");
    if (js_length(manifest->sysctls) > POD_SYSCTLS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d sysctls in the manifest",
                         POD_SYSCTLS_MAX);
    list.sysctls = xnew_array(struct pod_sysctl, js_length(manifest->sysctls) + 1);
    if (js_each(manifest->sysctls, add, &list, err) < 0) {
        free(list.sysctls);
        return -1;
    }
    compare(manifest, came, &dropped);
    dropped_log(&dropped, "Configure");
    *ret = *came;
    ret->hostname = manifest->hostname;
    ret->sysctls = *ret_sysctls = list.sysctls;
    ret->sysctl_count = list.count;
    ret->share_pid = false; /* a specification that wants to share one says so */
    return 0;
}
