/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a log makes of the registers. EV_NO_ACTION is not extended; StartupLocality, one of them,
 * says where PCR 0 starts. No allocation, one hash for each event (two where data is checked). */
#include "evidence/event_log.h"
#include "evidence/registers.h"

/* An event's data proves nothing by itself: only the digest is extended. Where the type defines the
 * digest as the hash of the data the two can be held against each other: EV_SEPARATOR,
 * EV_EFI_ACTION and the EV_EFI_VARIABLE_ types. (EV_EFI_VARIABLE_BOOT: of the whole data or, as
 * EDK II has it, of the variable's contents alone; then GUID and name stay unproven.) Not so, for
 * example: EV_EFI_BOOT_SERVICES_APPLICATION, EV_EVENT_TAG and EV_IPL, of which the data is a label
 * for what was hashed. */
enum event_replay_data { EVENT_REPLAY_DATA_IGNORED, EVENT_REPLAY_DATA_CHECKED };

struct event_replay { /* what is asked for, then what came out */
    enum digest_type type;
    enum event_replay_data data;
    struct registers registers; /* .set: which ones were extended */
    uint32_t events;            /* without the first, which only lists the algorithms */
    uint8_t locality;           /* that PCR 0 started with */
};

/* Takes what is left of a log that was just opened. */
int event_replay_run(struct event_replay *replay, struct event_log *log, struct finding *finding)
    __attribute__((warn_unused_result));
