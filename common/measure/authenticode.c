/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/authenticode.h"

#include "base/error.h"
#include "base/scoped.h"
#include "measure/le.h"

enum {
    DOS_PE_OFFSET = 0x3c,
    COFF_SIZE = 24, /* with the signature before it */
    SECTION_SIZE = 40,
    SECTIONS_MAX = 96,
    CHECKSUM_AT = 64, /* in the optional header, as is the rest */
    HEADERS_SIZE_AT = 60,
    DIRECTORIES_AT_PE32 = 96,
    DIRECTORIES_AT_PE32_PLUS = 112,
    DIRECTORY_SIZE = 8,
    DIRECTORY_CERTIFICATES = 4,
};

struct section {
    size_t at, size; /* in the file */
};

struct image { /* offsets in the file; each is checked to lie in it */
    size_t checksum, certificates, headers_size, certificates_size;
    size_t count;
    struct section sections[SECTIONS_MAX];
};

static int malformed(const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "no PE image that firmware would start: %s",
                     what);
}

static int read_sections(const uint8_t *image, size_t size, size_t at, struct image *ret,
                         struct error *err)
{
    for (size_t i = 0; i < ret->count; i++, at += SECTION_SIZE) {
        struct section section;
        size_t k = i;

        if (at + SECTION_SIZE > ret->headers_size)
            return malformed("its sections go past its headers", err);
        section.size = le_u32(image + at + 16);
        section.at = le_u32(image + at + 20);
        if (section.size && (section.at > size || section.size > size - section.at))
            return malformed("a section goes past the end", err);
        for (; k > 0 && ret->sections[k - 1].at > section.at; k--)
            ret->sections[k] = ret->sections[k - 1];
        ret->sections[k] = section;
    }
    return 0;
}

static int read_headers(const uint8_t *image, size_t size, struct image *ret, struct error *err)
{
    size_t pe, optional, directories, count;

    if (size < DOS_PE_OFFSET + 4 || image[0] != 'M' || image[1] != 'Z')
        return malformed("it does not begin with MZ", err);
    pe = le_u32(image + DOS_PE_OFFSET);
    if (pe > size || size - pe < COFF_SIZE + DIRECTORIES_AT_PE32_PLUS ||
        memcmp(image + pe, "PE\0\0", 4) != 0)
        return malformed("it has no PE header", err);
    optional = pe + COFF_SIZE;
    directories = optional + (le_u16(image + optional) == 0x20b ? DIRECTORIES_AT_PE32_PLUS
                                                                : DIRECTORIES_AT_PE32);
    count = le_u32(image + directories - 4);
    ret->count = le_u16(image + pe + 6);
    ret->headers_size = le_u32(image + optional + HEADERS_SIZE_AT);
    ret->checksum = optional + CHECKSUM_AT;
    ret->certificates = directories + DIRECTORY_CERTIFICATES * DIRECTORY_SIZE;
    if (ret->headers_size > size || ret->certificates + DIRECTORY_SIZE > ret->headers_size ||
        count <= DIRECTORY_CERTIFICATES || ret->count > SECTIONS_MAX)
        return malformed("its header does not add up", err);
    ret->certificates_size = le_u32(image + ret->certificates + 4);
    return read_sections(image, size, optional + le_u16(image + pe + 20), ret, err);
}

int authenticode_digest(const uint8_t *image, size_t size, enum digest_type type, uint8_t *ret,
                        struct error *err)
{
    scoped(digest_freep) struct digest *digest = NULL;
    struct image parts = {0};
    size_t entry_end, hashed;

    if (read_headers(image, size, &parts, err) < 0)
        return -1;
    entry_end = parts.certificates + DIRECTORY_SIZE;
    hashed = parts.headers_size;
    digest = digest_new(type);
    digest_update(digest, image, parts.checksum);
    digest_update(digest, image + parts.checksum + 4, parts.certificates - parts.checksum - 4);
    digest_update(digest, image + entry_end, parts.headers_size - entry_end);
    for (size_t i = 0; i < parts.count; i++) {
        digest_update(digest, image + parts.sections[i].at, parts.sections[i].size);
        hashed += parts.sections[i].size;
    }
    /* What no section covers, as far as the certificates. */
    if (hashed > size || parts.certificates_size > size - hashed)
        return malformed("its certificates go past the end", err);
    digest_update(digest, image + hashed, size - hashed - parts.certificates_size);
    digest_value(digest, ret);
    return 0;
}
