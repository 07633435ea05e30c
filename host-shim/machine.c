/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "io/child.h"
#include "pod.h"
#include "watch.h"

static const char *const verb_name[] = {
    [MACHINE_CREATE] = "create",
    [MACHINE_DESTROY] = "destroy",
    [MACHINE_STATUS] = "status",
    [MACHINE_POWER] = "power",
};

struct machine_call {
    struct child *child;
    enum machine_verb verb;
    bool cancelled;
    machine_done_fn *done;
    void *user;
};

/* The helper's own words, or how it ended. Never trusts it to speak JSON. */
static int explain_failure(const struct machine_call *call, const struct child_result *result,
                           const struct js *reply, struct error *err)
{
    int64_t code = js_get_integer(reply, "code", STATUS_INTERNAL);
    const char *message = js_get_string(reply, "message");
    char how[256];

    if (call->cancelled)
        return error_set(err, STATUS_CANCELLED, "helper was stopped at '%s'",
                         verb_name[call->verb]);
    if (result->timed_out)
        return error_set(err, STATUS_DEADLINE_EXCEEDED, "helper did not finish '%s' in time",
                         verb_name[call->verb]);
    if (message && code > STATUS_OK && code <= STATUS_UNAUTHENTICATED)
        return error_set(err, (enum status) code, "%s", message);
    child_explain(result, how, sizeof(how));
    return error_set(err, STATUS_INTERNAL, "helper failed at '%s': %s", verb_name[call->verb], how);
}

/* The helper did not end by itself, or it says that libvirt did not: the wish is on its way. */
static bool is_cut(const struct machine_call *call, const struct child_result *result,
                   const struct error *err)
{
    return call->verb == MACHINE_CREATE &&
           (result->timed_out || !WIFEXITED(result->wait_status) ||
            err->status == STATUS_DEADLINE_EXCEEDED || err->status == STATUS_UNAVAILABLE);
}

static int read_process(const struct js *from, struct machine_process *ret, struct error *err)
{
    int64_t pid, start;

    if (js_need_integer(from, "pid", 2, INT32_MAX, &pid, err) < 0 ||
        js_need_integer(from, "start_time", 1, INT64_MAX, &start, err) < 0)
        return error_wrap(err, "answer of the helper");
    *ret = (struct machine_process){.pid = (pid_t) pid, .start_time = (uint64_t) start};
    return 0;
}

static int read_answer(const struct machine_call *call, const struct child_result *result,
                       struct machine_answer *ret, struct error *err)
{
    scoped(js_freep) struct js *reply = NULL;
    struct error parse;
    struct js *tpm;

    if (js_parse(result->output, result->output_length, &reply, &parse) < 0)
        reply = NULL;
    if (result->timed_out || result->overflowed || !WIFEXITED(result->wait_status) ||
        WEXITSTATUS(result->wait_status) != 0 || !reply) {
        (void) explain_failure(call, result, reply, err);
        ret->cut = is_cut(call, result, err);
        return -1;
    }
    if (call->verb != MACHINE_CREATE)
        return 0;
    if (read_process(reply, &ret->process, err) < 0)
        return -1;
    tpm = js_get(reply, "tpm");
    return tpm ? read_process(tpm, &ret->tpm, err) : 0;
}

/* The helper's own log, which holds warnings only. Its last line may be the failure itself. */
static void pass_on_warnings(const char *diagnostics)
{
    while (*diagnostics) {
        size_t length = strcspn(diagnostics, "\n");

        if (length > 0)
            log_warn("helper: %.*s", (int) length, diagnostics);
        diagnostics += length + (diagnostics[length] == '\n');
    }
}

static void finished(void *user, const struct child_result *result)
{
    struct machine_call *call = user;
    struct machine_answer answer = {0};
    machine_done_fn *done = call->done;
    void *whom = call->user;
    struct error err;
    int failed = read_answer(call, result, &answer, &err);

    pass_on_warnings(result->diagnostics);
    machine_call_free(call);
    done(whom, &answer, failed < 0 ? &err : NULL);
}

int machine_ask(struct loop *loop, const struct machine_question *question, machine_done_fn *done,
                void *user, struct machine_call **ret, struct error *err)
{
    const char *argv[] = {question->helper, verb_name[question->verb], NULL};
    struct child_options options = {
        .argv = argv,
        .input = question->input,
        .input_length = strlen(question->input),
        .deadline_ms = question->deadline_ms,
    };
    struct machine_call *call = xnew(struct machine_call);

    *call = (struct machine_call){.verb = question->verb, .done = done, .user = user};
    if (child_start(loop, &options, finished, call, &call->child, err) < 0) {
        free(call);
        return error_wrap(err, "start the helper '%s'", question->helper);
    }
    *ret = call;
    return 0;
}

void machine_call_cancel(struct machine_call *call)
{
    call->cancelled = true;
    child_kill(call->child);
}

void machine_call_free(struct machine_call *call)
{
    if (!call)
        return;
    child_free(call->child);
    free(call);
}

static struct js *describe(const struct machine_target *target)
{
    struct js *input = js_new_object();
    char boot[WATCH_BOOT_ID_SIZE];

    watch_boot_id(boot);
    js_set_integer(input, "version", MACHINE_PROTOCOL);
    js_set_string(input, "id", target->id);
    js_set_string(input, "boot_id", boot);
    if (target->uri) {
        js_set_string(input, "uri", target->uri);
        js_set_integer(input, "call_timeout", target->call_timeout);
    }
    if (target->scratch)
        js_set_string(input, "scratch", target->scratch);
    return input;
}

char *machine_create_input(const struct machine_target *target, const struct pod *pod)
{
    scoped(js_freep) struct js *input = describe(target);
    scoped(freep) char *initdata = base64_encode(pod->initdata, pod->initdata_length);
    char dial_out[DIAL_OUT_TEXT_SIZE];

    js_set_integer(input, "parent", getpid());
    js_set_string(input, "netns", pod->netns);
    js_set_string(input, "initdata", initdata);
    js_set_integer(input, "vcpus", pod->vcpus);
    js_set_integer(input, "memory", (int64_t) pod->memory);
    if (pod->cgroup_parent)
        js_set_string(input, "cgroup_parent", pod->cgroup_parent);
    if (pod->dial_out.family) {
        dial_out_print(&pod->dial_out, dial_out);
        js_set_string(input, "dial_out", dial_out);
    }
    return js_print(input);
}

char *machine_input(const struct machine_target *target)
{
    scoped(js_freep) struct js *input = describe(target);

    js_set_integer(input, "pid", target->process.pid);
    js_set_integer(input, "start_time", (int64_t) target->process.start_time);
    js_set(input, "late", js_new_boolean(target->late));
    return js_print(input);
}
