/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the last `cleave-host-helper probe` has shown of KVM: the helper writes and reads it,
 * `cleave check host` reads it. */
#include <stdbool.h>

struct error;

#define ACCEL_RECORD "/var/lib/cleave/h/accel.json"

enum accel_proof { ACCEL_PROOF_NONE, ACCEL_PROOF_STALE, ACCEL_PROOF_AGAINST, ACCEL_PROOF_FOR };

/* What a probe is about: this node's kernel, and the guest's, which is called `name` in the
 * configuration and lies at `path`. Another one, here or there, is another question. "": no such
 * file. The caller frees. */
char *accel_record_about(const char *name, const char *path);
enum accel_proof accel_record_read(const char *file, const char *about);
int accel_record_write(const char *file, const char *about, bool kvm, struct error *err)
    __attribute__((warn_unused_result));
