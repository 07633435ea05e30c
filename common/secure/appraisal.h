/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Evidence over the statement of one connection: making it and judging it. Each end fills the
 * statement from its own state; of the peer's words only instance_id goes in. */
#include <stddef.h>
#include <stdint.h>

#include "evidence/evidence.h"
#include "secure/initdata.h"

struct error;
struct hello;

struct appraisal { /* what this end knows of the connection */
    const struct initdata *initdata;
    const struct evidence_type *type;
    uint16_t tls_version;
    uint8_t exporter[32];
    uint8_t guest_spki[32];
    uint8_t tenant_spki[32];
};

typedef int appraisal_produce_fn(void *user, const struct evidence_request *request,
                                 struct evidence_output *output, struct error *err);

struct appraisal_producer {
    const uint8_t *instance;
    appraisal_produce_fn *produce; /* NULL: the type's own */
    void *user;
};

/* With the limits of the frame that takes it. */
void appraisal_output_init(struct evidence_output *output);

/* Guest: the statement that evidence on this connection has to cover. */
void appraisal_state(const struct appraisal *appraisal, const uint8_t instance[32],
                     const struct hello *hello, uint8_t ret[EVIDENCE_STATEMENT_SIZE]);
/* Appends the body of an EVIDENCE frame around what was made for that statement. */
int appraisal_write(const struct appraisal *appraisal, const uint8_t instance[32],
                    const struct evidence_output *output, struct writer *body, struct error *err)
    __attribute__((warn_unused_result));
/* Both, for evidence that takes no time. */
int appraisal_produce(const struct appraisal *appraisal, const struct appraisal_producer *producer,
                      const struct hello *hello, struct writer *body, struct error *err)
    __attribute__((warn_unused_result));

struct appraisal_answer {
    const uint8_t *body; /* of an EVIDENCE frame */
    size_t length;
    const uint8_t *instance; /* that it must be; NULL: any */
};

/* Tenant: the verdict, and who answered. */
void appraisal_judge(const struct appraisal *appraisal, const struct evidence_policy *policy,
                     const struct hello *hello, const struct appraisal_answer *answer,
                     uint8_t ret_instance[32], struct evidence_verdict *ret);
/* "appraisal failed: report-data: ..." */
int appraisal_error(const struct evidence_verdict *verdict, struct error *err);
