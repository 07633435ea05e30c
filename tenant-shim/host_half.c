/* SPDX-License-Identifier: Apache-2.0 */
#include "host_half.h"

#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "io/loop.h"
#include "provision.h"
#include "secure/lease_record.h"
#include "shim/bundle.h"
#include "shim/state_file.h"
#include "shim/tenant_conf.h"
#include "shim/tombstone.h"

static const struct state_format format = {.kind = "tenant-host-half", .version = 1};

static const char *const state_name[] = {
    [HOST_HALF_CREATING] = "creating",
    [HOST_HALF_MADE] = "made",
    [HOST_HALF_REMOVED] = "removed",
};

static char *record_path(const char *bundle)
{
    return xformat("%s/cleave-host-half.json", bundle);
}

int host_half_write(const struct host_half *half, struct error *err)
{
    scoped(js_freep) struct js *state = js_new_object();
    scoped(freep) char *path = record_path(half->bundle);

    js_set_string(state, "program", half->program);
    js_set_string(state, "conf", half->conf_path);
    js_set_string(state, "cri_sandbox_id", half->cri_sandbox_id);
    js_set_string(state, "sandbox_id", half->sandbox_id);
    js_set_string(state, "state", state_name[half->state]);
    return state_file_write(path, &format, state, err);
}

int host_half_read(const char *bundle, struct host_half **ret, struct error *err)
{
    scoped(host_half_freep) struct host_half *half = xnew(struct host_half);
    scoped(freep) char *path = record_path(bundle);
    scoped(js_freep) struct js *state = NULL;
    const char *program, *conf, *cri_sandbox_id, *sandbox_id, *name;

    if (state_file_read(path, &format, &state, err) < 0)
        return -1;
    if (js_need_string(state, "program", &program, err) < 0 ||
        js_need_string(state, "cri_sandbox_id", &cri_sandbox_id, err) < 0 ||
        js_need_string(state, "sandbox_id", &sandbox_id, err) < 0 ||
        js_need_string(state, "state", &name, err) < 0)
        return error_wrap(err, "%s", path);
    conf = js_get_string(state, "conf");
    half->bundle = xstrdup(bundle);
    half->program = xstrdup(program);
    half->conf_path = xstrdup(conf ? conf : TENANT_CONF_PATH);
    half->cri_sandbox_id = xstrdup(cri_sandbox_id);
    half->sandbox_id = xstrdup(sandbox_id);
    half->state = text_equal(name, "removed") ? HOST_HALF_REMOVED : HOST_HALF_MADE;
    *ret = take_ptr(half);
    return 0;
}

void host_half_free(struct host_half *half)
{
    if (!half)
        return;
    free(half->bundle);
    free(half->program);
    free(half->conf_path);
    free(half->cri_sandbox_id);
    free(half->sandbox_id);
    free(half);
}

int host_half_guess(const char *bundle, const char *cri_sandbox_id, struct host_half **ret,
                    struct error *err)
{
    scoped(host_half_freep) struct host_half *half = xnew(struct host_half);
    struct tenant_conf conf;
    int r;

    if (tenant_conf_load(TENANT_CONF_PATH, &conf, err) < 0)
        return -1;
    r = provision_find(conf.provisioner, &half->program, err);
    tenant_conf_fini(&conf);
    if (r < 0)
        return -1;
    half->bundle = xstrdup(bundle);
    half->conf_path = xstrdup(TENANT_CONF_PATH);
    half->cri_sandbox_id = xstrdup(cri_sandbox_id);
    half->sandbox_id = xstrdup("");
    half->state = HOST_HALF_MADE;
    *ret = take_ptr(half);
    return 0;
}

static char *sandbox_directory(const struct host_half *half)
{
    return half->sandbox_id[0] ? xformat("%s/%s", TENANT_DIRECTORY, half->sandbox_id) : NULL;
}

static char *lease_path(const struct host_half *half)
{
    return half->sandbox_id[0] ? lease_record_path(NULL, half->sandbox_id) : NULL;
}

int host_half_revoke(const struct host_half *half, struct error *err)
{
    scoped(freep) char *path = lease_path(half);

    return path ? lease_record_revoke(path, err) : 0;
}

int host_half_forget(const struct host_half *half, struct error *err)
{
    scoped(freep) char *directory = sandbox_directory(half);
    scoped(freep) char *lease = lease_path(half);

    if (!directory)
        return 0;
    return file_remove_tree(directory, err) < 0 ? -1 : file_remove_tree(lease, err);
}

/* And the socket, if nobody else removes it. */
static int write_tombstone(const struct host_half *half, const char *socket, struct error *err)
{
    scoped(freep) char *directory = sandbox_directory(half);
    scoped(freep) char *lease = lease_path(half);
    scoped(freep) char *input = provision_delete_input(half->cri_sandbox_id);
    struct provision_options options = {.program = half->program, .conf_path = half->conf_path};
    scoped(provision_command_clear) struct provision_command command = {0};
    const char *remove[4] = {NULL};
    size_t count = 0;
    struct tombstone tombstone = {.kind = "host-half",
                                  .id = half->cri_sandbox_id,
                                  .argv = command.argv,
                                  .input = input,
                                  .remove = remove};

    if (directory)
        remove[count++] = directory;
    if (lease)
        remove[count++] = lease;
    if (socket)
        remove[count] = socket;
    provision_command_make(&options, "delete", &command);
    return tombstone_write(TENANT_TOMBSTONES, &tombstone, err);
}

int host_half_bury(const struct host_half *half, struct error *err)
{
    if (host_half_revoke(half, err) < 0)
        log_warn("the lease: %s", err->message);
    if (write_tombstone(half, NULL, err) < 0)
        return -1;
    return tombstone_reap(TENANT_TOMBSTONES, half->cri_sandbox_id, err);
}

int host_half_prepare(const struct host_half *half, int *ret_hold, struct error *err)
{
    scoped(closep) int hold = -1;

    /* In this order: whoever has it is at the same work, and may be about to be done with it. */
    if (file_make_directories(TENANT_TOMBSTONES, 0700, err) < 0 ||
        tombstone_hold(TENANT_TOMBSTONES, half->cri_sandbox_id, &hold, err) < 0 ||
        write_tombstone(half, NULL, err) < 0)
        return -1;
    *ret_hold = take_fd(hold);
    return 0;
}

int host_half_hold(const struct host_half *half, int *hold, struct error *err)
{
    scoped(freep) char *socket = bundle_socket(half->bundle);

    if (*hold < 0 && (file_make_directories(TENANT_TOMBSTONES, 0700, err) < 0 ||
                      tombstone_hold(TENANT_TOMBSTONES, half->cri_sandbox_id, hold, err) < 0))
        return -1;
    return write_tombstone(half, socket, err);
}

int host_half_finish(const struct host_half *half, struct error *err)
{
    if (host_half_forget(half, err) < 0)
        return -1;
    return tombstone_remove(TENANT_TOMBSTONES, half->cri_sandbox_id, err);
}

struct removal {
    bool done;
    bool failed;
    struct error why;
};

static void on_removed(void *user, const struct provision_answer *answer, const struct error *err)
{
    struct removal *removal = user;

    removal->done = true;
    if (err) {
        removal->failed = true;
        removal->why = *err;
    }
}

static int run_delete(const struct host_half *half, uint64_t deadline_ms, struct removal *removal,
                      struct error *err)
{
    scoped(loop_freep) struct loop *loop = NULL;
    scoped(provision_freep) struct provision *provision = NULL;
    struct provision_options options = {.program = half->program,
                                        .conf_path = half->conf_path,
                                        .cri_sandbox_id = half->cri_sandbox_id,
                                        .deadline_ms = deadline_ms};

    if (loop_new(&loop, err) < 0 ||
        provision_delete(loop, &options, on_removed, removal, &provision, err) < 0)
        return -1;
    while (!removal->done) {
        if (loop_turn(loop, deadline_ms, err) < 0)
            return -1;
    }
    if (removal->failed) {
        *err = removal->why;
        return -1;
    }
    return 0;
}

static int remove_all(struct host_half *half, uint64_t deadline_ms, struct error *err)
{
    struct removal removal = {0};

    if (host_half_revoke(half, err) < 0)
        log_warn("%s", err->message);
    if (half->state != HOST_HALF_REMOVED && run_delete(half, deadline_ms, &removal, err) < 0)
        return -1;
    half->state = HOST_HALF_REMOVED;
    return host_half_finish(half, err);
}

int host_half_remove(struct host_half *half, uint64_t deadline_ms, int hold, struct error *err)
{
    int r = remove_all(half, deadline_ms, err);

    closep(&hold);
    if (r == 0)
        return 0;
    log_warn("removal of the host half goes on in the background: %s", err->message);
    return host_half_bury(half, err);
}
