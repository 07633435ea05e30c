/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the last appraisal of a sandbox has shown: written by the tenant shim into the sandbox's
 * directory of this node, read by `cleave status`. It is for people; nothing decides by it. */
#include <stdint.h>

#include "base/scoped.h"

struct error;
struct js;

#define APPRAISAL_RECORD_DIRECTORY "/run/cleave/t"

struct appraisal_record {
    char *pod_namespace, *pod_name; /* "" if not known */
    char *cri_sandbox_id, *sandbox_id;
    char *evidence, *anchor;
    char *measurement, *chip; /* hex; "": the type has none */
    char *reference;          /* id and serial of the reference values; "": none were used */
    char *manifest;           /* hex, of what the pod is sealed with; "": it is open */
    int64_t tls_version;      /* as on the wire */
    int64_t epoch;
    int64_t number; /* of the appraisal on its connection */
    int64_t time;   /* unix seconds */
};

int appraisal_record_write(const char *directory, const struct appraisal_record *record,
                           struct error *err) must_check;
/* All fields are there, or it is an error; a release without sealed pods wrote no manifest. */
int appraisal_record_read(const char *directory, struct appraisal_record *ret,
                          struct error *err) must_check;
void appraisal_record_fini(struct appraisal_record *record);
/* The members of the file, for output as JSON. */
struct js *appraisal_record_json(const struct appraisal_record *record);
