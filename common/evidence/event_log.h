/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Walks a TCG2 crypto-agile event log without copying anything: the firmware's log of a TPM, and
 * the CCEL of a TD, which has the same shape, other registers and an end inside of its buffer.
 * All integers are little-endian. Everything in a log is the word of whoever hands it over; it is
 * worth something once it replays to registers that hardware has signed (event_replay.h). */
#include <stddef.h>
#include <stdint.h>

struct finding;

enum event_log_kind {
    EVENT_LOG_TPM,  /* register n is PCR n; ends with its last byte */
    EVENT_LOG_CCEL, /* register 0 is MRTD, 1 to 4 are RTMR0 to RTMR3; filled up with 0xff or 0 */
};

enum { EVENT_LOG_MAX = 1024 * 1024, EVENT_LOG_ALGORITHMS_MAX = 8 };

enum event_algorithm { /* TPM_ALG_ID */
                       EVENT_SHA1 = 0x0004,
                       EVENT_SHA256 = 0x000b,
                       EVENT_SHA384 = 0x000c,
                       EVENT_SHA512 = 0x000d,
                       EVENT_SM3 = 0x0012,
};

enum event_type {
    EVENT_NO_ACTION = 0x3,
    EVENT_SEPARATOR = 0x4,
    EVENT_TAG = 0x6,
    EVENT_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001,
    EVENT_EFI_VARIABLE_BOOT = 0x80000002,
    EVENT_EFI_ACTION = 0x80000007,
    EVENT_EFI_VARIABLE_BOOT2 = 0x8000000c,
    EVENT_EFI_VARIABLE_AUTHORITY = 0x800000e0,
};

struct event_log { /* borrows the bytes */
    enum event_log_kind kind;
    const uint8_t *data;
    size_t size, position;
    size_t algorithm_count;
    struct {
        uint16_t id, size;
    } algorithms[EVENT_LOG_ALGORITHMS_MAX];
    uint32_t next; /* number of the next event; the first one, which lists the algorithms, is 0 */
};

struct event { /* points into the log */
    uint32_t number, index, type, size;
    const uint8_t *data;
    const uint8_t *digests[EVENT_LOG_ALGORITHMS_MAX]; /* in the order of log->algorithms */
};

/* Takes the first event. */
int event_log_open(struct event_log *log, enum event_log_kind kind, const void *data, size_t size,
                   struct finding *finding) __attribute__((warn_unused_result));
/* 1: *ret is an event, 0: the log is at its end, -1. */
int event_log_next(struct event_log *log, struct event *ret, struct finding *finding)
    __attribute__((warn_unused_result));
/* Position in the digests of each event, -1: the log has no such digest. */
int event_log_algorithm(const struct event_log *log, uint16_t id);
