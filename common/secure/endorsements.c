/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/endorsements.h"

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/chain.h"
#include "evidence/signed_json.h"

enum { COLLATERAL_FIRST = 3 };

static const struct {
    const char *name, *instead; /* instead: if the first is not there */
    size_t at;                  /* in the bytes */
    size_t limit;
} files[ENDORSEMENTS_FILES] = {
#define BYTES(field) offsetof(struct evidence_endorsements, field)
    {"vcek.der", "vlek.der", BYTES(leaf), CHAIN_CERTIFICATE_MAX},
    {"ask.pem", NULL, BYTES(issuers), CHAIN_BUNDLE_MAX},
    {"crl.der", NULL, BYTES(crl), CHAIN_CRL_MAX},
    {"tcb_info.json", NULL, BYTES(tcb_info), SIGNED_JSON_MAX},
    {"qe_identity.json", NULL, BYTES(qe_identity), SIGNED_JSON_MAX},
    {"tcb_signing.pem", NULL, BYTES(tcb_signing), CHAIN_BUNDLE_MAX},
    {"pck_crl.der", NULL, BYTES(pck_crl), CHAIN_CRL_MAX},
    {"root_crl.der", NULL, BYTES(root_crl), CHAIN_CRL_MAX},
#undef BYTES
};

const char *const endorsements_names[] = {
    "vcek.der",         "vlek.der",        "ask.pem",     "crl.der",      "tcb_info.json",
    "qe_identity.json", "tcb_signing.pem", "pck_crl.der", "root_crl.der", NULL};

static struct chain_bytes *bytes_of(struct endorsements *endorsements, size_t index)
{
    return (struct chain_bytes *) ((char *) &endorsements->bytes + files[index].at);
}

/* Not there: nothing. */
static int read_file(const char *directory, const char *name, size_t limit, char **ret,
                     struct chain_bytes *bytes, struct error *err)
{
    scoped(freep) char *path = xformat("%s/%s", directory, name);
    size_t length;

    if (file_read(path, limit, ret, &length, err) < 0)
        return err->status == STATUS_NOT_FOUND ? 0 : -1;
    if (!length)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is empty", path);
    *bytes = (struct chain_bytes){(const uint8_t *) *ret, length};
    return 0;
}

static int read_all(const char *directory, struct endorsements *ret, struct error *err)
{
    for (size_t i = 0; i < ENDORSEMENTS_FILES; i++) {
        struct chain_bytes *bytes = bytes_of(ret, i);

        if (read_file(directory, files[i].name, files[i].limit, &ret->data[i], bytes, err) < 0)
            return -1;
        if (!bytes->length && files[i].instead &&
            read_file(directory, files[i].instead, files[i].limit, &ret->data[i], bytes, err) < 0)
            return -1;
    }
    return 0;
}

static int check_collateral(const char *directory, struct endorsements *endorsements,
                            struct error *err)
{
    size_t count = 0;

    for (size_t i = COLLATERAL_FIRST; i < ENDORSEMENTS_FILES; i++)
        count += bytes_of(endorsements, i)->length > 0;
    for (size_t i = COLLATERAL_FIRST; count && i < ENDORSEMENTS_FILES; i++)
        if (!bytes_of(endorsements, i)->length)
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "%s is missing in '%s': Intel's collateral is all files or none",
                             files[i].name, directory);
    return 0;
}

int endorsements_load(const char *directory, struct endorsements *ret, struct error *err)
{
    struct endorsements endorsements = {0};

    if (read_all(directory, &endorsements, err) < 0 ||
        check_collateral(directory, &endorsements, err) < 0) {
        endorsements_fini(&endorsements);
        return error_wrap(err, "endorsements");
    }
    *ret = endorsements;
    return 0;
}

void endorsements_fini(struct endorsements *endorsements)
{
    for (size_t i = 0; i < ENDORSEMENTS_FILES; i++)
        free(endorsements->data[i]);
    *endorsements = (struct endorsements){0};
}
