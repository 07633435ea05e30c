/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/guest_disk.h"
#include "base/scoped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte of either disk has one meaning: what is taken, written anew, is the same disk. */
static void check_net(const uint8_t *data, size_t size)
{
    uint8_t block[GUEST_DISK_BLOCK];
    struct guest_net net;
    struct error err;

    if (guest_net_parse(data, size, &net, &err) < 0)
        return;
    if (guest_net_write(&net, block, &err) < 0 || memcmp(block, data, sizeof(block)) != 0)
        abort();
}

static void check_initdata(const uint8_t *data, size_t size)
{
    scoped(freep) uint8_t *disk = NULL;
    const uint8_t *initdata;
    size_t length, written;
    struct error err;

    if (guest_initdata_parse(data, size, &initdata, &length, &err) < 0)
        return;
    /* A device may end before or behind the last block that was written. */
    if (guest_initdata_write(initdata, length, &disk, &written, &err) < 0 ||
        memcmp(disk, data, written < size ? written : size) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t block[GUEST_DISK_BLOCK] = {0};

    (void) guest_disk_type(data, size);
    check_net(data, size);
    check_initdata(data, size);
    /* Small inputs too: as the head of a whole block. */
    memcpy(block, data, size < sizeof(block) ? size : sizeof(block));
    check_net(block, sizeof(block));
    check_initdata(block, sizeof(block));
    return 0;
}
