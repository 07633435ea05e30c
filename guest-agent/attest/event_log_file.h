/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The event log that firmware has left. */
#include "evidence/event_log.h"

struct error;
struct writer;

/* Up to its end, where its buffer has more. A file that is not there is an empty log: whoever
 * appraises it says whether that will do. */
int event_log_file_read(const char *path, enum event_log_kind kind, struct writer *to,
                        struct error *err) __attribute__((warn_unused_result));
