/* SPDX-License-Identifier: Apache-2.0 */
/* Can a guest be joined with its pod's network (on the host its uplink, on the tenant's node the
 * pod's own): a tap, and redirects between it and eth0. */
#include <sys/utsname.h>

#include "base/scoped.h"
#include "checks.h"

void check_tun(struct node *node, struct check_result *result)
{
    if (node_has_device(node, "/dev/net/tun")) {
        check_ok(result, "/dev/net/tun");
        return;
    }
    check_fail(result, "there is no /dev/net/tun: guests would have no network");
    check_advise(result, "modprobe tun, at each boot: /etc/modules-load.d/");
}

/* What joins a guest's tap with its pod's eth0. */
static const struct kernel_part {
    const char *module;
    const char *option;
} redirect_parts[] = {
    {"act_mirred", "\nCONFIG_NET_ACT_MIRRED="},
    {"cls_u32", "\nCONFIG_NET_CLS_U32="},
    {"sch_ingress", "\nCONFIG_NET_SCH_INGRESS="},
};

struct kernel_lists {
    char *config, *builtin, *modules;
};

static void kernel_lists_fini(struct kernel_lists *lists)
{
    free(lists->config);
    free(lists->builtin);
    free(lists->modules);
}

static char *read_list(const struct node *node, const char *before, const char *behind)
{
    scoped(freep) char *path = NULL;
    struct utsname host;

    if (uname(&host) < 0)
        return NULL;
    path = xformat("%s%s%s", before, host.release, behind);
    return node_read(node, path);
}

static bool has_part(const struct node *node, const struct kernel_lists *lists,
                     const struct kernel_part *part)
{
    scoped(freep) char *file = xformat("/%s.ko", part->module);
    scoped(freep) char *loaded = xformat("%s/sys/module/%s", node->root, part->module);

    return access(loaded, F_OK) == 0 || (lists->config && strstr(lists->config, part->option)) ||
           (lists->builtin && strstr(lists->builtin, file)) ||
           (lists->modules && strstr(lists->modules, file));
}

void check_redirects(struct node *node, struct check_result *result)
{
    scoped(kernel_lists_fini) struct kernel_lists lists = {
        .config = read_list(node, "/boot/config-", ""),
        .builtin = read_list(node, "/lib/modules/", "/modules.builtin"),
        .modules = read_list(node, "/lib/modules/", "/modules.dep"),
    };
    bool sure = lists.config || (lists.builtin && lists.modules);

    for (size_t i = 0; i < ARRAY_LENGTH(redirect_parts); i++) {
        const struct kernel_part *part = &redirect_parts[i];

        if (has_part(node, &lists, part))
            continue;
        if (sure)
            check_fail(result, "this kernel has no %s: a guest cannot be joined with its pod",
                       part->module);
        else
            check_warn(result, "nothing says whether this kernel has %s", part->module);
        check_advise(result,
                     "a kernel with act_mirred, cls_u32 and sch_ingress is needed, built in "
                     "or as modules");
        return;
    }
    check_ok(result, "the kernel has act_mirred, cls_u32 and sch_ingress");
}
