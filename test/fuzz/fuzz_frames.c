/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "io/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A stream as a peer may send it: what is taken lies within it, and its head says the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t head[FRAMES_HEAD_SIZE];
    struct frame frame;
    struct error err;

    while (frames_next(data, size, &frame, &err) == 1) {
        if (frame.data != data + sizeof(head) || frame.length > size - sizeof(head) ||
            frame.length > FRAMES_LENGTH_MAX)
            abort();
        frames_put_head(head, frame.queue, frame.length);
        if (memcmp(head, data, sizeof(head)) != 0)
            abort();
        for (unsigned offloads = 0; offloads <= FRAMES_OFFLOADS; offloads++)
            (void) !frames_check(&frame, offloads, &err);
        data += sizeof(head) + frame.length;
        size -= sizeof(head) + frame.length;
    }
    return 0;
}
