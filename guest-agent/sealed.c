/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "sealed/manifest.h"
#include "sealed_slots.h"

_Static_assert((int) SEALED_DIGEST_SIZE == (int) SHA384_SIZE, "the initdata's digest is SHA-384");

struct sealed {
    uint8_t digest[SEALED_DIGEST_SIZE]; /* the initdata's */
    char *text;                         /* what has come; NULL: nothing, or it was accepted */
    size_t total, received;
    struct manifest *manifest;
    struct sealed_slots *slots; /* from there on */
    struct sealed_volumes *volumes;
    sealed_volumes_look_fn *look;
    void *user;
};

struct sealed *sealed_new(const uint8_t digest[SEALED_DIGEST_SIZE], sealed_volumes_look_fn *look,
                          void *user)
{
    struct sealed *sealed = xnew(struct sealed);

    memcpy(sealed->digest, digest, sizeof(sealed->digest));
    sealed->look = look;
    sealed->user = user;
    return sealed;
}

static void forget_text(struct sealed *sealed)
{
    free(take_ptr(sealed->text));
    sealed->total = sealed->received = 0;
}

void sealed_free(struct sealed *sealed)
{
    if (!sealed)
        return;
    forget_text(sealed);
    sealed_slots_free(sealed->slots);
    sealed_volumes_free(sealed->volumes);
    manifest_free(sealed->manifest);
    free(sealed);
}

static int check_size(const struct sealed_part *part, struct error *err)
{
    if (part->total == 0 || part->total > MANIFEST_SIZE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "a manifest of %" PRIu64 " bytes: it has 1 to %d", part->total,
                         MANIFEST_SIZE_MAX);
    if (part->length > SEALED_PART_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "a part of a manifest is larger than %d bytes", SEALED_PART_MAX);
    if (part->offset > part->total || part->length > part->total - part->offset)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a part of the manifest leads beyond its end");
    return 0;
}

static bool is_part_of(const struct sealed_part *part, const char *text, size_t length)
{
    return part->offset <= length && part->length <= length - part->offset &&
           (part->length == 0 || memcmp(text + part->offset, part->data, part->length) == 0);
}

static int repeat(const struct sealed *sealed, const struct sealed_part *part, struct error *err)
{
    const struct manifest *manifest = sealed->manifest;

    if (part->total == manifest->length && is_part_of(part, manifest->text, manifest->length))
        return 0;
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "the pod is sealed: its manifest cannot become another one");
}

/* Whoever can change the text cannot change the digest: what is parsed is what was measured. */
static int accept(struct sealed *sealed, struct error *err)
{
    scoped(freep) char *text = take_ptr(sealed->text);
    size_t length = sealed->total;
    uint8_t digest[SEALED_DIGEST_SIZE];

    forget_text(sealed);
    digest_sha384(text, length, digest);
    if (memcmp(digest, sealed->digest, sizeof(digest)) != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "this is not the manifest whose digest the guest's initdata has: send the "
                         "one that the pod was made with");
    if (manifest_parse(text, length, &sealed->manifest, err) < 0)
        return -1;
    sealed->slots = sealed_slots_new(sealed->manifest);
    sealed->volumes = sealed_volumes_new(sealed->manifest, sealed->look, sealed->user);
    return 0;
}

int sealed_put(struct sealed *sealed, const struct sealed_part *part, struct error *err)
{
    if (check_size(part, err) < 0)
        return -1;
    if (sealed->manifest)
        return repeat(sealed, part, err);
    if (part->offset > 0 && !sealed->text)
        return error_set(err, STATUS_FAILED_PRECONDITION, "a manifest begins at offset 0");
    if (part->offset == 0) {
        forget_text(sealed);
        sealed->text = xalloc(part->total);
        sealed->total = part->total;
    }
    if (part->total != sealed->total)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a part says that the manifest has %" PRIu64 " bytes, the first said %zu",
                         part->total, sealed->total);
    if (part->offset != sealed->received) {
        if (is_part_of(part, sealed->text, sealed->received))
            return 0;
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the next part of the manifest begins at %zu, or at 0 to begin anew",
                         sealed->received);
    }
    if (part->length > 0)
        memcpy(sealed->text + part->offset, part->data, part->length);
    sealed->received += part->length;
    return sealed->received == sealed->total ? accept(sealed, err) : 0;
}

const struct manifest *sealed_manifest(const struct sealed *sealed)
{
    return sealed->manifest;
}

struct sealed_slots *sealed_slots(const struct sealed *sealed)
{
    return sealed->slots;
}

struct sealed_volumes *sealed_volumes(const struct sealed *sealed)
{
    return sealed->volumes;
}
