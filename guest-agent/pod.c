/* SPDX-License-Identifier: Apache-2.0 */
#include "pod.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "cgroup.h"
#include "container.h"
#include "events.h"
#include "host_network.h"
#include "idempotency.h"
#include "io/loop.h"
#include "launch.h"
#include "layer_store.h"
#include "lease.h"
#include "mounts.h"
#include "mux.h"
#include "namespaces.h"
#include "pod_network.h"
#include "reaper.h"
#include "runtime.h"
#include "scratch.h"
#include "sealed.h"
#include "sealed_configuration.h"
#include "secure/initdata.h"
#include "share.h"
#include "volumes.h"

/* For the last answers on their way, and, from the end of the grace on, for records and output that
 * nobody fetches. */
#define EXEC_PROGRAM "/usr/bin/cleave-exec"
enum { LINGER_MS = 200, HANDOVER_MS = 3000 };

enum { CLOCK_TOLERANCE_NS = 1000 * 1000 * 1000 };

/* Of all containers. */
#define CONTAINERS_CGROUP "/cleave"

static int make_directories(struct pod *pod, struct error *err)
{
    const char *state = pod->options->state_directory;
    scoped(freep) char *layers = xformat("%s/layers", state);
    scoped(freep) char *runtime = xformat("%s/runtime", state);

    pod->directory = xformat("%s/pod", state);
    pod->containers = xformat("%s/containers", state);
    pod->ipc_path = xformat("%s/ns-ipc", state);
    pod->uts_path = xformat("%s/ns-uts", state);
    if (file_make_directories(layers, 0700, err) < 0 ||
        file_make_directories(runtime, 0700, err) < 0 ||
        file_make_directories(pod->directory, 0711, err) < 0 ||
        file_make_directories(pod->containers, 0711, err) < 0)
        return -1;
    return 0;
}

static void drained(void *user)
{
    pod_changed(user);
}

static void unpacked(void *user)
{
    pod_limit_memory(user);
}

/* The kernel is not frozen with the containers: what it would say for them is kept in. */
static int be_silent(const struct pod *pod, struct error *err)
{
    pod_network_set_mode(pod->network, FRAMES_SILENT);
    return pod->has_host_network ? host_network_set_mode(HOST_NETWORK_SILENT, err) : 0;
}

/* One group above the containers' own: a container that its user has paused stays so. A guest that
 * cannot be frozen goes. */
static void freeze(void *user)
{
    struct pod *pod = user;
    struct error err;

    if (be_silent(pod, &err) == 0 &&
        pod->cgroups->freeze(CONTAINERS_CGROUP, CGROUP_FROZEN, &err) == 0)
        return;
    log_error("power off: the containers cannot be frozen: %s", err.message);
    loop_quit(pod->loop);
}

static void thaw(const struct pod *pod)
{
    struct error err;

    if (pod->cgroups->freeze(CONTAINERS_CGROUP, CGROUP_THAWED, &err) < 0)
        log_error("the containers cannot be thawed: %s", err.message);
}

static void lease_is_renewed(void *user)
{
    struct pod *pod = user;
    struct error err;

    pod_network_set_mode(pod->network, FRAMES_FLOW);
    if (pod->has_host_network && host_network_set_mode(HOST_NETWORK_FLOW, &err) < 0)
        log_error("%s", err.message);
    thaw(pod);
}

static void lease_is_over(void *user)
{
    pod_drain(user, 0);
}

static bool look_at_volume(void *user, const char *name, struct volumes_about *ret)
{
    return volumes_look(user, name, ret);
}

static int make_rooms(struct pod *pod, struct error *err)
{
    const char *state = pod->options->state_directory;
    scoped(freep) char *layers = xformat("%s/layers", state);
    scoped(freep) char *runtime = xformat("%s/runtime", state);
    scoped(freep) char *volumes = xformat("%s/volumes", state);
    struct layer_store_options layer_options = {.directory = layers};
    struct runtime_options runtime_options = {.program = "crun", .directory = runtime};
    static const struct lease_events lease_events = {freeze, lease_is_renewed, lease_is_over};

    if (file_make_directories(volumes, 0711, err) < 0 ||
        reaper_new(pod->loop, &pod->reaper, err) < 0 ||
        runtime_new(pod->loop, pod->reaper, &runtime_options, &pod->runtime, err) < 0 ||
        launcher_new(pod->loop, pod->reaper, EXEC_PROGRAM, &pod->launcher, err) < 0 ||
        layer_store_new(pod->loop, &layer_options, &pod->layers, err) < 0)
        return -1;
    layer_store_on_unpacked(pod->layers, unpacked, pod);
    pod->mux = mux_new();
    mux_on_drained(pod->mux, drained, pod);
    pod->events = events_new();
    pod->answers = idempotency_new();
    pod->volumes = volumes_new(volumes);
    if (pod->initdata->content.mode == INITDATA_SEALED)
        pod->sealed = sealed_new(pod->initdata->content.manifest_digest, look_at_volume,
                                 pod->volumes);
    return lease_new(pod->loop, &lease_events, pod, &pod->lease, err);
}

/* A stub guest may lack the power to lower it below its own. */
static int lowest_oom_score(enum agent_place place)
{
    scoped(freep) char *text = NULL;
    struct error ignored;
    size_t length;
    int64_t value;

    if (place == AGENT_IN_VM || file_read("/proc/self/oom_score_adj", 32, &text, &length, &ignored))
        return -1000;
    text[strcspn(text, "\n")] = '\0';
    return text_to_i64(text, &value) ? (int) value : -1000;
}

int pod_new(struct loop *loop, const struct agent_options *options, const struct initdata *initdata,
            struct pod **ret, struct error *err)
{
    scoped(pod_freep) struct pod *pod = xnew(struct pod);

    pod->loop = loop;
    pod->options = options;
    pod->initdata = initdata;
    pod->phase = PHASE_BOOTED;
    pod->cgroups = cgroup_detect();
    pod->lowest_oom_score = lowest_oom_score(options->place);
    if (make_directories(pod, err) < 0 || make_rooms(pod, err) < 0)
        return -1;
    *ret = take_ptr(pod);
    return 0;
}

void pod_free(struct pod *pod)
{
    if (!pod)
        return;
    share_free(pod->share); /* first: who waits for it does not end */
    while (pod->first)
        container_free(pod->first);
    reaper_unwatch(pod->keeper_watch);
    if (pod->grace_timer)
        source_free(pod->grace_timer);
    if (pod->end_timer)
        source_free(pod->end_timer);
    if (pod->linger_timer)
        source_free(pod->linger_timer);
    pod_network_free(pod->network);
    lease_free(pod->lease);
    volumes_free(pod->volumes);
    sealed_free(pod->sealed);
    idempotency_free(pod->answers);
    events_free(pod->events);
    mux_free(pod->mux);
    layer_store_free(pod->layers);
    launcher_free(pod->launcher);
    runtime_free(pod->runtime);
    reaper_free(pod->reaper);
    free(pod->directory);
    free(pod->containers);
    free(pod->ipc_path);
    free(pod->uts_path);
    free(pod->pid_path);
    free(pod);
}

/* Layers are the agent's own, so what they took is no container's any more. At this limit
 * containers are killed; without it the machine would run out, and with tmpfs full there may be
 * nothing to kill. */
void pod_limit_memory(struct pod *pod)
{
    struct error err;

    if (pod->options->place == AGENT_IN_VM && pod->cgroups->limit &&
        pod->cgroups->limit(CONTAINERS_CGROUP, layer_store_memory(pod->layers), &err) < 0)
        log_warn("the limit of all containers: %s", err.message);
}

/* ---- configuration ---- */

static int check_network(enum initdata_network network,
                         const struct pod_configuration *configuration, struct error *err)
{
    const char *name = initdata_network_name(network);

    if (network == INITDATA_NETWORK_TENANT && !configuration->network_length)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "cleave.network is '%s', and the tenant's shim did not say which network: "
                         "use a shim of release " CLEAVE_VERSION,
                         name);
    if (network != INITDATA_NETWORK_TENANT && configuration->network_length)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a network came, and cleave.network is '%s'",
                         name);
    return 0;
}

static int check(const struct pod *pod, const struct pod_configuration *configuration,
                 struct error *err)
{
    const struct initdata_content *content = &pod->initdata->content;
    const char *hostname = configuration->hostname;

    if (pod->phase != PHASE_ATTESTED)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the pod has been configured");
    if (check_network(content->network, configuration, err) < 0)
        return -1;
    if (strlen(hostname) > 63 || strspn(hostname, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRS"
                                                  "TUVWXYZ0123456789.-_") != strlen(hostname))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the hostname is not one");
    if (configuration->resolv_conf_length > POD_FILE_MAX ||
        configuration->hosts_length > POD_FILE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "a file of the pod is larger than %d KiB",
                         POD_FILE_MAX / 1024);
    if (configuration->sysctl_count > POD_SYSCTLS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d sysctls", POD_SYSCTLS_MAX);
    return 0;
}

static int set_clock(const struct pod *pod, int64_t wall_clock_ns, struct error *err)
{
    struct timespec now = {.tv_sec = wall_clock_ns / 1000000000,
                           .tv_nsec = wall_clock_ns % 1000000000};

    if (wall_clock_ns <= 0 || pod->options->place != AGENT_IN_VM)
        return 0;
    if (clock_settime(CLOCK_REALTIME, &now) < 0)
        return error_errno(err, errno, "set the clock");
    return 0;
}

void pod_advance_clock(const struct pod *pod, int64_t wall_clock_ns)
{
    struct error err;

    if (wall_clock_ns <= 0 || wall_clock_ns - CLOCK_TOLERANCE_NS < clock_wall_ns())
        return;
    if (set_clock(pod, wall_clock_ns, &err) < 0)
        log_warn("%s", err.message);
}

/* Whoever shares the namespace dies with its keeper: that is the kernel's work. */
static void keeper_exited(void *user, const struct reaper_exit *exit)
{
    struct pod *pod = user;

    log_warn("the keeper of the pod's PID namespace has ended");
    reaper_unwatch(take_ptr(pod->keeper_watch));
    pod->keeper = 0;
    namespaces_forget(pod->pid_path);
    free(take_ptr(pod->pid_path)); /* the next one that asks gets another */
}

int pod_share_pid(struct pod *pod, struct error *err)
{
    scoped(freep) char *path = NULL;

    if (pod->pid_path)
        return 0;
    path = xformat("%s/ns-pid", pod->options->state_directory);
    if (namespaces_make_pid(path, pod->options->pod_netns, &pod->keeper, err) < 0)
        return -1;
    pod->keeper_watch = reaper_watch_started(pod->reaper, pod->keeper, keeper_exited, pod);
    pod->pid_path = take_ptr(path);
    return 0;
}

static int share_uplink(struct pod *pod, struct error *err)
{
    const struct host_network_options options = {
        .pod_netns = pod->options->pod_netns,
        .block = pod->options->network,
        .length = pod->options->network_length,
        .dial_out = pod->options->dial_out,
    };

    if (host_network_make(&options, err) < 0)
        return -1;
    pod->has_host_network = true;
    return 0;
}

/* An attempt that got no further may have left one. */
static int make_network(struct pod *pod, const struct pod_configuration *configuration,
                        struct error *err)
{
    const struct pod_network_options options = {
        .netns = pod->options->pod_netns,
        .block = configuration->network,
        .length = configuration->network_length,
        .offloads = configuration->offloads,
    };

    if (pod->initdata->content.network == INITDATA_NETWORK_HOST)
        return share_uplink(pod, err);
    pod_network_free(take_ptr(pod->network));
    return options.length ? pod_network_new(pod->loop, &options, &pod->network, err) : 0;
}

static int configure(struct pod *pod, const struct pod_configuration *configuration,
                     struct error *err)
{
    struct mounts_pod files = {
        .hostname = configuration->hostname,
        .resolv_conf = configuration->resolv_conf,
        .resolv_conf_length = configuration->resolv_conf_length,
        .hosts = configuration->hosts,
        .hosts_length = configuration->hosts_length,
    };
    struct namespaces_options namespaces = {
        .net = pod->options->pod_netns,
        .ipc_path = pod->ipc_path,
        .uts_path = pod->uts_path,
        .hostname = configuration->hostname,
        .sysctls = configuration->sysctls,
        .sysctl_count = configuration->sysctl_count,
    };

    if (check(pod, configuration, err) < 0 ||
        set_clock(pod, configuration->wall_clock_ns, err) < 0 ||
        make_network(pod, configuration, err) < 0 || namespaces_make(&namespaces, err) < 0 ||
        mounts_make_pod(pod->directory, &files, err) < 0)
        return -1;
    if (configuration->share_pid && pod_share_pid(pod, err) < 0)
        return -1;
    return 0;
}

int pod_configure(struct pod *pod, const struct pod_configuration *configuration, struct error *err)
{
    scoped(freep) struct pod_sysctl *sysctls = NULL;
    struct pod_configuration sealed;

    if (!pod->sealed)
        return configure(pod, configuration, err);
    if (sealed_configuration(pod->sealed, configuration, &sealed, &sysctls, err) < 0)
        return -1;
    return configure(pod, &sealed, err);
}

struct opening {
    struct pod *pod;
    pod_opened_fn *fn;
    void *user;
};

static void use_disk(struct pod *pod)
{
    if (pod->disk)
        return;
    layer_store_use_disk(pod->layers, SCRATCH_DIRECTORY "/layers");
    volumes_use_disk(pod->volumes, SCRATCH_DIRECTORY "/volumes");
    pod->disk = SCRATCH_DIRECTORY;
}

/* A disk that does not work is no reason to do without: what was promised may need its room. */
static void disk_known(void *user, const struct error *why)
{
    scoped(freep) struct opening *opening = user;
    struct pod *pod = opening->pod;
    struct error err;

    if (!why && pod->options->scratch)
        use_disk(pod);
    if (!why && phase_advance(&pod->phase, pod->sealed ? PHASE_SEALED : PHASE_OPEN, &err) < 0)
        why = &err;
    opening->fn(opening->user, why);
}

void pod_open(struct pod *pod, pod_opened_fn *fn, void *user)
{
    struct opening *opening = xnew(struct opening);
    struct error err;

    *opening = (struct opening){pod, fn, user};
    if (!pod->options->scratch)
        return disk_known(opening, NULL);
    if (scratch_wait(pod->options->scratch, pod->loop, disk_known, opening, &err) < 0)
        disk_known(opening, &err);
}

int pod_open_share(struct pod *pod, struct error *err)
{
    scoped(freep) char *place = xformat("%s/share", pod->options->state_directory);

    if (pod->share)
        return share_check(pod->share, err);
    return share_new(pod->loop, &(struct share_options){.place = place}, &pod->share, err);
}

/* ---- the end ---- */

static bool all_ended(const struct pod *pod)
{
    for (const struct container *container = pod->first; container;
         container = container_next(container)) {
        if (!container_has_ended(container))
            return false;
    }
    return true;
}

static void signal_all(struct pod *pod, int signum)
{
    for (struct container *container = pod->first; container; container = container_next(container))
        container_power_off(container, signum);
}

static bool is_settled(const struct pod *pod)
{
    return all_ended(pod) && events_unacknowledged(pod->events) == 0 && mux_is_drained(pod->mux);
}

static void set_timer(struct pod *pod, struct source **timer, uint64_t delay_ms, loop_fn *fn)
{
    struct error err;

    if (*timer)
        source_free(take_ptr(*timer));
    if (loop_after(pod->loop, delay_ms, fn, pod, timer, &err) < 0)
        loop_quit(pod->loop);
}

static void grace_is_over(void *user)
{
    struct pod *pod = user;

    pod->killed = true;
    signal_all(pod, SIGKILL);
    if (pod->share)
        share_end_waiting(pod->share);
    thaw(pod); /* to die, and for nothing else */
}

static void time_is_up(void *user)
{
    struct pod *pod = user;

    log_warn("power off although %zu records, and maybe output, were not taken over",
             events_unacknowledged(pod->events));
    loop_quit(pod->loop);
}

static void lingered(void *user)
{
    struct pod *pod = user;

    source_free(take_ptr(pod->linger_timer));
    if (is_settled(pod))
        loop_quit(pod->loop);
}

/* Whoever asks again may be in more of a hurry, never in less. */
void pod_drain(struct pod *pod, uint64_t grace_ms)
{
    uint64_t kill_at = clock_monotonic_ms() + grace_ms;
    struct error err;

    if (pod->phase == PHASE_DRAINING && (pod->killed || kill_at >= pod->kill_at))
        return;
    if (pod->phase != PHASE_DRAINING) {
        if (phase_advance(&pod->phase, PHASE_DRAINING, &err) < 0)
            return;
        log_info("power off: %zu containers", pod->count);
        signal_all(pod, SIGTERM);
    }
    pod->kill_at = kill_at;
    set_timer(pod, &pod->grace_timer, grace_ms, grace_is_over);
    set_timer(pod, &pod->end_timer, grace_ms + HANDOVER_MS, time_is_up);
    pod_changed(pod);
}

void pod_changed(struct pod *pod)
{
    if (pod->phase == PHASE_DRAINING && !pod->linger_timer && is_settled(pod))
        set_timer(pod, &pod->linger_timer, LINGER_MS, lingered);
}
