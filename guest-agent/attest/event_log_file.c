/* SPDX-License-Identifier: Apache-2.0 */
#include "event_log_file.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "evidence/finding.h"

/* The buffer of a CCEL is filled up behind its end; it may be larger than any frame. */
static int find_end(const char *data, size_t length, size_t *ret, struct error *err)
{
    struct finding finding;
    struct event_log log;
    struct event event;
    int rc = event_log_open(&log, EVENT_LOG_CCEL, data, length, &finding);

    while (rc == 0 && (rc = event_log_next(&log, &event, &finding)) == 1)
        rc = 0;
    if (rc < 0)
        return error_set(err, STATUS_DATA_LOSS, "the event log: %s", finding.text);
    *ret = log.position;
    return 0;
}

int event_log_file_read(const char *path, enum event_log_kind kind, struct writer *to,
                        struct error *err)
{
    scoped(freep) char *data = NULL;
    size_t length;

    if (!file_exists(path))
        return 0;
    if (file_read(path, EVENT_LOG_MAX, &data, &length, err) < 0)
        return -1;
    if (kind == EVENT_LOG_CCEL && length > 0 && find_end(data, length, &length, err) < 0)
        return -1;
    writer_bytes(to, data, length);
    if (to->failed)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the event log '%s' has %zu bytes", path,
                         length);
    return 0;
}
