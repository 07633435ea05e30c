/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is on disk about a sandbox: its directory with the state file, for the verb `delete` and for
 * the next start, and its tombstone. */
#include <stdbool.h>
#include <stdint.h>
#include "machine.h"

struct error;

#define RECORD_PARENT     "/run/cleave"
#define RECORD_ROOT       RECORD_PARENT "/h"
#define RECORD_TOMBSTONES "/var/lib/cleave/h/tombstones"
#define RECORD_SWEPT      "/var/lib/cleave/h/swept"

enum { RECORD_PATH_SIZE = 256 };

struct record {
    char *id;
    char *helper; /* the program that can end the machine */
    char *uri;    /* of the libvirt that made it; NULL in a record of an older version */
    int64_t call_timeout;
    char *scratch; /* the directory where its disk is made; NULL likewise */
    struct machine_process machine;
    struct machine_process shim;
};

int record_directory(const char *id, char ret[RECORD_PATH_SIZE], struct error *err)
    __attribute__((warn_unused_result));
/* 0711 all the way, as QEMU's user needs it; what lies in it is 0600 unless it is QEMU's. */
int record_make_directory(const char *id, char ret[RECORD_PATH_SIZE], struct error *err)
    __attribute__((warn_unused_result));
/* Makes the directory too. */
int record_write(const struct record *record, struct error *err)
    __attribute__((warn_unused_result));
/* NOT_FOUND: there is no such sandbox here, or it is of an earlier boot. */
int record_read(const char *id, struct record *ret, struct error *err)
    __attribute__((warn_unused_result));
void record_clear(struct record *record);
int record_remove(const char *id, struct error *err) __attribute__((warn_unused_result));

/* Borrows from the record. */
void record_target(const struct record *record, struct machine_target *ret);
/* A create that was cut down may have left its wish in libvirt's queue: its domain can appear
 * after everything of the sandbox has gone. */
enum record_create { RECORD_CREATE_ANSWERED, RECORD_CREATE_CUT };

/* Leaves the machine to a reaper, which is under way when this returns. */
int record_bury(const struct record *record, enum record_create create, struct error *err)
    __attribute__((warn_unused_result));
/* Has the reaper not finished yet? */
bool record_is_buried(const char *id);
