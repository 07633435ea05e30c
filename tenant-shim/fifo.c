/* SPDX-License-Identifier: Apache-2.0 */
#include "fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"

static int fifo_path(const char *uri, const char **ret, struct error *err)
{
    if (text_starts(uri, "fifo://"))
        uri += strlen("fifo://");
    if (uri[0] != '/')
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "stdio '%s': only FIFOs (an absolute path or fifo://) are supported", uri);
    *ret = uri;
    return 0;
}

int fifo_open(const char *uri, enum fifo_direction direction, struct fifo *ret, struct error *err)
{
    struct fifo fifo = FIFO_CLOSED;
    const char *path = NULL;
    struct stat st;
    int reader, writer;

    if (fifo_path(uri, &path, err) < 0 || !path)
        return -1;
    /* The reading end first: a writer without a reader would be refused. */
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (reader < 0)
        return error_errno(err, errno, "open '%s'", path);
    if (fstat(reader, &st) < 0 || !S_ISFIFO(st.st_mode)) {
        close(reader);
        return error_set(err, STATUS_INVALID_ARGUMENT, "stdio '%s' is not a FIFO", path);
    }
    writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (writer < 0) {
        error_errno(err, errno, "open '%s'", path);
        close(reader);
        return -1;
    }
    fifo.fd = direction == FIFO_OUTPUT ? writer : reader;
    fifo.hold = direction == FIFO_OUTPUT ? reader : writer;
    *ret = fifo;
    return 0;
}

void fifo_release(struct fifo *fifo)
{
    if (fifo->hold >= 0)
        close(fifo->hold);
    fifo->hold = -1;
}

void fifo_close(struct fifo *fifo)
{
    fifo_release(fifo);
    if (fifo->fd >= 0)
        close(fifo->fd);
    fifo->fd = -1;
}
