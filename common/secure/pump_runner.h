/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What both ways to run a pump share. Private to pump_*.c. */
#include "secure/pump.h"

struct pump_runner {
    struct pump pump;
    struct pump_events events;
    void *user;
    bool due_told;
    void (*free)(struct pump_runner *runner);
};
