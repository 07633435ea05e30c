/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the last `cleave-host-helper probe` has shown of KVM: the helper writes and reads it,
 * `cleave check host` reads it. */
#include <stdbool.h>

struct error;

#define ACCEL_RECORD "/var/lib/cleave/h/accel.json"

enum accel_proof { ACCEL_PROOF_NONE, ACCEL_PROOF_STALE, ACCEL_PROOF_AGAINST, ACCEL_PROOF_FOR };

/* What a probe is about, besides this node's kernel. Another one of these is another question:
 * where a kernel boots under KVM, a firmware may not, as where KVM is itself emulated. */
struct accel_subject {
    const char *kernel;      /* of the guest, as the configuration calls it */
    const char *kernel_path; /* where it lies for us */
    const char *firmware;    /* as the configuration calls it; "": none */
};

/* "": there is no such kernel. The caller frees. */
char *accel_record_about(const struct accel_subject *subject);
enum accel_proof accel_record_read(const char *file, const char *about);
int accel_record_write(const char *file, const char *about, bool kvm, struct error *err)
    __attribute__((warn_unused_result));
