/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "io/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the input ends with that is no record: cut, begun anew, answered, handed on. */
static void act(struct replay *replay, uint8_t what)
{
    struct error err;
    size_t length;
    uint8_t *room;

    if (what & 1 && (room = replay_room(replay)) != NULL) {
        memset(room, what, 32);
        if (replay_add(replay, 32, &err) < 0)
            abort();
    }
    for (int i = what & 7; i > 0 && replay_output(replay, &length) && length > 0; i--)
        replay_sent(replay, i == 1 ? 1 : length);
    if (what & 8 && replay_first(replay, &length)) {
        if (length < REPLAY_MESSAGE_MIN || length > REPLAY_MESSAGE_MAX)
            abort();
        replay_taken(replay);
    }
    if (what & 16)
        replay_rest(replay);
    if ((what & 0xe0) == 0xe0)
        replay_begin(replay);
}

/* A stream as a peer may send it, in pieces; between them this end does what it may. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(replay_freep) struct replay *replay = replay_new();
    struct error err;

    replay_begin(replay);
    while (size >= 2) {
        size_t length = data[0], space;
        uint8_t *to = replay_space(replay, &space);

        act(replay, data[1]);
        data += 2;
        size -= 2;
        to = replay_space(replay, &space);
        length = length < size ? length : size;
        length = length < space ? length : space;
        memcpy(to, data, length);
        if (replay_received(replay, length, &err) < 0)
            break;
        data += length;
        size -= length;
    }
    return 0;
}
