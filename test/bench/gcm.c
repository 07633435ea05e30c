/* SPDX-License-Identifier: Apache-2.0 */
/* How fast this machine enciphers a TLS record here and now: the yardstick of what goes over a
 * channel.
 *
 *   bench-gcm MILLISECONDS
 *
 * AES-256-GCM in records of 16 KiB: bytes per second of CPU time of one thread that encrypts, and
 * bytes per second of the clock while one thread encrypts and another decrypts as many, which is
 * what both ends of a channel at least have to do. */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <mbedtls/gcm.h>

#include "base/clock.h"

enum { RECORD = 16 * 1024, TAG = 16, NS_PER_MS = 1000000 };

struct half {
    int mode;
    uint64_t until; /* of the clock */
    uint64_t bytes, cpu_ns;
    bool failed;
    unsigned char record[RECORD], out[RECORD];
};

static uint64_t cpu_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static void *work(void *user)
{
    struct half *half = user;
    unsigned char key[32] = {1}, iv[12] = {2}, aad[13] = {3}, tag[TAG];
    uint64_t start = cpu_ns();
    mbedtls_gcm_context gcm;

    mbedtls_gcm_init(&gcm);
    half->failed = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256) != 0;
    while (!half->failed && clock_monotonic_ns() < half->until) {
        half->failed = mbedtls_gcm_crypt_and_tag(&gcm, half->mode, RECORD, iv, sizeof(iv), aad,
                                                 sizeof(aad), half->record, half->out, TAG,
                                                 tag) != 0;
        half->bytes += RECORD;
    }
    half->cpu_ns = cpu_ns() - start;
    mbedtls_gcm_free(&gcm);
    return NULL;
}

int main(int argc, char *argv[])
{
    static struct half encrypts = {.mode = MBEDTLS_GCM_ENCRYPT};
    static struct half decrypts = {.mode = MBEDTLS_GCM_DECRYPT};
    uint64_t limit = (argc == 2 ? strtoull(argv[1], NULL, 10) : 100) * NS_PER_MS;
    uint64_t start = clock_monotonic_ns();
    pthread_t other;

    encrypts.until = decrypts.until = start + limit;
    if (pthread_create(&other, NULL, work, &decrypts) != 0)
        return EXIT_FAILURE;
    (void) work(&encrypts);
    (void) pthread_join(other, NULL);
    if (encrypts.failed || decrypts.failed || !encrypts.cpu_ns)
        return EXIT_FAILURE;
    uint64_t slower = encrypts.bytes < decrypts.bytes ? encrypts.bytes : decrypts.bytes;
    (void) printf("{\"bytes_per_cpu_second\":%.0f,\"bytes_per_second\":%.0f}\n",
                  (double) encrypts.bytes * 1e9 / (double) encrypts.cpu_ns,
                  (double) slower * 1e9 / (double) (clock_monotonic_ns() - start));
    return EXIT_SUCCESS;
}
