/* SPDX-License-Identifier: Apache-2.0 */
/* When a frozen guest thaws (guest-agent/lease.c, tenant-shim/codec_renewal.c): one control, and
 * another that replaces it. Calls arrive in order on each, and in any order between them. The host
 * stops the machine when it likes: the next renewal that was sent after it shows it. The lease may
 * lapse at any time.
 *
 * Switches, each one difference from what the code does:
 *   ANY_RENEWAL             a renewal thaws without an appraisal behind it
 *   ANY_SESSION             a renewal on the one connection thaws after an appraisal on the other
 *   RENEW_WHILE_APPRAISING  the tenant renews before he has judged the answer
 *   KEEP_APPRAISED          an appraisal from before the freeze counts as well
 * and what it does not do:
 *   ACCEPT_IS_NEW           the evidence of a new connection is newer than a lapse that came between
 *                           it and its ACCEPT */
#define SESSIONS 2
#define STOPS 2
#define TURNS 4

mtype = { RENEW, RENEWED, APPRAISE, EVIDENCE, ACCEPT };

chan to_guest[SESSIONS] = [2] of { mtype, byte };
chan to_tenant[SESSIONS] = [2] of { mtype, byte };

byte stops;              /* of the machine, so far */
byte seen;               /* of them, by the guest */
bool needs_appraisal;    /* and so is it frozen */
byte appraised;          /* the session that may thaw by renewing, from 1 */
/* What is watched: how often it froze, and of when the evidence is that the tenant judged. */
byte freezes, judged;

inline judge(when)
{
    d_step {
        if
        :: when > judged -> judged = when
        :: else
        fi
    }
}

inline freeze()
{
    needs_appraisal = true;
#ifndef KEEP_APPRAISED
    appraised = 0;
#endif
    freezes++
}

proctype tenant(byte s)
{
    byte value, turns;

    if
    :: s == 1 -> /* a new connection begins with an appraisal */
        to_guest[s]!APPRAISE(1);
        to_tenant[s]?EVIDENCE(value);
        judge(value);
        to_guest[s]!ACCEPT(0)
    :: else
    fi;
    do
    :: turns < TURNS ->
        turns++;
        to_guest[s]!RENEW(stops);
        to_tenant[s]?RENEWED(value);
        if
        :: value && turns < TURNS ->
            to_guest[s]!APPRAISE(0);
#ifdef RENEW_WHILE_APPRAISING
            to_guest[s]!RENEW(stops);
#endif
            to_tenant[s]?EVIDENCE(value);
            judge(value)
#ifdef RENEW_WHILE_APPRAISING
            ;
            to_tenant[s]?RENEWED(_)
#endif
        :: else
        fi
    :: break
    od
}

inline renewed(s, sent)
{
    if
    :: sent > seen -> /* time stood still */
        seen = sent;
        freeze()
    :: else ->
        if
#ifdef ANY_RENEWAL
        :: needs_appraisal ->
#else
#ifdef ANY_SESSION
        :: appraised != 0 ->
#else
        :: appraised == s + 1 ->
#endif
#endif
            assert(!needs_appraisal || judged == freezes);
            needs_appraisal = false;
            appraised = 0
        :: else
        fi
    fi
}

active proctype guest()
{
    byte s, value;

    run tenant(0);
    run tenant(1);
end:
    do
    :: atomic { to_guest[0]?RENEW(value) -> s = 0; d_step { renewed(s, value) }; to_tenant[0]!RENEWED(needs_appraisal) }
    :: atomic { to_guest[1]?RENEW(value) -> s = 1; d_step { renewed(s, value) }; to_tenant[1]!RENEWED(needs_appraisal) }
    :: atomic { to_guest[0]?APPRAISE(_) -> appraised = 1; to_tenant[0]!EVIDENCE(freezes) }
    :: atomic {
        to_guest[1]?APPRAISE(value) ->
            if
            :: value /* of the handshake: counts from ACCEPT on */
            :: else -> appraised = 2
            fi;
            to_tenant[1]!EVIDENCE(freezes)
    }
    :: atomic {
        to_guest[1]?ACCEPT(_) ->
            appraised = 2;
#ifndef ACCEPT_IS_NEW
            judged = freezes
#endif
    }
    :: d_step { stops < STOPS -> stops++ }
    :: d_step { freezes < 3 -> freeze() } /* the lease lapses */
    od
}
