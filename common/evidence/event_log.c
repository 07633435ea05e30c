/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/event_log.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "evidence/finding.h"

enum {
    SHA1_BYTES = 20,
    DIGEST_MAX = 64,
    HEADER_SIZE = 12, /* register, type, number of digests */
    MAJOR_VERSION = 2,
    CCEL_END = 0xff,
};

static const char spec_id[16] = "Spec ID Event03";

/* An algorithm that is not listed here may have any size up to DIGEST_MAX: its digests are skipped
 * by what the first event says, and never used. */
static const struct {
    uint16_t id, size;
} known_algorithms[] = {
    {EVENT_SHA1, SHA1_BYTES}, {EVENT_SHA256, 32}, {EVENT_SHA384, 48},
    {EVENT_SHA512, 64},       {EVENT_SM3, 32},
};

static uint16_t read_le16(struct reader *reader)
{
    unsigned low = reader_u8(reader);

    return (uint16_t) (low | (unsigned) reader_u8(reader) << 8);
}

static uint32_t read_le32(struct reader *reader)
{
    uint32_t low = read_le16(reader);

    return low | (uint32_t) read_le16(reader) << 16;
}

static bool is_filled(const uint8_t *data, size_t size, uint8_t with)
{
    return size == 0 || (data[0] == with && memcmp(data, data + 1, size - 1) == 0);
}

static int read_algorithm(struct event_log *log, struct reader *reader, struct finding *finding)
{
    unsigned id = read_le16(reader), size = read_le16(reader);

    if (reader->failed)
        return finding_set(finding, FINDING_LOG_SPEC_ID,
                           "event 0: the algorithm list goes past its end");
    if (size == 0 || size > DIGEST_MAX)
        return finding_set(finding, FINDING_LOG_ALGORITHMS,
                           "event 0: digestSize of algorithm 0x%04x is %u", id, size);
    for (size_t i = 0; i < ARRAY_LENGTH(known_algorithms); i++)
        if (known_algorithms[i].id == id && known_algorithms[i].size != size)
            return finding_set(finding, FINDING_LOG_ALGORITHMS,
                               "event 0: digestSize of algorithm 0x%04x is %u, not %u", id, size,
                               known_algorithms[i].size);
    if (event_log_algorithm(log, (uint16_t) id) >= 0)
        return finding_set(finding, FINDING_LOG_ALGORITHMS,
                           "event 0: algorithm 0x%04x is listed twice", id);
    log->algorithms[log->algorithm_count].id = (uint16_t) id;
    log->algorithms[log->algorithm_count].size = (uint16_t) size;
    log->algorithm_count++;
    return 0;
}

/* TCG_EfiSpecIDEvent behind its signature. */
static int read_spec_id(struct event_log *log, struct reader *reader, struct finding *finding)
{
    uint32_t platform_class = read_le32(reader);
    unsigned minor = reader_u8(reader), major = reader_u8(reader);

    (void) reader_u8(reader); /* errata */
    unsigned uintn_size = reader_u8(reader);
    uint32_t count = read_le32(reader);

    if (reader->failed)
        return finding_set(finding, FINDING_LOG_SPEC_ID, "event 0: too short for a spec ID event");
    if (platform_class > 1 || major != MAJOR_VERSION || minor != 0 ||
        (uintn_size != 1 && uintn_size != 2))
        return finding_set(finding, FINDING_LOG_SPEC_ID,
                           "event 0: platformClass %u, version %u.%u, uintnSize %u: not those of a "
                           "version 2.0 log",
                           platform_class, major, minor, uintn_size);
    if (count == 0 || count > EVENT_LOG_ALGORITHMS_MAX)
        return finding_set(finding, FINDING_LOG_ALGORITHMS,
                           "event 0: numberOfAlgorithms is %u, not 1 to %d", count,
                           EVENT_LOG_ALGORITHMS_MAX);
    for (uint32_t i = 0; i < count; i++)
        if (read_algorithm(log, reader, finding) < 0)
            return -1;
    (void) reader_bytes(reader, reader_u8(reader)); /* vendorInfo */
    if (!reader_complete(reader))
        return finding_set(finding, FINDING_LOG_SPEC_ID,
                           "event 0: vendorInfoSize does not fit eventDataSize");
    return 0;
}

/* The one event of the SHA-1 shape. What begins otherwise is the log of a TPM 1.2, in which each
 * event has that shape: there is nothing in it that is worth replaying. */
static int read_first(struct event_log *log, struct reader *reader, struct finding *finding)
{
    uint32_t index = read_le32(reader), type = read_le32(reader);
    const uint8_t *digest = reader_bytes(reader, SHA1_BYTES);
    uint32_t size = read_le32(reader);
    const uint8_t *data = reader_bytes(reader, size);
    struct reader body;

    if (reader->failed)
        return finding_set(finding, FINDING_LOG_TRUNCATED, "event 0 goes past the end of the log");
    if (type != EVENT_NO_ACTION || size < sizeof(spec_id) ||
        memcmp(data, spec_id, sizeof(spec_id)) != 0)
        return finding_set(finding, FINDING_LOG_LEGACY,
                           "event 0 is no 'Spec ID Event03': not a crypto-agile log (a log of "
                           "SHA-1 digests is not taken)");
    if (index > (log->kind == EVENT_LOG_CCEL ? 1 : 0))
        return finding_set(finding, FINDING_LOG_SPEC_ID, "event 0: register index is %u", index);
    if (!is_filled(digest, SHA1_BYTES, 0))
        return finding_set(finding, FINDING_LOG_SPEC_ID, "event 0: digest is not zero");
    reader_init(&body, data + sizeof(spec_id), size - sizeof(spec_id));
    return read_spec_id(log, &body, finding);
}

int event_log_open(struct event_log *log, enum event_log_kind kind, const void *data, size_t size,
                   struct finding *finding)
{
    struct reader reader;

    *log = (struct event_log){.kind = kind, .data = data, .size = size};
    if (size == 0 || size > EVENT_LOG_MAX)
        return finding_set(finding, FINDING_LOG_SIZE, "event log of %zu bytes, limit %d", size,
                           EVENT_LOG_MAX);
    reader_init(&reader, data, size);
    if (read_first(log, &reader, finding) < 0)
        return -1;
    log->position = reader.position;
    log->next = 1;
    return 0;
}

/* Whether the buffer of a CCEL is only filled up from here on. Something behind the end would be
 * read by one program and not by the next. 1: yes, 0: an event follows, -1. */
static int ccel_ended(const struct event_log *log, struct finding *finding)
{
    const uint8_t *rest = log->data + log->position;
    size_t left = log->size - log->position;
    bool zeros = is_filled(rest, left < HEADER_SIZE ? left : HEADER_SIZE, 0);

    if (!zeros && !is_filled(rest, left < 4 ? left : 4, CCEL_END))
        return 0;
    if (!is_filled(rest, left, zeros ? 0 : CCEL_END))
        return finding_set(finding, FINDING_LOG_TAIL,
                           "the log ends before event %u, but not everything behind is 0x%02x",
                           log->next, zeros ? 0 : CCEL_END);
    return 1;
}

static int read_index(const struct event_log *log, struct event *event, struct finding *finding)
{
    if (log->kind == EVENT_LOG_CCEL) {
        if (event->index > 4)
            return finding_set(finding, FINDING_LOG_REGISTER,
                               "event %u: register index %u, a TD has 0 to 4", event->number,
                               event->index);
        if (event->index == 0 && event->type != EVENT_NO_ACTION)
            return finding_set(finding, FINDING_LOG_REGISTER,
                               "event %u: register index 0 is MRTD, which no event can extend",
                               event->number);
        return 0;
    }
    if (event->index > 23)
        return finding_set(finding, FINDING_LOG_REGISTER, "event %u: there is no PCR %u",
                           event->number, event->index);
    return 0;
}

/* Exactly one digest of each algorithm that the first event lists: with as many as listed, each of
 * them listed and none twice, none is missing. */
static int read_digests(const struct event_log *log, struct reader *reader, struct event *event,
                        struct finding *finding)
{
    uint32_t count = read_le32(reader);

    if (!reader->failed && count != log->algorithm_count)
        return finding_set(finding, FINDING_LOG_DIGESTS,
                           "event %u: %u digests, event 0 lists %zu algorithms", event->number,
                           count, log->algorithm_count);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        unsigned id = read_le16(reader);
        int at = event_log_algorithm(log, (uint16_t) id);

        if (reader->failed)
            break;
        if (at < 0)
            return finding_set(finding, FINDING_LOG_DIGESTS,
                               "event %u: digest of algorithm 0x%04x, which event 0 does not list",
                               event->number, id);
        if (event->digests[at])
            return finding_set(finding, FINDING_LOG_DIGESTS,
                               "event %u: two digests of algorithm 0x%04x", event->number, id);
        event->digests[at] = reader_bytes(reader, log->algorithms[at].size);
    }
    if (reader->failed)
        return finding_set(finding, FINDING_LOG_TRUNCATED,
                           "event %u goes past the end of the log within its digests",
                           event->number);
    return 0;
}

static int read_data(struct reader *reader, struct event *event, struct finding *finding)
{
    event->size = read_le32(reader);
    if (reader->failed)
        return finding_set(finding, FINDING_LOG_TRUNCATED,
                           "event %u goes past the end of the log before eventSize", event->number);
    event->data = reader_bytes(reader, event->size);
    if (!event->data)
        return finding_set(finding, FINDING_LOG_EVENT_SIZE,
                           "event %u: eventSize %u goes past the end of the log", event->number,
                           event->size);
    if (event->type == EVENT_NO_ACTION && event->size >= sizeof(spec_id) - 3 &&
        memcmp(event->data, spec_id, sizeof(spec_id) - 3) == 0)
        return finding_set(finding, FINDING_LOG_SECOND_START,
                           "event %u is a second spec ID event: it would change the algorithms of "
                           "all that follow",
                           event->number);
    return 0;
}

int event_log_next(struct event_log *log, struct event *ret, struct finding *finding)
{
    struct event event = {.number = log->next};
    struct reader reader;
    int rc = 0;

    if (log->position == log->size)
        return 0;
    if (log->kind == EVENT_LOG_CCEL)
        rc = ccel_ended(log, finding);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    reader_init(&reader, log->data, log->size);
    reader.position = log->position;
    event.index = read_le32(&reader);
    event.type = read_le32(&reader);
    if (reader.failed)
        return finding_set(finding, FINDING_LOG_TRUNCATED,
                           "event %u goes past the end of the log within its header", event.number);
    if (read_index(log, &event, finding) < 0 || read_digests(log, &reader, &event, finding) < 0 ||
        read_data(&reader, &event, finding) < 0)
        return -1;
    log->position = reader.position;
    log->next++;
    *ret = event;
    return 1;
}

int event_log_algorithm(const struct event_log *log, uint16_t id)
{
    for (size_t i = 0; i < log->algorithm_count; i++)
        if (log->algorithms[i].id == id)
            return (int) i;
    return -1;
}
