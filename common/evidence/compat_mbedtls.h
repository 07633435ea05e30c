/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The code is written for mbedTLS 3.6; this is what 2.28 lacks of it. Included behind
 * <mbedtls/...>. What TLS itself does differently is in secure/exporter_tls12.c and _tls13.c. */
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#if MBEDTLS_VERSION_NUMBER < 0x03000000

#define MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION
#define MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE    MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN

/* 3.x asks for random bytes to blind what it computes with the key. */
#define mbedtls_pk_parse_key(pk, key, length, password, password_length, random, user)             \
    mbedtls_pk_parse_key(pk, key, length, password, password_length)

/* 3.x is told how large the buffer is. */
#define mbedtls_pk_sign(pk, md, hash, hash_length, to, size, ret_length, random, user)             \
    mbedtls_pk_sign(pk, md, hash, hash_length, to, ret_length, random, user)

static inline int mbedtls_x509write_crt_set_serial_raw(mbedtls_x509write_cert *writer,
                                                       unsigned char *serial, size_t length)
{
    mbedtls_mpi number;

    mbedtls_mpi_init(&number);
    int rc = mbedtls_mpi_read_binary(&number, serial, length);
    if (rc == 0)
        rc = mbedtls_x509write_crt_set_serial(writer, &number);
    mbedtls_mpi_free(&number);
    return rc;
}

#endif
