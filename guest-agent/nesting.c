/* SPDX-License-Identifier: Apache-2.0 */
#include "nesting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "beneath.h"

static const char *destination_of(const struct js *mounts, size_t index)
{
    const char *path = js_get_string(js_at(mounts, index), "destination");

    return path ? path : "";
}

static bool is_share(const struct js *mounts, size_t index)
{
    const char *source = js_get_string(js_at(mounts, index), "source");

    return source && text_starts(source, "cleave:share:");
}

static int check_share(int root, const struct js *mounts, size_t index, struct error *err)
{
    scoped(freep) char *share = NULL;

    if (beneath_real(root, destination_of(mounts, index), &share, err) < 0)
        return -1;
    for (size_t i = 0; i < js_length(mounts); i++) {
        scoped(freep) char *path = NULL;

        if (i == index)
            continue;
        if (beneath_real(root, destination_of(mounts, i), &path, err) < 0)
            return -1;
        if (text_starts(path, share) && path[strlen(share)] == '/')
            return error_set(err, STATUS_PERMISSION_DENIED,
                             "mount '%.64s' lies in the share at '%.64s' by a link of the image, "
                             "and a link on the node could lead it anywhere",
                             destination_of(mounts, i), destination_of(mounts, index));
    }
    return 0;
}

int nesting_check(const char *root, const struct js *mounts, struct error *err)
{
    scoped(closep) int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(err, errno, "open the container's root");
    for (size_t i = 0; i < js_length(mounts); i++)
        if (is_share(mounts, i) && check_share(fd, mounts, i, err) < 0)
            return -1;
    return 0;
}
