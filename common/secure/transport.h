/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How the tenant side and a guest come together. Whoever told the address is not trusted: only the
 * appraisal decides who is there. */
#include <stdint.h>

struct error;
struct offers;

enum { ENDPOINT_ADDRESS_MAX = 108 };

struct transport;

struct endpoint {
    const struct transport *transport;
    char address[ENDPOINT_ADDRESS_MAX]; /* numeric IP, or (relay) an absolute path */
    uint16_t port;                      /* 0 with a path */
    struct offers *offers;              /* dial-out: where guests dial in; borrowed */
};

/* A non-blocking socket on its way to being connected; -1: there is none to be had by asking, one
 * of the endpoint's offers will do. */
struct transport {
    const char *name;
    int (*open)(const struct endpoint *endpoint, int *ret_fd, struct error *err);
};

extern const struct transport transport_direct; /* TCP to the pod's address */
extern const struct transport transport_relay; /* unix socket or TCP of a relay that passes bytes */
extern const struct transport transport_dial_out; /* the guest connects to us */

/* By the names that a provisioner answers: "direct", "relay". */
int endpoint_make(const char *transport, const char *address, uint16_t port, struct endpoint *ret,
                  struct error *err) __attribute__((warn_unused_result));
/* Of whoever dials in there; offers outlives the endpoint and its copies. */
int endpoint_make_offered(struct offers *offers, const char *address, struct endpoint *ret,
                          struct error *err) __attribute__((warn_unused_result));
int endpoint_open(const struct endpoint *endpoint, int *ret_fd, struct error *err)
    __attribute__((warn_unused_result));
/* When the socket became writable: 0, or the reason why it is not connected. */
int endpoint_finish(const struct endpoint *endpoint, int fd, struct error *err)
    __attribute__((warn_unused_result));
/* No Nagle, little unsent in the kernel, and a dead peer is noticed. Best effort. */
void transport_tune(int fd);
/* On top of that, of a connection that is replaced without loss: a dead peer is noticed after 3 s.
 */
void transport_tune_replaceable(int fd);
