/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/offers.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/dial_out.h"
#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "secure/transport.h"

enum {
    BACKLOG = 64, /* the guest's own attempts during a failure count, for a minute each */
    ACCEPTS_PER_TURN = 8,
    ACCEPT_PAUSE_MS = 1000,
    RECORDS_MAX = 32,      /* origins that are remembered */
    PROVEN = -1,           /* as a rank */
    CREDIT = 3,            /* failures in a row that are forgiven to whom the guest came from */
    HOLD_MIN_MS = 100,     /* for who has failed once, doubled with each time */
    HOLD_MAX_MS = 3000,    /* well below a channel's deadline */
    HOLD_UNKNOWN_MS = 300, /* for whom nobody knows while somebody is proven */
    PATIENCE_MIN_MS = 1000,
    PATIENCE_MAX_MS = 8000,
    FAILURES_MAX = 16,
};

struct record { /* of an origin */
    struct offer_origin origin;
    int failures; /* in a row */
    bool proved;  /* once: only the guest can do that */
    uint64_t patience_ms;
    uint64_t touched; /* 0: unused */
};

struct waiting {
    struct source *source; /* NULL: unused */
    int fd;
    struct offer_origin origin;
    uint64_t number; /* of its arrival */
};

struct offers {
    struct loop *loop;
    int fd;
    uint16_t port;
    struct source *source, *pause, *turn;
    struct waiting pool[OFFERS_MAX];
    struct record records[RECORDS_MAX];
    uint64_t arrivals, touches;
    struct offer_waiter *waiters;
};

/* ---- origins --------------------------------------------------------------------------------- */

static bool same_origin(const struct offer_origin *a, const struct offer_origin *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static struct offer_origin origin_of(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *) address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) address;
    struct offer_origin origin = {0};

    if (address->ss_family == AF_INET)
        memcpy(origin.bytes + 12, &v4->sin_addr, 4);
    else
        memcpy(origin.bytes, &v6->sin6_addr, 8);
    return origin;
}

static const struct record *find_record(const struct offers *offers,
                                        const struct offer_origin *origin)
{
    for (size_t i = 0; i < RECORDS_MAX; i++)
        if (offers->records[i].touched && same_origin(&offers->records[i].origin, origin))
            return &offers->records[i];
    return NULL;
}

/* Takes the place of the one that was touched longest ago, of a stranger's rather than of one that
 * is proven: whoever has many addresses must not make it forgotten. */
static struct record *make_record(struct offers *offers, const struct offer_origin *origin)
{
    struct record *record = (struct record *) find_record(offers, origin);
    struct record *oldest = NULL;

    for (size_t i = 0; !record && i < RECORDS_MAX; i++) {
        struct record *r = &offers->records[i];

        if (!oldest || (oldest->proved && !r->proved) ||
            (oldest->proved == r->proved && r->touched < oldest->touched))
            oldest = r;
    }
    if (!record) {
        record = oldest;
        *record = (struct record){.origin = *origin, .patience_ms = PATIENCE_MIN_MS};
    }
    record->touched = ++offers->touches;
    return record;
}

/* PROVEN, or how often it has failed. A network that broke a connection or two does not put the
 * guest behind every stranger who comes for the first time: there can be ever new ones. */
static int rank_of(const struct offers *offers, const struct offer_origin *origin)
{
    const struct record *record = find_record(offers, origin);

    if (!record || !record->proved)
        return record ? record->failures : 0;
    if (record->failures == 0)
        return PROVEN;
    return record->failures > CREDIT ? record->failures - CREDIT : 0;
}

static bool somebody_is_proven(const struct offers *offers)
{
    for (size_t i = 0; i < RECORDS_MAX; i++)
        if (offers->records[i].proved && offers->records[i].failures == 0)
            return true;
    return false;
}

/* How long a waiter looks out for somebody better before it takes one of such a rank. */
static uint64_t hold_ms(const struct offers *offers, int rank)
{
    uint64_t hold = HOLD_MIN_MS;

    if (rank == PROVEN)
        return 0;
    if (rank == 0)
        return somebody_is_proven(offers) ? HOLD_UNKNOWN_MS : 0;
    while (--rank > 0 && hold < HOLD_MAX_MS)
        hold *= 2;
    return hold < HOLD_MAX_MS ? hold : HOLD_MAX_MS;
}

/* ---- the pool -------------------------------------------------------------------------------- */

static void forget(struct waiting *waiting)
{
    source_freep(&waiting->source);
    waiting->source = NULL;
    waiting->fd = -1;
}

static void drop(struct waiting *waiting)
{
    int fd = waiting->fd;

    forget(waiting);
    closep(&fd);
}

static size_t count_of(const struct offers *offers, const struct offer_origin *origin)
{
    size_t count = 0;

    for (size_t i = 0; i < OFFERS_MAX; i++)
        if (offers->pool[i].source && same_origin(&offers->pool[i].origin, origin))
            count++;
    return count;
}

/* The one to give up for another: of who has most of them here, then of who failed most, the
 * oldest. */
static bool is_worse(const struct offers *offers, const struct waiting *a, const struct waiting *b)
{
    size_t count_a = count_of(offers, &a->origin), count_b = count_of(offers, &b->origin);
    int rank_a = rank_of(offers, &a->origin), rank_b = rank_of(offers, &b->origin);

    if (count_a != count_b)
        return count_a > count_b;
    if (rank_a != rank_b)
        return rank_a > rank_b;
    return a->number < b->number;
}

static struct waiting *make_room(struct offers *offers, const struct offer_origin *origin)
{
    bool crowded = count_of(offers, origin) >= OFFERS_PER_ORIGIN;
    struct waiting *worst = NULL;

    for (size_t i = 0; i < OFFERS_MAX; i++) {
        struct waiting *w = &offers->pool[i];

        if (!w->source) {
            if (!crowded)
                return w;
        } else if ((!crowded || same_origin(&w->origin, origin)) &&
                   (!worst || is_worse(offers, w, worst))) {
            worst = w;
        }
    }
    drop(worst);
    return worst;
}

static void on_word(void *user, uint32_t events)
{
    drop(user);
}

static int keep(struct offers *offers, int accepted, struct offer_origin origin, struct error *err)
{
    scoped(closep) int fd = accepted;
    struct waiting *waiting = make_room(offers, &origin);

    transport_tune(fd);
    if (loop_watch_fd(offers->loop, fd, LOOP_READ, on_word, waiting, &waiting->source, err) < 0)
        return -1;
    waiting->fd = take_fd(fd);
    waiting->origin = origin;
    waiting->number = ++offers->arrivals;
    return 0;
}

/* Fewer failures first. Of one origin the newest: a guest has one offer at a time, so that older
 * ones are dead. Of several that are alike the oldest. */
static bool is_better(const struct offers *offers, const struct waiting *a, const struct waiting *b)
{
    int rank_a = rank_of(offers, &a->origin), rank_b = rank_of(offers, &b->origin);

    if (rank_a != rank_b)
        return rank_a < rank_b;
    return same_origin(&a->origin, &b->origin) ? a->number > b->number : a->number < b->number;
}

static struct waiting *best(struct offers *offers)
{
    struct waiting *found = NULL;

    for (size_t i = 0; i < OFFERS_MAX; i++)
        if (offers->pool[i].source && (!found || is_better(offers, &offers->pool[i], found)))
            found = &offers->pool[i];
    return found;
}

/* One in a turn: what runs here may do anything, this pool's end included. */
static void on_turn(void *user)
{
    struct offers *offers = user;
    struct offer_waiter *waiter = offers->waiters;
    struct waiting *waiting = best(offers);
    struct offer offer;
    uint64_t now = clock_monotonic_ms(), due;

    if (!waiter || !waiting)
        return;
    due = waiter->since_ms + hold_ms(offers, rank_of(offers, &waiting->origin));
    if (now < due) {
        source_rearm(offers->turn, due - now);
        return;
    }
    offer = (struct offer){.fd = waiting->fd, .origin = waiting->origin};
    forget(waiting);
    offers_leave(offers, waiter);
    source_rearm(offers->turn, 0);
    waiter->taken(waiter->user, &offer);
}

/* ---- the door -------------------------------------------------------------------------------- */

static void on_pause_over(void *user)
{
    struct offers *offers = user;

    source_set_events(offers->source, LOOP_READ);
}

static void on_connection(void *user, uint32_t events)
{
    struct offers *offers = user;
    struct error ignored;

    source_rearm(offers->turn, 0);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t length = sizeof(peer);
        int fd = accept4(offers->fd, (struct sockaddr *) &peer, &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
            return;
        if (fd >= 0 && keep(offers, fd, origin_of(&peer), &ignored) == 0)
            continue;
        source_set_events(offers->source, 0); /* out of descriptors: do not spin */
        source_rearm(offers->pause, ACCEPT_PAUSE_MS);
        return;
    }
}

static int listen_at(const struct dial_out *at, int *ret, struct error *err)
{
    scoped(closep) int fd = socket(at->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_storage address;
    socklen_t length = dial_out_socket_address(at, &address);
    int one = 1;

    if (fd < 0)
        return error_errno(err, errno, "socket");
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *) &address, length) < 0 || listen(fd, BACKLOG) < 0)
        return error_errno(err, errno, "listen");
    *ret = take_fd(fd);
    return 0;
}

static int find_port(struct offers *offers, int family, struct error *err)
{
    struct sockaddr_in v4 = {0};
    struct sockaddr_in6 v6 = {0};
    bool four = family == AF_INET;
    struct sockaddr *address = four ? (struct sockaddr *) &v4 : (struct sockaddr *) &v6;
    socklen_t length = four ? sizeof(v4) : sizeof(v6);

    if (getsockname(offers->fd, address, &length) < 0)
        return error_errno(err, errno, "getsockname");
    offers->port = ntohs(four ? v4.sin_port : v6.sin6_port);
    return 0;
}

/* The first free one of the range; other pods have theirs. */
static int open_door(struct offers *offers, const struct dial_out *from, uint16_t ports,
                     struct error *err)
{
    unsigned last = from->port && ports ? from->port + ports - 1u : from->port;
    struct dial_out at = *from;
    char address[DIAL_OUT_TEXT_SIZE];

    for (unsigned port = from->port; port <= last && port <= UINT16_MAX; port++) {
        at.port = (uint16_t) port;
        if (listen_at(&at, &offers->fd, err) == 0)
            return find_port(offers, at.family, err);
    }
    dial_out_print_address(from, address);
    if (!from->port)
        return error_wrap(err, "%s, for guests to dial", address);
    return error_wrap(err, "%s ports %u to %u, for guests to dial", address, from->port, last);
}

int offers_listen(struct loop *loop, const struct dial_out *at, uint16_t ports, struct offers **ret,
                  struct error *err)
{
    scoped(offers_freep) struct offers *offers = xnew(struct offers);

    offers->loop = loop;
    offers->fd = -1;
    for (size_t i = 0; i < OFFERS_MAX; i++)
        offers->pool[i].fd = -1;
    if (open_door(offers, at, ports, err) < 0 ||
        loop_after(loop, LOOP_NEVER, on_pause_over, offers, &offers->pause, err) < 0 ||
        loop_after(loop, LOOP_NEVER, on_turn, offers, &offers->turn, err) < 0 ||
        loop_watch_fd(loop, offers->fd, LOOP_READ, on_connection, offers, &offers->source, err) < 0)
        return -1;
    *ret = take_ptr(offers);
    return 0;
}

void offers_free(struct offers *offers)
{
    if (!offers)
        return;
    for (size_t i = 0; i < OFFERS_MAX; i++)
        drop(&offers->pool[i]);
    source_freep(&offers->source);
    source_freep(&offers->pause);
    source_freep(&offers->turn);
    closep(&offers->fd);
    free(offers);
}

uint16_t offers_port(const struct offers *offers)
{
    return offers->port;
}

size_t offers_count(const struct offers *offers)
{
    size_t count = 0;

    for (size_t i = 0; i < OFFERS_MAX; i++)
        count += offers->pool[i].source != NULL;
    return count;
}

void offers_wait(struct offers *offers, struct offer_waiter *waiter)
{
    struct offer_waiter **end = &offers->waiters;

    waiter->since_ms = clock_monotonic_ms();
    waiter->waits = true;
    waiter->next = NULL;
    while (*end)
        end = &(*end)->next;
    *end = waiter;
    source_rearm(offers->turn, 0);
}

void offers_leave(struct offers *offers, struct offer_waiter *waiter)
{
    if (!waiter->waits)
        return;
    for (struct offer_waiter **p = &offers->waiters; *p; p = &(*p)->next) {
        if (*p == waiter) {
            *p = waiter->next;
            break;
        }
    }
    waiter->waits = false;
}

uint64_t offers_patience_ms(const struct offers *offers, const struct offer_origin *origin)
{
    const struct record *record = find_record(offers, origin);

    return record ? record->patience_ms : PATIENCE_MIN_MS;
}

void offers_judge(struct offers *offers, const struct offer_origin *origin, enum offer_fate fate)
{
    struct record *record = make_record(offers, origin);

    if (fate == OFFER_PROVED) {
        record->proved = true;
        record->failures = 0;
        return;
    }
    if (record->failures < FAILURES_MAX)
        record->failures++;
    if (fate == OFFER_SLOW && record->patience_ms < PATIENCE_MAX_MS)
        record->patience_ms *= 2;
}
