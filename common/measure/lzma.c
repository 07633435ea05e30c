/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/lzma.h"

#include <lzma.h>

#include "base/error.h"
#include "base/scoped.h"
#include "measure/le.h"

enum { HEADER_SIZE = 13, DICTIONARY_MAX = 128 * 1024 * 1024 };

int lzma_unpack(const uint8_t *packed, size_t size, size_t limit, uint8_t **ret, size_t *ret_size,
                struct error *err)
{
    scoped(freep) uint8_t *unpacked = NULL;
    lzma_stream stream = LZMA_STREAM_INIT;
    uint64_t wanted;
    lzma_ret result;

    if (size < HEADER_SIZE)
        return error_set(err, STATUS_INVALID_ARGUMENT, "compressed data without a header");
    wanted = le_u64(packed + 5);
    if (!wanted || wanted > limit)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "compressed data of %llu bytes, at most %zu are taken",
                         (unsigned long long) wanted, limit);
    unpacked = xalloc(wanted);
    if (lzma_alone_decoder(&stream, DICTIONARY_MAX) != LZMA_OK)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "liblzma does not start");
    stream.next_in = packed;
    stream.avail_in = size;
    stream.next_out = unpacked;
    stream.avail_out = wanted;
    result = lzma_code(&stream, LZMA_FINISH);
    lzma_end(&stream);
    if ((result != LZMA_OK && result != LZMA_STREAM_END) || stream.avail_out)
        return error_set(err, STATUS_INVALID_ARGUMENT, "compressed data is damaged");
    *ret = take_ptr(unpacked);
    *ret_size = wanted;
    return 0;
}
