/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side: evidence while it is being made, for a HELLO or for a later appraisal. One at a
 * time per channel; it ends with the channel at the latest. */
#include "io/loop.h"
#include "secure/channel_private.h"
#include "secure/maker.h"

struct making {
    struct hello hello;
    const struct maker *maker; /* NULL: it took no time */
    void *job;                 /* of the maker */
    struct source *now;        /* without one: what is made already is told in a turn of its own */
    struct writer body;
    channel_evidence_fn *made;
    void *user;
};

static void making_free(struct making *making)
{
    source_freep(&making->now);
    writer_fini(&making->body);
    free(making);
}
SCOPED_PTR(struct making, making_free)

/* It may start another, or end the channel. */
static void tell(struct channel *channel, const struct error *err)
{
    scoped(making_freep) struct making *making = take_ptr(channel->making);

    if (err)
        return making->made(making->user, NULL, 0, err);
    channel->number = making->hello.number;
    making->made(making->user, making->body.data, making->body.size, NULL);
}

static void on_now(void *user)
{
    tell(user, NULL);
}

static void on_made(void *user, const struct evidence_output *output, const struct error *err)
{
    struct channel *channel = user;
    struct making *making = channel->making;
    struct error fault;

    making->job = NULL;
    if (!err &&
        appraisal_write(&channel->appraisal, channel->instance, output, &making->body, &fault) < 0)
        err = &fault;
    tell(channel, err);
}

static int start(struct channel *channel, struct making *making,
                 const struct channel_evidence_options *options, struct error *err)
{
    uint8_t statement[EVIDENCE_STATEMENT_SIZE];
    const struct evidence_request request = {statement,
                                             channel->appraisal.initdata->hardware_digest};
    const struct maker_order order = {&request, on_made, channel};
    const struct appraisal_producer producer = {
        .instance = channel->instance,
        .produce = options->produce,
        .user = options->produce_user,
    };

    making->maker = options->maker;
    if (making->maker) {
        appraisal_state(&channel->appraisal, channel->instance, &making->hello, statement);
        return making->maker->start(making->maker->context, &order, &making->job, err);
    }
    if (appraisal_produce(&channel->appraisal, &producer, &making->hello, &making->body, err) < 0)
        return -1;
    return loop_after(channel->loop, 0, on_now, channel, &making->now, err);
}

int channel_make_evidence(struct channel *channel, const struct hello *hello,
                          const struct channel_evidence_options *options, struct error *err)
{
    scoped(making_freep) struct making *making = NULL;

    if (channel->making)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "evidence for this connection is being made already");
    making = xnew(struct making);
    making->hello = *hello;
    making->made = options->made;
    making->user = options->user;
    writer_init(&making->body, FRAME_BODY_MAX);
    if (start(channel, making, options, err) < 0)
        return -1;
    channel->making = take_ptr(making);
    return 0;
}

void channel_evidence_cancel(struct channel *channel)
{
    struct making *making = take_ptr(channel->making);

    if (!making)
        return;
    if (making->job)
        making->maker->cancel(making->job);
    making_free(making);
}
