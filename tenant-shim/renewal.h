/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The lease of the one instance that was appraised: claimed in the record of this node before
 * anything goes to the guest, then renewed on every connection. The guest is appraised again every
 * ten minutes, when it says that it needs it, and when what is good has changed. A ttl without a
 * renewal ends the connection: the next one begins with an appraisal. */
#include <stdbool.h>
#include <stdint.h>
#include "base/scoped.h"

struct error;
struct initdata;
struct link;
struct loop;
struct renewal;

struct renewal_options {
    struct loop *loop;
    struct link *link;
    const char *directory; /* of the records; NULL: the usual one */
    const struct initdata *initdata;
    const uint8_t *instance; /* 32 bytes, as appraised */
    uint64_t ttl_ms;
    uint64_t power_off_ms;         /* that the guest waits, frozen, before it powers off */
    void (*appraised)(void *user); /* again; NULL: nobody asks */
    /* What is good may have changed since the last appraisal; looked at before each renewal. NULL:
     * it never does. */
    bool (*is_stale)(void *user);
    /* A guest that was appraised is none of ours any more: it has to end. */
    void (*refused)(void *user, const struct error *err);
    void *user;
};

/* For the first appraisal of a boot. FAILED_PRECONDITION: somebody else has the lease. */
int renewal_new(const struct renewal_options *options, struct renewal **ret,
                struct error *err) must_check;
/* The lease stays as it is: host_half_revoke() ends it. */
void renewal_free(struct renewal *renewal);
SCOPED_PTR(struct renewal, renewal_free)
/* The check before every call to the guest; costs no system call. */
bool renewal_holds(const struct renewal *renewal);
/* So long ago was the last one sent that the guest, as far as its clock runs, is frozen. */
bool renewal_has_lapsed(const struct renewal *renewal);
