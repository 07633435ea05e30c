/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/signature.h"

#include <mbedtls/ecdsa.h>

#include "base/scoped.h"

static const struct {
    mbedtls_ecp_group_id group;
    size_t size;
} curves[] = {
    [SIGNATURE_P256] = {MBEDTLS_ECP_DP_SECP256R1, 32},
    [SIGNATURE_P384] = {MBEDTLS_ECP_DP_SECP384R1, 48},
};

static int read_point(mbedtls_ecdsa_context *key, const uint8_t *point, size_t size)
{
    int rc = mbedtls_mpi_read_binary(&key->Q.X, point, size);

    if (rc == 0)
        rc = mbedtls_mpi_read_binary(&key->Q.Y, point + size, size);
    if (rc == 0)
        rc = mbedtls_mpi_lset(&key->Q.Z, 1);
    if (rc == 0)
        rc = mbedtls_ecp_check_pubkey(&key->grp, &key->Q);
    return rc;
}

size_t signature_coordinate_size(enum signature_curve curve)
{
    return curves[curve].size;
}

bool signature_is_valid(const struct signature *signature)
{
    size_t size = signature_coordinate_size(signature->curve);
    scoped(mbedtls_ecdsa_free) mbedtls_ecdsa_context key;
    scoped(mbedtls_mpi_free) mbedtls_mpi r;
    scoped(mbedtls_mpi_free) mbedtls_mpi s;

    mbedtls_ecdsa_init(&key);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    int rc = mbedtls_ecp_group_load(&key.grp, curves[signature->curve].group);
    if (rc == 0)
        rc = read_point(&key, signature->point, size);
    if (rc == 0)
        rc = mbedtls_mpi_read_binary(&r, signature->rs, size);
    if (rc == 0)
        rc = mbedtls_mpi_read_binary(&s, signature->rs + size, size);
    if (rc == 0)
        rc = mbedtls_ecdsa_verify(&key.grp, signature->hash, size, &key.Q, &r, &s);
    return rc == 0;
}
