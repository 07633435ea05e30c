/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/appraisal.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"
#include "evidence/judge.h"
#include "evidence/reference_values.h"
#include "secure/hello.h"
#include "secure/statement.h"

_Static_assert((int) STATEMENT_SIZE == (int) EVIDENCE_STATEMENT_SIZE, "one statement");

void appraisal_state(const struct appraisal *appraisal, const uint8_t instance[32],
                     const struct hello *hello, uint8_t ret[EVIDENCE_STATEMENT_SIZE])
{
    const struct initdata_content *content = &appraisal->initdata->content;
    struct statement statement = {
        .role = STATEMENT_GUEST_TO_TENANT,
        .evidence = (uint8_t) appraisal->type->code,
        .mode = (uint8_t) content->mode,
        .tls_version = appraisal->tls_version,
        .number = hello->number,
        .epoch = content->epoch,
    };

    memcpy(statement.nonce, hello->nonce, sizeof(statement.nonce));
    memcpy(statement.exporter, appraisal->exporter, sizeof(statement.exporter));
    memcpy(statement.guest_spki, appraisal->guest_spki, sizeof(statement.guest_spki));
    memcpy(statement.peer_spki, appraisal->tenant_spki, sizeof(statement.peer_spki));
    memcpy(statement.initdata_digest, appraisal->initdata->digest,
           sizeof(statement.initdata_digest));
    memcpy(statement.manifest_digest, content->manifest_digest, sizeof(statement.manifest_digest));
    memcpy(statement.sandbox_id, content->sandbox_id, sizeof(statement.sandbox_id));
    memcpy(statement.instance_id, instance, sizeof(statement.instance_id));
    statement_write(&statement, ret);
}

static int call_producer(const struct appraisal *appraisal,
                         const struct appraisal_producer *producer,
                         const struct evidence_request *request, struct evidence_output *output,
                         struct error *err)
{
    if (producer->produce)
        return producer->produce(producer->user, request, output, err);
    if (appraisal->type->produce)
        return appraisal->type->produce(request, output, err);
    return error_set(err, STATUS_UNIMPLEMENTED, "no way to make %s evidence",
                     appraisal->type->name);
}

static int take_part(const struct writer *from, const char *name, struct blob *ret,
                     struct error *err)
{
    if (from->failed)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the %s would be more than %zu bytes",
                         name, from->limit);
    *ret = (struct blob){from->data, from->size};
    return 0;
}

static void explain_report_data(const struct evidence_type *type, const uint8_t *expected,
                                struct evidence_verdict *verdict)
{
    const struct statement_field *field = statement_blame(
        expected, type->digest, verdict->signed_digest, verdict->signed_digest_size);
    size_t used = strlen(verdict->text);

    if (field)
        (void) snprintf(verdict->text + used, sizeof(verdict->text) - used,
                        ": the field '%s' was signed with another value", field->name);
}

/* Of the guest: what it may become can be revoked like what it is. */
static void judge_revoked(const struct initdata *initdata, const struct evidence_policy *policy,
                          struct evidence_verdict *ret)
{
    const struct {
        const char *field;
        const uint8_t *digest;
        size_t size;
    } parts[] = {
        {"initdata", initdata->digest, sizeof(initdata->digest)},
        {"initdata", initdata->hardware_digest, initdata_digest_size(initdata->content.algorithm)},
        {"manifest_digest", initdata->content.manifest_digest,
         sizeof(initdata->content.manifest_digest)},
    };

    if (initdata->content.epoch < policy->epoch_min)
        return (void) evidence_fail_field(ret, APPRAISAL_INITDATA, "epoch",
                                          "epoch %llu is below the pod's floor, %llu: a newer "
                                          "sandbox of this pod has replaced it",
                                          (unsigned long long) initdata->content.epoch,
                                          (unsigned long long) policy->epoch_min);
    for (size_t i = 0; policy->values && i < ARRAY_LENGTH(parts); i++)
        if (reference_values_revoked(policy->values, parts[i].digest, parts[i].size))
            (void) evidence_fail_field(ret, APPRAISAL_INITDATA, parts[i].field,
                                       "%s was revoked by the reference values", parts[i].field);
}

static void judge_body(const struct appraisal *appraisal, const struct evidence_policy *policy,
                       const struct hello *hello, const struct evidence_body *body,
                       struct evidence_verdict *ret)
{
    uint8_t statement[STATEMENT_SIZE];
    const struct initdata *initdata = appraisal->initdata;
    const struct evidence_bundle bundle = {
        .evidence = body->evidence.data,
        .evidence_length = body->evidence.length,
        .endorsements = body->endorsements.data,
        .endorsements_length = body->endorsements.length,
        .event_log = body->event_log.data,
        .event_log_length = body->event_log.length,
    };
    const struct evidence_request expected = {statement, initdata->hardware_digest};

    if (body->type != appraisal->type->code)
        return evidence_fail(ret, APPRAISAL_TYPE, "asked for type %d (%s), got type %u",
                             appraisal->type->code, appraisal->type->name, body->type);
    if (body->initdata.length != initdata->length ||
        memcmp(body->initdata.data, initdata->bytes, initdata->length) != 0)
        return evidence_fail(ret, APPRAISAL_INITDATA, "the guest carries other initdata than ours");
    appraisal_state(appraisal, body->instance, hello, statement);
    evidence_judge(appraisal->type, &bundle, &expected, policy, ret);
    if (ret->failed == APPRAISAL_REPORT_DATA && ret->signed_digest_size)
        explain_report_data(appraisal->type, statement, ret);
}

void appraisal_output_init(struct evidence_output *output)
{
    writer_init(&output->evidence, EVIDENCE_MAX);
    writer_init(&output->endorsements, ENDORSEMENTS_MAX);
    writer_init(&output->event_log, EVENT_LOG_MAX);
}

int appraisal_write(const struct appraisal *appraisal, const uint8_t instance[32],
                    const struct evidence_output *output, struct writer *body, struct error *err)
{
    struct evidence_body answer = {
        .type = (uint8_t) appraisal->type->code,
        .initdata = {appraisal->initdata->bytes, appraisal->initdata->length},
    };

    memcpy(answer.instance, instance, sizeof(answer.instance));
    if (take_part(&output->evidence, "evidence", &answer.evidence, err) < 0 ||
        take_part(&output->endorsements, "endorsements", &answer.endorsements, err) < 0 ||
        take_part(&output->event_log, "event log", &answer.event_log, err) < 0)
        return -1;
    evidence_body_write(body, &answer);
    if (body->failed)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "evidence does not fit into its frame");
    return 0;
}

int appraisal_produce(const struct appraisal *appraisal, const struct appraisal_producer *producer,
                      const struct hello *hello, struct writer *body, struct error *err)
{
    uint8_t statement[STATEMENT_SIZE];
    const struct evidence_request request = {statement, appraisal->initdata->hardware_digest};
    scoped(evidence_output_fini) struct evidence_output output;

    appraisal_output_init(&output);
    appraisal_state(appraisal, producer->instance, hello, statement);
    if (call_producer(appraisal, producer, &request, &output, err) < 0)
        return -1;
    return appraisal_write(appraisal, producer->instance, &output, body, err);
}

void appraisal_judge(const struct appraisal *appraisal, const struct evidence_policy *policy,
                     const struct hello *hello, const struct appraisal_answer *answer,
                     uint8_t ret_instance[32], struct evidence_verdict *ret)
{
    struct evidence_body body;
    struct error err;

    *ret = (struct evidence_verdict){.failed = APPRAISAL_FORMAT};
    if (evidence_body_parse(answer->body, answer->length, &body, &err) < 0)
        return evidence_fail(ret, APPRAISAL_FORMAT, "%s", err.message);
    judge_body(appraisal, policy, hello, &body, ret);
    if (ret->failed == APPRAISAL_OK)
        judge_revoked(appraisal->initdata, policy, ret);
    if (ret->failed != APPRAISAL_OK)
        return;
    if (answer->instance && memcmp(answer->instance, body.instance, sizeof(body.instance)) != 0)
        return evidence_fail(ret, APPRAISAL_INSTANCE, "instance_id is that of another boot");
    memcpy(ret_instance, body.instance, sizeof(body.instance));
}

int appraisal_error(const struct evidence_verdict *verdict, struct error *err)
{
    return error_set(err, STATUS_UNAUTHENTICATED, "appraisal failed: %s: %s",
                     appraisal_check_name(verdict->failed), verdict->text);
}
