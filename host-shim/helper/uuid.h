/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The UUID of a machine's domain. libvirt names the TPM's state and process by nothing else, so
 * that it follows from the sandbox: what a create left behind is found without any note of it. */
#include <stdbool.h>

enum { UUID_SIZE = 37 };

/* node: of node_name(); name: the domain's. */
void uuid_of_machine(const char *node, const char *name, char ret[UUID_SIZE]);
/* May it be one of this node's? Others' begin differently, but for a chance of 1 in 2^28. */
bool uuid_is_of_node(const char *uuid, const char *node);
