/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Users as an image's /etc/passwd has them. text is the file's; NULL: the image has none. */
#include <stdint.h>

struct error;

/* 0 where the file does not have the user. */
int64_t account_group_of(const char *text, int64_t uid);
int account_find(const char *text, const char *name, int64_t *ret_uid, int64_t *ret_gid,
                 struct error *err) __attribute__((warn_unused_result));
