/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Does this node let cleave-share do what it needs? */

struct error;

/* Does it, for nobody, and says what was refused. Not to be returned from: the process has become
 * the server of a directory that nobody asks for. */
int trial_run(struct error *err);
