/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_volume.h"

#include <string.h>

#include "agent.pb-c.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/scoped.h"
#include "link.h"
#include "volume_tree.h"

enum { KEY_BYTES = 16, PART_MAX = 1024 * 1024, FILE_COST = 64 };

struct asked {
    agent_done_fn *done;
    void *user;
};

static void on_done(void *user, const struct rpc_result *result)
{
    const struct asked *asked = user;
    struct agent_reply reply = {0};
    struct error err;

    if (result->status == STATUS_OK) {
        asked->done(asked->user, &reply, NULL);
        return;
    }
    error_set(&err, result->status, "guest: %s", result->message);
    asked->done(asked->user, NULL, &err);
}

static struct link_call *send(const struct agent_ask *ask, Agent__PutVolumeRequest *message)
{
    struct link_request request = {.lane = LINK_BULK,
                                   .method = "/agent.Bulk/PutVolume",
                                   .message = &message->base,
                                   .reply = &agent__empty__descriptor,
                                   .deadline_ms = ask->deadline_ms};
    struct asked *asked = xnew(struct asked);
    uint8_t bytes[KEY_BYTES];
    char key[2 * KEY_BYTES + 1];

    random_bytes(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), key);
    message->key = key;
    *asked = (struct asked){.done = ask->done, .user = ask->user};
    return link_call(ask->link, &request, on_done, asked);
}

size_t volume_part_end(const struct volume_part *part)
{
    const struct volume_tree *tree = part->tree;
    size_t end = part->first, size = 0;

    for (; end < tree->count; end++) {
        size += tree->files[end].length + strlen(tree->files[end].path) + FILE_COST;
        if (size > PART_MAX && end > part->first)
            break;
    }
    return end;
}

static void fill(Agent__VolumeEntry *entry, Agent__Empty *nothing, const struct volume_file *file)
{
    agent__volume_entry__init(entry);
    entry->path = file->path;
    entry->mode = file->mode;
    entry->uid = file->uid;
    entry->gid = file->gid;
    switch (file->type) {
    case VOLUME_FILE:
        entry->body_case = AGENT__VOLUME_ENTRY__BODY_FILE;
        entry->file.data = (uint8_t *) file->data;
        entry->file.len = file->length;
        break;
    case VOLUME_LINK:
        entry->body_case = AGENT__VOLUME_ENTRY__BODY_LINK;
        entry->link = file->data;
        break;
    case VOLUME_DIRECTORY:
        entry->body_case = AGENT__VOLUME_ENTRY__BODY_DIRECTORY;
        entry->directory = nothing;
        break;
    }
}

struct link_call *agent_put_part(const struct agent_ask *ask, const struct volume_part *part)
{
    Agent__PutVolumeRequest request = AGENT__PUT_VOLUME_REQUEST__INIT;
    Agent__Empty nothing = AGENT__EMPTY__INIT;
    size_t end = volume_part_end(part), count = end - part->first;
    scoped(freep) Agent__VolumeEntry *entries = xnew_array(Agent__VolumeEntry, count + 1);
    scoped(freep) Agent__VolumeEntry **list = xnew_array(Agent__VolumeEntry *, count + 1);

    for (size_t i = 0; i < count; i++) {
        fill(&entries[i], &nothing, &part->tree->files[part->first + i]);
        list[i] = &entries[i];
    }
    request.name = (char *) part->name;
    request.kind = AGENT__PUT_VOLUME_REQUEST__KIND__COPIED;
    request.mode = part->tree->mode;
    request.uid = part->tree->uid;
    request.gid = part->tree->gid;
    request.serial = part->serial;
    request.first = part->first == 0;
    request.last = end == part->tree->count;
    request.n_entries = count;
    request.entries = list;
    return send(ask, &request);
}

struct link_call *agent_put_empty(const struct agent_ask *ask, const struct volume_empty *empty)
{
    Agent__PutVolumeRequest request = AGENT__PUT_VOLUME_REQUEST__INIT;

    request.name = (char *) empty->name;
    request.kind = AGENT__PUT_VOLUME_REQUEST__KIND__EMPTY;
    request.mode = empty->mode;
    request.uid = empty->uid;
    request.gid = empty->gid;
    request.size = empty->size;
    return send(ask, &request);
}
