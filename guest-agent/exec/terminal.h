/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct plan;

/* A terminal of the container's own devpts becomes the standard streams and the controlling
 * terminal of this session; the agent gets the other end. */
void terminal_open(const struct plan *plan);
