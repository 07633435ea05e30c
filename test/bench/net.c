/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a TCP connection, each started in the network namespace that is measured.
 *
 *   bench-net serve PORT                     until it is killed, one connection after the other
 *   bench-net to|from ADDRESS PORT BYTES     one way, to the last byte's acknowledgement
 *   bench-net 1|1024 ADDRESS PORT COUNT      COUNT requests of that size and answers of the same
 *
 * A client prints one line of JSON. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "samples.h"

enum { CHUNK = 256 * 1024, WARM = 20, BACKLOG = 8 };

enum way { TO_SERVER, FROM_SERVER, BOTH_WAYS };

struct order { /* what the client wants of this connection, in front of it */
    uint64_t way;
    uint64_t count; /* bytes, or requests */
    uint64_t size;  /* of a request */
};

static char chunk[CHUNK];

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void read_all(int fd, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = recv(fd, chunk + done, length - done, 0);

        if (n <= 0)
            die("receive");
        done += (size_t) n;
    }
}

static void read_bytes(int fd, uint64_t count)
{
    while (count > 0) {
        ssize_t n = recv(fd, chunk, count < CHUNK ? count : CHUNK, 0);

        if (n <= 0)
            die("receive");
        count -= (uint64_t) n;
    }
}

static void write_bytes(int fd, uint64_t count)
{
    while (count > 0) {
        ssize_t n = send(fd, chunk, count < CHUNK ? count : CHUNK, MSG_NOSIGNAL);

        if (n <= 0)
            die("send");
        count -= (uint64_t) n;
    }
}

/* ---- the server ---- */

static void serve_one(int fd)
{
    struct order order;

    read_all(fd, sizeof(order));
    memcpy(&order, chunk, sizeof(order));
    if (order.way == TO_SERVER) {
        read_bytes(fd, order.count);
        write_bytes(fd, 1);
    }
    if (order.way == FROM_SERVER)
        write_bytes(fd, order.count);
    for (uint64_t i = 0; order.way == BOTH_WAYS && i < order.count; i++) {
        read_all(fd, order.size);
        write_bytes(fd, order.size);
    }
}

static _Noreturn void serve(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
        die("listen");
    (void) puts("ready");
    (void) fflush(stdout);
    for (;;) {
        scoped(closep) int peer = accept(fd, NULL, NULL);

        if (peer < 0 || setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
            die("accept");
        serve_one(peer);
    }
}

/* ---- the client ---- */

static int connect_to(const char *text, uint16_t port, const struct order *order)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    if (inet_pton(AF_INET, text, &address.sin_addr) != 1 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
        connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
        send(fd, order, sizeof(*order), MSG_NOSIGNAL) != sizeof(*order))
        die("connect");
    return fd;
}

static void stream(int fd, const struct order *order)
{
    uint64_t start = clock_monotonic_ns();

    if (order->way == TO_SERVER) {
        write_bytes(fd, order->count);
        read_bytes(fd, 1);
    } else {
        read_bytes(fd, order->count);
    }
    (void) printf("{\"bytes\":%" PRIu64 ",\"ns\":%" PRIu64 "}\n", order->count,
                  clock_monotonic_ns() - start);
}

static void ask(int fd, const struct order *order)
{
    struct samples samples;

    samples_init(&samples, order->count);
    for (uint64_t i = 0; i < order->count; i++) {
        uint64_t start = clock_monotonic_ns();

        write_bytes(fd, order->size);
        read_all(fd, order->size);
        if (i >= WARM)
            samples_add(&samples, clock_monotonic_ns() - start);
    }
    (void) printf("{");
    samples_print(&samples);
    (void) printf("}\n");
    samples_fini(&samples);
}

int main(int argc, char *argv[])
{
    const char *way = argc > 1 ? argv[1] : "";
    uint16_t port = (uint16_t) (argc > 2 ? strtoul(argv[argc == 3 ? 2 : 3], NULL, 10) : 0);
    struct order order = {.count = argc == 5 ? strtoull(argv[4], NULL, 10) : 0};

    if (argc == 3 && strcmp(way, "serve") == 0)
        serve(port);
    order.way = strcmp(way, "to") == 0     ? TO_SERVER
                : strcmp(way, "from") == 0 ? FROM_SERVER
                                           : BOTH_WAYS;
    order.size = order.way == BOTH_WAYS ? strtoull(way, NULL, 10) : 0;
    if (argc != 5 || order.count == 0 ||
        (order.way == BOTH_WAYS && (order.size == 0 || order.size > CHUNK))) {
        (void) fprintf(stderr, "usage: bench-net serve PORT | to|from|SIZE ADDRESS PORT COUNT\n");
        return EXIT_FAILURE;
    }
    if (order.way == BOTH_WAYS)
        order.count += WARM;
    scoped(closep) int fd = connect_to(argv[2], port, &order);
    if (order.way == BOTH_WAYS)
        ask(fd, &order);
    else
        stream(fd, &order);
    return EXIT_SUCCESS;
}
