/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The plain end of a pump that is a shuttle: its messages are enciphered where they lie, and
 * deciphered to where they stay. */
#include "secure/pump.h"

struct shuttle;

struct pump_plain pump_shuttle_plain(struct shuttle *shuttle); /* borrowed */
