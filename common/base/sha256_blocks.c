/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256_blocks.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

/* FIPS 180-4, 4.2.2. */
static const _Alignas(16) uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

bool sha256_blocks_possible(void)
{
    enum { SSSE3 = 1 << 9, SSE4_1 = 1 << 19, SHA = 1 << 29 };
    static int known; /* 1: no, 2: yes; whoever asks first, and twice is no harm */
    unsigned a, b, c, d, features = 0;

    if (known)
        return known == 2;
    if (__get_cpuid(1, &a, &b, &c, &d))
        features = c;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        b = 0;
    known = (features & SSSE3) && (features & SSE4_1) && (b & SHA) ? 2 : 1;
    return known == 2;
}

/* The instructions want the eight words as ABEF and CDGH. */
struct halves {
    __m128i abef, cdgh;
};

__attribute__((target("sha,sse4.1"))) static inline struct halves take_block(struct halves state,
                                                                             const uint8_t *block)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    struct halves before = state;
    __m128i w[4];

#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        if (i < 4) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *) (const void *) block + i);

            w[i] = _mm_shuffle_epi8(bytes, big_endian);
        } else {
            __m128i next = _mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]);

            next = _mm_add_epi32(next, _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4));
            w[i % 4] = _mm_sha256msg2_epu32(next, w[(i + 3) % 4]);
        }
        __m128i round = _mm_add_epi32(
            w[i % 4], _mm_load_si128((const __m128i *) (const void *) constants + i));

        state.cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, round);
        state.abef = _mm_sha256rnds2_epu32(state.abef, state.cdgh, _mm_shuffle_epi32(round, 0x0e));
    }
    state.abef = _mm_add_epi32(state.abef, before.abef);
    state.cdgh = _mm_add_epi32(state.cdgh, before.cdgh);
    return state;
}

__attribute__((target("sha,sse4.1"))) void sha256_blocks(uint32_t state[8], const uint8_t *data,
                                                         size_t count)
{
    __m128i *words = (__m128i *) (void *) state;
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xb1);      /* CDAB */
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1b); /* EFGH */
    struct halves halves = {
        .abef = _mm_alignr_epi8(low, high, 8),
        .cdgh = _mm_blend_epi16(high, low, 0xf0),
    };

    for (; count > 0; count--, data += SHA256_BLOCK)
        halves = take_block(halves, data);
    low = _mm_shuffle_epi32(halves.abef, 0x1b);  /* FEBA */
    high = _mm_shuffle_epi32(halves.cdgh, 0xb1); /* DCHG */
    _mm_storeu_si128(words, _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128(words + 1, _mm_alignr_epi8(high, low, 8));
}

#else

bool sha256_blocks_possible(void)
{
    return false;
}

void sha256_blocks(uint32_t state[8], const uint8_t *data, size_t count) {}

#endif
