/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "base/text.h"

/* Every message is made in a buffer of its own first: an argument may point into err itself. */
static int store(struct error *err, enum status status, char *message)
{
    text_make_utf8(message);
    memcpy(err->message, message, sizeof err->message);
    err->status = status;
    return -1;
}

static enum status status_of_errno(int errnum)
{
    static const struct {
        int errnum;
        enum status status;
    } map[] = {
        {ENOENT, STATUS_NOT_FOUND},
        {ESRCH, STATUS_NOT_FOUND},
        {ENODEV, STATUS_NOT_FOUND},
        {ENXIO, STATUS_NOT_FOUND},
        {EEXIST, STATUS_ALREADY_EXISTS},
        {EADDRINUSE, STATUS_ALREADY_EXISTS},
        {EACCES, STATUS_PERMISSION_DENIED},
        {EPERM, STATUS_PERMISSION_DENIED},
        {EROFS, STATUS_PERMISSION_DENIED},
        {EINVAL, STATUS_INVALID_ARGUMENT},
        {ENAMETOOLONG, STATUS_INVALID_ARGUMENT},
        {ELOOP, STATUS_INVALID_ARGUMENT},
        {ENOMEM, STATUS_RESOURCE_EXHAUSTED},
        {ENOSPC, STATUS_RESOURCE_EXHAUSTED},
        {EDQUOT, STATUS_RESOURCE_EXHAUSTED},
        {EMFILE, STATUS_RESOURCE_EXHAUSTED},
        {ENFILE, STATUS_RESOURCE_EXHAUSTED},
        {ENOBUFS, STATUS_RESOURCE_EXHAUSTED},
        {EFBIG, STATUS_RESOURCE_EXHAUSTED},
        {ETIMEDOUT, STATUS_DEADLINE_EXCEEDED},
        {ETIME, STATUS_DEADLINE_EXCEEDED},
        {ECANCELED, STATUS_CANCELLED},
        {ENOSYS, STATUS_UNIMPLEMENTED},
        {EOPNOTSUPP, STATUS_UNIMPLEMENTED},
        {EBUSY, STATUS_FAILED_PRECONDITION},
        {ENOTEMPTY, STATUS_FAILED_PRECONDITION},
        {ENOTDIR, STATUS_FAILED_PRECONDITION},
        {EISDIR, STATUS_FAILED_PRECONDITION},
        {ERANGE, STATUS_OUT_OF_RANGE},
        {EOVERFLOW, STATUS_OUT_OF_RANGE},
        {EAGAIN, STATUS_UNAVAILABLE},
        {ECONNREFUSED, STATUS_UNAVAILABLE},
        {ECONNRESET, STATUS_UNAVAILABLE},
        {ECONNABORTED, STATUS_UNAVAILABLE},
        {ENOTCONN, STATUS_UNAVAILABLE},
        {EPIPE, STATUS_UNAVAILABLE},
        {EHOSTUNREACH, STATUS_UNAVAILABLE},
        {ENETUNREACH, STATUS_UNAVAILABLE},
        {ENETDOWN, STATUS_UNAVAILABLE},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(map); i++)
        if (map[i].errnum == errnum)
            return map[i].status;
    return STATUS_INTERNAL;
}

static void append(char *message, size_t size, const char *text)
{
    size_t length = strlen(message);

    while (*text && length + 1 < size)
        message[length++] = *text++;
    message[length] = '\0';
}

int error_set(struct error *err, enum status status, const char *fmt, ...)
{
    char message[sizeof err->message] = "";
    va_list args;

    va_start(args, fmt);
    (void) vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return store(err, status, message);
}

int error_errno(struct error *err, int errnum, const char *fmt, ...)
{
    char message[sizeof err->message] = "";
    const char *text = strerrordesc_np(errnum);
    va_list args;

    va_start(args, fmt);
    (void) vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    append(message, sizeof message, ": ");
    append(message, sizeof message, text ? text : "unknown error");
    return store(err, status_of_errno(errnum), message);
}

int error_wrap(struct error *err, const char *fmt, ...)
{
    char message[sizeof err->message] = "";
    va_list args;

    va_start(args, fmt);
    (void) vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    append(message, sizeof message, ": ");
    append(message, sizeof message, err->message);
    return store(err, err->status, message);
}

const char *status_name(enum status status)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };

    return (size_t) status < ARRAY_LENGTH(names) ? names[status] : "UNKNOWN";
}
