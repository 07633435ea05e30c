/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where guests dial in (transport dial-out): a listening socket on the tenant's node and the few
 * connections that wait behind it until a channel wants one. Anybody may connect: an offer is an
 * address and a descriptor, and only the channel finds out who is there. What it found out is told
 * here, so that a stranger is tried after everybody else, and ever less often.
 *
 * Nothing is read from an offer. A guest is silent until it is spoken to (it is the TLS server), so
 * that one which says something, or ends, is dropped unread. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dial_out;
struct error;
struct loop;
struct offers;

enum {
    OFFERS_MAX = 8,        /* that wait */
    OFFERS_PER_ORIGIN = 4, /* of them; a newer one drives out the oldest */
};

/* At an address of this node, on the first free one of so many ports from at's on; its port 0: any.
 */
int offers_listen(struct loop *loop, const struct dial_out *at, uint16_t ports, struct offers **ret,
                  struct error *err) __attribute__((warn_unused_result));
/* Nobody waits any more. */
void offers_free(struct offers *offers);
static inline void offers_freep(struct offers **p)
{
    if (*p)
        offers_free(*p);
}
uint16_t offers_port(const struct offers *offers);
size_t offers_count(const struct offers *offers); /* that wait to be taken */

/* An address, or what one customer of a network has of them (IPv6: its first 64 bits). */
struct offer_origin {
    uint8_t bytes[16];
};

struct offer {
    int fd; /* connected, non-blocking; the taker's */
    struct offer_origin origin;
};

/* In the waiter's own memory. taken runs once, from the loop, never from inside a call; the waiter
 * waits no more by then. Offers of proven origins come first and at once, those of strangers who
 * have failed after a pause in which a better one may come. */
struct offer_waiter {
    void (*taken)(void *user, const struct offer *offer);
    void *user;
    bool waits; /* the rest is offers.c's */
    uint64_t since_ms;
    struct offer_waiter *next;
};
void offers_wait(struct offers *offers, struct offer_waiter *waiter);
void offers_leave(struct offers *offers, struct offer_waiter *waiter);

/* How long one offer of this origin may take to shake hands: longer when it was too slow before. */
uint64_t offers_patience_ms(const struct offers *offers, const struct offer_origin *origin);

enum offer_fate {
    OFFER_PROVED, /* appraised, or joined what is */
    OFFER_BROKE,  /* refused, or ended */
    OFFER_SLOW,
};
void offers_judge(struct offers *offers, const struct offer_origin *origin, enum offer_fate fate);
