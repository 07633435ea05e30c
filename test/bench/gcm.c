/* SPDX-License-Identifier: Apache-2.0 */
/* How fast this machine enciphers a TLS record here and now: the yardstick of what goes over a
 * channel.
 *
 *   bench-gcm MILLISECONDS
 *
 * AES-256-GCM in records of 16 KiB: bytes per second of CPU time of a process that encrypts, and
 * bytes per second of the clock while one process encrypts and another decrypts as many, which is
 * what both ends of a channel at least have to do. Each is a session of its own, as those ends are:
 * a kernel that shares the processor among sessions gives them no less. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/gcm.h>

#include "base/clock.h"

enum { RECORD = 16 * 1024, TAG = 16, NS_PER_MS = 1000000 };

struct half {
    int mode;
    uint64_t bytes, cpu_ns;
};

static uint64_t cpu_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static bool work(struct half *half, uint64_t until)
{
    static unsigned char record[RECORD], out[RECORD];
    unsigned char key[32] = {1}, iv[12] = {2}, aad[13] = {3}, tag[TAG];
    uint64_t start = cpu_ns();
    mbedtls_gcm_context gcm;

    (void) setsid();
    mbedtls_gcm_init(&gcm);
    if (mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256) != 0)
        return false;
    do { /* once even if others had the processor until then */
        if (mbedtls_gcm_crypt_and_tag(&gcm, half->mode, RECORD, iv, sizeof(iv), aad, sizeof(aad),
                                      record, out, TAG, tag) != 0)
            return false;
        half->bytes += RECORD;
    } while (clock_monotonic_ns() < until);
    half->cpu_ns = cpu_ns() - start;
    mbedtls_gcm_free(&gcm);
    return true;
}

int main(int argc, char *argv[])
{
    static const int modes[] = {MBEDTLS_GCM_ENCRYPT, MBEDTLS_GCM_DECRYPT};
    struct half *halves = mmap(NULL, 2 * sizeof(*halves), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t limit = (argc == 2 ? strtoull(argv[1], NULL, 10) : 100) * NS_PER_MS;
    uint64_t start = clock_monotonic_ns();
    int status, failed = 0;

    if (halves == MAP_FAILED)
        return EXIT_FAILURE;
    for (int i = 0; i < 2; i++) {
        halves[i].mode = modes[i];
        if (fork() == 0)
            _exit(work(&halves[i], start + limit) ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    for (int i = 0; i < 2; i++)
        failed |= wait(&status) < 0 || status != 0;
    if (failed)
        return EXIT_FAILURE;
    /* As many: whichever is ahead would have to wait, and leave its processor to the other. */
    (void) printf("{\"bytes_per_cpu_second\":%.0f,\"bytes_per_second\":%.0f}\n",
                  (double) halves[0].bytes * 1e9 / (double) halves[0].cpu_ns,
                  (double) (halves[0].bytes + halves[1].bytes) / 2 * 1e9 /
                      (double) (clock_monotonic_ns() - start));
    return EXIT_SUCCESS;
}
