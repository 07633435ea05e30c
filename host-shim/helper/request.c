/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "machine.h"
#include "pod.h"
#include "record.h"
#include "watch.h"

/* A tombstone may be older than the machine's last boot: its pid is a stranger's by now. */
static void parse_process(const struct js *root, struct request *ret)
{
    int64_t pid = js_get_integer(root, "pid", 0), start = js_get_integer(root, "start_time", 0);
    const char *then = js_get_string(root, "boot_id");
    char now[WATCH_BOOT_ID_SIZE];

    watch_boot_id(now);
    if ((then && !text_equal(then, now)) || pid <= 1 || pid > INT32_MAX || start <= 0)
        return;
    ret->pid = (pid_t) pid;
    ret->start_time = (uint64_t) start;
}

static int parse_libvirt(const struct js *root, struct request *ret, struct error *err)
{
    const char *uri = js_get_string(root, "uri");
    int64_t timeout;

    if (!uri)
        return 0;
    if (js_need_integer(root, "call_timeout", 1, 3600, &timeout, err) < 0)
        return -1;
    ret->uri = xstrdup(uri);
    ret->call_timeout = (unsigned) timeout;
    return 0;
}

static int parse_common(const struct js *root, struct request *ret, struct error *err)
{
    const char *id;
    int64_t version;

    if (js_need_integer(root, "version", 1, INT32_MAX, &version, err) < 0)
        return -1;
    if (version != MACHINE_PROTOCOL)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "shim and helper are of different versions (%d, %d)", (int) version,
                         MACHINE_PROTOCOL);
    if (js_need_string(root, "id", &id, err) < 0)
        return -1;
    if (!text_is_identifier(id))
        return error_set(err, STATUS_INVALID_ARGUMENT, "id is not an identifier");
    ret->id = xstrdup(id);
    parse_process(root, ret);
    ret->late = js_get_boolean(root, "late", false);
    ret->scratch = xstrdup(js_get_string(root, "scratch"));
    if (parse_libvirt(root, ret, err) < 0)
        return -1;
    return text_format(ret->directory, sizeof(ret->directory), err, "%s/%s", RECORD_ROOT, id);
}

static int parse_create(const struct js *root, struct request *ret, struct error *err)
{
    const char *netns, *initdata, *dial_out = js_get_string(root, "dial_out");
    int64_t vcpus, memory;

    if (js_need_string(root, "netns", &netns, err) < 0 ||
        js_need_string(root, "initdata", &initdata, err) < 0 ||
        js_need_integer(root, "vcpus", 1, 512, &vcpus, err) < 0 ||
        js_need_integer(root, "memory", 1 << 20, INT64_C(1) << 44, &memory, err) < 0 ||
        base64_decode(initdata, POD_INITDATA_MAX, &ret->initdata, &ret->initdata_length, err) < 0)
        return -1;
    if (dial_out && dial_out_parse(dial_out, &ret->dial_out, err) < 0)
        return -1;
    ret->netns = xstrdup(netns);
    ret->vcpus = (uint32_t) vcpus;
    ret->memory = (uint64_t) memory;
    ret->cgroup_parent = xstrdup(js_get_string(root, "cgroup_parent"));
    ret->parent = (pid_t) js_get_integer(root, "parent", 0);
    return 0;
}

int request_parse(const char *text, size_t length, enum request_scope scope, struct request *ret,
                  struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    struct request request = {0};

    if (js_parse(text, length, &root, err) < 0 || parse_common(root, &request, err) < 0 ||
        (scope == REQUEST_CREATE && parse_create(root, &request, err) < 0)) {
        request_clear(&request);
        return error_wrap(err, "question to the helper");
    }
    *ret = request;
    return 0;
}

int request_read(int fd, enum request_scope scope, struct request *ret, struct error *err)
{
    scoped(freep) char *text = xalloc(REQUEST_MAX + 1);
    size_t used = 0;

    for (;;) {
        ssize_t got = read(fd, text + used, REQUEST_MAX + 1 - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "read the question");
        if (got == 0)
            return request_parse(text, used, scope, ret, err);
        used += (size_t) got;
        if (used > REQUEST_MAX)
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the question is too large");
    }
}

void request_clear(struct request *request)
{
    free(request->id);
    free(request->netns);
    free(request->initdata);
    free(request->cgroup_parent);
    free(request->uri);
    free(request->scratch);
    *request = (struct request){0};
}

int request_bind_to_parent(const struct request *request, struct error *err)
{
    if (!request->parent)
        return 0;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_errno(err, errno, "ask for a signal at the caller's death");
    if (getppid() != request->parent)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the caller is gone");
    return 0;
}

void request_answer(struct js *reply)
{
    scoped(js_freep) struct js *owned = reply ? reply : js_new_object();
    scoped(freep) char *text = js_print(owned);

    puts(text);
    fflush(stdout);
}

void request_fail(const struct error *err)
{
    struct js *reply = js_new_object();

    js_set_integer(reply, "code", err->status);
    js_set_string(reply, "message", err->message);
    request_answer(reply);
}
