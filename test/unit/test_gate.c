/* SPDX-License-Identifier: Apache-2.0 */
/* The attack surface, written down a second time: what differs from gate.c is a mistake in one of
 * them. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "gate.h"
#include "service.h"

/* The table names handlers and messages; nothing here calls or reads them. */
#define HANDLER(name)                                                                              \
    void name(struct rpc *rpc, const struct ProtobufCMessage *request)                             \
    {                                                                                              \
        abort();                                                                                   \
    }
HANDLER(service_seal_pod)
HANDLER(service_configure)
HANDLER(service_appraise)
HANDLER(service_renew)
HANDLER(service_ping)
HANDLER(service_open_share)
HANDLER(service_shutdown)
HANDLER(service_watch)
HANDLER(service_create)
HANDLER(service_start)
HANDLER(service_delete)
HANDLER(service_update)
HANDLER(service_pause)
HANDLER(service_resume)
HANDLER(service_stats)
HANDLER(service_pids)
HANDLER(service_exec)
HANDLER(service_kill)
HANDLER(service_wait)
HANDLER(service_resize)
HANDLER(service_close_stdin)
HANDLER(service_ack)
HANDLER(service_has_blobs)
HANDLER(service_put_blob)
HANDLER(service_put_volume)
HANDLER(service_stdio)

/* Roles: c control, o observe, a audit. Phases: B booted, A attested, O open, S sealed, D draining,
 * F these when frozen, too. */
static const struct {
    const char *name;
    enum channel_class class;
    const char *roles;
    const char *phases;
} expected[] = {
    {"/agent.Control/SealPod", CHANNEL_CONTROL, "c", "AS"},
    {"/agent.Control/Configure", CHANNEL_CONTROL, "c", "AOS"},
    {"/agent.Control/Appraise", CHANNEL_CONTROL, "coa", "AOSDF"},
    {"/agent.Control/Renew", CHANNEL_CONTROL, "c", "AOSDF"},
    {"/agent.Control/Ping", CHANNEL_CONTROL, "coa", "AOSF"},
    {"/agent.Control/Create", CHANNEL_CONTROL, "c", "OS"},
    {"/agent.Control/Start", CHANNEL_CONTROL, "c", "OS"},
    {"/agent.Control/Exec", CHANNEL_CONTROL, "c", "OS"},
    {"/agent.Control/Kill", CHANNEL_CONTROL, "c", "OSD"},
    {"/agent.Control/Wait", CHANNEL_CONTROL, "co", "OSD"},
    {"/agent.Control/Delete", CHANNEL_CONTROL, "c", "OSD"},
    {"/agent.Control/Resize", CHANNEL_CONTROL, "c", "OS"},
    {"/agent.Control/CloseStdin", CHANNEL_CONTROL, "c", "OS"},
    {"/agent.Control/Update", CHANNEL_CONTROL, "c", "OS"},
    {"/agent.Control/Pause", CHANNEL_CONTROL, "c", "OS"},
    {"/agent.Control/Resume", CHANNEL_CONTROL, "c", "OS"},
    {"/agent.Control/Stats", CHANNEL_CONTROL, "co", "OS"},
    {"/agent.Control/Pids", CHANNEL_CONTROL, "co", "OS"},
    {"/agent.Control/OpenShare", CHANNEL_CONTROL, "c", "OS"},
    {"/agent.Control/Ack", CHANNEL_CONTROL, "c", "OSD"},
    {"/agent.Control/Watch", CHANNEL_CONTROL, "co", "OSD"},
    {"/agent.Control/Shutdown", CHANNEL_CONTROL, "c", "AOSD"},
    {"/agent.Bulk/HasBlobs", CHANNEL_BULK, "c", "OS"},
    {"/agent.Bulk/PutBlob", CHANNEL_BULK, "c", "OS"},
    {"/agent.Bulk/PutVolume", CHANNEL_BULK, "c", "OS"},
    {"/agent.Bulk/Stdio", CHANNEL_BULK, "c", "OSD"},
};

static const struct {
    enum peer_role role;
    char letter;
} roles[] = {{PEER_CONTROL, 'c'}, {PEER_OBSERVE, 'o'}, {PEER_AUDIT, 'a'}};
static const char phases[PHASE_COUNT + 1] = "BAOSD"; /* in the order of the enum */
static const enum channel_class classes[] = {CHANNEL_CONTROL, CHANNEL_BULK, CHANNEL_FRAMES,
                                             CHANNEL_SHARE};

static void check(size_t at, const struct gate_peer *peer, char role, int phase, bool frozen)
{
    struct error err = {.status = STATUS_OK};
    const struct gate_guest guest = {(enum phase) phase, frozen};
    const struct rpc_method *method = gate_admit(peer, &guest, expected[at].name, &err);
    enum status wanted = peer->class != expected[at].class             ? STATUS_UNIMPLEMENTED
                         : !strchr(expected[at].roles, role)           ? STATUS_PERMISSION_DENIED
                         : !strchr(expected[at].phases, phases[phase]) ? STATUS_FAILED_PRECONDITION
                         : frozen && !strchr(expected[at].phases, 'F') ? STATUS_UNAVAILABLE
                                                                       : STATUS_OK;

    ck_assert_msg((method != NULL) == (wanted == STATUS_OK) && err.status == wanted,
                  "%s as '%c' in '%c': %s instead of %s", expected[at].name, role, phases[phase],
                  status_name(err.status), status_name(wanted));
    if (method)
        ck_assert_str_eq(method->name, expected[at].name);
}

START_TEST(each_method_is_for_its_class_roles_and_phases)
{
    for (size_t at = 0; at < ARRAY_LENGTH(expected); at++) {
        for (size_t c = 0; c < ARRAY_LENGTH(classes); c++) {
            for (size_t r = 0; r < ARRAY_LENGTH(roles); r++) {
                const struct gate_peer peer = {classes[c], roles[r].role};

                for (int phase = 0; phase < PHASE_COUNT; phase++) {
                    check(at, &peer, roles[r].letter, phase, false);
                    check(at, &peer, roles[r].letter, phase, true);
                }
            }
        }
    }
}
END_TEST

START_TEST(there_is_no_other_method)
{
    static const char *const others[] = {"",
                                         "/",
                                         "Create",
                                         "/agent.Control/create",
                                         "/agent.Control/Create/",
                                         "/agent.Control/Seal",
                                         "/grpc.health.v1.Health/Check"};
    const struct gate_peer peer = {CHANNEL_CONTROL, PEER_CONTROL};
    const struct gate_guest guest = {PHASE_OPEN, false};
    struct error err;
    size_t count;

    (void) gate_rows(&count);
    ck_assert_uint_eq(count, ARRAY_LENGTH(expected));
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        ck_assert_ptr_null(gate_admit(&peer, &guest, others[i], &err));
        ck_assert_int_eq(err.status, STATUS_UNIMPLEMENTED);
    }
}
END_TEST

static void check_raw(enum channel_class class)
{
    for (size_t r = 0; r < ARRAY_LENGTH(roles); r++) {
        const struct gate_peer peer = {class, roles[r].role};

        for (int phase = 0; phase < PHASE_COUNT; phase++) {
            struct error err = {.status = STATUS_OK};
            int result = gate_admit_raw(&peer, (enum phase) phase, &err);
            enum status wanted = roles[r].letter != 'c'          ? STATUS_PERMISSION_DENIED
                                 : !strchr("OSD", phases[phase]) ? STATUS_FAILED_PRECONDITION
                                                                 : STATUS_OK;

            ck_assert_int_eq(err.status, wanted);
            ck_assert_int_eq(result, wanted == STATUS_OK ? 0 : -1);
        }
    }
}

START_TEST(the_pods_network_and_share_are_for_control_while_containers_may_run)
{
    check_raw(CHANNEL_FRAMES);
    check_raw(CHANNEL_SHARE);
}
END_TEST

int main(void)
{
    return suite_run(
        "gate", (const TTest *[]){
                    each_method_is_for_its_class_roles_and_phases, there_is_no_other_method,
                    the_pods_network_and_share_are_for_control_while_containers_may_run, NULL});
}
