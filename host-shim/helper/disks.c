/* SPDX-License-Identifier: Apache-2.0 */
#include "disks.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/guest_disk.h"
#include "base/scoped.h"
#include "base/text.h"
#include "record.h"
#include "request.h"

static int name_disks(const struct request *request, struct disks *ret, struct error *err)
{
    if (text_format(ret->init, sizeof(ret->init), err, "%s/init.img", request->directory) < 0)
        return -1;
    return text_format(ret->net, sizeof(ret->net), err, "%s/net.img", request->directory);
}

int disks_write(const struct request *request, const struct guest_net *net, struct disks *ret,
                struct error *err)
{
    scoped(freep) uint8_t *init = NULL;
    struct guest_net told = *net;
    uint8_t block[GUEST_DISK_BLOCK];
    char directory[RECORD_PATH_SIZE];
    struct disks disks;
    size_t size;

    told.dial_out = request->dial_out;
    if (name_disks(request, &disks, err) < 0 ||
        guest_initdata_write(request->initdata, request->initdata_length, &init, &size, err) < 0 ||
        guest_net_write(&told, block, err) < 0 ||
        record_make_directory(request->id, directory, err) < 0 ||
        file_write_atomic(disks.init, init, size, 0644, err) < 0 ||
        file_write_atomic(disks.net, block, sizeof(block), 0644, err) < 0)
        return error_wrap(err, "guest's disks");
    *ret = disks;
    return 0;
}

int disks_remove(const struct request *request, struct error *err)
{
    struct disks disks;

    if (name_disks(request, &disks, err) < 0)
        return -1;
    if ((unlink(disks.init) < 0 && errno != ENOENT) || (unlink(disks.net) < 0 && errno != ENOENT))
        return error_errno(err, errno, "remove the guest's disks");
    return 0;
}
