/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody between a tenant and a guest who leads the connection elsewhere, and has keys that he
 * should not have. Both ends are genuine. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "pair.h"
#include "raw.h"
#include "secure/initdata.h"
#include "secure/lease_record.h"
#include "suite.h"

static struct pair pair, other;
static struct outcome tenant;
static struct raw *to_tenant, *to_guest;
static int listening;
static uint16_t guest_port;
static char folder[64], lease[96];

static void on_open(void *user, struct channel *channel, const struct error *err)
{
    tenant.opened = err == NULL;
    tenant.failed = err != NULL;
    if (err)
        tenant.err = *err;
}

static void setup(void)
{
    memset(&tenant, 0, sizeof(tenant));
    strcpy(folder, "/tmp/test_middle.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(lease, sizeof(lease), "%s/lease", folder);
    pair_init(&pair);
    pair_init(&other);
    loop_free(other.loop);
    other.loop = pair.loop;
    pair_listen(&pair);
    guest_port = pair.port;
    listening = pair_socket_listen(&pair.port); /* where the tenant believes the guest to be */
}

static void teardown(void)
{
    struct error err;

    raw_free(take_ptr(to_tenant));
    raw_free(take_ptr(to_guest));
    outcome_fini(&tenant);
    closep(&listening);
    other.loop = NULL;
    pair_fini(&other);
    pair_fini(&pair);
    ck_assert(file_remove_tree(folder, &err) == 0);
}

/* The tenant dials; the one between answers with the guest's own TLS key. */
static void catch_the_tenant(void)
{
    struct channel_dial_options options = pair_dial_options(&pair);
    struct error err;

    ck_assert_int_eq(channel_dial(pair.loop, &options, on_open, NULL, &tenant.channel, &err), 0);
    to_tenant = raw_serve(&pair, raw_accept(&pair, listening), pair.guest_key);
    ck_assert_msg(raw_handshake(to_tenant), "%s", to_tenant->err.message);
}

static void reach_the_guest(const struct key *key)
{
    pair.port = guest_port;
    to_guest = raw_dial(&pair, key);
}

static void pass_on(struct raw *from, struct raw *to, enum frame_type type)
{
    ck_assert(raw_read_frame(from));
    ck_assert_int_eq(from->type, type);
    ck_assert(raw_send_frame(to, from->type, from->body, from->length));
}

/* The nonce is the tenant's, the evidence genuine and fresh, both keys are right: only the exporter
 * tells that the two connections are not one. */
START_TEST(a_relay_with_both_tls_keys_is_refused_by_the_exporter)
{
    catch_the_tenant();
    reach_the_guest(pair.tenant_key);
    ck_assert_msg(raw_handshake(to_guest), "%s", to_guest->err.message);
    pass_on(to_tenant, to_guest, FRAME_HELLO);
    pass_on(to_guest, to_tenant, FRAME_EVIDENCE);
    pair_until(&pair, &tenant.failed);
    ck_assert_msg(strstr(tenant.err.message, "report-data"), "%s", tenant.err.message);
    ck_assert_uint_eq(pair.guest_count, 0); /* nobody accepted it either */
}
END_TEST

START_TEST(a_relay_without_the_tenants_key_gets_no_evidence)
{
    catch_the_tenant();
    reach_the_guest(other.tenant_key);
    if (raw_handshake(to_guest)) /* TLS 1.3: the client learns of it later */
        ck_assert(!raw_read_frame(to_guest));
    pair_until_refused(&pair, 1);
    ck_assert(!tenant.opened);
    ck_assert_uint_eq(pair.guest_count, 0);
}
END_TEST

/* The genuine agent, booted by the attacker with initdata that name only his own key: the tenant
 * cannot be led there, and the attacker finds nothing there. */
START_TEST(a_guest_with_initdata_of_the_attackers_is_nobodys)
{
    pair_listen(&other);
    pair.port = other.port;
    struct channel_dial_options options = pair_dial_options(&pair);
    pair_dial(&pair, &options, &tenant);
    ck_assert(tenant.failed && !tenant.opened);
    ck_assert_uint_eq(other.guest_count, 0);
    ck_assert_uint_ge(other.refused_count, 1);
}
END_TEST

static int claim(const struct outcome *outcome, struct lease_record **ret, struct error *err)
{
    struct lease_holder holder = {.epoch = pair.initdata->content.epoch};

    memcpy(holder.sandbox_id, pair.initdata->content.sandbox_id, sizeof(holder.sandbox_id));
    memcpy(holder.instance, channel_instance(outcome->channel), sizeof(holder.instance));
    return lease_record_claim(lease, &holder, ret, err);
}

/* Two machines from one initdata. Both answer rightly; whoever does not know which one it was asks
 * the lease. */
START_TEST(of_two_clones_one_gets_the_lease)
{
    scoped(lease_record_closep) struct lease_record *first = NULL;
    scoped(outcome_fini) struct outcome twin = {0};
    struct lease_record *second = NULL;
    struct error err;

    initdata_free(other.initdata);
    ck_assert_int_eq(
        initdata_parse(pair.initdata->bytes, pair.initdata->length, &other.initdata, &err), 0);
    pair_listen(&other);
    pair.port = guest_port;
    struct channel_dial_options options = pair_dial_options(&pair);
    pair_dial(&pair, &options, &tenant);
    ck_assert(tenant.opened);
    ck_assert_msg(claim(&tenant, &first, &err) == 0, "%s", err.message);

    pair.port = other.port;
    options = pair_dial_options(&pair);
    pair_dial(&pair, &options, &twin);
    ck_assert_msg(twin.opened, "%s", twin.err.message);
    ck_assert_int_lt(claim(&twin, &second, &err), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);

    outcome_fini(&twin);
    memset(&twin, 0, sizeof(twin));
    options.instance = pair.instance; /* and a link that knows it does not get that far */
    pair_dial(&pair, &options, &twin);
    ck_assert(twin.failed);
    ck_assert_msg(strstr(twin.err.message, "appraisal failed: instance"), "%s", twin.err.message);
}
END_TEST

int main(void)
{
    return suite_run_with(&(struct suite){.name = "middle", .setup = setup, .teardown = teardown},
                          (const TTest *[]){a_relay_with_both_tls_keys_is_refused_by_the_exporter,
                                            a_relay_without_the_tenants_key_gets_no_evidence,
                                            a_guest_with_initdata_of_the_attackers_is_nobodys,
                                            of_two_clones_one_gets_the_lease, NULL});
}
