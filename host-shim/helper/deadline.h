/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A call into libvirt can hang for ever. When its time is over the helper says so and is gone. */

/* what: a literal. Ends the one before. */
void deadline_begin(const char *what, unsigned seconds);
void deadline_end(void);
