/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/event_replay.h"

#include <stdbool.h>
#include <string.h>

#include "base/scoped.h"
#include "evidence/finding.h"

enum {
    VARIABLE_HEADER_SIZE = 32, /* GUID, u64 characters of the name, u64 bytes of the contents */
    PCR_DYNAMIC_FIRST = 17,
    PCR_DYNAMIC_LAST = 22,
    LOCALITY_HCRTM = 4,
};

static const char startup_locality[16] = "StartupLocality";

/* Has StartupLocality been seen, or is it too late for it? */
struct state {
    struct event_replay *replay;
    int algorithm;
    bool locality_seen;
};

static bool hashes_to(enum digest_type type, const void *data, size_t size, const uint8_t *digest)
{
    uint8_t hash[SHA384_SIZE];

    if (type == DIGEST_SHA256)
        digest_sha256(data, size, hash);
    else
        digest_sha384(data, size, hash);
    return memcmp(hash, digest, registers_size(type)) == 0;
}

static uint64_t le64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* UEFI_VARIABLE_DATA; false if its lengths are not those of the event. */
static bool variable_contents(const struct event *event, const uint8_t **ret, size_t *ret_size)
{
    uint64_t name, contents, left;

    if (event->size < VARIABLE_HEADER_SIZE)
        return false;
    name = le64(event->data + 16);
    contents = le64(event->data + 24);
    left = event->size - VARIABLE_HEADER_SIZE;
    if (name > left / 2 || contents != left - 2 * name)
        return false;
    *ret = event->data + (event->size - contents);
    *ret_size = (size_t) contents;
    return true;
}

static bool data_is_hashed(enum digest_type type, const struct event *event, const uint8_t *digest)
{
    const uint8_t *contents;
    size_t size;

    switch (event->type) {
    case EVENT_SEPARATOR:
    case EVENT_EFI_ACTION:
    case EVENT_EFI_VARIABLE_DRIVER_CONFIG:
    case EVENT_EFI_VARIABLE_AUTHORITY:
    case EVENT_EFI_VARIABLE_BOOT2:
        return hashes_to(type, event->data, event->size, digest);
    case EVENT_EFI_VARIABLE_BOOT:
        return hashes_to(type, event->data, event->size, digest) ||
               (variable_contents(event, &contents, &size) &&
                hashes_to(type, contents, size, digest));
    default:
        return true; /* nothing is said about it */
    }
}

/* The one EV_NO_ACTION that changes anything. Its place counts: behind an extension of PCR 0 it
 * could not have been that of this boot. */
static int take_locality(struct state *state, const struct event *event, struct finding *finding)
{
    struct event_replay *replay = state->replay;
    unsigned locality;

    if (event->size < sizeof(startup_locality) ||
        memcmp(event->data, startup_locality, sizeof(startup_locality)) != 0)
        return 0;
    if (replay->registers.kind != REGISTERS_PCR || event->index != 0)
        return finding_set(finding, FINDING_LOG_LOCALITY,
                           "event %u: StartupLocality at register index %u: only PCR 0 has one",
                           event->number, event->index);
    if (event->size != sizeof(startup_locality) + 1)
        return finding_set(finding, FINDING_LOG_LOCALITY,
                           "event %u: StartupLocality of %u bytes, not %zu", event->number,
                           event->size, sizeof(startup_locality) + 1);
    locality = event->data[sizeof(startup_locality)];
    if (locality != 0 && locality != 3 && locality != LOCALITY_HCRTM)
        return finding_set(finding, FINDING_LOG_LOCALITY,
                           "event %u: StartupLocality is %u, not 0, 3 or 4", event->number,
                           locality);
    if (state->locality_seen || (replay->registers.set & BIT(0)))
        return finding_set(
            finding, FINDING_LOG_LOCALITY, "event %u: StartupLocality %s", event->number,
            state->locality_seen ? "for the second time" : "behind an event that extends PCR 0");
    state->locality_seen = true;
    replay->locality = (uint8_t) locality;
    replay->registers.values[0][registers_size(replay->type) - 1] = (uint8_t) locality;
    return 0;
}

static int extend(struct state *state, const struct event *event, struct finding *finding)
{
    struct registers *registers = &state->replay->registers;
    const uint8_t *digest = event->digests[state->algorithm];
    unsigned index = event->index;

    if (registers->kind == REGISTERS_RTMR)
        index--; /* the iterator lets nothing extend MRTD */
    else if (index >= PCR_DYNAMIC_FIRST && index <= PCR_DYNAMIC_LAST)
        return finding_set(finding, FINDING_LOG_REGISTER,
                           "event %u: PCR %u belongs to a dynamic launch, which is not replayed",
                           event->number, index);
    if (state->replay->data == EVENT_REPLAY_DATA_CHECKED &&
        !data_is_hashed(state->replay->type, event, digest))
        return finding_set(finding, FINDING_LOG_DATA,
                           "event %u: the data (type 0x%08x, %u bytes) does not hash to its %s "
                           "digest",
                           event->number, event->type, event->size,
                           registers_bank(state->replay->type));
    registers_extend(registers, index, digest);
    return 0;
}

int event_replay_run(struct event_replay *replay, struct event_log *log, struct finding *finding)
{
    uint16_t id = replay->type == DIGEST_SHA256 ? EVENT_SHA256 : EVENT_SHA384;
    struct state state = {.replay = replay, .algorithm = event_log_algorithm(log, id)};
    struct event event;
    int rc;

    registers_init(&replay->registers, log->kind == EVENT_LOG_CCEL ? REGISTERS_RTMR : REGISTERS_PCR,
                   replay->type);
    replay->events = 0;
    replay->locality = 0;
    if (state.algorithm < 0)
        return finding_set(finding, FINDING_LOG_BANK, "event 0 lists no %s: the log has none",
                           registers_bank(replay->type));
    while ((rc = event_log_next(log, &event, finding)) == 1) {
        rc = event.type == EVENT_NO_ACTION ? take_locality(&state, &event, finding)
                                           : extend(&state, &event, finding);
        if (rc < 0)
            return -1;
        replay->events++;
    }
    return rc;
}
