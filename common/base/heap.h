/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The C library's heap in a process of which there is one per pod: what is free goes back to the
 * kernel rather than being kept for speed. */

/* First of all, before there are threads: they share one heap, and large blocks are mappings of
 * their own. */
void heap_stay_small(void);
/* After work that took much memory for a while: what is free between what is used goes back, too.
 * Some hundred microseconds. */
void heap_trim(void);
