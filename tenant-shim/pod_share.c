/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_share.h"

#include "base/error.h"
#include "base/log.h"
#include "codec_agent.h"
#include "io/loop.h"
#include "io/replay.h"
#include "io/shuttle.h"
#include "joiner.h"
#include "link.h"
#include "secure/channel.h"

enum stage {
    STAGE_NEW,
    STAGE_ASKED, /* the agent mounts it */
    STAGE_RUNS,
    STAGE_OVER, /* perhaps the guest is still to be told */
};

struct pod_share {
    struct loop *loop;
    struct link *link;
    enum stage stage;
    int stream;
    struct link_call *asking;
    pod_share_started_fn *started;
    void *started_user;
    pod_share_ended_fn *ended;
    void *ended_user;
    struct replay *replay;
    struct shuttle_state state;
    struct joiner *joiner;
    struct channel *channel; /* NULL: messages wait */
    struct shuttle *shuttle;
    struct source *news; /* outside of whatever ended it */
    struct error why;
};

static void on_news(void *user)
{
    struct pod_share *share = user;

    if (share->ended)
        share->ended(share->ended_user, &share->why);
}

int pod_share_new(struct loop *loop, struct link *link, struct pod_share **ret, struct error *err)
{
    scoped(pod_share_freep) struct pod_share *share = xnew(struct pod_share);

    share->loop = loop;
    share->link = link;
    share->stream = -1;
    if (loop_after(loop, LOOP_NEVER, on_news, share, &share->news, err) < 0)
        return -1;
    *ret = take_ptr(share);
    return 0;
}

static void disconnect(struct pod_share *share)
{
    channel_free(take_ptr(share->channel)); /* first of all, for it drives the shuttle */
    shuttle_free(take_ptr(share->shuttle));
}

void pod_share_free(struct pod_share *share)
{
    if (!share)
        return;
    if (share->asking)
        link_cancel(share->asking);
    joiner_free(share->joiner);
    disconnect(share);
    replay_free(share->replay);
    closep(&share->stream);
    source_free(share->news);
    free(share);
}

void pod_share_on_ended(struct pod_share *share, pod_share_ended_fn *fn, void *user)
{
    share->ended = fn;
    share->ended_user = user;
}

/* ---- the connection -------------------------------------------------------------------------- */

/* cleave-share sees the end of its stream. The guest is told with the next connection if it was not
 * yet, so the joiner stays. */
static void give_up(struct pod_share *share, const char *why)
{
    if (share->stage == STAGE_OVER)
        return;
    share->stage = STAGE_OVER;
    error_set(&share->why, STATUS_FAILED_PRECONDITION, "the pod's live volumes are over: %s", why);
    log_warn("%s", share->why.message);
    replay_end(share->replay);
    closep(&share->stream);
    share->stream = share->state.fd = -1;
    source_rearm(share->news, 0);
}

static void lose(struct pod_share *share, const struct error *err)
{
    if (share->stage == STAGE_RUNS)
        log_warn("the pod's share has lost its connection%s%s", err ? ": " : "",
                 err ? err->message : "");
    disconnect(share);
    if (share->joiner)
        joiner_lost(share->joiner);
}

/* Its peer may have said before that nothing follows. */
static void on_channel_end(void *user, struct channel *channel, const struct error *err)
{
    struct pod_share *share = user;

    (void) channel;
    if (!shuttle_tell(share->shuttle))
        lose(share, err);
}

static void on_over(void *user, enum shuttle_outcome outcome, const struct error *err)
{
    static const char *const reasons[] = {
        [SHUTTLE_PEER_ENDED] = "the guest has ended them",
        [SHUTTLE_PEER_BROKE] = "the guest broke the rules",
        [SHUTTLE_OWN_ENDED] = "their server on this node is gone",
    };
    struct pod_share *share = user;

    if (outcome == SHUTTLE_OWN_ENDED) /* it ends behind the last word */
        channel_on_replacement_due(share->channel, NULL, NULL);
    else
        channel_free(take_ptr(share->channel));
    if (outcome == SHUTTLE_LOST && replay_has_ended(share->replay))
        give_up(share, reasons[SHUTTLE_OWN_ENDED]); /* although nobody was there to hear it */
    if (outcome == SHUTTLE_LOST) {
        lose(share, err);
        return;
    }
    joiner_free(take_ptr(share->joiner)); /* both know */
    give_up(share, err ? err->message : reasons[outcome]);
}

static int adopt(void *user, struct channel *channel, struct error *err)
{
    struct pod_share *share = user;
    struct shuttle_options options = {
        .loop = share->loop, .state = &share->state, .over = on_over, .user = share};

    disconnect(share);
    share->channel = channel;
    if (shuttle_new(&options, &share->shuttle, err) < 0 ||
        channel_carry(channel, share->shuttle, err) < 0) {
        disconnect(share);
        return -1;
    }
    channel_on_end(channel, on_channel_end, share);
    if (share->stage == STAGE_RUNS)
        log_info("the pod's share is connected");
    return 0;
}

/* ---- the start ------------------------------------------------------------------------------- */

static int run(struct pod_share *share, struct error *err)
{
    const struct joiner_options options = {.loop = share->loop,
                                           .link = share->link,
                                           .class = CHANNEL_SHARE,
                                           .adopt = adopt,
                                           .user = share};

    share->replay = replay_new();
    share->state = (struct shuttle_state){.end = &shuttle_socket,
                                          .user = &share->stream,
                                          .fd = share->stream,
                                          .replay = share->replay};
    share->stage = STAGE_RUNS;
    return joiner_new(&options, &share->joiner, err);
}

/* Nothing has been asked of cleave-share, so another attempt may begin with another one. */
static void fail(struct pod_share *share, const struct error *err)
{
    share->stage = STAGE_NEW;
    closep(&share->stream);
    share->stream = -1;
    replay_free(take_ptr(share->replay));
    share->started(share->started_user, err);
}

static void on_opened(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct pod_share *share = user;
    struct error error;

    (void) reply;
    share->asking = NULL;
    if (err) {
        error = *err;
        if (err->status == STATUS_UNIMPLEMENTED)
            error_set(&error, STATUS_UNIMPLEMENTED,
                      "live volumes need a guest image of this release: its agent has none");
        fail(share, &error);
    } else if (run(share, &error) < 0) {
        fail(share, &error);
    } else {
        share->started(share->started_user, NULL);
    }
}

int pod_share_start(struct pod_share *share, int stream, pod_share_started_fn *started, void *user,
                    struct error *err)
{
    const struct agent_ask ask = {.link = share->link, .done = on_opened, .user = share};

    if (share->stage != STAGE_NEW) {
        closep(&stream);
        return error_set(err, STATUS_FAILED_PRECONDITION, "%s",
                         share->stage == STAGE_OVER ? share->why.message
                                                    : "the pod's share was begun already");
    }
    share->stage = STAGE_ASKED;
    share->stream = stream;
    share->started = started;
    share->started_user = user;
    share->asking = agent_open_share(&ask);
    return 0;
}

void pod_share_stop(struct pod_share *share)
{
    if (share->stage == STAGE_NEW || share->stage == STAGE_ASKED)
        return;
    joiner_free(take_ptr(share->joiner));
    disconnect(share);
    give_up(share, "the pod has ended");
}

bool pod_share_runs(const struct pod_share *share)
{
    return share->stage == STAGE_ASKED || share->stage == STAGE_RUNS;
}
