/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox lives in three places: this process, the machine's process, and the helper that makes
 * or ends it. Destroying never waits for libvirt to kill: the pidfd kills, the helper then confirms
 * and cleans up behind it. What the helper does not finish within PATIENCE_MS becomes a tombstone,
 * so that a stop ends soon after the machine whatever libvirt does. A machine that outlives its
 * kill, as one in uninterruptible sleep can, makes the stop fail instead of last. */
#include "sandbox.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/loop.h"
#include "record.h"
#include "shim/host_conf.h"
#include "watch.h"

/* The helper's own deadlines for each call are shorter: it can say which one failed. */
enum { PATIENCE_MS = 3000, MARGIN_MS = 10000 };
/* A machine that ends takes its TPM along, which may be noticed first. */
enum { TPM_GRACE_MS = 1000 };

struct sandbox {
    struct loop *loop;
    struct sandbox_events events;
    void *user;
    char *id, *ns;
    struct host_conf conf;
    struct pod pod;
    struct record record;
    enum sandbox_state state;
    bool has_pod;
    enum record_create create; /* did libvirt answer it? */
    bool cancelled;            /* a stop came before the machine */
    bool exited;               /* on_exited has run, or there never was a machine */
    bool stopping;             /* somebody waits for on_stopped */
    bool powered;              /* the button was pressed: an end is what was asked for */
    struct machine_call *call; /* create or destroy */
    struct machine_call *power;
    struct source *patience; /* of whoever waits for a destroy, or for a death after it */
    bool impatient;
    bool buried; /* a reaper has it */
    struct watch *watch;
    struct watch *tpm;        /* NULL: the machine has none */
    struct source *tpm_grace; /* the TPM is gone, the machine not yet */
    bool tpm_lost;            /* that is what the machine was ended for */
    int64_t created_at_ns, exited_at_ns;
    uint32_t exit_status;
    const char *reason;
    struct error stop_error;
};

static void set_exited(struct sandbox *sandbox, uint32_t exit_status, const char *reason)
{
    if (sandbox->exited)
        return;
    sandbox->exited = true;
    sandbox->exited_at_ns = clock_wall_ns();
    sandbox->exit_status = exit_status;
    sandbox->reason = reason;
    log_info("sandbox has ended: %s, exit status %u", reason, exit_status);
    sandbox->events.on_exited(sandbox->user);
}

static void end_patience(struct sandbox *sandbox)
{
    source_free(sandbox->patience);
    sandbox->patience = NULL;
}

static void tell_stopped(void *user)
{
    struct sandbox *sandbox = user;
    bool failed = sandbox->state != SANDBOX_STOPPED;

    if (!sandbox->stopping || sandbox->call) /* told already, or tried again meanwhile */
        return;
    end_patience(sandbox);
    sandbox->stopping = false;
    sandbox->events.on_stopped(sandbox->user, failed ? &sandbox->stop_error : NULL);
}

static void bury(struct sandbox *sandbox)
{
    struct error err;

    if (record_bury(&sandbox->record, sandbox->create, &err) == 0)
        sandbox->buried = true;
    else
        log_error("cannot leave a tombstone: %s", err.message);
}

/* The machine is gone or buried: nothing here waits for it any more. */
static void set_stopped(struct sandbox *sandbox, const char *reason)
{
    sandbox->state = SANDBOX_STOPPED;
    set_exited(sandbox, 137, reason);
}

static void finish_stop(struct sandbox *sandbox)
{
    struct error err;

    set_stopped(sandbox, "the sandbox was stopped");
    if (record_remove(sandbox->id, &err) < 0)
        log_warn("remove the state directory: %s", err.message);
    if (sandbox->create == RECORD_CREATE_CUT)
        bury(sandbox);
}

/* Killed, but not dead yet: its end comes, see machine_gone(), but nobody knows when. */
static bool is_dying(const struct sandbox *sandbox)
{
    return sandbox->watch && !sandbox->exited;
}

/* machine_gone() tells, or this does. */
static void await_death(struct sandbox *sandbox)
{
    struct error err;

    if (loop_after(sandbox->loop, PATIENCE_MS, tell_stopped, sandbox, &sandbox->patience, &err) ==
        0)
        return;
    log_warn("%s", err.message);
    loop_post(sandbox->loop, tell_stopped, sandbox);
}

/* What the helper has not finished is for the reaper. Without one the stop has failed: its next
 * attempt begins anew. */
static void give_up(struct sandbox *sandbox, const struct error *why)
{
    log_warn("machine is not cleaned up yet: %s", why->message);
    sandbox->stop_error = *why;
    bury(sandbox);
    if (sandbox->buried && !is_dying(sandbox))
        set_stopped(sandbox, "the machine did not come up");
}

static void destroyed(void *user, const struct machine_answer *answer, const struct error *err)
{
    struct sandbox *sandbox = user;

    (void) answer;
    sandbox->call = NULL;
    end_patience(sandbox);
    if (err)
        give_up(sandbox, err);
    else
        finish_stop(sandbox);
    if (err && is_dying(sandbox))
        await_death(sandbox);
    else
        tell_stopped(sandbox);
}

static void lose_patience(void *user)
{
    struct sandbox *sandbox = user;

    sandbox->impatient = true;
    if (sandbox->call && !is_dying(sandbox))
        machine_call_cancel(sandbox->call);
}

static void begin_destroy(struct sandbox *sandbox)
{
    scoped(freep) char *input = NULL;
    struct machine_question question = {
        .helper = sandbox->conf.helper,
        .verb = MACHINE_DESTROY,
        .deadline_ms = (uint64_t) sandbox->conf.call_timeout * 1000 + MARGIN_MS,
    };
    struct machine_target target;
    struct error err;

    sandbox->state = SANDBOX_STOPPING;
    sandbox->impatient = false;
    end_patience(sandbox);
    record_target(&sandbox->record, &target);
    input = machine_input(&target);
    question.input = input;
    if (machine_ask(sandbox->loop, &question, destroyed, sandbox, &sandbox->call, &err) < 0) {
        give_up(sandbox, &err);
        if (is_dying(sandbox))
            await_death(sandbox);
        else
            loop_post(sandbox->loop, tell_stopped, sandbox);
    } else if (loop_after(sandbox->loop, PATIENCE_MS, lose_patience, sandbox, &sandbox->patience,
                          &err) < 0) {
        log_warn("%s", err.message); /* then the helper's own deadlines end it */
    }
}

static void machine_gone(void *user, const struct watch_exit *exit)
{
    struct sandbox *sandbox = user;
    bool by_itself = sandbox->state == SANDBOX_RUNNING;
    bool idle;

    if (by_itself)
        sandbox->state = SANDBOX_STOPPING;
    if (sandbox->tpm_lost)
        set_exited(sandbox, 137, "the machine's TPM ended, and the machine was ended for it");
    else if (by_itself && (sandbox->powered || sandbox->power))
        set_exited(sandbox, exit->known ? exit->exit_status : 0,
                   exit->known ? exit->reason : "the machine powered off as asked");
    else
        set_exited(sandbox, exit->exit_status, exit->reason);
    idle = sandbox->state == SANDBOX_STOPPING && !sandbox->call;
    if (sandbox->call && sandbox->impatient) {
        machine_call_cancel(sandbox->call);
    } else if (idle && !sandbox->buried) { /* nobody else cleans up behind it */
        begin_destroy(sandbox);
    } else if (idle) {
        sandbox->state = SANDBOX_STOPPED;
        tell_stopped(sandbox);
    }
}

/* A guest whose TPM is silent can give no evidence any more: better an end that is told. */
static void end_without_tpm(void *user)
{
    struct sandbox *sandbox = user;

    if (sandbox->state != SANDBOX_RUNNING)
        return;
    log_error("the machine's TPM (swtpm) has ended: the machine is ended, too");
    sandbox->tpm_lost = true;
    watch_kill(sandbox->watch);
}

static void tpm_gone(void *user, const struct watch_exit *exit)
{
    struct sandbox *sandbox = user;
    struct error err;

    (void) exit;
    if (loop_after(sandbox->loop, TPM_GRACE_MS, end_without_tpm, sandbox, &sandbox->tpm_grace,
                   &err) < 0)
        end_without_tpm(sandbox);
}

static int watch_tpm(struct sandbox *sandbox, const struct machine_process *tpm, struct error *err)
{
    if (!tpm->pid)
        return 0;
    if (watch_new(sandbox->loop, tpm->pid, tpm->start_time, tpm_gone, sandbox, &sandbox->tpm, err) <
        0)
        return error_wrap(err, "the machine's TPM");
    return 0;
}

static int take_machine(struct sandbox *sandbox, const struct machine_answer *answer,
                        struct error *err)
{
    sandbox->record.machine = answer->process;
    if (sandbox->cancelled)
        return error_set(err, STATUS_CANCELLED, "the machine came up too late");
    if (record_write(&sandbox->record, err) < 0 || watch_tpm(sandbox, &answer->tpm, err) < 0)
        return -1;
    return watch_new(sandbox->loop, answer->process.pid, answer->process.start_time, machine_gone,
                     sandbox, &sandbox->watch, err);
}

static void created(void *user, const struct machine_answer *answer, const struct error *failed)
{
    struct sandbox *sandbox = user;
    struct error err;

    sandbox->call = NULL;
    sandbox->create = answer->cut ? RECORD_CREATE_CUT : RECORD_CREATE_ANSWERED;
    if (failed)
        err = *failed;
    if (!failed && take_machine(sandbox, answer, &err) == 0) {
        sandbox->state = SANDBOX_RUNNING;
        sandbox->created_at_ns = clock_wall_ns();
        sandbox->events.on_started(sandbox->user, NULL);
        return;
    }
    if (sandbox->cancelled)
        error_set(&err, STATUS_CANCELLED, "sandbox '%s' was stopped while it started", sandbox->id);
    begin_destroy(sandbox);
    sandbox->events.on_started(sandbox->user, &err);
}

int sandbox_new(struct loop *loop, const struct sandbox_options *options, struct sandbox **ret,
                struct error *err)
{
    struct sandbox *sandbox;

    if (!text_is_identifier(options->id))
        return error_set(err, STATUS_INVALID_ARGUMENT, "sandbox id is not an identifier");
    sandbox = xnew(struct sandbox);
    *sandbox = (struct sandbox){
        .loop = loop,
        .events = *options->events,
        .user = options->user,
        .id = xstrdup(options->id),
        .ns = xstrdup(options->ns),
        .state = SANDBOX_NEW,
        .reason = "",
    };
    *ret = sandbox;
    return 0;
}

void sandbox_free(struct sandbox *sandbox)
{
    if (!sandbox)
        return;
    machine_call_free(sandbox->call);
    machine_call_free(sandbox->power);
    source_free(sandbox->patience);
    source_free(sandbox->tpm_grace);
    watch_free(sandbox->tpm);
    watch_free(sandbox->watch);
    record_clear(&sandbox->record);
    pod_fini(&sandbox->pod);
    host_conf_fini(&sandbox->conf);
    free(sandbox->id);
    free(sandbox->ns);
    free(sandbox);
}

int sandbox_create(struct sandbox *sandbox, const struct pod_input *input, struct error *err)
{
    if (sandbox_allow(sandbox, SANDBOX_OP_CREATE, err) < 0)
        return -1;
    host_conf_fini(&sandbox->conf); /* of an earlier attempt */
    if (host_conf_load(HOST_CONF_PATH, &sandbox->conf, err) < 0 ||
        pod_read(input, &sandbox->conf, &sandbox->pod, err) < 0)
        return -1;
    record_clear(&sandbox->record);
    sandbox->record = (struct record){
        .id = xstrdup(sandbox->id),
        .helper = xstrdup(sandbox->conf.helper),
        .uri = xstrdup(sandbox->conf.uri),
        .call_timeout = sandbox->conf.call_timeout,
        .scratch = xstrdup(sandbox->conf.scratch_directory),
        .shim = {.pid = getpid(), .start_time = watch_start_time(getpid())},
    };
    if (record_write(&sandbox->record, err) < 0) {
        pod_fini(&sandbox->pod);
        return -1;
    }
    sandbox->has_pod = true;
    sandbox->created_at_ns = clock_wall_ns();
    sandbox->state = SANDBOX_CREATED;
    return 0;
}

int sandbox_start(struct sandbox *sandbox, struct error *err)
{
    scoped(freep) char *input = NULL;
    struct machine_question question;
    struct machine_target target;

    if (sandbox_allow(sandbox, SANDBOX_OP_START, err) < 0)
        return -1;
    record_target(&sandbox->record, &target);
    input = machine_create_input(&target, &sandbox->pod);
    question = (struct machine_question){
        .helper = sandbox->conf.helper,
        .verb = MACHINE_CREATE,
        .input = input,
        .deadline_ms = (uint64_t) sandbox->conf.boot_timeout * 1000,
    };
    if (machine_ask(sandbox->loop, &question, created, sandbox, &sandbox->call, err) < 0)
        return -1;
    sandbox->state = SANDBOX_STARTING;
    return 0;
}

/* The rest happens in created(), when the helper has ended. */
static void cancel_start(struct sandbox *sandbox)
{
    if (sandbox->cancelled)
        return;
    sandbox->cancelled = true;
    machine_call_cancel(sandbox->call);
}

void sandbox_stop(struct sandbox *sandbox)
{
    sandbox->stopping = true;
    switch (sandbox->state) {
    case SANDBOX_NEW:
        sandbox->state = SANDBOX_STOPPED;
        set_exited(sandbox, 137, "the sandbox was never created");
        loop_post(sandbox->loop, tell_stopped, sandbox);
        break;
    case SANDBOX_CREATED:
        finish_stop(sandbox);
        loop_post(sandbox->loop, tell_stopped, sandbox);
        break;
    case SANDBOX_STARTING:
        cancel_start(sandbox);
        break;
    case SANDBOX_RUNNING:
        watch_kill(sandbox->watch);
        begin_destroy(sandbox);
        break;
    case SANDBOX_STOPPING:
        if (!sandbox->call && !sandbox->patience) /* the last attempt failed */
            begin_destroy(sandbox);
        break;
    default:
        loop_post(sandbox->loop, tell_stopped, sandbox);
    }
}

static void powered(void *user, const struct machine_answer *answer, const struct error *err)
{
    struct sandbox *sandbox = user;

    (void) answer;
    sandbox->power = NULL;
    if (err)
        log_warn("power button: %s", err->message);
    else
        sandbox->powered = true;
}

int sandbox_power(struct sandbox *sandbox, struct error *err)
{
    scoped(freep) char *input = NULL;
    struct machine_question question = {
        .helper = sandbox->conf.helper,
        .verb = MACHINE_POWER,
        .deadline_ms = (uint64_t) sandbox->conf.call_timeout * 1000 + MARGIN_MS,
    };
    struct machine_target target;

    if (sandbox->state == SANDBOX_STOPPING)
        return 0; /* it is being destroyed: more than was asked for */
    if (sandbox_allow(sandbox, SANDBOX_OP_POWER, err) < 0)
        return -1;
    if (sandbox->power)
        return 0; /* a finger is on it already */
    record_target(&sandbox->record, &target);
    input = machine_input(&target);
    question.input = input;
    return machine_ask(sandbox->loop, &question, powered, sandbox, &sandbox->power, err);
}

int sandbox_allow(const struct sandbox *sandbox, enum sandbox_op op, struct error *err)
{
    return sandbox_state_allow(sandbox->state, op, sandbox->id, err);
}

void sandbox_view(const struct sandbox *sandbox, struct sandbox_view *ret)
{
    *ret = (struct sandbox_view){
        .state = sandbox->state,
        .machine = sandbox->record.machine,
        .created_at_ns = sandbox->created_at_ns,
        .exited_at_ns = sandbox->exited_at_ns,
        .exit_status = sandbox->exit_status,
        .reason = sandbox->reason,
        .pod = sandbox->has_pod ? &sandbox->pod : NULL,
    };
}
