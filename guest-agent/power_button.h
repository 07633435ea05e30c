/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The machine's power button, which is how a host asks a guest to end in order. */
#include <stdbool.h>

/* A descriptor that becomes readable when it is pressed, or -1: the machine has none. */
int power_button_open(void);
/* Takes what there is to read; whether a press was among it. */
bool power_button_pressed(int fd);
