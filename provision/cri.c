/* SPDX-License-Identifier: Apache-2.0 */
/* cleave-provision-cri: the host half of a pod through the host node's CRI socket. For hosts
 * without a kubelet (which removes pods that it does not know) and with one owner. */
#include <time.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "base/scoped.h"
#include "base/text.h"
#include "host_cri.h"
#include "program.h"
#include "record.h"
#include "shim/tenant_conf.h"

enum { INITDATA_MAX = 16 * 1024, SETTLE_MS = 2000, SETTLE_STEP_MS = 100, ADDRESS_MAX = 64 };

static char *pod_name(const struct record *record)
{
    return xformat("pod-%s", record_sandbox_id(record));
}

static char *new_uid(void)
{
    uint8_t raw[16];
    char hex[33];

    random_bytes(raw, sizeof(raw));
    raw[6] = (uint8_t) ((raw[6] & 0x0f) | 0x40);
    raw[8] = (uint8_t) ((raw[8] & 0x3f) | 0x80);
    hex_encode(raw, sizeof(raw), hex);
    return xformat("%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* The record says "asked" before the host is asked: from then on there may be a pod, whose id is
 * not known before the answer. */
static int run_host_pod(struct host_cri *cri, struct record *record,
                        const struct provision_request *request, const struct tenant_conf *conf,
                        char *host_id, struct error *err)
{
    scoped(freep) char *path = record_initdata_path(record);
    scoped(freep) char *name = pod_name(record), *uid = new_uid();
    scoped(freep) char *initdata = NULL, *text = NULL;
    char dial_out[DIAL_OUT_TEXT_SIZE];
    struct host_pod pod = {.name = name,
                           .uid = uid,
                           .sandbox_id = record_sandbox_id(record),
                           .vcpus = request->vcpus,
                           .memory = request->memory,
                           .runtime_handler = conf->cri_runtime_handler};
    size_t length;

    if (file_read(path, INITDATA_MAX, &initdata, &length, err) < 0)
        return -1;
    text = base64_encode(initdata, length);
    pod.initdata = text;
    if (request->dial_out.family) {
        dial_out_print(&request->dial_out, dial_out);
        pod.dial_out = dial_out;
        js_set_string(record_notes(record), "dial_out", dial_out);
    } else {
        js_remove(record_notes(record), "dial_out");
    }
    js_set(record_notes(record), "asked", js_new_boolean(true));
    js_remove(record_notes(record), "host_id");
    if (record_save(record, err) < 0 ||
        host_cri_run(cri, &pod, (uint64_t) conf->create_timeout * 1000, host_id, err) < 0)
        return -1;
    return 0;
}

static int find_host_pod(struct host_cri *cri, struct record *record, struct host_pod_state *ret,
                         struct error *err)
{
    const char *host_id = js_get_string(record_notes(record), "host_id");

    return host_id ? host_cri_look(cri, host_id, ret, err)
                   : host_cri_find(cri, record_sandbox_id(record), ret, err);
}

/* Removes the host's pod of this record, if there is one. */
static int remove_host_pod(struct host_cri *cri, struct record *record, struct error *err)
{
    struct host_pod_state found;

    if (find_host_pod(cri, record, &found, err) < 0)
        return -1;
    return found.id[0] ? host_cri_remove(cri, found.id, err) : 0;
}

/* A guest that a predecessor made dials where that one said. */
static int check_dial_out(struct record *record, const struct dial_out *wanted, struct error *err)
{
    const char *told = js_get_string(record_notes(record), "dial_out");
    char text[DIAL_OUT_TEXT_SIZE] = "";

    if (wanted->family)
        dial_out_print(wanted, text);
    if (text_equal(text, told ? told : ""))
        return 0;
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "the host half exists and was told to dial '%s', not '%s': delete it first",
                     told ? told : "", text);
}

static int ensure_host_pod(struct host_cri *cri, struct record *record,
                           const struct provision_request *request, const struct tenant_conf *conf,
                           struct error *err)
{
    struct host_pod_state found;

    if (find_host_pod(cri, record, &found, err) < 0)
        return -1;
    if (!found.ready) {
        if (found.id[0] && host_cri_remove(cri, found.id, err) < 0)
            return -1;
        if (run_host_pod(cri, record, request, conf, found.id, err) < 0)
            return -1;
    } /* else a predecessor made it, and perhaps could not say so */
    js_set_string(record_notes(record), "host_id", found.id);
    if (record_save(record, err) < 0)
        return -1;
    return check_dial_out(record, &request->dial_out, err);
}

/* After these the host may still be about to make what it was asked for. */
static bool outcome_is_open(const struct error *err)
{
    return err->status == STATUS_DEADLINE_EXCEEDED || err->status == STATUS_UNAVAILABLE ||
           err->status == STATUS_CANCELLED;
}

/* A create that made nothing before is undone. One whose outcome is open is left as it is: a
 * repeated create goes on from there, and delete waits for what comes late. */
static void undo(struct host_cri *cri, struct record *record, const struct error *why)
{
    bool asked = js_get_boolean(record_notes(record), "asked", false);
    struct error err;

    if (asked && outcome_is_open(why))
        log_warn("whether the host half exists is not known: it is left to delete");
    else if ((asked && remove_host_pod(cri, record, &err) < 0) || record_remove(record, &err) < 0)
        log_warn("the failed create is left to delete: %s", err.message);
}

static int create(const struct provision_request *request, const struct tenant_conf *conf,
                  struct js *answer, struct error *err)
{
    scoped(record_closep) struct record *record = NULL;
    scoped(host_cri_closep) struct host_cri *cri = NULL;
    scoped(freep) char *initdata_path = NULL, *key_path = NULL;
    const char *host_id;
    char address[ADDRESS_MAX];

    if (record_open(request->cri_sandbox_id, RECORD_CREATE, &record, err) < 0 ||
        host_cri_open(conf->cri_endpoint, &cri, err) < 0 ||
        record_mint(record, request, conf, err) < 0)
        return -1;
    bool repeated = js_get_string(record_notes(record), "host_id") != NULL; /* a running half */
    if (ensure_host_pod(cri, record, request, conf, err) < 0 ||
        host_cri_address(cri, js_get_string(record_notes(record), "host_id"), address,
                         sizeof(address), err) < 0) {
        if (!repeated)
            undo(cri, record, err);
        return -1;
    }
    host_id = js_get_string(record_notes(record), "host_id");
    initdata_path = record_initdata_path(record);
    key_path = record_key_path(record);
    provision_answer(answer, record_sandbox_id(record), initdata_path, key_path, host_id);
    if (request->dial_out.family)
        provision_add_dial_out(answer, &request->dial_out);
    else
        provision_add_endpoint(answer, "direct", address, 0);
    return 0;
}

static int status(const struct provision_request *request, const struct tenant_conf *conf,
                  struct js *answer, struct error *err)
{
    scoped(record_closep) struct record *record = NULL;
    scoped(host_cri_closep) struct host_cri *cri = NULL;
    struct host_pod_state found;

    if (record_open(request->cri_sandbox_id, RECORD_MUST_EXIST, &record, err) < 0)
        return -1;
    if (!record_sandbox_id(record))
        return error_set(err, STATUS_NOT_FOUND, "the host half of '%s' was never asked for",
                         request->cri_sandbox_id);
    if (host_cri_open(conf->cri_endpoint, &cri, err) < 0 ||
        find_host_pod(cri, record, &found, err) < 0)
        return -1;
    js_set_string(answer, "sandbox_id", record_sandbox_id(record));
    js_set_string(answer, "host_id", found.id);
    js_set_string(answer, "state",
                  found.id[0] == '\0' ? "absent"
                  : found.ready       ? "running"
                                      : "stopped");
    return 0;
}

/* A create that was killed, or gave up, while it waited for the host: the host's runtime notices
 * that its caller is gone, but a pod that it had just finished shows up in its list a moment later.
 */
static int settle(struct host_cri *cri, const struct record *record, struct error *err)
{
    const struct timespec step = {.tv_nsec = SETTLE_STEP_MS * 1000000L};
    struct host_pod_state found = {0};

    for (int waited = 0; waited < SETTLE_MS && !found.id[0]; waited += SETTLE_STEP_MS) {
        (void) nanosleep(&step, NULL);
        if (host_cri_find(cri, record_sandbox_id(record), &found, err) < 0)
            return -1;
    }
    return found.id[0] ? host_cri_remove(cri, found.id, err) : 0;
}

static int destroy(const struct provision_request *request, const struct tenant_conf *conf,
                   struct js *answer, struct error *err)
{
    scoped(record_closep) struct record *record = NULL;
    scoped(host_cri_closep) struct host_cri *cri = NULL;
    const struct js *notes;

    if (record_open(request->cri_sandbox_id, RECORD_MUST_EXIST, &record, err) < 0)
        return err->status == STATUS_NOT_FOUND ? 0 : -1;
    notes = record_notes(record);
    if (record_sandbox_id(record) && js_get_boolean(notes, "asked", false)) {
        bool answered = js_get_string(notes, "host_id") != NULL;

        if (host_cri_open(conf->cri_endpoint, &cri, err) < 0 ||
            remove_host_pod(cri, record, err) < 0 || (!answered && settle(cri, record, err) < 0))
            return -1;
    }
    return record_remove(record, err);
}

int main(int argc, char *argv[])
{
    static const struct provisioner provisioner = {
        .program = "cleave-provision-cri",
        .summary = "makes and removes the host half of a pod through the host node's CRI socket",
        .create = create,
        .status = status,
        .destroy = destroy,
    };

    return provision_main(&provisioner, argc, argv);
}
