/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_main.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "shim/bundle.h"
#include "shim/resident.h"
#include "shim/socket.h"
#include "shim/tombstone.h"
#include "shiminfo.pb-c.h"
#include "task.pb-c.h"

enum { STDIN_MAX = 1024 * 1024, STDIN_WAIT_MS = 1000, RETIRE_WAIT_MS = 1500 };
/* containerd kills the verb `delete` after 5 s. */
enum { DELETE_MS = 4000 };

/* What stands on stdin and how much of it: a closed pipe, /dev/null, or nothing ever (a terminal).
 */
static size_t read_stdin(uint8_t *to, size_t size)
{
    size_t length = 0;

    while (length < size) {
        struct pollfd poll_fd = {.fd = STDIN_FILENO, .events = POLLIN};

        if (poll(&poll_fd, 1, STDIN_WAIT_MS) <= 0)
            break;

        ssize_t n = read(STDIN_FILENO, to + length, size - length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        length += (size_t) n;
    }
    return length;
}

static void read_options(const char *id, struct bootstrap_options *ret)
{
    scoped(freep) uint8_t *data = xalloc(STDIN_MAX);

    bootstrap_read_options(data, read_stdin(data, STDIN_MAX), id, ret);
}

static int write_address(const char *bundle, const char *socket, struct error *err)
{
    scoped(freep) char *path = xformat("%s/address", bundle);
    scoped(freep) char *text = xformat("unix://%s", socket);

    return file_write_atomic(path, text, strlen(text), 0600, err);
}

static int print(const void *data, size_t length, struct error *err)
{
    return fd_write_full(STDOUT_FILENO, data, length, err);
}

static int print_answer(const char *bundle, const char *socket, struct error *err)
{
    scoped(freep) char *answer = bootstrap_answer(bundle, socket);

    return print(answer, strlen(answer), err);
}

/* Leaves a process behind that serves, and answers once it listens. The order is what containerd
 * relies on: it connects at once, and gives up on ECONNREFUSED. */
static int start(const struct shim *shim, const struct bootstrap *bootstrap, struct error *err)
{
    scoped(bundle_freep) struct bundle *bundle = NULL;
    char socket[BOOTSTRAP_SOCKET_SIZE];

    /* containerd reads stdout and stderr as one answer. */
    log_to(resident_open_log(bootstrap->bundle));
    if (bundle_open(bootstrap->bundle, &bundle, err) < 0)
        return -1;

    scoped(bootstrap_options_clear) struct bootstrap_options options = {0};
    struct resident resident = {
        .shim = shim,
        .bootstrap = bootstrap,
        .group = bundle_group(bundle, bootstrap->id),
        .socket = socket,
        .listen_fd = -1,
    };

    read_options(bootstrap->id, &options);
    resident.runtime_options = options;
    if (bootstrap_socket(bootstrap, options.socket_directory, resident.group, socket, err) < 0 ||
        resident_start(&resident, err) < 0 || write_address(bootstrap->bundle, socket, err) < 0)
        return -1;
    return print_answer(bootstrap->bundle, socket, err);
}

/* In the foreground, for a debugger or a test: no other process, log to stderr. */
static int serve(const struct shim *shim, const struct bootstrap *bootstrap, struct error *err)
{
    scoped(bundle_freep) struct bundle *bundle = NULL;
    char computed[BOOTSTRAP_SOCKET_SIZE];
    const char *socket = bootstrap->socket;
    struct resident resident = {.shim = shim, .bootstrap = bootstrap, .listen_fd = -1};
    enum shim_socket state;

    if (bundle_open(bootstrap->bundle, &bundle, err) < 0)
        return -1;
    resident.group = bundle_group(bundle, bootstrap->id);
    if (!*socket) {
        if (bootstrap_socket(bootstrap, NULL, resident.group, computed, err) < 0)
            return -1;
        socket = computed;
    }
    if (*socket != '/')
        return error_set(err, STATUS_INVALID_ARGUMENT, "-socket '%s' is not absolute", socket);
    if (shim_socket_claim(socket, &state, &resident.listen_fd, err) < 0)
        return -1;
    if (state == SHIM_SOCKET_LIVE)
        return error_set(err, STATUS_ALREADY_EXISTS, "somebody listens on %s", socket);
    resident.socket = socket;
    return resident_run(&resident, err);
}

static int print_deletion(const struct shim_exit *result, struct error *err)
{
    Ttrpc__Timestamp exited_at = TTRPC__TIMESTAMP__INIT;
    Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
    int64_t at = result->exited_at_ns > 0 ? result->exited_at_ns : clock_wall_ns();

    exited_at.seconds = at / 1000000000;
    exited_at.nanos = (int32_t) (at % 1000000000);
    response.pid = result->pid;
    response.exit_status = result->exit_status;
    response.exited_at = &exited_at;

    scoped(freep) uint8_t *data = xalloc(task__delete_response__get_packed_size(&response) + 1);

    return print(data, task__delete_response__pack(&response, data), err);
}

/* Where `start` listened: it wrote that down, else it is computed. */
static int find_socket(const struct bootstrap *bootstrap, const char *group,
                       char ret[BOOTSTRAP_SOCKET_SIZE], struct error *err)
{
    scoped(freep) char *written = bundle_socket(bootstrap->bundle);

    if (written)
        return text_format(ret, BOOTSTRAP_SOCKET_SIZE, err, "%s", written);
    return bootstrap_socket(bootstrap, NULL, group, ret, err);
}

static int delete_verb(const struct shim *shim, const struct bootstrap *bootstrap,
                       struct error *err)
{
    scoped(bundle_freep) struct bundle *bundle = NULL;
    struct shim_exit result = {.exit_status = 137};
    char socket[BOOTSTRAP_SOCKET_SIZE];
    struct shim_cleanup cleanup = {
        .ns = bootstrap->ns,
        .id = bootstrap->id,
        .group = "",
        .bundle = bootstrap->bundle,
        .end_ms = clock_monotonic_ms() + DELETE_MS,
    };

    /* A bundle that is gone or broken says nothing; cleanup may still know the id. */
    if (bundle_open(bootstrap->bundle, &bundle, err) < 0)
        log_warn("delete '%s': %s", bootstrap->id, err->message);
    if (bundle && bundle->sandbox_id)
        cleanup.group = bundle->sandbox_id;
    cleanup.is_sandbox = bundle && (bundle->role == BUNDLE_SANDBOX ||
                                    (bundle->role == BUNDLE_ALONE && bundle->spec));
    if (shim->prepare)
        shim->prepare(&cleanup);
    /* The process and its cleaner must not act at the same time. */
    if (cleanup.is_sandbox &&
        find_socket(bootstrap, bundle_group(bundle, bootstrap->id), socket, err) == 0)
        shim_socket_retire(socket, RETIRE_WAIT_MS);
    if (shim->cleanup(&cleanup, &result, err) < 0)
        return -1;
    return print_deletion(&result, err);
}

static int info(const struct shim *shim, struct error *err)
{
    Shiminfo__RuntimeVersion version = SHIMINFO__RUNTIME_VERSION__INIT;
    Shiminfo__RuntimeInfo message = SHIMINFO__RUNTIME_INFO__INIT;

    version.version = (char *) CLEAVE_VERSION;
    message.name = (char *) shim->runtime;
    message.version = &version;

    scoped(freep) uint8_t *data = xalloc(shiminfo__runtime_info__get_packed_size(&message) + 1);

    return print(data, shiminfo__runtime_info__pack(&message, data), err);
}

static int run(const struct shim *shim, const struct bootstrap *bootstrap, struct error *err)
{
    switch (bootstrap->verb) {
    case VERB_START:
        return start(shim, bootstrap, err);
    case VERB_DELETE:
        return delete_verb(shim, bootstrap, err);
    case VERB_INFO:
        return info(shim, err);
    case VERB_VERSION:
        (void) printf("%s %s\n", shim->runtime, CLEAVE_VERSION);
        return 0;
    case VERB_SERVE:
        return serve(shim, bootstrap, err);
    }
    return error_set(err, STATUS_INTERNAL, "no such verb");
}

int shim_main(const struct shim *shim, int argc, char *argv[])
{
    struct bootstrap bootstrap = {0};
    struct error err;
    int r;

    if (tombstone_is_reaper(argc, argv))
        return tombstone_main(argc, argv);
    heap_stay_small();
    (void) umask(0077);
    log_open(shim->component);
    r = bootstrap_parse(argc, argv, &bootstrap, &err);
    if (bootstrap.debug)
        log_set_level(LOG_LEVEL_DEBUG);
    if (r == 0)
        r = run(shim, &bootstrap, &err);
    /* containerd shows this text to whoever wanted the pod. */
    if (r < 0)
        (void) fprintf(stderr, "%s: %s\n", shim->component, err.message);
    bootstrap_clear(&bootstrap);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
