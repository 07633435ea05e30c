/* SPDX-License-Identifier: Apache-2.0 */
/* How fast this machine encrypts a TLS record here and now: the yardstick of the log throughput.
 *
 *   bench-gcm MILLISECONDS
 *
 * prints bytes per second of CPU time, AES-256-GCM in records of 16 KiB, one thread. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <mbedtls/gcm.h>

enum { RECORD = 16 * 1024, TAG = 16 };

static uint64_t cpu_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

int main(int argc, char *argv[])
{
    static unsigned char record[RECORD], out[RECORD];
    unsigned char key[32] = {1}, iv[12] = {2}, aad[5] = {3}, tag[TAG];
    uint64_t limit = argc == 2 ? strtoull(argv[1], NULL, 10) * 1000000 : 100000000;
    uint64_t start, bytes = 0, took = 0;
    mbedtls_gcm_context gcm;

    mbedtls_gcm_init(&gcm);
    if (mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256) != 0)
        return EXIT_FAILURE;
    for (start = cpu_ns(); took < limit; took = cpu_ns() - start) {
        if (mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, RECORD, iv, sizeof(iv), aad,
                                      sizeof(aad), record, out, TAG, tag) != 0)
            return EXIT_FAILURE;
        bytes += RECORD;
    }
    mbedtls_gcm_free(&gcm);
    (void) printf("{\"bytes_per_cpu_second\":%.0f}\n", (double) bytes * 1e9 / (double) took);
    return EXIT_SUCCESS;
}
