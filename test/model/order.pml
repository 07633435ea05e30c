/* SPDX-License-Identifier: Apache-2.0 */
/* What may follow what on a control and on two connections that join it. Bytes arrive in order on one
 * connection and in any order between them; either end of any of them dies when it likes. Who answers
 * control may be another machine that has no evidence, and who answers a joined connection a stranger
 * with the guest's TLS key, who has no mac: they read all.
 *
 * Switches, each one difference from what the code does:
 *   HELLO_BEFORE_FINISHED  the guest answers HELLO before the tenant has shown his key
 *   SERVE_BEFORE_ACCEPT    the guest serves from its evidence on
 *   CALL_BEFORE_EVIDENCE   the tenant calls from his HELLO on
 *   DATA_BEFORE_JOINED     the tenant sends data behind JOIN
 *   JOIN_BEFORE_ACCEPT     a control that was not accepted yet can be joined
 *   JOINED_OUTLIVES        what joined a control lives on when that ends
 *   ANY_SERIAL             a serial need not grow */
#define CONTROL 0
#define CONNECTIONS 3

mtype = { FINISHED, HELLO, EVIDENCE, ACCEPT, RPC, JOIN, JOINED, DATA };

chan to_guest[CONNECTIONS] = [2] of { mtype, byte };
chan to_tenant[CONNECTIONS] = [1] of { mtype, byte };
bool tenant_ended[CONNECTIONS], guest_ended[CONNECTIONS];

byte next_serial, last_serial;
bool tenant_open, guest_answered, guest_open;
bool finished, accepted;             /* really: whatever the guest believes */

active proctype tenant_control()
{
    {
        to_guest[CONTROL]!FINISHED(0);
        finished = true;
        to_guest[CONTROL]!HELLO(0);
#ifdef CALL_BEFORE_EVIDENCE
        to_guest[CONTROL]!RPC(0);
#endif
        to_tenant[CONTROL]?EVIDENCE(_);
        atomic { accepted = true; to_guest[CONTROL]!ACCEPT(0) };
        tenant_open = true;
        to_guest[CONTROL]!RPC(0);
        false
    } unless {
        tenant_ended[CONTROL]
    };
    tenant_open = false
}

active proctype guest_control()
{
    if
    :: true -> /* another machine, with no evidence */
        do
        :: to_guest[CONTROL]?FINISHED(_)
        :: to_guest[CONTROL]?HELLO(_)
        :: to_guest[CONTROL]?RPC(_) -> assert(false)
        od
    :: true
    fi;
    {
#ifndef HELLO_BEFORE_FINISHED
        to_guest[CONTROL]?FINISHED(_);
        to_guest[CONTROL]?HELLO(_);
#else
        do
        :: to_guest[CONTROL]?FINISHED(_)
        :: to_guest[CONTROL]?HELLO(_) -> break
        :: !finished -> break /* whoever */
        od;
#endif
        assert(finished);
        atomic { guest_answered = true; to_tenant[CONTROL]!EVIDENCE(0) };
#ifndef SERVE_BEFORE_ACCEPT
        to_guest[CONTROL]?ACCEPT(_);
#endif
        guest_open = true;
        do
        :: to_guest[CONTROL]?RPC(_) -> assert(accepted)
        :: to_guest[CONTROL]?ACCEPT(_)
#ifdef SERVE_BEFORE_ACCEPT
        :: !accepted -> assert(accepted) /* a call of whoever */
#endif
        od
    } unless {
        guest_ended[CONTROL]
    };
    guest_open = false
}

proctype tenant_join(byte c)
{
    byte serial;

    {
        atomic { tenant_open -> next_serial++; serial = next_serial };
        to_guest[c]!JOIN(serial);
#ifdef DATA_BEFORE_JOINED
        to_guest[c]!DATA(serial);
#endif
        to_tenant[c]?JOINED(_);
        to_guest[c]!DATA(serial);
        false
    } unless {
#ifdef JOINED_OUTLIVES
        tenant_ended[c]
#else
        tenant_ended[c] || tenant_ended[CONTROL]
#endif
    }
}

proctype guest_join(byte c)
{
    byte serial;

    if
    :: c == 1 -> /* a stranger: no mac, no JOINED */
        do
        :: to_guest[c]?JOIN(_)
        :: to_guest[c]?DATA(_) -> assert(false)
        od
    :: true
    fi;
    {
        to_guest[c]?JOIN(serial);
        atomic {
#ifdef JOIN_BEFORE_ACCEPT
            guest_answered && !guest_ended[CONTROL] -> assert(accepted && guest_open);
#else
            guest_open ->
#endif
            if
#ifndef ANY_SERIAL
            :: serial <= last_serial -> goto refused
#endif
            :: else
            fi;
            assert(serial > last_serial);
            last_serial = serial
        };
        to_tenant[c]!JOINED(0);
        do
        :: to_guest[c]?DATA(_) -> assert(guest_open)
        od
    } unless {
#ifdef JOINED_OUTLIVES
        guest_ended[c]
#else
        guest_ended[c] || (guest_ended[CONTROL] && guest_answered)
#endif
    };
refused:
    skip
}

/* Connections end; of the joined ones the first, which is enough. */
init
{
    atomic {
        run tenant_join(1);
        run guest_join(1);
        run tenant_join(2);
        run guest_join(2)
    };
    do
    :: !tenant_ended[CONTROL] -> tenant_ended[CONTROL] = true
    :: d_step { !guest_ended[CONTROL] -> guest_ended[CONTROL] = true; guest_open = false }
    :: !tenant_ended[1] -> tenant_ended[1] = true
    :: !guest_ended[1] -> guest_ended[1] = true
    od
}
