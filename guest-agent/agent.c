/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "attester.h"
#include "base/dial_out.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include "base/scoped.h"
#include "grpc/queue.h"
#include "io/loop.h"
#include "pod.h"
#include "power_button.h"
#include "secure/channel.h"
#include "secure/dialler.h"
#include "secure/initdata.h"
#include "secure/key.h"
#include "session.h"

/* How long a container may take after the power button. */
enum { POWER_BUTTON_GRACE_MS = 10 * 1000, BACKLOG = 16 };

/* Both families where the kernel has both. */
static int listen_on(int family, int *ret, struct error *err)
{
    scoped(closep) int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(CHANNEL_PORT)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(CHANNEL_PORT)};
    const struct sockaddr *address = family == AF_INET6 ? (const struct sockaddr *) &six
                                                        : (const struct sockaddr *) &four;
    socklen_t length = family == AF_INET6 ? sizeof(six) : sizeof(four);
    int one = 1;
    int zero = 0;

    if (fd < 0)
        return error_errno(err, errno, "make the listening socket");
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (family == AF_INET6)
        (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, address, length) < 0 || listen(fd, BACKLOG) < 0)
        return error_errno(err, errno, "listen on port %d", CHANNEL_PORT);
    *ret = take_fd(fd);
    return 0;
}

/* How the tenant comes to this guest: it connects, or it is dialled. */
struct reception {
    struct sessions sessions;
    struct channel_listener *listener;
    struct dialler *dialler; /* NULL: it listens */
};

static void opened(void *user, struct channel *channel)
{
    struct reception *reception = user;

    if (reception->dialler)
        dialler_praise(reception->dialler);
    session_open(&reception->sessions, channel);
}

static void spoken(void *user, int fd)
{
    const struct reception *reception = user;

    channel_listener_take(reception->listener, fd);
}

static void refused(void *user, const struct error *err)
{
    log_warn("a peer was refused: %s", err->message);
}

static void terminated(void *user)
{
    pod_drain(user, POWER_BUTTON_GRACE_MS);
}

static void button_readable(void *user, uint32_t events)
{
    struct pod *pod = user;

    if (power_button_pressed(pod->options->power_button))
        pod_drain(pod, POWER_BUTTON_GRACE_MS);
}

/* A guest that cannot be asked to end is no reason not to serve. */
static void watch_button(struct loop *loop, struct pod *pod, struct source **ret)
{
    struct error err;

    if (pod->options->power_button >= 0 &&
        loop_watch_fd(loop, pod->options->power_button, LOOP_READ, button_readable, pod, ret,
                      &err) < 0)
        log_warn("the power button: %s", err.message);
}

static void reception_fini(struct reception *reception)
{
    dialler_free(reception->dialler);
    channel_listener_free(reception->listener);
}

/* Who speaks for this guest, and what speaks for its machine. */
struct speaker {
    const struct key *key;
    const struct maker *maker; /* NULL: nothing does */
};

/* With a place to dial nothing listens: nobody on the host's network then finds a door. */
static int reception_open(struct loop *loop, const struct pod *pod, const struct speaker *speaker,
                          struct reception *reception, struct error *err)
{
    static const struct channel_listener_events events = {.opened = opened, .refused = refused};
    const struct dial_out *to = pod->options->dial_out;
    struct channel_listener_options options = {
        .fd = -1, .key = speaker->key, .initdata = pod->initdata, .maker = speaker->maker};
    uint8_t instance[32];

    random_bytes(instance, sizeof(instance));
    options.instance = instance;
    if (!to->family && listen_on(AF_INET6, &options.fd, err) < 0 &&
        listen_on(AF_INET, &options.fd, err) < 0)
        return -1;
    if (channel_listen(loop, &options, &events, reception, &reception->listener, err) < 0)
        return -1;
    return to->family ? dialler_new(loop, to, spoken, reception, &reception->dialler, err) : 0;
}

static int serve(struct loop *loop, struct pod *pod, const struct speaker *speaker,
                 struct error *err)
{
    scoped(rpc_queue_freep) struct rpc_queue *queue = NULL;
    scoped(reception_fini) struct reception reception = {.sessions = {.pod = pod}};
    int result;

    if (rpc_queue_new(loop, &queue, err) < 0)
        return -1;
    reception.sessions.queue = queue;
    if (reception_open(loop, pod, speaker, &reception, err) < 0)
        return -1;
    result = loop_run(loop, err);
    if (pod->options->off)
        pod->options->off(pod->options->user, result, err);
    sessions_close(&reception.sessions);
    return result;
}

int agent_run(struct loop *loop, const struct agent_options *options, struct error *err)
{
    scoped(attester_freep) struct attester *attester = NULL;
    scoped(initdata_freep) struct initdata *initdata = NULL;
    scoped(key_freep) struct key *key = NULL;
    scoped(pod_freep) struct pod *pod = NULL;
    scoped(source_freep) struct source *sigterm = NULL;
    scoped(source_freep) struct source *button = NULL;
    struct speaker speaker = {0};
    char sandbox[2 * INITDATA_SANDBOX_ID_SIZE + 1];

    (void) signal(SIGPIPE, SIG_IGN);
    if (attester_new(loop, options->devices, &attester, err) < 0 ||
        attester_bind(attester, options->initdata, options->initdata_length, err) < 0)
        return -1;
    if (initdata_parse(options->initdata, options->initdata_length, &initdata, err) < 0 ||
        attester_choose(attester, initdata->content.limits.evidence, &speaker.maker, err) < 0)
        return error_wrap(err, "initdata");
    hex_encode(initdata->content.sandbox_id, INITDATA_SANDBOX_ID_SIZE, sandbox);
    log_set_sandbox(sandbox);
    if (initdata->content.limits.guest_root && options->grant_root && options->grant_root(err) < 0)
        return error_wrap(err, "guest_root");
    if (pod_new(loop, options, initdata, &pod, err) < 0 ||
        loop_watch_signal(loop, SIGTERM, terminated, pod, &sigterm, err) < 0 ||
        key_generate(&key, err) < 0)
        return -1;
    speaker.key = key;
    watch_button(loop, pod, &button);
    return serve(loop, pod, &speaker, err);
}
