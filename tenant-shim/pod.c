/* SPDX-License-Identifier: Apache-2.0 */
#include "pod.h"

#include "appraiser.h"
#include "base/clock.h"
#include "base/dial_out.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/text.h"
#include "fate.h"
#include "host_half.h"
#include "io/loop.h"
#include "link.h"
#include "pod_config.h"
#include "pod_network.h"
#include "pod_share.h"
#include "pod_stdio.h"
#include "provision.h"
#include "removal.h"
#include "renewal.h"
#include "sealed/manifest.h"
#include "secure/key.h"
#include "secure/offers.h"
#include "sealing.h"
#include "shares.h"
#include "shim/tenant_conf.h"
#include "volumes.h"
#include "watch.h"

enum {
    CREATE_MARGIN_MS = 500,   /* to answer before the caller gives up */
    SHUTDOWN_GRACE_MS = 2000, /* for what still runs when pause is killed */
    SHUTDOWN_WAIT_MS = 5000,  /* for the answer of the guest, which may be a slow machine */
    DRAIN_MS = SHUTDOWN_GRACE_MS + 3000,
    POWER_OFF_MS = 1000,
};

enum stop_stage {
    STOP_NONE,
    STOP_ASKED,    /* Shutdown is under way */
    STOP_DRAINING, /* accepted: processes end, records and output arrive */
    STOP_QUIET,    /* dead: a moment for the guest to power off by itself */
    STOP_REMOVING,
    STOP_OVER,
};

struct pod {
    struct loop *loop;
    struct rpc_queue *queue;
    enum pod_state state;
    bool configuring;
    bool created; /* `created` was told without error */
    struct pod_events events;
    void *user;
    struct tenant_conf conf;
    struct pod_config *config;
    struct host_half *half;
    bool unattended;
    struct provision *provision;
    struct removal *removal; /* of half */
    struct offers *offers;   /* dial-out: where the guest dials in */
    struct endpoint endpoint;
    struct key *key;
    struct initdata *initdata;
    struct link *link;
    struct pod_network *network; /* if the initdata says tenant */
    struct appraiser *appraiser;
    struct sealing *sealing; /* of a sealed pod, once: before it is configured */
    struct renewal *renewal; /* from the first appraisal on */
    struct fate *fate;
    struct watch *watch;
    struct stdio *stdio;
    struct volumes *volumes;
    struct pod_share *share;
    struct shares *shares;
    struct source *deadline; /* of the creation */
    struct source *next;     /* the next step, outside of whatever decided it */
    void (*step)(struct pod *pod);
    enum stop_stage stage;
    uint32_t exit_status; /* of pause */
    bool dead_told;
    struct error why;
};

static const char *const state_names[] = {
    [POD_PROVISIONING] = "provisioning",
    [POD_DIALING] = "dialing",
    [POD_APPRAISED] = "appraised",
    [POD_RUNNING] = "running",
    [POD_UNKNOWN] = "unknown",
    [POD_STOPPING] = "stopping",
    [POD_DEAD] = "dead",
};

static void set_state(struct pod *pod, enum pod_state state)
{
    log_info("pod: %s -> %s", state_names[pod->state], state_names[state]);
    pod->state = state;
}

static void do_next(struct pod *pod, uint64_t delay_ms, void (*step)(struct pod *pod))
{
    pod->step = step;
    source_rearm(pod->next, delay_ms);
}

static void on_next(void *user)
{
    struct pod *pod = user;

    pod->step(pod);
}

static void remove_host(struct pod *pod);
static void forget_host(struct pod *pod);
static void on_removed(void *user);

/* ---- birth ------------------------------------------------------------------------------------
 */

static void tell_created(struct pod *pod)
{
    bool failed = pod->state == POD_DEAD;

    pod->created = !failed;
    pod->events.created(pod->user, failed ? &pod->why : NULL);
}

/* The host half, as far as it came to be, is removed by the verb `delete`, which always follows
 * (but under CRI-O). */
static void fail(struct pod *pod, const struct error *err)
{
    if (pod->state == POD_DEAD || pod->created)
        return;
    pod->why = *err;
    set_state(pod, POD_DEAD);
    source_rearm(pod->deadline, LOOP_NEVER);
    provision_free(take_ptr(pod->provision));
    pod_network_free(take_ptr(pod->network));
    removal_abandon(pod->removal);
    if (pod->link)
        link_end(pod->link);
    do_next(pod, 0, tell_created);
}

static void on_deadline(void *user)
{
    struct pod *pod = user;
    bool unreachable = pod->state == POD_DIALING && pod->endpoint.transport == &transport_direct;
    struct error err;

    error_set(&err, STATUS_DEADLINE_EXCEEDED, "the guest was not ready in time (%s%s%.*s)%s",
              state_names[pod->state], pod->link ? ": " : "", unreachable ? 100 : 200,
              pod->link ? link_why(pod->link) : "",
              unreachable ? ": where this node cannot reach the host's pods, [transport] relay or "
                            "dial-out in tenant.conf can"
                          : "");
    fail(pod, &err);
}

static void on_exited(void *user, const struct exit_record *record)
{
    struct pod *pod = user;

    pod->events.exited(pod->user, record);
}

static void on_oom(void *user, const char *container_id)
{
    struct pod *pod = user;

    pod->events.oom(pod->user, container_id);
}

static void on_begun(void *user)
{
    struct pod *pod = user;

    pod->events.retold(pod->user);
}

static void on_configured(void *user, const struct agent_reply *reply, const struct error *err)
{
    static const struct watch_events events = {
        .begun = on_begun, .exited = on_exited, .oom = on_oom};
    struct pod *pod = user;
    struct error error;

    if (pod->state != POD_APPRAISED)
        return;
    if (err) {
        error = *err;
        if (pod->network && err->status == STATUS_UNIMPLEMENTED)
            (void) error_wrap(&error, "network = \"tenant\" needs a guest image of this release");
        fail(pod, &error);
        return;
    }
    if ((pod->network && pod_network_start(pod->network, pod->link, reply->offloads, &error) < 0) ||
        watch_new(pod->loop, pod->link, &events, pod, &pod->watch, &error) < 0 ||
        stdio_new(pod->loop, pod->link, &pod->stdio, &error) < 0 ||
        volumes_new(pod->loop, pod->link, &pod->volumes, &error) < 0 ||
        pod_share_new(pod->loop, pod->link, &pod->share, &error) < 0 ||
        shares_new(pod->loop, pod->share, &pod->shares, &error) < 0) {
        fail(pod, &error);
        return;
    }
    log_info("guest kernel %s, %llu MiB", reply->kernel_release,
             (unsigned long long) reply->memory_total >> 20);
    set_state(pod, POD_RUNNING);
    source_rearm(pod->deadline, LOOP_NEVER);
    do_next(pod, 0, tell_created);
}

static void end_shares(struct pod *pod)
{
    shares_free(take_ptr(pod->shares));
    pod_share_free(take_ptr(pod->share));
}

static void tell_dead(struct pod *pod)
{
    if (pod->dead_told)
        return;
    pod->dead_told = true;
    pod_network_free(take_ptr(pod->network)); /* before CNI takes its namespace down */
    end_shares(pod);                          /* before kubelet takes the volumes down */
    pod->events.dead(pod->user, pod->exit_status);
}

/* Nobody knows how what ran there ended. */
static void begin_loss(struct pod *pod, void (*step)(struct pod *pod))
{
    set_state(pod, POD_STOPPING);
    pod->exit_status = 255;
    do_next(pod, 0, step);
}

/* Its host half goes, and with it the machine; a host that lets it run keeps a guest that freezes
 * for want of a renewal. */
static void on_refused(void *user, const struct error *err)
{
    struct pod *pod = user;

    if (pod->state == POD_STOPPING || pod->state == POD_DEAD)
        return;
    if (!pod->created) {
        fail(pod, err);
        return;
    }
    log_error("the pod is given up: %s", err->message);
    link_end(pod->link);
    begin_loss(pod, remove_host);
}

static bool is_stale(void *user)
{
    const struct pod *pod = user;

    return appraiser_is_stale(pod->appraiser);
}

static void on_appraised_again(void *user)
{
    const struct pod *pod = user;
    const struct channel_facts facts = channel_facts(link_control(pod->link));

    appraiser_accepted(pod->appraiser, &facts);
}

static int begin_lease(struct pod *pod, const struct channel_facts *facts, struct error *err)
{
    const struct renewal_options options = {
        .loop = pod->loop,
        .link = pod->link,
        .initdata = pod->initdata,
        .instance = facts->instance,
        .ttl_ms = (uint64_t) pod->conf.lease_ttl * 1000,
        .power_off_ms = (uint64_t) pod->conf.lease_power_off * 1000,
        .appraised = on_appraised_again,
        .is_stale = is_stale,
        .refused = on_refused,
        .user = pod,
    };

    return pod->renewal ? 0 : renewal_new(&options, &pod->renewal, err);
}

static bool may_call(void *user)
{
    const struct pod *pod = user;

    return pod->renewal && renewal_holds(pod->renewal);
}

static int on_appraised(void *user, const struct channel_facts *facts, struct error *err)
{
    struct pod *pod = user;

    if (begin_lease(pod, facts, err) < 0)
        return -1;
    appraiser_accepted(pod->appraiser, facts);
    if (facts->insecure)
        log_warn("the guest's evidence is '%s': it proves nothing", facts->evidence);
    else if (text_equal(facts->anchor, "host-vtpm"))
        log_warn("the guest is appraised by '%s' (host-vtpm): no protection from the host",
                 facts->evidence);
    else
        log_info("the guest is appraised by '%s'", facts->evidence);
    if (pod->state == POD_DIALING)
        set_state(pod, POD_APPRAISED);
    return 0;
}

static void configure(struct pod *pod)
{
    struct agent_ask ask = {.link = pod->link, .done = on_configured, .user = pod};
    struct pod_network_facts network;

    if (pod->network)
        network = pod_network_facts(pod->network);
    agent_configure(&ask, pod->config, pod->network ? &network : NULL);
}

static void on_sealed(void *user, const struct error *err)
{
    struct pod *pod = user;

    if (err)
        fail(pod, err);
    else if (pod->state == POD_APPRAISED)
        configure(pod);
}

static void on_opened(void *user)
{
    struct pod *pod = user;

    fate_rest(pod->fate);
    if (pod->state == POD_UNKNOWN)
        set_state(pod, POD_RUNNING);
    if (pod->state == POD_APPRAISED && !pod->configuring) {
        pod->configuring = true; /* the link repeats what is asked on a later connection */
        if (pod->config->manifest)
            pod->sealing = sealing_new(pod->link, pod->config->manifest, on_sealed, pod);
        else
            configure(pod);
    }
}

static void on_lost(void *user, const struct error *err)
{
    struct pod *pod = user;

    log_warn("the channel is lost: %s", err->message);
    if (pod->state == POD_RUNNING) {
        set_state(pod, POD_UNKNOWN);
        fate_ask(pod->fate);
    }
    if (pod->stage == STOP_QUIET) /* powered off */
        do_next(pod, 0, remove_host);
}

static void on_gone(void *user)
{
    struct pod *pod = user;

    pod->half->state = HOST_HALF_REMOVED;
    if (pod->state != POD_UNKNOWN && pod->state != POD_RUNNING)
        return;
    log_error("the guest is gone: its host half did not run any more and is deleted now");
    begin_loss(pod, forget_host);
}

static void on_link_ended(void *user, const struct error *err)
{
    struct pod *pod = user;

    if (!pod->created) {
        fail(pod, err);
        return;
    }
    if (pod->stage == STOP_DRAINING || pod->stage == STOP_QUIET)
        do_next(pod, 0, remove_host);
    if (pod->state == POD_STOPPING || pod->state == POD_DEAD)
        return;
    log_error("the pod is given up: %s", err->message);
    begin_loss(pod, remove_host);
}

/* The file's identity must be the one that the provisioner named, with our key in it. */
static int check_initdata(const struct pod *pod, const char *sandbox_id, struct error *err)
{
    const struct peer *peer = initdata_peer(pod->initdata, key_spki(pod->key));
    const struct manifest *manifest = pod->config->manifest;
    char hex[2 * INITDATA_SANDBOX_ID_SIZE + 1];

    hex_encode(pod->initdata->content.sandbox_id, INITDATA_SANDBOX_ID_SIZE, hex);
    if (!text_equal(hex, sandbox_id))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the initdata is of sandbox %s, not of %s", hex, sandbox_id);
    if (!peer || peer->role != PEER_CONTROL)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the initdata does not give our key the role control");
    if (!text_equal(pod->initdata->content.limits.evidence, pod->conf.evidence))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the initdata names evidence '%s', tenant.conf asks for '%s'",
                         pod->initdata->content.limits.evidence, pod->conf.evidence);
    if (pod->initdata->content.limits.guest_root && !pod->config->guest_root)
        return error_set(
            err, STATUS_FAILED_PRECONDITION, "the initdata grants guest_root, which %s",
            pod->conf.guest_root ? "the pod's annotation gives up" : "tenant.conf does not");
    if (pod->conf.network[0] &&
        !text_equal(pod->conf.network, initdata_network_name(pod->initdata->content.network)))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the initdata says cleave.network = '%s', tenant.conf network = '%s'",
                         initdata_network_name(pod->initdata->content.network), pod->conf.network);
    return initdata_check_sealing(pod->initdata, manifest ? manifest->digest : NULL, err);
}

static int choose_endpoint(struct pod *pod, const struct provision_answer *answer,
                           struct error *err)
{
    const struct tenant_conf *conf = &pod->conf;
    const char *transport = conf->transport[0] ? conf->transport : answer->transport;
    const char *address = conf->transport_address[0] ? conf->transport_address : answer->address;
    uint16_t port = conf->transport_port ? (uint16_t) conf->transport_port : answer->port;

    if (pod->offers && text_equal(answer->transport, transport_dial_out.name))
        return endpoint_make_offered(pod->offers, conf->transport_address, &pod->endpoint, err);
    if (pod->offers)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "transport dial-out needs a provisioner that tells a new guest where to "
                         "dial; provisioner '%s' answers '%s'",
                         conf->provisioner, answer->transport);
    return endpoint_make(transport, address, port, &pod->endpoint, err);
}

/* What is wrong with the policy of this node is said before a guest is asked. */
static int begin_appraising(struct pod *pod, struct evidence_policy *policy, struct error *err)
{
    const struct appraiser_options options = {
        .conf = &pod->conf, .config = pod->config, .initdata = pod->initdata, .half = pod->half};

    if (appraiser_new(&options, &pod->appraiser, err) < 0)
        return -1;
    return appraiser_refresh(pod->appraiser, policy, err);
}

static int begin_dialing(struct pod *pod, const struct provision_answer *answer, struct error *err)
{
    static const struct link_events events = {
        .appraised = on_appraised,
        .may_call = may_call,
        .opened = on_opened,
        .lost = on_lost,
        .ended = on_link_ended,
    };
    struct link_options options = {
        .loop = pod->loop,
        .queue = pod->queue,
        .refresh = appraiser_refresh,
        .dial_timeout_ms = (uint64_t) pod->conf.dial_timeout * 1000,
        .request_timeout_ms = (uint64_t) pod->conf.request_timeout * 1000,
        .lost_timeout_ms = (uint64_t) pod->conf.lost_timeout * 1000,
    };

    if (key_load(answer->key_path, &pod->key, err) < 0 ||
        initdata_load(answer->initdata_path, &pod->initdata, err) < 0 ||
        check_initdata(pod, answer->sandbox_id, err) < 0 || choose_endpoint(pod, answer, err) < 0)
        return -1;
    if (pod->initdata->content.network == INITDATA_NETWORK_TENANT &&
        pod_network_new(pod->loop, pod->config->netns, &pod->network, err) < 0)
        return -1;
    if (begin_appraising(pod, &options.policy, err) < 0 ||
        fate_new(pod->loop, pod->half, on_gone, pod, &pod->fate, err) < 0)
        return -1;
    options.endpoint = pod->endpoint;
    options.key = pod->key;
    options.initdata = pod->initdata;
    options.refresh_user = pod->appraiser;
    return link_new(&options, &events, pod, &pod->link, err);
}

static int remember(struct pod *pod, struct error *err)
{
    if (host_half_write(pod->half, err) < 0)
        return -1;
    return pod->unattended ? removal_reserve(pod->removal, err) : 0;
}

static void on_provisioned(void *user, const struct provision_answer *answer,
                           const struct error *err)
{
    struct pod *pod = user;
    struct error error;

    if (err) {
        fail(pod, err);
        return;
    }
    free(pod->half->sandbox_id);
    pod->half->sandbox_id = xstrdup(answer->sandbox_id);
    pod->half->state = HOST_HALF_MADE;
    log_info("host half '%s' of sandbox %s, reached by %s %s port %u", answer->host_id,
             answer->sandbox_id, answer->transport, answer->address, answer->port);
    if (remember(pod, &error) < 0 || begin_dialing(pod, answer, &error) < 0) {
        fail(pod, &error);
        return;
    }
    set_state(pod, POD_DIALING);
}

/* Before there is a guest: it is told the port. */
static int listen_for_guest(struct pod *pod, struct dial_out *ret, struct error *err)
{
    /* Any port will do for the check of the address; 0 is no place to dial. */
    if (dial_out_make(pod->conf.transport_address, 1, ret, err) < 0)
        return -1;
    ret->port = (uint16_t) pod->conf.transport_port;
    if (offers_listen(pod->loop, ret, (uint16_t) pod->conf.transport_ports, &pod->offers, err) < 0)
        return -1;
    ret->port = offers_port(pod->offers);
    return 0;
}

static int begin(struct pod *pod, const struct pod_options *options, struct error *err)
{
    uint64_t patience = (uint64_t) pod->conf.create_timeout * 1000;
    struct provision_options provision = {.cri_sandbox_id = options->cri_sandbox_id};
    struct dial_out dial_out;

    if (options->deadline_ms < patience)
        patience = options->deadline_ms;
    if (patience > 2 * CREATE_MARGIN_MS)
        patience -= CREATE_MARGIN_MS;
    pod->half = xnew(struct host_half);
    pod->half->bundle = xstrdup(options->bundle_path);
    pod->half->conf_path = xstrdup(options->conf_path);
    pod->half->cri_sandbox_id = xstrdup(options->cri_sandbox_id);
    pod->half->sandbox_id = xstrdup("");
    if (tenant_conf_is_dialled(&pod->conf)) {
        if (listen_for_guest(pod, &dial_out, err) < 0)
            return -1;
        provision.dial_out = &dial_out;
    }
    if (provision_find(pod->conf.provisioner, &pod->half->program, err) < 0 ||
        removal_new(pod->loop, pod->half, on_removed, pod, &pod->removal, err) < 0 ||
        remember(pod, err) < 0)
        return -1;
    provision.program = pod->half->program;
    provision.conf_path = pod->half->conf_path;
    provision.deadline_ms = patience;
    if (loop_after(pod->loop, patience, on_deadline, pod, &pod->deadline, err) < 0 ||
        loop_after(pod->loop, LOOP_NEVER, on_next, pod, &pod->next, err) < 0)
        return -1;
    return provision_create(pod->loop, &provision, pod->config, &pod->conf, on_provisioned, pod,
                            &pod->provision, err);
}

int pod_load_conf(const char *path, struct tenant_conf *ret, struct error *err)
{
    if (!text_equal(path, TENANT_CONF_PATH) && !file_exists(path))
        return error_set(err, STATUS_NOT_FOUND, "configuration: ConfigPath '%s' does not exist",
                         path);
    if (tenant_conf_load(path, ret, err) < 0)
        return error_wrap(err, "configuration");
    return 0;
}

int pod_create(const struct pod_options *options, const struct pod_events *events, void *user,
               struct pod **ret, struct error *err)
{
    scoped(pod_freep) struct pod *pod = xnew(struct pod);

    pod->unattended = options->unattended;
    pod->loop = options->loop;
    pod->exit_status = 137; /* if it is stopped */
    pod->queue = options->queue;
    pod->events = *events;
    pod->user = user;
    pod->config = options->config;
    if (pod_load_conf(options->conf_path, &pod->conf, err) < 0)
        return -1;
    if (!pod->config && pod_config_from_spec(options->spec, &pod->conf, &pod->config, err) < 0)
        return -1;
    if (begin(pod, options, err) < 0)
        return -1;
    *ret = take_ptr(pod);
    return 0;
}

void pod_free(struct pod *pod)
{
    if (!pod)
        return;
    fate_free(pod->fate);
    renewal_free(pod->renewal);
    watch_free(pod->watch);
    pod_network_free(pod->network);
    shares_free(pod->shares);
    pod_share_free(pod->share);
    volumes_free(pod->volumes);
    stdio_free(pod->stdio);
    sealing_free(pod->sealing);
    link_free(pod->link);
    offers_free(pod->offers);
    appraiser_free(pod->appraiser);
    initdata_free(pod->initdata);
    key_free(pod->key);
    provision_free(pod->provision);
    source_free(pod->deadline);
    source_free(pod->next);
    removal_free(pod->removal);
    host_half_free(pod->half);
    pod_config_free(pod->config);
    tenant_conf_fini(&pod->conf);
    free(pod);
}

void pod_cancel(struct pod *pod)
{
    struct error err;

    error_set(&err, STATUS_CANCELLED, "the pod was deleted while it was being created");
    fail(pod, &err);
}

/* ---- death ------------------------------------------------------------------------------------
 */

static void on_removed(void *user)
{
    struct pod *pod = user;

    pod->stage = STOP_OVER;
    link_end(pod->link);
    set_state(pod, POD_DEAD);
    tell_dead(pod);
    pod->events.removed(pod->user);
}

static void begin_removal(struct pod *pod)
{
    pod->stage = STOP_REMOVING;
    source_rearm(pod->next, LOOP_NEVER);
    end_shares(pod);
    fate_rest(pod->fate);
    provision_free(take_ptr(pod->provision));
}

static void remove_host(struct pod *pod)
{
    begin_removal(pod);
    removal_begin(pod->removal);
}

static void forget_host(struct pod *pod)
{
    begin_removal(pod);
    removal_finish(pod->removal);
}

/* By the guest's own word nothing runs any more: whoever waits for that need not wait for the
 * host. */
static void on_quiet(struct pod *pod)
{
    pod->stage = STOP_QUIET;
    do_next(pod, link_is_open(pod->link) ? POWER_OFF_MS : 0, remove_host);
    tell_dead(pod);
}

void pod_changed(struct pod *pod)
{
    if (pod->stage == STOP_DRAINING && pod->events.quiet(pod->user))
        do_next(pod, 0, on_quiet);
}

static void on_shutdown(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct pod *pod = user;

    if (pod->stage != STOP_ASKED)
        return;
    if (err) {
        log_warn("the guest does not answer to power-off: %s", err->message);
        do_next(pod, 0, remove_host);
        return;
    }
    pod->stage = STOP_DRAINING;
    do_next(pod, DRAIN_MS, remove_host);
    pod_changed(pod);
}

void pod_stop(struct pod *pod)
{
    struct agent_ask ask = {
        .link = pod->link, .done = on_shutdown, .user = pod, .deadline_ms = SHUTDOWN_WAIT_MS};

    if (!pod->created || pod->state == POD_STOPPING || pod->state == POD_DEAD)
        return;
    set_state(pod, POD_STOPPING);
    pod->stage = STOP_ASKED;
    agent_shutdown(&ask, SHUTDOWN_GRACE_MS);
}

bool pod_is_stopping(const struct pod *pod)
{
    return pod->stage != STOP_NONE && pod->stage != STOP_OVER;
}

void pod_give_away(struct pod *pod)
{
    if (!pod_is_stopping(pod))
        return;
    begin_removal(pod);
    removal_bury(pod->removal);
}

/* ---- questions --------------------------------------------------------------------------------
 */

enum pod_state pod_state(const struct pod *pod)
{
    return pod->state;
}

const char *pod_state_name(enum pod_state state)
{
    return state_names[state];
}

int pod_need_running(const struct pod *pod, struct error *err)
{
    if (pod->state == POD_RUNNING || pod->state == POD_UNKNOWN)
        return 0;
    return error_set(err, STATUS_FAILED_PRECONDITION, "the pod is %s", state_names[pod->state]);
}

bool pod_has_lapsed(const struct pod *pod)
{
    return pod->state == POD_UNKNOWN && renewal_has_lapsed(pod->renewal);
}

struct link *pod_link(const struct pod *pod)
{
    return pod->link;
}

struct stdio *pod_stdio(const struct pod *pod)
{
    return pod->stdio;
}

struct volumes *pod_volumes(const struct pod *pod)
{
    return pod->volumes;
}

struct shares *pod_shares(const struct pod *pod)
{
    return pod->shares;
}

const struct pod_config *pod_config(const struct pod *pod)
{
    return pod->config;
}

const struct tenant_conf *pod_conf(const struct pod *pod)
{
    return &pod->conf;
}
