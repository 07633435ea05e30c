/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One logfmt line per event: time= level= msg= component= sandbox= task=. Library code logs at
 * debug only; the RPC edge or run() logs once. Thread-safe. Writes never block and never fail the
 * caller: a line that does not fit into the sink is dropped. */

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* component: a literal, e.g. "host-shim". Logs to stderr (fd 2) unless log_to() says otherwise. */
void log_open(const char *component);
void log_to(int fd); /* borrowed; made non-blocking by the caller where that matters */
void log_set_level(enum log_level level);
/* Fields of every later line; copied; NULL removes. */
void log_set_sandbox(const char *sandbox);

/* A task named for the lines inside a scope: const char *old = log_task("id"); ... log_task(old).
 */
const char *log_task(const char *task);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
