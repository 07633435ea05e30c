/* SPDX-License-Identifier: Apache-2.0 */
/* The lease's record on the tenant's node (common/secure/lease_record.c): two shims that claim it,
 * one of them twice, for two instances of the guest, and a `delete` that revokes. Each of them
 * dies or is stopped at any step, and the node crashes at any step.
 *
 * Switches, each one difference from what the code does:
 *   NO_LOCK               who claims takes no lock
 *   RELEASE_BEFORE_WRITE  the first call goes out before the record is synced
 *   NO_CHECK              the record is looked at when it is claimed, and not before each call
 *   NO_DIGEST             a torn record is taken for what its fields say
 *   NO_BOOT               the boot does not count: held before the node booted is held no more
 *   NO_SYNC_OF_NUMBERS    numbers are reserved in memory only
 *   NO_COUNT              revocations are not counted: who claims, or has been revoked, does not see
 *                         one that came meanwhile if the state is the same again
 * and what it does not do:
 *   ANY_INSTANCE          an instance is never spoken to again, also if another held the lease
 *                         since: the record remembers the last one only */
#define SHIMS 2
#ifdef NUMBERS
#define SENDS 0
#else
#define SENDS 2
#endif
#define REVOKER SHIMS

#define NONE 0
#define HELD 1
#define REVOKED 2

typedef record {
    byte state, instance, boot, limit;
    bool sealed; /* there is a digest; it is of: */
    byte sealed_state, sealed_instance, sealed_boot, sealed_limit
};

record memory, disk;
byte boot = 1;
byte lock;             /* who has it, from 1; a death gives it back */
bool runs[SHIMS + 1], dead[SHIMS + 1];
bool interrupted[SHIMS]; /* a revocation came since he looked: in the code a count, in the word of the state */

/* What is watched, and no program knows. */
byte open_to;                  /* the instance that is spoken to, until it was revoked; 0: none */
byte spoken_by[3];             /* which life of which shim speaks to it, from 1 */
byte highest;                  /* number that went out */

#ifdef NO_COUNT
#define still_held(id, mine) (memory.state == HELD && memory.instance == mine)
#else
#define still_held(id, mine) (memory.state == HELD && memory.instance == mine && !interrupted[id])
#endif
#define is_blank(r) (!r.sealed && r.state == NONE && r.instance == 0 && r.boot == 0 && r.limit == 0)
#ifdef NO_DIGEST
#define is_whole(r) true
#else
#define is_whole(r)                                                                                \
    (r.sealed && r.sealed_state == r.state && r.sealed_instance == r.instance &&                   \
     r.sealed_boot == r.boot && r.sealed_limit == r.limit)
#endif

inline copy(to, from)
{
    to.state = from.state;
    to.instance = from.instance;
    to.boot = from.boot;
    to.limit = from.limit;
    to.sealed = from.sealed;
    to.sealed_state = from.sealed_state;
    to.sealed_instance = from.sealed_instance;
    to.sealed_boot = from.sealed_boot;
    to.sealed_limit = from.sealed_limit
}

/* Heard at once by who has it open, also in the middle of claiming it. */
inline revoke()
{
    d_step {
        memory.state = REVOKED;
        interrupted[0] = true;
        interrupted[1] = true
    }
}

/* From where a whole record says that it is revoked, whoever seals it, others may claim. */
inline seal()
{
    d_step {
        if
        :: memory.state == REVOKED -> open_to = 0
        :: else
        fi;
        memory.sealed = true;
        memory.sealed_state = memory.state;
        memory.sealed_instance = memory.instance;
        memory.sealed_boot = memory.boot;
        memory.sealed_limit = memory.limit
    }
}

inline sync()
{
    d_step {
        if
        :: boot == 1 -> copy(disk, memory)
        :: else /* it crashes once only */
        fi
    }
}

inline unlock(id)
{
    d_step {
        if
        :: lock == id + 1 -> lock = 0
        :: else
        fi
    }
}

/* One call to the guest. The check before it is a step of its own: a call that was checked before a
 * revocation may go out after it, one of each shim, and no more. */
inline send(id, mine, life)
{
    d_step {
        if
        :: interrupted[id] ->
            assert(late == 0); /* a revocation is heard */
            late++
        :: else ->
            assert(open_to == 0 || open_to == mine); /* one instance at a time */
            assert(spoken_by[mine] == 0 || spoken_by[mine] == 2 * id + life); /* none adopted */
            open_to = mine;
            spoken_by[mine] = 2 * id + life
        fi
    }
}

proctype shim(byte id)
{
    byte life, mine, last, limit, sent, late;

    do
    :: atomic {
        life <= id ->
            life++;
            if
            :: mine = 1
            :: id == 1 -> mine = 2
            fi;
            runs[id] = true
       };
        {
            /* claim */
#ifndef NO_LOCK
            if
            :: atomic { lock == 0 -> lock = id + 1 }
            :: lock != 0 -> goto over
            fi;
#endif
            interrupted[id] = false;
            if
            :: is_blank(memory)
            :: !is_blank(memory) && is_whole(memory) &&
#ifdef NO_BOOT
               !(memory.state == HELD && memory.boot == boot)
#else
               !(memory.state == HELD && memory.boot == boot) && memory.instance != mine
#endif
            :: else -> unlock(id); goto over
            fi;
#ifdef RELEASE_BEFORE_WRITE
            send(id, mine, life);
#endif
            d_step {
                last = memory.limit;
                limit = last;
                memory.boot = boot;
                memory.instance = mine;
#ifndef ANY_INSTANCE
                spoken_by[3 - mine] = 0
#endif
            };
            if
            :: d_step {
#ifndef NO_COUNT
                !interrupted[id] ->
#endif
                    memory.state = HELD
            }
#ifndef NO_COUNT
            :: interrupted[id] ->
                seal();
                sync();
                goto over
#endif
            fi;
            seal();
            sync();
            unlock(id);
            sent = 0;
            /* speak */
            do
            :: sent < SENDS ->
#ifndef NO_CHECK
                if
                :: still_held(id, mine)
                :: else -> goto over
                fi;
#endif
                send(id, mine, life);
                sent++
#ifdef NUMBERS
            :: last == limit && limit < 2 -> /* a renewal without a number left: reserve */
#ifndef NO_LOCK
                if
                :: atomic { lock == 0 -> lock = id + 1 }
                :: lock != 0 -> goto over
                fi;
#endif
                if
                :: still_held(id, mine) && is_whole(memory)
                :: else -> memory.state = REVOKED; unlock(id); goto over
                fi;
                memory.limit = limit + 1;
#ifndef NO_SYNC_OF_NUMBERS
                seal();
                sync();
#endif
                unlock(id);
                limit++
            :: d_step {
                last < limit && still_held(id, mine) ->
                    last++;
                    assert(last > highest); /* no number twice, whoever died */
                    highest = last
                }
#endif
            od;
over:       dead[id] = true
        } unless {
            dead[id]
        };
        d_step {
            unlock(id);
            dead[id] = false;
            runs[id] = false;
            late = 0;
            last = 0;
            limit = 0;
            mine = 0;
            sent = 0
        }
    :: break
    od
}

active proctype revoker()
{
    byte life;

    run shim(0);
    run shim(1);
    do
    :: atomic { life < 1 -> life++; runs[REVOKER] = true };
        {
            revoke(); /* before the lock */
            if
            :: atomic { lock == 0 -> lock = REVOKER + 1 }
            :: lock != 0 -> goto over
            fi;
            revoke();
            seal();
            sync();
            unlock(REVOKER);
over:       dead[REVOKER] = true
        } unless {
            dead[REVOKER]
        };
        d_step {
            unlock(REVOKER);
            dead[REVOKER] = false;
            runs[REVOKER] = false
        }
    :: break
    od
}

/* Kills at any step. */
active proctype killer()
{
    do
    :: d_step { runs[0] && !dead[0] -> dead[0] = true; unlock(0) }
    :: d_step { runs[1] && !dead[1] -> dead[1] = true; unlock(1) }
    :: d_step { runs[REVOKER] && !dead[REVOKER] -> dead[REVOKER] = true; unlock(REVOKER) }
    od
}

/* The node crashes once. What was written since the last sync is on the disk or not. Who spoke to an
 * instance is dead with the node. */
active proctype node()
{
    atomic {
        if
        :: copy(disk, memory)
        :: true
        fi;
        d_step {
            copy(memory, disk);
            boot = 2;
            dead[0] = runs[0];
            dead[1] = runs[1];
            dead[REVOKER] = runs[REVOKER];
            lock = 0;
            open_to = 0
        }
    }
}
