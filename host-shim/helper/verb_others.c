/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "accel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "cgroup_home.h"
#include "disks.h"
#include "libvirt.h"
#include "node.h"
#include "process.h"
#include "record.h"
#include "scratch.h"
#include "shim/host_conf.h"
#include "tpm.h"
#include "uuid.h"
#include "verbs.h"
#include "watch.h"

#define PREFIX "cleave-"

enum { NAME_SIZE = 96 };

int verb_connect(const struct host_conf *conf, const struct request *request, struct virt **ret,
                 struct error *err)
{
    struct virt_options options = {
        .uri = conf->uri,
        .call_timeout = (unsigned) conf->call_timeout,
    };

    if (request && request->uri) {
        options.uri = request->uri;
        options.call_timeout = request->call_timeout;
    }
    return virt_open(&options, ret, err);
}

static int domain_name(const struct request *request, char name[NAME_SIZE], struct error *err)
{
    return text_format(name, NAME_SIZE, err, PREFIX "%s", request->id);
}

static int machine_uuid(const char *name, char ret[UUID_SIZE], struct error *err)
{
    scoped(freep) char *node = NULL;

    if (node_name(&node, err) < 0)
        return -1;
    uuid_of_machine(node, name, ret);
    return 0;
}

/* One look: destroys the domain if there is one. */
static int destroy_once(struct virt *virt, const char *name, struct error *err)
{
    scoped(virt_domain_freep) struct virt_domain *domain = NULL;

    if (virt_find(virt, name, &domain, err) < 0)
        return -1;
    if (domain && virt_destroy(domain, err) < 0)
        return -1;
    return process_kill(PROCESS_MACHINE, name, err);
}

/* Nobody waits for a late destroy: it goes on looking for some seconds. */
static int destroy_domain(struct virt *virt, const struct request *request, const char *name,
                          struct error *err)
{
    static const time_t late_s[] = {0, 1, 2, 4};
    size_t looks = request->late ? ARRAY_LENGTH(late_s) : 1;

    for (size_t i = 0; i < looks; i++) {
        const struct timespec pause = {.tv_sec = late_s[i]};

        nanosleep(&pause, NULL);
        if (destroy_once(virt, name, err) < 0)
            return -1;
    }
    return 0;
}

/* Kills without libvirt first, so that the machine is dead even where libvirt hangs. */
static int destroy(const struct host_conf *conf, const struct request *request, struct error *err)
{
    scoped(virt_closep) struct virt *virt = NULL;
    char name[NAME_SIZE], uuid[UUID_SIZE];

    if (domain_name(request, name, err) < 0)
        return -1;
    log_debug("phase kill");
    if (request->pid && watch_kill_now(request->pid, request->start_time, PROCESS_KILL_MS, err) < 0)
        return -1;
    if (process_kill(PROCESS_MACHINE, name, err) < 0 || machine_uuid(name, uuid, err) < 0 ||
        tpm_kill(uuid, err) < 0)
        return -1;
    log_debug("phase libvirt");
    if (verb_connect(conf, request, &virt, err) < 0 || destroy_domain(virt, request, name, err) < 0)
        return -1;
    log_debug("phase files");
    if (tpm_remove(uuid, err) < 0 || cgroup_home_leave(request, err) < 0 ||
        scratch_remove(conf, request, err) < 0)
        return -1;
    return disks_remove(request, err);
}

int verb_destroy(const struct host_conf *conf, struct js **ret, struct error *err)
{
    struct request request;
    int failed;

    (void) ret;
    if (request_read(STDIN_FILENO, REQUEST_ID_ONLY, &request, err) < 0)
        return -1;
    failed = destroy(conf, &request, err);
    request_clear(&request);
    return failed;
}

static int find(const struct host_conf *conf, const struct request *request, struct virt **ret_virt,
                struct virt_domain **ret, struct error *err)
{
    char name[NAME_SIZE];

    if (domain_name(request, name, err) < 0 || verb_connect(conf, request, ret_virt, err) < 0)
        return -1;
    return virt_find(*ret_virt, name, ret, err);
}

int verb_status(const struct host_conf *conf, struct js **ret, struct error *err)
{
    scoped(virt_closep) struct virt *virt = NULL;
    scoped(virt_domain_freep) struct virt_domain *domain = NULL;
    struct request request;
    int failed;

    if (request_read(STDIN_FILENO, REQUEST_ID_ONLY, &request, err) < 0)
        return -1;
    failed = find(conf, &request, &virt, &domain, err);
    request_clear(&request);
    if (failed < 0)
        return -1;
    *ret = js_new_object();
    js_set_string(*ret, "state", domain ? virt_state(domain) : "absent");
    return 0;
}

int verb_power(const struct host_conf *conf, struct js **ret, struct error *err)
{
    scoped(virt_closep) struct virt *virt = NULL;
    scoped(virt_domain_freep) struct virt_domain *domain = NULL;
    struct request request;
    int failed;

    (void) ret;
    if (request_read(STDIN_FILENO, REQUEST_ID_ONLY, &request, err) < 0)
        return -1;
    failed = find(conf, &request, &virt, &domain, err);
    request_clear(&request);
    if (failed < 0)
        return -1;
    if (!domain)
        return error_set(err, STATUS_NOT_FOUND, "the machine is gone");
    return virt_power(domain, err);
}

struct sweep {
    const char *node;
    int64_t count;
};

/* Ours by name and by node, and no shim has a directory for it. */
static int sweep_one(void *user, const char *name, struct virt_domain *domain, struct error *err)
{
    struct sweep *sweep = user;
    char path[RECORD_PATH_SIZE];
    struct error none;

    if (!text_starts(name, PREFIX) || record_directory(name + strlen(PREFIX), path, &none) < 0 ||
        file_exists(path) || !virt_is_of_node(domain, sweep->node))
        return 0;
    log_warn("domain '%s' belongs to no sandbox: destroyed", name);
    sweep->count++;
    if (virt_destroy(domain, err) < 0)
        return -1;
    return process_kill(PROCESS_MACHINE, name, err);
}

int verb_sweep(const struct host_conf *conf, struct js **ret, struct error *err)
{
    scoped(virt_closep) struct virt *virt = NULL;
    scoped(freep) char *node = NULL;
    struct sweep sweep = {0};

    if (node_name(&node, err) < 0 || verb_connect(conf, NULL, &virt, err) < 0)
        return -1;
    sweep.node = node;
    if (virt_each(virt, sweep_one, &sweep, err) < 0 || tpm_sweep(node, &sweep.count, err) < 0 ||
        scratch_sweep(conf, err) < 0)
        return -1;
    *ret = js_new_object();
    js_set_integer(*ret, "destroyed", sweep.count);
    return 0;
}

int verb_probe(const struct host_conf *conf, struct js **ret, struct error *err)
{
    scoped(virt_closep) struct virt *virt = NULL;
    struct error why = {0};
    bool booted;

    if (verb_connect(conf, NULL, &virt, err) < 0)
        return -1;
    if (accel_probe(virt, conf, &booted, &why) < 0) {
        *err = why;
        return -1;
    }
    *ret = js_new_object();
    js_set(*ret, "kvm", js_new_boolean(booted));
    if (!booted)
        js_set_string(*ret, "reason", why.message);
    return 0;
}
