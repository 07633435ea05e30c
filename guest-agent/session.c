/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "grpc/server.h"
#include "lease.h"
#include "pod.h"
#include "pod_network.h"
#include "share.h"
#include "secure/channel.h"

static void session_free(struct session *session)
{
    *session->link = session->next;
    if (session->next)
        session->next->link = session->link;
    rpc_server_free(session->server);
    channel_free(session->channel);
    free(session);
}

static void ended(void *user, struct channel *channel, const struct error *err)
{
    struct session *session = user;

    log_info("%s connection of role '%s' has ended%s%s", channel_class_name(session->peer.class),
             peer_role_name(session->peer.role), err ? ": " : "", err ? err->message : "");
    session_free(session);
}

static const struct rpc_method *admit(void *context, const char *name, struct error *err)
{
    const struct session *session = context;
    const struct gate_guest guest = {session->pod->phase, lease_is_frozen(session->pod->lease)};

    return gate_admit(&session->peer, &guest, name, err);
}

static int serve(struct session *session, struct error *err)
{
    struct rpc_server_options options = {.admit = admit, .context = session};
    int fd;

    if (channel_take_fd(session->channel, &fd, err) < 0)
        return -1;
    return rpc_server_new(session->all->queue, fd, &options, &session->server, err);
}

static int carry_frames(struct pod *pod, struct channel *channel, struct error *err)
{
    if (pod->network)
        return pod_network_carry(pod->network, channel, err);
    channel_free(channel);
    return error_set(err, STATUS_FAILED_PRECONDITION, "cleave.network of this pod is '%s'",
                     initdata_network_name(pod->initdata->content.network));
}

static int carry_share(struct pod *pod, struct channel *channel, struct error *err)
{
    if (pod->share)
        return share_carry(pod->share, channel, err);
    channel_free(channel);
    return error_set(err, STATUS_FAILED_PRECONDITION, "the pod's share was not asked for");
}

/* Such a connection is no session: nobody calls anything there. */
static void carry(struct pod *pod, const struct gate_peer *peer, struct channel *channel)
{
    struct error err;
    int r = gate_admit_raw(peer, pod->phase, &err);

    if (r < 0)
        channel_free(channel);
    else
        r = peer->class == CHANNEL_FRAMES ? carry_frames(pod, channel, &err)
                                          : carry_share(pod, channel, &err);
    if (r < 0)
        log_warn("a %s connection is refused: %s", channel_class_name(peer->class), err.message);
}

void session_open(struct sessions *all, struct channel *channel)
{
    struct channel_facts facts = channel_facts(channel);
    struct session *session;
    struct error err;

    if (channel_class_is_raw(facts.class)) {
        carry(all->pod, &(struct gate_peer){facts.class, facts.role}, channel);
        return;
    }
    session = xnew(struct session);
    session->all = all;
    session->pod = all->pod;
    session->channel = channel;
    session->peer = (struct gate_peer){.class = facts.class, .role = facts.role};
    session->next = all->first;
    if (session->next)
        session->next->link = &session->next;
    session->link = &all->first;
    all->first = session;
    if (all->pod->phase == PHASE_BOOTED && facts.class == CHANNEL_CONTROL)
        (void) !phase_advance(&all->pod->phase, PHASE_ATTESTED, &err);
    if (facts.class == CHANNEL_CONTROL && facts.role == PEER_CONTROL)
        lease_appraised(all->pod->lease, session);
    if (serve(session, &err) < 0) {
        log_warn("cannot serve a connection: %s", err.message);
        session_free(session);
        return;
    }
    channel_on_end(channel, ended, session);
    log_info("%s connection of role '%s' is open, evidence '%s'%s", channel_class_name(facts.class),
             peer_role_name(facts.role), facts.evidence,
             facts.insecure ? " (INSECURE: it proves nothing)" : "");
}

void sessions_close(struct sessions *all)
{
    while (all->first)
        session_free(all->first);
}
