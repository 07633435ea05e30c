/* SPDX-License-Identifier: Apache-2.0 */
#include "sealing.h"

#include "base/error.h"
#include "codec_agent.h"
#include "link.h"
#include "sealed/manifest.h"

enum { PART_MAX = 256 * 1024 };

struct sealing {
    struct link *link;
    const struct manifest *manifest;
    size_t offset, length; /* of the part that is under way */
    struct link_call *call;
    sealing_done_fn *done;
    void *user;
};

static void send_part(struct sealing *sealing);

static void fail(struct sealing *sealing, const struct error *err)
{
    struct error error = *err;

    (void) error_wrap(&error, err->status == STATUS_UNIMPLEMENTED
                                  ? "a sealed pod needs a guest image of this release"
                                  : "the manifest");
    sealing->done(sealing->user, &error);
}

static void on_part(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct sealing *sealing = user;

    sealing->call = NULL;
    sealing->offset += sealing->length;
    if (err)
        fail(sealing, err);
    else if (sealing->offset < sealing->manifest->length)
        send_part(sealing);
    else
        sealing->done(sealing->user, NULL);
}

static void send_part(struct sealing *sealing)
{
    const struct manifest *manifest = sealing->manifest;
    const struct agent_ask ask = {.link = sealing->link, .done = on_part, .user = sealing};
    size_t left = manifest->length - sealing->offset;

    sealing->length = left < PART_MAX ? left : PART_MAX;
    sealing->call = agent_seal(&ask, &(struct agent_part){.data = manifest->text + sealing->offset,
                                                          .length = sealing->length,
                                                          .offset = sealing->offset,
                                                          .total = manifest->length});
}

struct sealing *sealing_new(struct link *link, const struct manifest *manifest,
                            sealing_done_fn *done, void *user)
{
    struct sealing *sealing = xnew(struct sealing);

    sealing->link = link;
    sealing->manifest = manifest;
    sealing->done = done;
    sealing->user = user;
    send_part(sealing);
    return sealing;
}

void sealing_free(struct sealing *sealing)
{
    if (!sealing)
        return;
    link_cancel(sealing->call);
    free(sealing);
}
