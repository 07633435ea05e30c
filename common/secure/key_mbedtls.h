/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The insides of a key, for tls.c alone. */
#include <stddef.h>

struct key;
struct mbedtls_pk_context;
struct mbedtls_x509_crt;

/* The library takes both without const and changes neither. */
struct mbedtls_pk_context *key_pk(const struct key *key);
struct mbedtls_x509_crt *key_certificate(const struct key *key);
/* f_rng of mbedTLS; straight from the kernel. */
int key_random(void *unused, unsigned char *to, size_t length);
