/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct plan;

/* From a process of the agent's inside of the container to the program that was asked for. */
void become(struct plan *plan) __attribute__((noreturn));
