/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A file of reference values, as the commands read it. */
struct error;
struct reference_values;

/* keys NULL: whoever named the file answers for it; else PATH.sig must be the signature of one of
 * them. Errors name the file. */
int reference_file_load(const char *path, const char *keys, struct reference_values **ret,
                        struct error *err) __attribute__((warn_unused_result));
