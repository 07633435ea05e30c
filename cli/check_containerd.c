/* SPDX-License-Identifier: Apache-2.0 */
/* What both realms need: containerd, our runtime in its configuration, the shim, a place for state.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "checks.h"
#include "containerd_conf.h"

#define CONTAINERD_CONF_PATH "/etc/containerd/config.toml"

void check_user(struct node *node, struct check_result *result)
{
    if (geteuid() == 0)
        return;
    check_warn(result, "not root: what only root may do looks wrong below");
    check_advise(result, "run it as root");
}

/* ---- directories ------------------------------------------------------------------------------
 */

/* The directory itself or, while it does not exist, the nearest one above it. */
static char *nearest(const struct node *node, const char *path)
{
    char *there = node_path(node, path);
    char *slash;

    while (!file_exists(there) && (slash = strrchr(there, '/')) && slash > there)
        *slash = '\0';
    return there;
}

void check_directories(struct node *node, struct check_result *result)
{
    static const char *const paths[] = {"/run/cleave", "/var/lib/cleave"};

    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        scoped(freep) char *there = nearest(node, paths[i]);
        struct stat info;

        if (stat(there, &info) == 0 && !S_ISDIR(info.st_mode)) {
            check_fail(result, "%s cannot be made: '%s' is no directory", paths[i], there);
            check_advise(result, "remove it");
            return;
        }
        if (access(there, W_OK | X_OK) < 0) {
            check_fail(result, "%s: no writing to '%s': %s", paths[i], there, strerror(errno));
            check_advise(result,
                         "containerd's user (root) must be able to make it and write to it");
            return;
        }
    }
    check_ok(result, "%s and %s can be written to", paths[0], paths[1]);
}

/* ---- containerd -------------------------------------------------------------------------------
 */

/* "containerd github.com/containerd/containerd/v2 2.1.9 0123abc": the third word. */
static bool parse_version(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
    return sscanf(text, "%*s %*s v%u.%u", ret_major, ret_minor) == 2 ||
           sscanf(text, "%*s %*s %u.%u", ret_major, ret_minor) == 2;
}

void check_containerd(struct node *node, struct check_result *result)
{
    const struct realm *realm = node->realm;
    scoped(freep) char *program = node_find_program(node, "containerd");
    scoped(freep) char *text = NULL;
    unsigned major, minor;
    struct error err;

    if (!program) {
        check_warn(result, "not in PATH: its version is unknown");
        check_advise(result, "this realm needs containerd %u.%u or newer", realm->containerd_major,
                     realm->containerd_minor);
        return;
    }
    if (node_program_version(program, &text, &err) < 0) {
        check_warn(result, "its version is unknown: %s", err.message);
        return;
    }
    if (!parse_version(text, &major, &minor)) {
        check_warn(result, "its version is unknown: '%s --version' names none", program);
        return;
    }
    if (major > realm->containerd_major ||
        (major == realm->containerd_major && minor >= realm->containerd_minor)) {
        check_ok(result, "version %u.%u (%s)", major, minor, program);
        return;
    }
    check_fail(result, "version %u.%u is too old (%s)", major, minor, program);
    check_advise(result, "install containerd %u.%u or newer", realm->containerd_major,
                 realm->containerd_minor);
}

void check_containerd_conf(struct node *node, struct check_result *result)
{
    scoped(freep) char *path = node->containerd_path ? xstrdup(node->containerd_path)
                                                     : node_path(node, CONTAINERD_CONF_PATH);
    const char *doubt;
    struct error err;

    if (containerd_conf_load(node->root, path, &node->containerd, &err) < 0) {
        check_fail(result, "%s", err.message);
        check_advise(result, "write one that holds the runtime of %s", node->realm->example);
        return;
    }
    node->known |= NODE_CONTAINERD;
    doubt = containerd_conf_doubt(node->containerd);
    if (!doubt) {
        check_ok(result, "%s", path);
        return;
    }
    check_warn(result, "not understood, passed over: %s", doubt);
    check_advise(result, "`containerd config dump` says whether containerd understands it");
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void check_runtime(struct node *node, struct check_result *result)
{
    const struct realm *realm = node->realm;
    scoped(freep) char *ignored = containerd_conf_ignored_runtime(node->containerd, realm->runtime);

    node->runtime = containerd_conf_runtime(node->containerd, realm->runtime);
    if (node->runtime) {
        node->known |= NODE_RUNTIME;
        check_ok(result, "handler '%s' has runtime_type %s", base_name(node->runtime),
                 containerd_conf_text(node->containerd, node->runtime, "runtime_type"));
        return;
    }
    if (ignored) {
        check_fail(result,
                   "containerd ignores handler '%s': its table has the name that only a "
                   "file of version 2 may use",
                   base_name(ignored));
        check_advise(result, "put it into the table that %s shows", realm->example);
        return;
    }
    check_fail(result, "no handler has a runtime_type of %s", realm->runtime);
    check_advise(result, "add the runtime of %s to containerd's configuration, restart containerd",
                 realm->example);
}

/* ---- shim -------------------------------------------------------------------------------------
 */

/* containerd's rule: an absolute path, or a.b.NAME.VERSION for containerd-shim-NAME-VERSION. */
static char *shim_of_type(const char *type)
{
    scoped(freep) char *copy = xstrdup(type);
    char *version = strrchr(copy, '.'), *name;

    if (type[0] == '/')
        return take_ptr(copy);
    if (!version || strchr(type, '/'))
        return NULL;
    *version++ = '\0';
    name = strrchr(copy, '.');
    return name ? xformat("containerd-shim-%s-%s", name + 1, version) : NULL;
}

/* The name that containerd will start, as far as is known. */
static char *shim_name(const struct node *node)
{
    const char *type = node->runtime
                           ? containerd_conf_text(node->containerd, node->runtime, "runtime_type")
                           : NULL;

    return type ? shim_of_type(type) : xformat("containerd-shim-%s-v2", node->realm->runtime);
}

char *check_shim_path(const struct node *node)
{
    scoped(freep) char *name = shim_name(node);

    return name ? node_find_program(node, name) : NULL;
}

void check_shim(struct node *node, struct check_result *result)
{
    scoped(freep) char *name = shim_name(node);
    scoped(freep) char *path = check_shim_path(node);
    scoped(freep) char *expected = xformat("containerd-shim-%s-v2", node->realm->runtime);

    if (!name) {
        check_fail(result, "the runtime_type is neither an absolute path nor a name");
        check_advise(result, "runtime_type = \"io.containerd.%s.v2\", or the path of %s",
                     node->realm->runtime, expected);
    } else if (!path) {
        check_fail(result, "there is no program '%s'%s", name, name[0] == '/' ? "" : " in PATH");
        check_advise(result, "install %s, or set runtime_type to its path", expected);
    } else if (!text_equal(base_name(name), expected)) {
        check_warn(result, "'%s' is not %s", name, expected);
        check_advise(result, "runtime_type should name %s", expected);
    } else {
        check_ok(result, "%s", path);
    }
}
