/* SPDX-License-Identifier: Apache-2.0 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/scoped.h"
#include "console.h"
#include "io/fd.h"
#include "io/loop.h"
#include "mux.h"

/* One stream; fd is our end, -1 when it is over. */
struct end {
    struct streams *streams;
    struct mux_lane lane;
    bool exists;
    int fd;
    int child_fd;
    struct source *source;
};

struct streams {
    struct loop *loop;
    unsigned wanted;
    struct end ends[3];
    int master; /* of the terminal; the ends hold duplicates */
    struct console_size size;
};

static void end_close(struct end *end)
{
    if (end->source)
        source_free(take_ptr(end->source));
    if (end->fd >= 0)
        close(take_fd(end->fd));
}

/* ---- output ---- */

static void output_over(struct end *end)
{
    end_close(end);
    outflow_finish(&end->lane.out);
    mux_wake(&end->lane);
}

/* True if there may be more. */
static bool read_once(struct end *end)
{
    size_t room;
    uint8_t *to = outflow_reserve(&end->lane.out, &room);
    ssize_t n;

    if (room == 0) {
        if (end->source)
            source_set_events(end->source, 0);
        return false;
    }
    n = read(end->fd, to, room < FLOW_PIECE_MAX ? room : FLOW_PIECE_MAX);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) { /* EIO: the terminal's last user is gone */
        output_over(end);
        return false;
    }
    outflow_commit(&end->lane.out, (size_t) n);
    mux_wake(&end->lane);
    return true;
}

static void output_readable(void *user, uint32_t events)
{
    (void) read_once(user);
}

static void output_room(void *user)
{
    struct end *end = user;

    if (end->source)
        source_set_events(end->source, LOOP_READ);
}

/* ---- input ---- */

static void input_over(struct end *end)
{
    end_close(end);
    inflow_break(&end->lane.in);
    mux_wake(&end->lane);
}

static void input_write(struct end *end)
{
    const uint8_t *data;
    size_t length;
    ssize_t n;

    while ((data = inflow_peek(&end->lane.in, &length))) {
        n = write(end->fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            source_set_events(end->source, LOOP_WRITE);
            return;
        }
        if (n < 0)
            return input_over(end);
        inflow_drop(&end->lane.in, (size_t) n);
    }
    source_set_events(end->source, 0);
    if (inflow_at_end(&end->lane.in) && !(end->streams->wanted & STREAMS_TERMINAL))
        end_close(end);
    mux_wake(&end->lane);
}

static void input_writable(void *user, uint32_t events)
{
    input_write(user);
}

static void input_came(void *user)
{
    struct end *end = user;

    if (end->fd >= 0 && end->source)
        input_write(end);
}

static const struct mux_lane_events lane_events = {.on_room = output_room, .on_input = input_came};

/* ---- making them ---- */

static int make_pipe(struct end *end, struct error *err)
{
    int pair[2];
    bool input = end->lane.fd == 0;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "make a pipe");
    end->fd = pair[input ? 1 : 0];
    end->child_fd = pair[input ? 0 : 1];
    return fd_set_nonblocking(end->fd, err);
}

static int watch(struct end *end, struct error *err)
{
    bool input = end->lane.fd == 0;

    return loop_watch_fd(end->streams->loop, end->fd, input ? 0 : LOOP_READ,
                         input ? input_writable : output_readable, end, &end->source, err);
}

static int add_end(struct streams *streams, struct mux *mux, const struct streams_options *options,
                   unsigned fd, struct error *err)
{
    struct end *end = &streams->ends[fd];

    end->streams = streams;
    end->lane.container_id = options->container_id;
    end->lane.exec_id = options->exec_id;
    end->lane.fd = fd;
    end->lane.events = &lane_events;
    end->lane.user = end;
    end->exists = true;
    mux_add(mux, &end->lane);
    if (options->wanted & STREAMS_TERMINAL)
        return 0; /* streams_set_master() */
    if (make_pipe(end, err) < 0)
        return -1;
    return watch(end, err);
}

int streams_new(struct loop *loop, struct mux *mux, const struct streams_options *options,
                struct streams **ret, struct error *err)
{
    struct streams *streams = xnew(struct streams);

    streams->loop = loop;
    streams->wanted = options->wanted;
    streams->master = -1;
    for (unsigned fd = 0; fd < 3; fd++) {
        streams->ends[fd].fd = -1;
        streams->ends[fd].child_fd = -1;
    }
    for (unsigned fd = 0; fd < 3; fd++) {
        bool merged = fd == 2 && (options->wanted & STREAMS_TERMINAL);

        if (!(options->wanted & (1u << fd)) || merged)
            continue;
        if (add_end(streams, mux, options, fd, err) < 0) {
            streams_free(streams);
            return -1;
        }
    }
    *ret = streams;
    return 0;
}

void streams_free(struct streams *streams)
{
    if (!streams)
        return;
    streams_started(streams);
    for (unsigned fd = 0; fd < 3; fd++) {
        end_close(&streams->ends[fd]);
        if (streams->ends[fd].exists)
            mux_remove(&streams->ends[fd].lane);
    }
    if (streams->master >= 0)
        close(streams->master);
    free(streams);
}

void streams_child_fds(const struct streams *streams, int ret[3])
{
    for (unsigned fd = 0; fd < 3; fd++)
        ret[fd] = streams->ends[fd].child_fd;
}

void streams_started(struct streams *streams)
{
    for (unsigned fd = 0; fd < 3; fd++) {
        if (streams->ends[fd].child_fd >= 0)
            close(take_fd(streams->ends[fd].child_fd));
    }
}

void streams_set_master(struct streams *streams, int master)
{
    struct error err;

    streams->master = master;
    if (streams->size.width > 0)
        console_resize(master, &streams->size);
    if (fd_set_nonblocking(master, &err) < 0)
        return;
    for (unsigned fd = 0; fd < 2; fd++) {
        struct end *end = &streams->ends[fd];

        if (!end->exists)
            continue;
        end->fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
        if (end->fd < 0 || watch(end, &err) < 0) {
            end_close(end);
            continue;
        }
        if (fd == 0)
            input_write(end);
    }
}

void streams_resize(struct streams *streams, const struct console_size *size)
{
    streams->size = *size;
    if (streams->master >= 0)
        console_resize(streams->master, size);
}

int streams_close_stdin(struct streams *streams, uint64_t offset, struct error *err)
{
    struct end *end = &streams->ends[0];

    if (!end->exists)
        return 0;
    if (inflow_close_at(&end->lane.in, offset, err) < 0)
        return -1;
    input_came(end);
    return 0;
}

void streams_process_ended(struct streams *streams)
{
    struct end *in = &streams->ends[0];

    if (in->exists)
        input_over(in);
    for (unsigned fd = 1; fd < 3; fd++) {
        struct end *end = &streams->ends[fd];

        while (end->fd >= 0 && read_once(end))
            ;
        /* The terminal never came, or nobody is left to hold it: nothing will follow. */
        if (end->exists && end->fd < 0 && !end->lane.out.finished)
            output_over(end);
    }
}

uint64_t streams_total(const struct streams *streams, unsigned fd)
{
    const struct end *end = &streams->ends[fd];
    int waiting = 0;

    if (!end->exists)
        return 0;
    if (end->fd >= 0 && ioctl(end->fd, FIONREAD, &waiting) < 0)
        waiting = 0;
    return end->lane.out.end + (uint64_t) waiting;
}
