/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "accel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/guest_disk.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "cgroup_home.h"
#include "disks.h"
#include "domain_xml.h"
#include "io/netns.h"
#include "io/uplink.h"
#include "libvirt.h"
#include "node.h"
#include "process.h"
#include "scratch.h"
#include "shim/host_conf.h"
#include "tap_move.h"
#include "uuid.h"
#include "verbs.h"
#include "watch.h"

enum { CMDLINE_MAX = 4096, NAME_SIZE = 96, TAP_SIZE = 32 };

/* Everything that create holds, so that each step stays short. */
struct birth {
    const struct host_conf *conf;
    struct request request;
    struct guest_net net;
    struct disks disks;
    char scratch[SCRATCH_PATH_SIZE]; /* "": the machine gets none */
    char name[NAME_SIZE];
    char uuid[UUID_SIZE];
    int netns;
    char *node;
    struct virt *virt;
    struct virt_domain *domain;
    pid_t pid;
    pid_t tpm; /* 0: it has none */
};

static void birth_fini(struct birth *birth)
{
    virt_domain_freep(&birth->domain);
    virt_closep(&birth->virt);
    request_clear(&birth->request);
    closep(&birth->netns);
    free(birth->node);
}

static int prepare(struct birth *birth, struct error *err)
{
    log_debug("phase read");
    if (request_read(STDIN_FILENO, REQUEST_CREATE, &birth->request, err) < 0 ||
        request_bind_to_parent(&birth->request, err) < 0 ||
        text_format(birth->name, sizeof(birth->name), err, "cleave-%s", birth->request.id) < 0 ||
        netns_open(birth->request.netns, &birth->netns, err) < 0 ||
        uplink_read(birth->netns, &birth->net, err) < 0)
        return -1;
    log_debug("phase disks");
    if (disks_write(&birth->request, &birth->net, &birth->disks, err) < 0)
        return -1;
    return birth->conf->scratch ? scratch_make(birth->conf, &birth->request, birth->scratch, err)
                                : 0;
}

static int describe(struct birth *birth, char **ret_xml, struct error *err)
{
    const struct host_conf *conf = birth->conf;
    scoped(freep) char *cmdline = NULL, *console = NULL;
    struct domain_spec spec = {
        .name = birth->name,
        .uuid = birth->uuid,
        .node = birth->node,
        .accel = accel_choose(conf),
        .launch = verb_launch(conf),
        .tpm = verb_tpm(conf),
        .vcpus = birth->request.vcpus,
        .memory = birth->request.memory,
        .kernel = conf->kernel,
        .initrd = conf->initrd,
        .firmware = conf->firmware,
        .init_disk = birth->disks.init,
        .net_disk = birth->disks.net,
        .scratch_disk = birth->scratch[0] ? birth->scratch : NULL,
        .interface = true,
        .initdata = birth->request.initdata,
        .initdata_length = birth->request.initdata_length,
    };
    size_t length;

    if (file_read(conf->cmdline, CMDLINE_MAX, &cmdline, &length, err) < 0)
        return -1;
    cmdline[strcspn(cmdline, "\n")] = '\0';
    spec.cmdline = cmdline;
    memcpy(spec.mac, birth->net.mac, sizeof(spec.mac));
    if (conf->console)
        console = xformat("%s/console.log", birth->request.directory);
    spec.console_log = console;
    return domain_xml(&spec, ret_xml, err);
}

static int boot(struct birth *birth, struct error *err)
{
    scoped(freep) char *xml = NULL;

    log_debug("phase connect");
    if (node_name(&birth->node, err) < 0)
        return -1;
    uuid_of_machine(birth->node, birth->name, birth->uuid);
    if (describe(birth, &xml, err) < 0 ||
        verb_connect(birth->conf, &birth->request, &birth->virt, err) < 0)
        return -1;
    log_debug("phase domain");
    if (virt_create_paused(birth->virt, xml, &birth->domain, err) < 0)
        return -1;
    /* QEMU has it open: from here on it goes with its last descriptor, whoever dies. */
    return scratch_remove(birth->conf, &birth->request, err);
}

static int find_processes(struct birth *birth, struct error *err)
{
    log_debug("phase process");
    birth->pid = process_find(PROCESS_MACHINE, birth->name);
    if (!birth->pid)
        return error_set(err, STATUS_INTERNAL, "the machine's process is gone already");
    if (host_conf_tpm(birth->conf) == HOST_TPM_NONE)
        return 0;
    birth->tpm = process_find(PROCESS_TPM, birth->uuid);
    return birth->tpm ? 0 : error_set(err, STATUS_INTERNAL, "the machine's TPM is gone already");
}

static int connect_uplink(struct birth *birth, struct error *err)
{
    struct cgroup_members members = {.pids = {birth->pid, birth->tpm}};
    char tap[TAP_SIZE];

    log_debug("phase tap");
    if (virt_tap(birth->domain, tap, sizeof(tap), err) < 0 ||
        tap_move(birth->netns, birth->pid, tap, err) < 0 || uplink_join(birth->netns, err) < 0)
        return -1;
    log_debug("phase cgroup");
    return cgroup_home_enter(&birth->request, &members, err);
}

static int put_process(struct js *reply, pid_t pid, struct error *err)
{
    uint64_t start_time = watch_start_time(pid);

    if (!start_time)
        return error_set(err, STATUS_INTERNAL, "the machine's process ended at once");
    js_set_integer(reply, "pid", pid);
    js_set_integer(reply, "start_time", (int64_t) start_time);
    return 0;
}

static int answer(const struct birth *birth, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *reply = js_new_object();
    struct js *tpm;

    if (put_process(reply, birth->pid, err) < 0)
        return -1;
    if (birth->tpm) {
        tpm = js_new_object();
        js_set(reply, "tpm", tpm);
        if (put_process(tpm, birth->tpm, err) < 0)
            return -1;
    }
    *ret = take_ptr(reply);
    return 0;
}

static int resume(struct birth *birth, struct error *err)
{
    log_debug("phase resume");
    if (virt_resume(birth->domain, err) < 0)
        return -1;
    log_debug("phase answer");
    return 0;
}

int verb_create(const struct host_conf *conf, struct js **ret, struct error *err)
{
    scoped(birth_fini) struct birth birth = {.conf = conf, .netns = -1};

    if (prepare(&birth, err) < 0 || boot(&birth, err) < 0 || find_processes(&birth, err) < 0 ||
        connect_uplink(&birth, err) < 0 || resume(&birth, err) < 0)
        return -1;
    return answer(&birth, ret, err);
}
