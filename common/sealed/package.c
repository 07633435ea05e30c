/* SPDX-License-Identifier: Apache-2.0 */
/* What was packed is a pod's annotation, so whoever may write one decides what unpacks here: room
 * is made as it fills, and never more than a manifest may have. */
#include "sealed/package.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "sealed/manifest.h"

enum { GZIP_WINDOW = MAX_WBITS + 16, BLOCK = 16 * 1024, BINARY_MAX = PACKAGE_TEXT_MAX / 4 * 3 };

static void end_deflate(z_stream *stream)
{
    (void) deflateEnd(stream);
}

static void end_inflate(z_stream *stream)
{
    (void) inflateEnd(stream);
}

static void set_input(z_stream *stream, const void *data, size_t length)
{
    stream->next_in = (Bytef *) (uintptr_t) data;
    stream->avail_in = (uInt) length;
}

/* Bounded by the writer. */
static int pack(const void *data, size_t length, struct writer *to, struct error *err)
{
    scoped(end_deflate) z_stream stream = {0};
    uint8_t block[BLOCK];
    int r;

    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "pack the manifest: no memory");
    set_input(&stream, data, length);
    do {
        stream.next_out = block;
        stream.avail_out = sizeof(block);
        r = deflate(&stream, Z_FINISH);
        writer_bytes(to, block, sizeof(block) - stream.avail_out);
    } while (r == Z_OK && !to->failed);
    if (to->failed)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "the manifest of %zu bytes makes an annotation of more than %d", length,
                         PACKAGE_TEXT_MAX);
    return r == Z_STREAM_END ? 0 : error_set(err, STATUS_INTERNAL, "pack the manifest: zlib %d", r);
}

int package_make(const char *manifest, size_t length, char **ret, struct error *err)
{
    struct writer packed;
    int r;

    if (length > MANIFEST_SIZE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "manifest has %zu bytes, at most %d",
                         length, MANIFEST_SIZE_MAX);
    writer_init(&packed, BINARY_MAX);
    r = pack(manifest, length, &packed, err);
    if (r == 0)
        *ret = base64_encode(packed.data, packed.size);
    writer_fini(&packed);
    return r;
}

static int unpack(const void *data, size_t length, struct writer *to, struct error *err)
{
    scoped(end_inflate) z_stream stream = {0};
    uint8_t block[BLOCK];
    int r;

    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "package: no memory");
    set_input(&stream, data, length);
    do {
        stream.next_out = block;
        stream.avail_out = sizeof(block);
        r = inflate(&stream, Z_NO_FLUSH);
        writer_bytes(to, block, sizeof(block) - stream.avail_out);
    } while (r == Z_OK && !to->failed);
    if (to->failed)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "package: it unpacks to more than %d",
                         MANIFEST_SIZE_MAX);
    if (r != Z_STREAM_END)
        return error_set(err, STATUS_INVALID_ARGUMENT, "package: it is not gzip: %s",
                         stream.msg ? stream.msg : "it ends too early");
    if (stream.avail_in)
        return error_set(err, STATUS_INVALID_ARGUMENT, "package: %u bytes follow what was packed",
                         stream.avail_in);
    return 0;
}

int package_open(const char *text, char **ret, size_t *ret_length, struct error *err)
{
    scoped(freep) uint8_t *packed = NULL;
    struct writer document;
    size_t length = strlen(text);
    int r;

    if (length > PACKAGE_TEXT_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "package: %zu characters, at most %d",
                         length, PACKAGE_TEXT_MAX);
    if (base64_decode(text, BINARY_MAX, &packed, &length, err) < 0)
        return error_wrap(err, "package");
    writer_init(&document, MANIFEST_SIZE_MAX);
    r = unpack(packed, length, &document, err);
    if (r == 0) {
        *ret_length = document.size;
        *ret = xalloc(document.size + 1);
        memcpy(*ret, document.data, document.size);
    }
    writer_fini(&document);
    return r;
}
