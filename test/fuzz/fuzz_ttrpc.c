/* SPDX-License-Identifier: Apache-2.0 */
/* A whole connection of arbitrary bytes into the server: frames, envelope, messages, answers. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scoped.h"
#include "io/fd.h"
#include "io/loop.h"
#include "task.pb-c.h"
#include "ttrpc/connection.h"

static void reply(struct call *call, const void *request)
{
    call_reply(call, NULL);
}

static const struct ttrpc_method methods[] = {
    TTRPC_METHOD("Create", task__create_task_request, task__create_task_response, reply),
    TTRPC_METHOD("Update", task__update_task_request, ttrpc__empty, reply),
    TTRPC_METHOD("Exec", task__exec_process_request, ttrpc__empty, reply),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ttrpc_server server = {
        .listen_fd = -1,
        .options = {.max_connections = 1, .max_pending = 64, .max_output = 65536},
    };
    struct service service = {
        .name = "t", .methods = methods, .count = ARRAY_LENGTH(methods), .user = NULL};
    struct error err;
    int pair[2];

    server.services = &service;
    if (loop_new(&server.loop, &err) < 0 || fd_pair(pair, &err) < 0 ||
        connection_new(&server, pair[0], &err) < 0)
        abort();
    while (size > 0 && server.connections) {
        ssize_t n = send(pair[1], data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n <= 0)
            break;
        data += n;
        size -= (size_t) n;
        if (loop_turn(server.loop, 0, &err) < 0)
            abort();
    }
    for (int i = 0; i < 4; i++) {
        if (loop_turn(server.loop, 0, &err) < 0)
            abort();
    }
    close(pair[1]);
    while (server.connections)
        connection_free(server.connections);
    if (server.calls || server.memory)
        abort();
    free(server.spare);
    loop_free(server.loop);
    return 0;
}
