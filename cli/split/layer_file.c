/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_file.h"

#include <stdbool.h>
#include <string.h>

#include <zlib.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "oci/reference.h"

enum {
    BLOCK = 512,
    CHUNK = 64 * 1024,
    EXTENSION_MAX = 64 * 1024, /* of names that are too long for a header */
};

static const uint64_t layer_size_max = 64ull * 1024 * 1024 * 1024;

/* As tar has it; numbers are octal, or binary where the first bit is set. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], time[12], checksum[8], type;
    char link[100], magic[6], version[2], owner[32], group[32], major[8], minor[8], prefix[155];
    char rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar's header");

struct scan {
    gzFile input;
    struct digest *digest;
    uint64_t length;
    char *long_name;             /* of the next entry, or NULL */
    const char *path, *whiteout; /* of the file */
    struct layer_file found;
    bool is_opaque; /* what is beneath it is gone */
};

static void clear_scan(struct scan *scan)
{
    if (scan->input)
        gzclose_r(scan->input);
    digest_free(scan->digest);
    free(scan->long_name);
    free(scan->found.text);
}

/* ---- bytes --------------------------------------------------------------------------------- */

/* Up to length; fewer at the end. -1: an error. */
static int take(struct scan *scan, void *to, unsigned length, struct error *err)
{
    int got = gzread(scan->input, to, length), code;

    if (got < 0)
        return error_set(err, STATUS_DATA_LOSS, "not readable: %s", gzerror(scan->input, &code));
    digest_update(scan->digest, to, (size_t) got);
    scan->length += (uint64_t) got;
    if (scan->length > layer_size_max)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "larger than a layer may be");
    return got;
}

static int take_all(struct scan *scan, void *to, unsigned length, struct error *err)
{
    int got = take(scan, to, length, err);

    if (got < 0)
        return -1;
    return got == (int) length ? 0 : error_set(err, STATUS_DATA_LOSS, "it ends too early");
}

static int skip(struct scan *scan, uint64_t length, struct error *err)
{
    char buffer[CHUNK];

    while (length > 0) {
        unsigned part = length < CHUNK ? (unsigned) length : CHUNK;

        if (take_all(scan, buffer, part, err) < 0)
            return -1;
        length -= part;
    }
    return 0;
}

static uint64_t padding(uint64_t size)
{
    return (BLOCK - size % BLOCK) % BLOCK;
}

/* An entry's content; the caller frees. */
static int take_text(struct scan *scan, uint64_t size, size_t limit, char **ret, struct error *err)
{
    scoped(freep) char *text = NULL;

    if (size > limit)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "a file of %llu bytes, at most %zu",
                         (unsigned long long) size, limit);
    text = xalloc(size + 1);
    if (take_all(scan, text, (unsigned) size, err) < 0 || skip(scan, padding(size), err) < 0)
        return -1;
    *ret = take_ptr(text);
    return 0;
}

/* ---- headers ------------------------------------------------------------------------------- */

static int size_of(const struct header *header, uint64_t *ret, struct error *err)
{
    const unsigned char *bytes = (const unsigned char *) header->size;
    size_t i = 0;

    *ret = 0;
    if (bytes[0] & 0x80) {
        for (i = sizeof(header->size) - 8; i < sizeof(header->size); i++)
            *ret = *ret << 8 | bytes[i];
    } else {
        while (i < sizeof(header->size) && bytes[i] == ' ')
            i++;
        for (; i < sizeof(header->size) && bytes[i] >= '0' && bytes[i] <= '7'; i++)
            *ret = *ret * 8 + (uint64_t) (bytes[i] - '0');
    }
    return *ret <= layer_size_max ? 0 : error_set(err, STATUS_DATA_LOSS, "no tar");
}

static bool is_end(const struct header *header)
{
    static const struct header zero;

    return memcmp(header, &zero, sizeof(zero)) == 0;
}

/* "./etc/passwd/" is "etc/passwd"; the caller frees. */
static char *plain_name(const char *name)
{
    char *plain;
    size_t length;

    while (*name == '/' || (name[0] == '.' && name[1] == '/'))
        name++;
    plain = xstrdup(name);
    length = strlen(plain);
    while (length && plain[length - 1] == '/')
        plain[--length] = '\0';
    return plain;
}

static char *name_of(struct scan *scan, const struct header *header)
{
    scoped(freep) char *name = take_ptr(scan->long_name);
    bool has_prefix = memcmp(header->magic, "ustar", 6) == 0 && header->prefix[0];

    if (!name)
        name = xformat("%.155s%s%.100s", has_prefix ? header->prefix : "", has_prefix ? "/" : "",
                       header->name);
    return plain_name(name);
}

/* A record is "LENGTH path=NAME\n". */
static void read_records(struct scan *scan, char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint64_t size = 0;
        size_t digits = strspn(text + at, "0123456789");
        scoped(freep) char *number = xstrndup(text + at, digits);

        if (!text_to_u64(number, &size) || size < digits + 2 || size > length - at)
            return;
        text[at + size - 1] = '\0';
        if (text_starts(text + at + digits, " path=")) {
            free(scan->long_name);
            scan->long_name = xstrdup(text + at + digits + strlen(" path="));
        }
        at += size;
    }
}

/* True: the entry only says something of the next one. */
static int read_extension(struct scan *scan, char type, uint64_t size, bool *ret, struct error *err)
{
    scoped(freep) char *text = NULL;

    *ret = type == 'L' || type == 'K' || type == 'x' || type == 'g';
    if (!*ret)
        return 0;
    if (take_text(scan, size, EXTENSION_MAX, &text, err) < 0 || !text)
        return -1;
    if (type == 'x') {
        read_records(scan, text, size);
    } else if (type == 'L') {
        free(scan->long_name);
        scan->long_name = take_ptr(text);
    }
    return 0;
}

/* ---- entries ------------------------------------------------------------------------------- */

static bool is_file(char type)
{
    return type == '0' || type == '\0' || type == '7';
}

/* What the entry means for the file; text is its content, if it is the file. */
static void look(struct scan *scan, const char *name, char type, char *text)
{
    struct layer_file *found = &scan->found;

    if (text_equal(name, scan->path)) {
        free(found->text);
        found->text = text;
        found->state = text ? LAYER_FILE_THERE : LAYER_FILE_LINK;
    } else if (text_equal(name, "etc") && type != '5') {
        found->state = LAYER_FILE_LINK;
    } else if (text_equal(name, scan->whiteout) && found->state == LAYER_FILE_ABSENT) {
        found->state = LAYER_FILE_GONE;
    } else if (text_equal(name, "etc/.wh..wh..opq") || text_equal(name, ".wh..wh..opq") ||
               text_equal(name, ".wh.etc")) {
        scan->is_opaque = true;
    }
}

static int read_entry(struct scan *scan, const struct header *header, struct error *err)
{
    scoped(freep) char *name = NULL, *text = NULL;
    bool is_extension;
    uint64_t size = 0;

    if (size_of(header, &size, err) < 0 ||
        read_extension(scan, header->type, size, &is_extension, err) < 0)
        return -1;
    if (is_extension)
        return 0;
    name = name_of(scan, header);
    if (text_equal(name, scan->path) && is_file(header->type)) {
        if (take_text(scan, size, LAYER_FILE_SIZE_MAX, &text, err) < 0)
            return error_wrap(err, "/%s", name);
    } else if (skip(scan, size + padding(size), err) < 0) {
        return -1;
    }
    look(scan, name, header->type, take_ptr(text));
    return 0;
}

static int read_tar(struct scan *scan, struct error *err)
{
    struct header header;
    char rest[CHUNK];

    for (;;) {
        int got = take(scan, &header, sizeof(header), err);

        if (got < 0)
            return -1;
        if (got == 0 || (got == (int) sizeof(header) && is_end(&header)))
            break;
        if (got != (int) sizeof(header))
            return error_set(err, STATUS_DATA_LOSS, "it ends too early");
        if (read_entry(scan, &header, err) < 0)
            return -1;
    }
    for (;;) {
        int got = take(scan, rest, sizeof(rest), err);

        if (got <= 0)
            return got;
    }
}

static int check(const struct scan *scan, const char *diff_id, struct error *err)
{
    uint8_t value[SHA256_SIZE];
    char text[REFERENCE_DIGEST_TEXT];

    digest_value(scan->digest, value);
    reference_format_digest(value, text);
    return text_equal(text, diff_id)
               ? 0
               : error_set(err, STATUS_DATA_LOSS, "its content is not %s", diff_id);
}

int layer_file_find(const char *path, const char *diff_id, const char *name, struct layer_file *ret,
                    struct error *err)
{
    scoped(freep) char *wanted = xformat("etc/%s", name), *whiteout = xformat("etc/.wh.%s", name);
    scoped(clear_scan) struct scan scan = {.path = wanted, .whiteout = whiteout};

    scan.digest = digest_new(DIGEST_SHA256);
    scan.input = gzopen(path, "rb");
    if (!scan.input)
        return error_set(err, STATUS_NOT_FOUND, "the layer '%s' cannot be opened", path);
    if (read_tar(&scan, err) < 0 || check(&scan, diff_id, err) < 0)
        return error_wrap(err, "the layer '%s'", path);
    if (scan.found.state == LAYER_FILE_ABSENT && scan.is_opaque)
        scan.found.state = LAYER_FILE_GONE;
    *ret = scan.found;
    scan.found.text = NULL;
    return 0;
}
