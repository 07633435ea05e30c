/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An exit record as the message on the wire. For service files only. */
#include "agent.pb-c.h"

struct exit_record;

/* Borrows everything from the record. */
Agent__ExitRecord codec_exit(const struct exit_record *record);
