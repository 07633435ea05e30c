/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/sample.h"

#include <string.h>

#include <mbedtls/ecdsa.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/random.h"

/* "CLEAVSMP", u8 1, report_data[64] = SHA-512(statement), initdata_digest[48], measurement[48], and
 * an ECDSA P-256 signature (r, s) over the SHA-256 of all before it. */
enum {
    SIGNED_SIZE = SAMPLE_SIZE - 64,
    REPORT_DATA_SIZE = 64,
    INITDATA_DIGEST_SIZE = 48,
    FORMAT_VERSION = 1,
};

static const char magic[8] = {'C', 'L', 'E', 'A', 'V', 'S', 'M', 'P'};

/* Published on purpose: whoever reads this can sign anything. */
static const uint8_t published_key[32] = {
    0x63, 0x6c, 0x65, 0x61, 0x76, 0x65, 0x20, 0x73, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x20, 0x65, 0x76,
    0x69, 0x64, 0x65, 0x6e, 0x63, 0x65, 0x20, 0x69, 0x73, 0x20, 0x6e, 0x6f, 0x20, 0x70, 0x72, 0x66,
};

static const uint8_t no_measurement[EVIDENCE_MEASUREMENT_SIZE];

struct report {
    uint8_t report_data[REPORT_DATA_SIZE];
    uint8_t initdata_digest[INITDATA_DIGEST_SIZE];
    uint8_t measurement[EVIDENCE_MEASUREMENT_SIZE];
    uint8_t r[32], s[32];
};

static int random_of_kernel(void *unused, unsigned char *to, size_t length)
{
    random_bytes(to, length);
    return 0;
}

static int load_key(mbedtls_ecdsa_context *key)
{
    int rc = mbedtls_ecp_group_load(&key->grp, MBEDTLS_ECP_DP_SECP256R1);

    if (rc == 0)
        rc = mbedtls_mpi_read_binary(&key->d, published_key, sizeof(published_key));
    if (rc == 0)
        rc = mbedtls_ecp_mul(&key->grp, &key->Q, &key->d, &key->grp.G, random_of_kernel, NULL);
    return rc;
}

static int sign(const uint8_t hash[SHA256_SIZE], uint8_t ret[64])
{
    mbedtls_ecdsa_context key;
    mbedtls_mpi r, s;

    mbedtls_ecdsa_init(&key);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    int rc = load_key(&key);
    if (rc == 0)
        rc = mbedtls_ecdsa_sign(&key.grp, &r, &s, &key.d, hash, SHA256_SIZE, random_of_kernel,
                                NULL);
    if (rc == 0)
        rc = mbedtls_mpi_write_binary(&r, ret, 32);
    if (rc == 0)
        rc = mbedtls_mpi_write_binary(&s, ret + 32, 32);
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    mbedtls_ecdsa_free(&key);
    return rc;
}

static int check_signature(const uint8_t hash[SHA256_SIZE], const struct report *report)
{
    mbedtls_ecdsa_context key;
    mbedtls_mpi r, s;

    mbedtls_ecdsa_init(&key);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    int rc = load_key(&key);
    if (rc == 0)
        rc = mbedtls_mpi_read_binary(&r, report->r, sizeof(report->r));
    if (rc == 0)
        rc = mbedtls_mpi_read_binary(&s, report->s, sizeof(report->s));
    if (rc == 0)
        rc = mbedtls_ecdsa_verify(&key.grp, hash, SHA256_SIZE, &key.Q, &r, &s);
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    mbedtls_ecdsa_free(&key);
    return rc;
}

static int sample_produce(const struct evidence_request *request, struct evidence_output *output,
                          struct error *err)
{
    uint8_t report_data[REPORT_DATA_SIZE], hash[SHA256_SIZE], signature[64];
    struct writer *evidence = &output->evidence;
    size_t start = evidence->size;

    digest_sha512(request->statement, EVIDENCE_STATEMENT_SIZE, report_data);
    writer_bytes(evidence, magic, sizeof(magic));
    writer_u8(evidence, FORMAT_VERSION);
    writer_bytes(evidence, report_data, sizeof(report_data));
    writer_bytes(evidence, request->initdata_digest, INITDATA_DIGEST_SIZE);
    writer_bytes(evidence, no_measurement, sizeof(no_measurement));
    if (evidence->failed)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "sample evidence: no room");
    digest_sha256(evidence->data + start, SIGNED_SIZE, hash);
    if (sign(hash, signature) != 0)
        return error_set(err, STATUS_INTERNAL, "sample evidence: cannot sign");
    writer_bytes(evidence, signature, sizeof(signature));
    if (evidence->failed)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "sample evidence: no room");
    return 0;
}

static bool parse(const struct evidence_bundle *bundle, struct report *ret)
{
    struct reader reader;
    uint8_t found[sizeof(magic)] = {0};

    reader_init(&reader, bundle->evidence, bundle->evidence_length);
    reader_copy(&reader, found, sizeof(found));
    uint8_t version = reader_u8(&reader);
    reader_copy(&reader, ret->report_data, sizeof(ret->report_data));
    reader_copy(&reader, ret->initdata_digest, sizeof(ret->initdata_digest));
    reader_copy(&reader, ret->measurement, sizeof(ret->measurement));
    reader_copy(&reader, ret->r, sizeof(ret->r));
    reader_copy(&reader, ret->s, sizeof(ret->s));
    return reader_complete(&reader) && memcmp(found, magic, sizeof(magic)) == 0 &&
           version == FORMAT_VERSION && !bundle->endorsements_length && !bundle->event_log_length;
}

static bool measurement_known(const struct evidence_policy *policy, const uint8_t *measurement)
{
    if (!policy->measurement_count)
        return memcmp(measurement, no_measurement, sizeof(no_measurement)) == 0;
    for (size_t i = 0; i < policy->measurement_count; i++)
        if (memcmp(measurement, policy->measurements[i], EVIDENCE_MEASUREMENT_SIZE) == 0)
            return true;
    return false;
}

void sample_judge(const struct evidence_bundle *bundle, const struct evidence_request *expected,
                  const struct evidence_policy *policy, struct evidence_verdict *ret)
{
    struct report report;
    uint8_t hash[SHA256_SIZE], report_data[REPORT_DATA_SIZE];

    if (!parse(bundle, &report))
        return evidence_fail(ret, APPRAISAL_FORMAT, "sample evidence is not %d bytes of version %d",
                             SAMPLE_SIZE, FORMAT_VERSION);
    digest_sha256(bundle->evidence, SIGNED_SIZE, hash);
    if (check_signature(hash, &report) != 0)
        return evidence_fail(ret, APPRAISAL_SIGNATURE, "signature of the sample evidence");
    /* Hardware, TCB and attributes: a sample has none. */
    if (!measurement_known(policy, report.measurement))
        return evidence_fail(ret, APPRAISAL_MEASUREMENT, "measurement is not a reference value");
    if (memcmp(report.initdata_digest, expected->initdata_digest, INITDATA_DIGEST_SIZE) != 0)
        return evidence_fail(ret, APPRAISAL_HARDWARE_INITDATA,
                             "initdata_digest is not that of our initdata");
    digest_sha512(expected->statement, EVIDENCE_STATEMENT_SIZE, report_data);
    if (memcmp(report.report_data, report_data, REPORT_DATA_SIZE) != 0) {
        memcpy(ret->signed_digest, report.report_data, REPORT_DATA_SIZE);
        ret->signed_digest_size = REPORT_DATA_SIZE;
        return evidence_fail(ret, APPRAISAL_REPORT_DATA,
                             "report_data does not speak of this connection");
    }
    memcpy(ret->measurement, report.measurement, sizeof(ret->measurement));
    ret->measurement_size = sizeof(report.measurement);
    ret->failed = APPRAISAL_OK;
}

const struct evidence_type evidence_sample = {
    .code = EVIDENCE_SAMPLE,
    .name = "sample",
    .insecure = true,
    .digest = digest_sha512,
    .produce = sample_produce,
};
