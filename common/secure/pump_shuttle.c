/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/pump_shuttle.h"

#include "io/shuttle.h"

static enum pump_plain_output output(void *user, const uint8_t **ret, size_t *ret_length)
{
    static const enum pump_plain_output same[] = {
        [SHUTTLE_BYTES] = PUMP_PLAIN_BYTES,
        [SHUTTLE_NOTHING] = PUMP_PLAIN_NOTHING,
        [SHUTTLE_FINISHED] = PUMP_PLAIN_ENDED,
        [SHUTTLE_OVER] = PUMP_PLAIN_OVER,
    };

    return same[shuttle_output(user, ret, ret_length)];
}

static void sent(void *user, size_t length)
{
    shuttle_sent(user, length);
}

static uint8_t *space(void *user, size_t *ret_length)
{
    return shuttle_space(user, ret_length);
}

static int received(void *user, size_t length)
{
    return shuttle_received(user, length);
}

static struct pump_plain_wants wants(void *user)
{
    return (struct pump_plain_wants){.events = shuttle_events(user),
                                     .patience_ms = shuttle_patience_ms(user)};
}

static void rest(void *user)
{
    shuttle_rest(user);
}

struct pump_plain pump_shuttle_plain(struct shuttle *shuttle)
{
    static const struct pump_plain_ops ops = {output, sent, space, received, wants, rest};

    return (struct pump_plain){&ops, shuttle, shuttle_fd(shuttle)};
}
