/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The hardware that speaks for this guest. The initdata names one type of evidence and that is the
 * type; nothing is tried instead. Everything is asked of by cleave-attest, a process per question:
 * one at a time, not more often than the firmware likes, each under a deadline. */
#include <stddef.h>

struct attester;
struct error;
struct loop;
struct maker;

enum {
    ATTESTER_DEADLINE_MS = 30 * 1000, /* of one question; a handshake's own is shorter */
    ATTESTER_QUEUE_MAX = 8,
    ATTESTER_INTERVAL_MS = 1000, /* between two questions, after */
    ATTESTER_BURST = 4,          /* so many at once */
};

/* Where they are. Part of the image, which is measured; of a stub guest, its maker's. NULL: not to
 * be looked for. */
struct attester_devices {
    const char *program; /* cleave-attest */
    const char *tsm;     /* of configfs-tsm, the directory of reports */
    const char *td;      /* the device of a trust domain: "/dev/tdx_guest" */
    const char *ccel;    /* its event log */
    const char *tpm;     /* "device:/dev/tpmrm0" */
    const char *tpm_log; /* its event log */
};

int attester_new(struct loop *loop, const struct attester_devices *devices, struct attester **ret,
                 struct error *err) __attribute__((warn_unused_result));
void attester_free(struct attester *attester);
static inline void attester_freep(struct attester **p)
{
    if (*p)
        attester_free(*p);
}

/* Before anything reads the initdata: the processor says whether it carries its digest, or -1; PCR
 * 8 of a TPM takes it, or had something in it, -1. Of what this machine has, whatever type the
 * initdata may ask for. Turns the loop, on which nothing else is yet. */
int attester_bind(struct attester *attester, const void *initdata, size_t length, struct error *err)
    __attribute__((warn_unused_result));
/* The type that the initdata names. NULL: it needs no hardware. -1: it does, and this hardware has
 * not been bound to the initdata. */
int attester_choose(struct attester *attester, const char *evidence, const struct maker **ret,
                    struct error *err) __attribute__((warn_unused_result));
