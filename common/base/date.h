/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Unix seconds as text: "2025-06-19T10:16:03Z" and no other spelling. */
#include <stdbool.h>
#include <stdint.h>

enum { DATE_SIZE = 24 };

bool date_parse(const char *text, int64_t *ret);
void date_print(int64_t seconds, char ret[DATE_SIZE]); /* "" beyond the year 9999 */
