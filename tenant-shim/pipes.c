/* SPDX-License-Identifier: Apache-2.0 */
#include "pipes.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/heap.h"
#include "base/log.h"
#include "codec_stdio.h"
#include "stdio_wake.h"

enum {
    STATEMENT_EVERY = 64 * 1024,
    TRIM_AFTER = 1024 * 1024,
    LINGER_MIN_MS = 5,
    LINGER_MAX_MS = 50
};

static const char *const stream_name[] = {"stdin", "stdout", "stderr"};

static void settle(struct pipes *pipes)
{
    if (pipes_have_arrived(pipes))
        source_rearm(pipes->settled, 0);
}

/* ---- outputs ----------------------------------------------------------------------------------
 */

static void output_close(struct output *output)
{
    if (!output->open)
        return;
    output->open = false;
    output->arrived = true;
    source_free(take_ptr(output->linger));
    source_free(output->source);
    output->source = NULL;
    fifo_close(&output->fifo);
    settle(output->pipes);
}

/* What nobody has read when the last end of a FIFO closes is gone, and containerd, which may be
 * between two lives, is the only other end. */
static void output_linger(void *user)
{
    struct output *output = user;
    struct error err;
    int unread = 0;

    if (ioctl(output->fifo.fd, FIONREAD, &unread) < 0 || unread == 0) {
        output_close(output);
        return;
    }
    output->linger_ms = output->linger_ms * 2 < LINGER_MAX_MS ? output->linger_ms * 2
                                                              : LINGER_MAX_MS;
    if (output->linger)
        source_rearm(output->linger, output->linger_ms);
    else if (loop_after(stdio_loop(output->pipes->stdio), output->linger_ms, output_linger, output,
                        &output->linger, &err) < 0)
        output_close(output);
}

static void output_finish(struct output *output)
{
    if (!output->open || output->arrived)
        return;
    output->arrived = true;
    output->linger_ms = LINGER_MIN_MS / 2;
    source_set_events(output->source, 0);
    output_linger(output);
    settle(output->pipes);
}

static void output_fail(struct output *output, const struct error *err)
{
    log_error("%s of '%s' '%s': %s", stream_name[output->fd], output->pipes->container_id,
              output->pipes->exec_id, err->message);
    output_finish(output);
}

static void state_later(struct output *output)
{
    output->statement_due = true;
    stdio_wake(output->pipes->stdio);
}

/* Gives the FIFO what it takes. A reader that is slow stops only this stream: its credit is not
 * renewed. */
static void output_flush(struct output *output)
{
    struct receive_window *window = &output->window;
    const uint8_t *data;
    size_t length;
    struct error err;

    if (output->arrived)
        return;
    while ((data = receive_window_peek(window, &length))) {
        ssize_t n = write(output->fifo.fd, data, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            error_errno(&err, errno, "write");
            output_fail(output, &err);
            return;
        }
        if (n < 0)
            break;
        receive_window_advance(window, (size_t) n);
    }
    if (window->consumed - output->stated >= STATEMENT_EVERY ||
        (receive_window_complete(window) && output->stated != window->consumed))
        state_later(output);
    source_set_events(output->source, receive_window_peek(window, &length) ? LOOP_WRITE : 0);
    if (output->ending && !receive_window_peek(window, &length))
        output_finish(output);
    if (!receive_window_complete(window) || output->arrived)
        return;
    if (receive_window_verify(window, &err) < 0)
        output_fail(output, &err);
    else
        output_finish(output);
}

static void on_space(void *user, uint32_t events)
{
    output_flush(user);
}

static void output_receive(struct output *output, const struct stdio_frame *frame)
{
    struct error err;
    int r = 0;

    if (!output->open || output->arrived || output->ending)
        return;
    if (frame->kind == STDIO_DATA)
        r = receive_window_put(&output->window, frame->offset, frame->data, frame->length, &err);
    else if (frame->kind == STDIO_FINAL)
        r = receive_window_end(&output->window, frame->offset, frame->sha256, &err);
    else if (frame->kind == STDIO_ERROR)
        r = error_set(&err, STATUS_UNAVAILABLE, "the guest says: %s", frame->error);
    if (r < 0)
        output_fail(output, &err);
    else
        output_flush(output);
}

static int output_open(struct output *output, struct loop *loop, const char *path,
                       struct error *err)
{
    if (!path || path[0] == '\0')
        return 0;
    if (fifo_open(path, FIFO_OUTPUT, &output->fifo, err) < 0)
        return -1;
    output->open = true;
    return loop_watch_fd(loop, output->fifo.fd, 0, on_space, output, &output->source, err);
}

/* ---- input ------------------------------------------------------------------------------------
 */

static void input_close(struct input *input)
{
    if (!input->open)
        return;
    input->open = false;
    source_free(input->source);
    input->source = NULL;
    fifo_close(&input->fifo);
}

/* Reads while there is room; the rest stays in the FIFO and holds up whoever writes there. */
static void input_fill(struct input *input)
{
    struct send_window *window = &input->window;
    size_t room;
    uint8_t *space;

    while (input->open && (space = send_window_space(window, &room))) {
        ssize_t n = read(input->fifo.fd, space, room);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            send_window_finish(window);
            input_close(input);
            break;
        }
        send_window_fill(window, (size_t) n);
    }
    if (input->open)
        source_set_events(input->source, send_window_space(window, &room) ? LOOP_READ : 0);
    stdio_wake(input->pipes->stdio);
}

static void on_readable(void *user, uint32_t events)
{
    input_fill(user);
}

static void input_receive(struct input *input, const struct stdio_frame *frame)
{
    struct error err;

    if (frame->kind == STDIO_ERROR) { /* the process does not read any more */
        send_window_finish(&input->window);
        input->window.end_sent = true;
        input_close(input);
        return;
    }
    if (frame->kind != STDIO_CONSUMED)
        return;
    if (send_window_consumed(&input->window, frame->offset, &err) < 0) {
        log_error("stdin of '%s' '%s': %s", input->pipes->container_id, input->pipes->exec_id,
                  err.message);
        input_close(input);
        return;
    }
    if (input->open)
        input_fill(input);
    else
        stdio_wake(input->pipes->stdio);
}

static int input_open(struct input *input, struct loop *loop, const char *path, struct error *err)
{
    if (!path || path[0] == '\0')
        return 0;
    if (fifo_open(path, FIFO_INPUT, &input->fifo, err) < 0)
        return -1;
    input->open = true;
    return loop_watch_fd(loop, input->fifo.fd, 0, on_readable, input, &input->source, err);
}

/* ---- both -------------------------------------------------------------------------------------
 */

static void on_settled(void *user)
{
    struct pipes *pipes = user;

    if (pipes->changed)
        pipes->changed(pipes->user);
}

int pipes_open(struct stdio *stdio, const struct pipes_options *options, struct pipes **ret,
               struct error *err)
{
    scoped(pipes_freep) struct pipes *pipes = xnew(struct pipes);
    struct loop *loop = stdio_loop(stdio);

    *pipes = (struct pipes){
        .stdio = stdio,
        .container_id = xstrdup(options->container_id),
        .exec_id = xstrdup(options->exec_id ? options->exec_id : ""),
        .in = {.pipes = pipes, .fifo = FIFO_CLOSED},
        .out = {{.pipes = pipes, .fd = 1, .fifo = FIFO_CLOSED},
                {.pipes = pipes, .fd = 2, .fifo = FIFO_CLOSED}},
        .changed = options->changed,
        .user = options->user,
    };
    send_window_init(&pipes->in.window);
    receive_window_init(&pipes->out[0].window);
    receive_window_init(&pipes->out[1].window);
    stdio_add(stdio, pipes);
    if (loop_after(loop, LOOP_NEVER, on_settled, pipes, &pipes->settled, err) < 0 ||
        input_open(&pipes->in, loop, options->stdin_path, err) < 0 ||
        output_open(&pipes->out[0], loop, options->stdout_path, err) < 0 ||
        output_open(&pipes->out[1], loop, options->stderr_path, err) < 0)
        return -1;
    *ret = take_ptr(pipes);
    return 0;
}

static void state_outputs(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        if (pipes->out[i].open && !pipes->out[i].arrived)
            state_later(&pipes->out[i]);
    }
}

void pipes_start(struct pipes *pipes)
{
    pipes->started = true;
    /* The guest's word about stdin may have come before its answer to Exec: it stays. */
    state_outputs(pipes);
    if (pipes->in.open)
        source_set_events(pipes->in.source, LOOP_READ);
    stdio_wake(pipes->stdio);
}

void pipes_restart(struct pipes *pipes)
{
    send_window_restart(&pipes->in.window);
    state_outputs(pipes);
}

void pipes_close_stdin(struct pipes *pipes)
{
    fifo_release(&pipes->in.fifo);
    if (pipes->in.open && pipes->started)
        input_fill(&pipes->in);
}

void pipes_exited(struct pipes *pipes)
{
    send_window_finish(&pipes->in.window);
    pipes->in.window.end_sent = true;
    input_close(&pipes->in);
}

void pipes_end(struct pipes *pipes)
{
    pipes_exited(pipes);
    for (int i = 0; i < 2; i++) {
        struct output *output = &pipes->out[i];

        if (!output->open || output->arrived)
            continue;
        if (output->window.received > 0 && !output->window.final)
            log_warn("%s of '%s' '%s' may be cut off", stream_name[i + 1], pipes->container_id,
                     pipes->exec_id);
        output->ending = true;
        output_flush(output);
    }
}

bool pipes_have_arrived(const struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        if (pipes->out[i].open && !pipes->out[i].arrived)
            return false;
    }
    return true;
}

bool pipes_are_drained(const struct pipes *pipes)
{
    return !pipes->out[0].open && !pipes->out[1].open;
}

void pipes_free(struct pipes *pipes)
{
    if (!pipes)
        return;
    bool moved_much = pipes->out[0].window.received + pipes->out[1].window.received > TRIM_AFTER;

    pipes->changed = NULL;
    stdio_remove(pipes->stdio, pipes);
    for (int i = 0; i < 2; i++) {
        if (pipes->out[i].open && !pipes->out[i].arrived && pipes->out[i].window.received > 0)
            log_warn("%s of '%s' '%s' is cut off", stream_name[i + 1], pipes->container_id,
                     pipes->exec_id);
        source_free(pipes->out[i].linger);
        source_free(pipes->out[i].source);
        fifo_close(&pipes->out[i].fifo);
        receive_window_fini(&pipes->out[i].window);
    }
    source_free(pipes->in.source);
    fifo_close(&pipes->in.fifo);
    send_window_fini(&pipes->in.window);
    source_free(pipes->settled);
    free(pipes->container_id);
    free(pipes->exec_id);
    free(pipes);
    if (moved_much)
        heap_trim();
}

void pipes_receive(struct pipes *pipes, const struct stdio_frame *frame)
{
    if (frame->fd == 0)
        input_receive(&pipes->in, frame);
    else if (frame->fd <= 2)
        output_receive(&pipes->out[frame->fd - 1], frame);
}

bool pipes_next_frame(struct pipes *pipes, struct stdio_frame *ret, uint8_t hash[32])
{
    struct send_window *in = &pipes->in.window;

    *ret = (struct stdio_frame){.container_id = pipes->container_id, .exec_id = pipes->exec_id};
    if (!pipes->started)
        return false;
    for (int i = 0; i < 2; i++) {
        struct output *output = &pipes->out[i];

        if (!output->statement_due)
            continue;
        output->statement_due = false;
        output->stated = output->window.consumed;
        ret->fd = output->fd;
        ret->kind = STDIO_CONSUMED;
        ret->offset = output->stated;
        return true;
    }
    ret->offset = in->sent;
    ret->data = send_window_next(in, STDIO_DATA_MAX, &ret->length);
    if (ret->data) {
        ret->kind = STDIO_DATA;
        send_window_sent(in, ret->length);
        return true;
    }
    if (!send_window_end_due(in))
        return false;
    in->end_sent = true;
    send_window_hash(in, hash);
    ret->kind = STDIO_FINAL;
    ret->sha256 = hash;
    return true;
}
