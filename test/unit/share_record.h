/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a program did and what came of it, as text: for comparing two places. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { RECORD_SIZE = 32768, USER = 1000, GROUP = 1000, OTHER = 1001, FS_GROUP = 2000 };

void record_begin(void);
const char *record_text(void);
void record_add(const char *what, long value);

/* A call and its errno; a value as it is; a call of a user other than root. */
#define DO(call)     record_add(#call, (call) < 0 ? -errno : 0)
#define VALUE(value) record_add(#value, (long) (value))
#define AS(uid, call)                                                                              \
    do {                                                                                           \
        become(uid, uid);                                                                          \
        DO(call);                                                                                  \
        become_root();                                                                             \
    } while (0)

void become(uid_t uid, gid_t gid);
void become_root(void);
int open_as(uid_t uid, const char *name, int flags); /* 0, or an errno */

struct stat stat_of(const char *name);             /* st_mode 0: there is none */
int share_put(const char *name, const char *text); /* 0, or -1 and errno */
long share_first_bytes(const char *name);          /* as a number, or a negative errno */
