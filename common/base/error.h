/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One error object, on the caller's stack. A fallible function returns 0 or -1 and takes
 * `struct error *err` last; its ret_ parameters are untouched on failure. Setting an error cannot
 * fail and needs no freeing. Bugs are assert()ed; ordinary outcomes (end of file, not found in a
 * lookup) are return values, never errors. */

/* The values of google.rpc.Code: gRPC and ttrpc carry this very integer. */
enum status {
    STATUS_OK = 0,
    STATUS_CANCELLED = 1,
    STATUS_UNKNOWN = 2,
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_DEADLINE_EXCEEDED = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_ALREADY_EXISTS = 6,
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_FAILED_PRECONDITION = 9,
    STATUS_ABORTED = 10,
    STATUS_OUT_OF_RANGE = 11,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_INTERNAL = 13,
    STATUS_UNAVAILABLE = 14,
    STATUS_DATA_LOSS = 15,
    STATUS_UNAUTHENTICATED = 16,
};

struct error {
    enum status status;
    char message[512];
};

/* All return -1, so that a failing path is one statement. Messages are made valid UTF-8. */
int error_set(struct error *err, enum status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), nonnull(1)));
/* Appends ": " and the text of errnum; status follows from errnum (ENOENT -> NOT_FOUND, ...). */
int error_errno(struct error *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), nonnull(1)));
/* "context: cause"; status stays. */
int error_wrap(struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull(1)));

const char *status_name(enum status status); /* "PERMISSION_DENIED" */
