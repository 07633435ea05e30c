/* SPDX-License-Identifier: Apache-2.0 */
#include "mux.h"

#include <assert.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

/* Answers that are no lane's turn, because the lane may not exist. More than a few at a time are a
 * peer that does not listen. */
enum { COMPLAINTS_MAX = 16 };

struct complaint {
    char *container_id;
    char *exec_id;
    unsigned fd;
    char *text;
};

struct mux {
    struct mux_lane *lanes;
    struct mux_lane *first_ready, *last_ready;
    const struct mux_link *link;
    void *user;
    struct complaint complaints[COMPLAINTS_MAX];
    size_t complaint_count;
    void (*on_drained)(void *user);
    void *drained_user;
};

static bool lane_ready(const struct mux_lane *lane)
{
    return lane->fd == 0 ? inflow_ready(&lane->in) : outflow_ready(&lane->out);
}

static void enqueue(struct mux_lane *lane)
{
    struct mux *mux = lane->mux;

    if (lane->queued)
        return;
    lane->queued = true;
    lane->next_ready = NULL;
    if (mux->last_ready)
        mux->last_ready->next_ready = lane;
    else
        mux->first_ready = lane;
    mux->last_ready = lane;
}

static struct mux_lane *dequeue(struct mux *mux)
{
    struct mux_lane *lane = mux->first_ready;

    if (!lane)
        return NULL;
    mux->first_ready = lane->next_ready;
    if (!mux->first_ready)
        mux->last_ready = NULL;
    lane->queued = false;
    return lane;
}

static bool lane_is_drained(const struct mux_lane *lane)
{
    return lane->fd == 0 || outflow_is_over(&lane->out);
}

static void tell_if_drained(const struct mux_lane *lane)
{
    const struct mux *mux = lane->mux;

    if (lane->fd != 0 && lane_is_drained(lane) && mux->on_drained)
        mux->on_drained(mux->drained_user);
}

static void send_lane(struct mux *mux, struct mux_lane *lane)
{
    struct mux_frame frame = {
        .container_id = lane->container_id,
        .exec_id = lane->exec_id,
        .fd = lane->fd,
    };
    struct flow_piece piece;

    if (lane->fd == 0) {
        frame.kind = MUX_CONSUMED;
        frame.offset = inflow_announce(&lane->in);
    } else {
        piece = outflow_next(&lane->out);
        frame.kind = piece.length ? MUX_DATA : MUX_FINAL;
        frame.offset = piece.offset;
        frame.data = piece.data;
        frame.length = piece.length;
        frame.digest = piece.digest;
    }
    mux->link->send(mux->user, &frame);
    tell_if_drained(lane);
}

static void forget_complaints(struct mux *mux)
{
    for (size_t i = 0; i < mux->complaint_count; i++) {
        free(mux->complaints[i].container_id);
        free(mux->complaints[i].exec_id);
        free(mux->complaints[i].text);
    }
    mux->complaint_count = 0;
}

static bool send_complaint(struct mux *mux)
{
    struct complaint *first = &mux->complaints[0];
    struct mux_frame frame;

    if (mux->complaint_count == 0)
        return false;
    frame = (struct mux_frame){
        .container_id = first->container_id,
        .exec_id = first->exec_id,
        .fd = first->fd,
        .kind = MUX_ERROR,
        .text = first->text,
    };
    mux->link->send(mux->user, &frame);
    free(first->container_id);
    free(first->exec_id);
    free(first->text);
    mux->complaint_count--;
    memmove(first, first + 1, mux->complaint_count * sizeof(*first));
    return true;
}

static void pump(struct mux *mux)
{
    while (mux->link && mux->link->writable(mux->user)) {
        struct mux_lane *lane;

        if (send_complaint(mux))
            continue;
        lane = dequeue(mux);
        if (!lane)
            return;
        if (!lane_ready(lane))
            continue;
        send_lane(mux, lane);
        if (lane_ready(lane))
            enqueue(lane);
    }
}

static void complain(struct mux *mux, const struct mux_frame *about, const char *text)
{
    if (mux->complaint_count == COMPLAINTS_MAX)
        return;
    mux->complaints[mux->complaint_count++] = (struct complaint){
        .container_id = xstrdup(about->container_id),
        .exec_id = xstrdup(about->exec_id),
        .fd = about->fd,
        .text = xstrdup(text),
    };
    pump(mux);
}

struct mux *mux_new(void)
{
    return xnew(struct mux);
}

void mux_free(struct mux *mux)
{
    if (!mux)
        return;
    assert(!mux->lanes);
    forget_complaints(mux);
    free(mux);
}

bool mux_is_drained(const struct mux *mux)
{
    for (const struct mux_lane *lane = mux->lanes; lane; lane = lane->next) {
        if (!lane_is_drained(lane))
            return false;
    }
    return true;
}

void mux_on_drained(struct mux *mux, void (*fn)(void *user), void *user)
{
    mux->on_drained = fn;
    mux->drained_user = user;
}

void mux_add(struct mux *mux, struct mux_lane *lane)
{
    if (lane->fd == 0)
        inflow_init(&lane->in);
    else
        outflow_init(&lane->out);
    lane->mux = mux;
    lane->queued = false;
    lane->next = mux->lanes;
    mux->lanes = lane;
    mux_wake(lane);
}

static void unqueue(struct mux_lane *lane)
{
    struct mux *mux = lane->mux;
    struct mux_lane *before = NULL;

    for (struct mux_lane *l = mux->first_ready; l && l != lane; l = l->next_ready)
        before = l;
    if (before)
        before->next_ready = lane->next_ready;
    else
        mux->first_ready = lane->next_ready;
    if (mux->last_ready == lane)
        mux->last_ready = before;
    lane->queued = false;
}

void mux_remove(struct mux_lane *lane)
{
    struct mux_lane **link;

    if (!lane->mux)
        return;
    if (lane->queued)
        unqueue(lane);
    for (link = &lane->mux->lanes; *link != lane; link = &(*link)->next)
        ;
    *link = lane->next;
    lane->mux = NULL;
    if (lane->fd == 0)
        inflow_fini(&lane->in);
    else
        outflow_fini(&lane->out);
}

void mux_wake(struct mux_lane *lane)
{
    if (!lane->mux || !lane->mux->link || !lane_ready(lane))
        return;
    enqueue(lane);
    pump(lane->mux);
}

static void forget_connection(struct mux *mux)
{
    mux->link = NULL;
    mux->user = NULL;
    mux->first_ready = mux->last_ready = NULL;
    forget_complaints(mux);
    for (struct mux_lane *lane = mux->lanes; lane; lane = lane->next) {
        lane->queued = false;
        if (lane->fd == 0)
            inflow_detach(&lane->in);
        else
            outflow_detach(&lane->out);
    }
}

void mux_attach(struct mux *mux, const struct mux_link *link, void *user)
{
    const struct mux_link *old_link = mux->link;
    void *old_user = mux->user;

    forget_connection(mux);
    if (old_link)
        old_link->replaced(old_user);
    mux->link = link;
    mux->user = user;
    for (struct mux_lane *lane = mux->lanes; lane; lane = lane->next) {
        if (lane_ready(lane))
            enqueue(lane);
    }
    pump(mux);
}

void mux_detach(struct mux *mux, const void *user)
{
    if (mux->link && mux->user == user)
        forget_connection(mux);
}

bool mux_is_attached(const struct mux *mux, const void *user)
{
    return mux->link && mux->user == user;
}

void mux_writable(struct mux *mux)
{
    pump(mux);
}

static struct mux_lane *find(struct mux *mux, const struct mux_frame *frame)
{
    for (struct mux_lane *lane = mux->lanes; lane; lane = lane->next) {
        if (lane->fd == frame->fd && text_equal(lane->container_id, frame->container_id) &&
            text_equal(lane->exec_id, frame->exec_id))
            return lane;
    }
    return NULL;
}

static int take_input(struct mux_lane *lane, const struct mux_frame *frame, struct error *err)
{
    struct flow_piece piece = {.data = frame->data, .length = frame->length};

    if (frame->kind == MUX_DATA)
        return inflow_receive(&lane->in, frame->offset, &piece, err);
    if (frame->kind == MUX_FINAL)
        return inflow_close_at(&lane->in, frame->offset, err);
    return error_set(err, STATUS_INVALID_ARGUMENT, "input takes data and its end, nothing else");
}

static int take(struct mux_lane *lane, const struct mux_frame *frame, struct error *err)
{
    if (lane->fd == 0) {
        if (take_input(lane, frame, err) < 0)
            return -1;
        lane->events->on_input(lane->user);
        return 0;
    }
    if (frame->kind != MUX_CONSUMED)
        return error_set(err, STATUS_INVALID_ARGUMENT, "output takes credit, nothing else");
    if (outflow_consume(&lane->out, frame->offset, err) < 0)
        return -1;
    lane->events->on_room(lane->user);
    return 0;
}

void mux_receive(struct mux *mux, const struct mux_frame *frame)
{
    struct mux_lane *lane = find(mux, frame);
    struct error err;

    if (!lane)
        return complain(mux, frame, "there is no such stream");
    if (take(lane, frame, &err) < 0)
        return complain(mux, frame, err.message);
    tell_if_drained(lane);
    mux_wake(lane);
}
