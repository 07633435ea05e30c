/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is left to the server beside the root of the shares: the capabilities that a file server
 * needs, and neither a process, a network nor a shared memory of the node to use them on. Nothing
 * of it can be undone. */

struct error;

/* For the children of the calling process. */
int confine_children(struct error *err);
/* For the calling process. */
int confine_privileges(struct error *err);
