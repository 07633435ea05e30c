/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The kernel's configfs-tsm, played by FUSE: a directory that is made has its files at once, a
 * question is taken when `inblob` is closed, the answer is made when `outblob` is first read. What
 * can go wrong in a machine goes wrong as often as a test says. Beside it, as FAKE_TD_DEVICE, the
 * device of a trust domain. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_TD_DEVICE ".tdx_guest"

enum { FAKE_TSM_BLOB_MAX = 256 * 1024, FAKE_TD_REPORT_SIZE = 1024 };

/* What the processor would do; returns the size of what it wrote. */
typedef size_t fake_tsm_report_fn(const uint8_t question[64], uint8_t to[FAKE_TSM_BLOB_MAX]);

struct fake_tsm {
    const char *provider; /* with its line feed */
    fake_tsm_report_fn *report;
    const char *certificates;               /* auxblob; NULL: there is no such file */
    int strangers;                          /* so many questions get another's behind them */
    int would_block;                        /* so many reads of outblob fail by EWOULDBLOCK */
    int interrupts;                         /* so many by EINTR */
    int taken_short;                        /* so many questions are taken half */
    bool silent;                            /* outblob fails by EINVAL, whatever was asked */
    bool endless;                           /* outblob has no end */
    uint8_t td_report[FAKE_TD_REPORT_SIZE]; /* but for its report data */
    bool td_deaf;                           /* it fails by EIO */
    bool td_other;                          /* it takes other report data */
    /* What was seen. */
    int made, removed, questions, levels, td_questions;
    size_t question_size; /* of the last one */
};

extern struct fake_tsm fake_tsm;

/* Mounts it on a directory that is there, in a mount namespace of this process. */
void fake_tsm_mount(const char *directory);
void fake_tsm_unmount(void);
/* One that somebody forgot. */
void fake_tsm_leave(const char *name);
int fake_tsm_directories(void); /* that are there now */
