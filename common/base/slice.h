/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* For a thread whose every turn is short and that others wait for: it gets the processor sooner
 * after it wakes, not more of it. Threads and processes that it starts are not so. A kernel before
 * 6.12 does not know it: nothing changes there. */
void slice_shorten(void);
