/* SPDX-License-Identifier: Apache-2.0 */
/* `cleave check host`: its table, the configuration, the image, the runtime's traps. */
#include "checks.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "containerd_conf.h"

static void check_conf(struct node *node, struct check_result *result)
{
    scoped(freep) char *path = node->conf_path ? xstrdup(node->conf_path)
                                               : node_path(node, HOST_CONF_PATH);
    struct error err;

    if (host_conf_load(path, &node->host, &err) < 0) {
        check_fail(result, "%s", err.message);
        check_advise(result, "correct it; deploy/host.conf shows every key");
        return;
    }
    node->known |= NODE_CONF;
    check_ok(result, file_exists(path) ? "%s" : "%s does not exist: the defaults hold", path);
}

static void check_helper(struct node *node, struct check_result *result)
{
    scoped(freep) char *program = node_find_program(node, node->host.helper);

    if (program) {
        check_ok(result, "%s", program);
        return;
    }
    check_fail(result, "'%s' is no program that can be run", node->host.helper);
    check_advise(result, "install cleave-host-helper, or set machine.helper");
}

struct image_file {
    const char *path;
    const char *key;
};

static void check_file(const struct node *node, const struct image_file *file,
                       struct check_result *result)
{
    scoped(freep) char *there = node_path(node, file->path);
    struct stat info;

    if (stat(there, &info) < 0 || !S_ISREG(info.st_mode))
        check_fail(result, "'%s' is no file", file->path);
    else if (access(there, R_OK) < 0)
        check_fail(result, "'%s' cannot be read", file->path);
    else if (info.st_size == 0)
        check_fail(result, "'%s' is empty", file->path);
    else
        check_ok(result, "%s, %lld bytes", file->path, (long long) info.st_size);
    if (result->grade == CHECK_FAIL)
        check_advise(result, "install the guest image (make image, make install), or set %s",
                     file->key);
}

static void check_kernel(struct node *node, struct check_result *result)
{
    check_file(node, &(struct image_file){node->host.kernel, "image.kernel"}, result);
}

static void check_initrd(struct node *node, struct check_result *result)
{
    check_file(node, &(struct image_file){node->host.initrd, "image.initrd"}, result);
}

static void check_cmdline(struct node *node, struct check_result *result)
{
    check_file(node, &(struct image_file){node->host.cmdline, "image.cmdline"}, result);
}

/* QEMU maps a ROM in such steps; what is not of that size is half of a flash image. */
enum { ROM_STEP = 64 * 1024 };

static void check_firmware(struct node *node, struct check_result *result)
{
    scoped(freep) char *there = node_path(node, node->host.firmware);
    struct stat info;

    if (!node->host.firmware[0])
        return;
    check_file(node, &(struct image_file){node->host.firmware, "image.firmware"}, result);
    if (result->grade == CHECK_OK && stat(there, &info) == 0 && info.st_size % ROM_STEP) {
        check_fail(result, "'%s' cannot be a ROM: its %lld bytes are no multiple of 64 KiB",
                   node->host.firmware, (long long) info.st_size);
        check_advise(result, "a firmware in one piece, as Debian's /usr/share/ovmf/OVMF.fd, not "
                             "the code half of one for flash");
    }
}

static void check_sandboxer(struct node *node, struct check_result *result)
{
    const char *sandboxer = containerd_conf_text(node->containerd, node->runtime, "sandboxer");

    if (text_equal(sandboxer, "shim")) {
        check_ok(result, "shim");
        return;
    }
    check_fail(result, "sandboxer is '%s': the shim would never be asked for a sandbox",
               sandboxer ? sandboxer : "podsandbox");
    check_advise(result, "sandboxer = \"shim\" in the handler's table, restart containerd");
}

static void check_options(struct node *node, struct check_result *result)
{
    if (!containerd_conf_has_table(node->containerd, node->runtime, "options")) {
        check_ok(result, "none");
        return;
    }
    check_fail(result, "the handler has an options table: with one, containerd 2.0 to 2.3.0 fails "
                       "at every start of a container");
    check_advise(result, "remove the table; the shim's settings are in %s", HOST_CONF_PATH);
}

/* In the order of dependence: what a row learns, later rows need. */
static const struct check checks[] = {
    {"user", check_user, 0},
    {"config", check_conf, 0},
    {"helper", check_helper, NODE_CONF},
    {"kernel", check_kernel, NODE_CONF},
    {"initrd", check_initrd, NODE_CONF},
    {"cmdline", check_cmdline, NODE_CONF},
    {"firmware", check_firmware, NODE_CONF},
    {"kvm", check_kvm, NODE_CONF},
    {"accel", check_accel, NODE_CONF},
    {"launch-security", check_launch, NODE_CONF},
    {"tpm", check_tpm, NODE_CONF},
    {"memory", check_memory, NODE_CONF},
    {"libvirt", check_libvirt, NODE_CONF},
    {"domain", check_domain, NODE_CONF},
    {"tun", check_tun, 0},
    {"redirects", check_redirects, 0},
    {"directories", check_directories, 0},
    {"containerd", check_containerd, 0},
    {"containerd-config", check_containerd_conf, 0},
    {"runtime", check_runtime, NODE_CONTAINERD},
    {"sandboxer", check_sandboxer, NODE_RUNTIME},
    {"options", check_options, NODE_RUNTIME},
    {"shim", check_shim, 0},
};

const struct realm host_realm = {
    .name = "host",
    .runtime = "cleave-host",
    .example = "deploy/containerd-host.toml",
    .containerd_major = 2,
    .containerd_minor = 0,
    .checks = checks,
    .count = ARRAY_LENGTH(checks),
};
