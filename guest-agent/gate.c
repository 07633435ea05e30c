/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "service.h"

enum {
    CONTROL = BIT(PEER_CONTROL),
    OBSERVE = BIT(PEER_CONTROL) | BIT(PEER_OBSERVE),
    ANYONE = BIT(PEER_CONTROL) | BIT(PEER_OBSERVE) | BIT(PEER_AUDIT),

    ATTESTED = BIT(PHASE_ATTESTED),
    SEALED = BIT(PHASE_SEALED),
    RUNS = BIT(PHASE_OPEN) | BIT(PHASE_SEALED),
    DRAINING = BIT(PHASE_DRAINING),
    FROZEN = GATE_FROZEN,
};

#define ON_CONTROL(name, type, handler, roles, phases)                                             \
    {                                                                                              \
        {"/agent.Control/" name, RPC_UNARY, &agent__##type##__descriptor, handler},                \
            CHANNEL_CONTROL, roles, phases                                                         \
    }
#define ON_BULK(name, kind, type, handler, roles, phases)                                          \
    {                                                                                              \
        {"/agent.Bulk/" name, kind, &agent__##type##__descriptor, handler}, CHANNEL_BULK, roles,   \
            phases                                                                                 \
    }

/* Configure is admitted when containers may run for a repetition only, Shutdown when DRAINING
 * likewise: their idempotency keys answer. So is SealPod: of a manifest that was accepted, only the
 * same is answered. */
/* clang-format off */
static const struct gate_row rows[] = {
    /*         method        request             handler                role     phase */
    ON_CONTROL("SealPod",    seal_pod_request,   service_seal_pod,      CONTROL, ATTESTED | SEALED),
    ON_CONTROL("Configure",  configure_request,  service_configure,     CONTROL, ATTESTED | RUNS),
    ON_CONTROL("Appraise",   appraise_request,   service_appraise,      ANYONE,  ATTESTED | RUNS | DRAINING | FROZEN),
    ON_CONTROL("Renew",      renew_request,      service_renew,         CONTROL, ATTESTED | RUNS | DRAINING | FROZEN),
    ON_CONTROL("Ping",       ping_request,       service_ping,          ANYONE,  ATTESTED | RUNS | FROZEN),
    ON_CONTROL("Create",     create_request,     service_create,        CONTROL, RUNS),
    ON_CONTROL("Start",      start_request,      service_start,         CONTROL, RUNS),
    ON_CONTROL("Exec",       exec_request,       service_exec,          CONTROL, RUNS),
    ON_CONTROL("Kill",       kill_request,       service_kill,          CONTROL, RUNS | DRAINING),
    ON_CONTROL("Wait",       process_request,    service_wait,          OBSERVE, RUNS | DRAINING),
    ON_CONTROL("Delete",     delete_request,     service_delete,        CONTROL, RUNS | DRAINING),
    ON_CONTROL("Resize",     resize_request,     service_resize,        CONTROL, RUNS),
    ON_CONTROL("CloseStdin", close_stdin_request, service_close_stdin,  CONTROL, RUNS),
    ON_CONTROL("Update",     update_request,     service_update,        CONTROL, RUNS),
    ON_CONTROL("Pause",      state_request,      service_pause,         CONTROL, RUNS),
    ON_CONTROL("Resume",     state_request,      service_resume,        CONTROL, RUNS),
    ON_CONTROL("Stats",      container_request,  service_stats,         OBSERVE, RUNS),
    ON_CONTROL("Pids",       container_request,  service_pids,          OBSERVE, RUNS),
    ON_CONTROL("OpenShare",  open_share_request, service_open_share,    CONTROL, RUNS),
    ON_CONTROL("Ack",        ack_request,        service_ack,           CONTROL, RUNS | DRAINING),
    {{"/agent.Control/Watch", RPC_SERVER_STREAM, &agent__watch_request__descriptor, service_watch},
     CHANNEL_CONTROL, OBSERVE, RUNS | DRAINING},
    ON_CONTROL("Shutdown",   shutdown_request,   service_shutdown,      CONTROL, ATTESTED | RUNS | DRAINING),

    ON_BULK("HasBlobs", RPC_UNARY,         has_blobs_request, service_has_blobs, CONTROL, RUNS),
    ON_BULK("PutBlob",  RPC_CLIENT_STREAM, blob_chunk,        service_put_blob,  CONTROL, RUNS),
    ON_BULK("PutVolume", RPC_UNARY,        put_volume_request, service_put_volume, CONTROL, RUNS),
    ON_BULK("Stdio",    RPC_BIDI,          stdio_frame,       service_stdio,     CONTROL, RUNS | DRAINING),
};
/* clang-format on */

const struct gate_row *gate_rows(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(rows);
    return rows;
}

const struct rpc_method *gate_admit(const struct gate_peer *peer, const struct gate_guest *guest,
                                    const char *name, struct error *err)
{
    const struct gate_row *row = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (text_equal(rows[i].method.name, name) && rows[i].class == peer->class)
            row = &rows[i];
    }
    if (!row)
        error_set(err, STATUS_UNIMPLEMENTED, "there is no method '%.100s' on a %s connection", name,
                  channel_class_name(peer->class));
    else if (!(row->roles & BIT(peer->role)))
        error_set(err, STATUS_PERMISSION_DENIED, "the role '%s' may not call %s",
                  peer_role_name(peer->role), name);
    else if (!(row->phases & BIT(guest->phase)))
        error_set(err, STATUS_FAILED_PRECONDITION, "%s is not possible while the guest is %s", name,
                  phase_name(guest->phase));
    else if (guest->frozen && !(row->phases & GATE_FROZEN))
        error_set(err, STATUS_UNAVAILABLE,
                  "the guest is frozen until it has been appraised and its lease renewed");
    else
        return &row->method;
    return NULL;
}

int gate_admit_raw(const struct gate_peer *peer, enum phase phase, struct error *err)
{
    if (!(CONTROL & BIT(peer->role)))
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "the role '%s' may not have a %s connection", peer_role_name(peer->role),
                         channel_class_name(peer->class));
    if (!((RUNS | DRAINING) & BIT(phase)))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "there is no %s connection while the guest is %s",
                         channel_class_name(peer->class), phase_name(phase));
    return 0;
}
