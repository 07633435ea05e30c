/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/reference_store.h"

#include <stdbool.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "evidence/reference_values.h"
#include "secure/endorsements.h"
#include "secure/reference_state.h"

enum { WATCHED_MAX = 16 };

/* Whether a file is the one that was read. Absent: all zero. */
struct identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

/* All that what holds was made of. */
struct loaded {
    struct reference_values *values;
    struct endorsements endorsements;
    char *roots;
    struct js *state;
    uint8_t content[SHA256_SIZE]; /* of all of it */
};

struct reference_store {
    char *values, *signature, *keys, *endorsements, *roots, *state;
    const char *watched[WATCHED_MAX]; /* NULL-terminated; paths above, or owned by `names` */
    char *names[WATCHED_MAX];
    struct identity seen[WATCHED_MAX];
    struct loaded loaded;         /* values NULL: nothing holds */
    uint8_t content[SHA256_SIZE]; /* of the last one, also while nothing holds */
    uint64_t generation;
};

static void loaded_fini(struct loaded *loaded)
{
    reference_values_free(loaded->values);
    endorsements_fini(&loaded->endorsements);
    free(loaded->roots);
    if (loaded->state)
        js_free(loaded->state);
    *loaded = (struct loaded){0};
}

static char *given(const char *path)
{
    return path && path[0] ? xstrdup(path) : NULL;
}

static void watch(struct reference_store *store, size_t *count, char *taken)
{
    store->names[*count] = taken;
    store->watched[(*count)++] = taken;
}

static void watch_all(struct reference_store *store)
{
    size_t count = 0;

    watch(store, &count, xstrdup(store->values));
    watch(store, &count, xstrdup(store->signature));
    watch(store, &count, xstrdup(store->keys));
    watch(store, &count, reference_state_path(store->state));
    if (store->roots)
        watch(store, &count, xstrdup(store->roots));
    for (size_t i = 0; store->endorsements && endorsements_names[i]; i++)
        watch(store, &count, xformat("%s/%s", store->endorsements, endorsements_names[i]));
}

struct reference_store *reference_store_new(const struct reference_store_paths *paths)
{
    struct reference_store *store = xnew(struct reference_store);

    store->values = xstrdup(paths->values);
    store->signature = xformat("%s.sig", paths->values);
    store->keys = xstrdup(paths->keys);
    store->endorsements = given(paths->endorsements);
    store->roots = given(paths->roots);
    store->state = xstrdup(paths->state ? paths->state : REFERENCE_STORE_DIRECTORY);
    watch_all(store);
    return store;
}

void reference_store_free(struct reference_store *store)
{
    if (!store)
        return;
    loaded_fini(&store->loaded);
    for (size_t i = 0; i < WATCHED_MAX; i++)
        free(store->names[i]);
    free(store->values);
    free(store->signature);
    free(store->keys);
    free(store->endorsements);
    free(store->roots);
    free(store->state);
    free(store);
}

static struct identity identify(const char *path)
{
    struct identity identity;
    struct stat info;

    memset(&identity, 0, sizeof(identity)); /* padding, too: it is compared as bytes */
    if (stat(path, &info) < 0)
        return identity;
    identity.device = info.st_dev;
    identity.inode = info.st_ino;
    identity.size = info.st_size;
    identity.modified = info.st_mtim;
    identity.changed = info.st_ctim;
    return identity;
}

static void identify_all(const struct reference_store *store, struct identity ret[WATCHED_MAX])
{
    memset(ret, 0, WATCHED_MAX * sizeof(*ret));
    for (size_t i = 0; store->watched[i]; i++)
        ret[i] = identify(store->watched[i]);
}

struct bytes {
    char *data;
    size_t length;
};

static void bytes_fini(struct bytes *bytes)
{
    free(bytes->data);
}

static int read_file(const char *path, size_t limit, const char *advice, struct bytes *ret,
                     struct error *err)
{
    if (file_read(path, limit, &ret->data, &ret->length, err) == 0)
        return 0;
    return err->status == STATUS_NOT_FOUND
               ? error_set(err, STATUS_NOT_FOUND, "there is no '%s': %s", path, advice)
               : -1;
}

static struct chain_bytes chain_of(const struct bytes *bytes)
{
    return (struct chain_bytes){(const uint8_t *) bytes->data, bytes->length};
}

static int read_signed(const struct reference_store *store, struct bytes *text, struct error *err)
{
    scoped(bytes_fini) struct bytes signature = {0};
    scoped(bytes_fini) struct bytes keys = {0};

    if (read_file(store->values, REFERENCE_VALUES_MAX,
                  "reference values say which guests are good, and none is without", text,
                  err) < 0 ||
        read_file(store->signature, REFERENCE_VALUES_SIGNATURE_MAX,
                  "sign the values: openssl dgst -sha256 -sign KEY -out FILE.sig FILE", &signature,
                  err) < 0 ||
        read_file(store->keys, REFERENCE_VALUES_KEYS_MAX,
                  "it has the public keys of those who may sign reference values", &keys, err) < 0)
        return -1;
    if (reference_values_verify_signature(chain_of(text), chain_of(&signature), chain_of(&keys),
                                          err) < 0)
        return error_wrap(err, "'%s' by '%s'", store->signature, store->keys);
    return 0;
}

static int check_time(const struct reference_store *store, const struct reference_values *values,
                      struct error *err)
{
    int64_t not_after = reference_values_not_after(values);
    char text[DATE_SIZE];

    if (clock_wall_ns() / 1000000000 <= not_after)
        return 0;
    date_print(not_after, text);
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "'%s', serial %llu of '%s', has expired on %s: install a newer one",
                     store->values, (unsigned long long) reference_values_serial(values),
                     reference_values_id(values), text);
}

static int load_values(const struct reference_store *store, struct loaded *ret, struct error *err)
{
    scoped(bytes_fini) struct bytes text = {0};
    struct reference_state_file file;

    if (read_signed(store, &text, err) < 0)
        return -1;
    if (reference_values_parse(text.data, text.length, &ret->values, err) < 0)
        return error_wrap(err, "'%s'", store->values);
    /* Expired or not: what it forbids stays forbidden. */
    file.values = ret->values;
    digest_sha256(text.data, text.length, file.digest);
    memcpy(ret->content, file.digest, sizeof(file.digest));
    if (reference_state_admit(store->state, &file, &ret->state, err) < 0)
        return error_wrap(err, "'%s'", store->values);
    return 0;
}

static int load_endorsements(const struct reference_store *store, struct loaded *ret,
                             struct error *err)
{
    struct bytes roots = {0};

    if (store->endorsements && endorsements_load(store->endorsements, &ret->endorsements, err) < 0)
        return -1;
    if (!store->roots)
        return 0;
    if (read_file(store->roots, CHAIN_BUNDLE_MAX, "it is to replace the vendors' roots", &roots,
                  err) < 0)
        return -1;
    ret->roots = roots.data;
    ret->endorsements.bytes.roots = chain_of(&roots);
    /* Empty would mean: the vendors'. */
    return roots.length ? 0
                        : error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is empty", store->roots);
}

static void add_bytes(struct digest *digest, struct chain_bytes bytes)
{
    digest_update(digest, &bytes.length, sizeof(bytes.length));
    if (bytes.length)
        digest_update(digest, bytes.data, bytes.length);
}

/* Files that are written anew, or a state that another process has read, are no news. */
static void sum_up(struct loaded *loaded)
{
    const struct evidence_endorsements *of = &loaded->endorsements.bytes;
    const struct chain_bytes parts[] = {
        of->roots,       of->leaf,        of->issuers, of->crl,      of->tcb_info,
        of->qe_identity, of->tcb_signing, of->pck_crl, of->root_crl,
    };
    scoped(digest_freep) struct digest *digest = digest_new(DIGEST_SHA256);
    scoped(freep) char *state = js_print_canonical(loaded->state);

    digest_update(digest, loaded->content, sizeof(loaded->content));
    digest_update(digest, state, strlen(state));
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        add_bytes(digest, parts[i]);
    digest_value(digest, loaded->content);
}

static int load(struct reference_store *store, struct error *err)
{
    struct loaded loaded = {0};
    struct identity before[WATCHED_MAX];

    /* Before they are read: what changes meanwhile is read again. */
    identify_all(store, before);
    if (load_values(store, &loaded, err) < 0 || load_endorsements(store, &loaded, err) < 0) {
        loaded_fini(&loaded);
        return -1;
    }
    sum_up(&loaded);
    if (memcmp(loaded.content, store->content, sizeof(loaded.content)) != 0)
        store->generation++;
    memcpy(store->content, loaded.content, sizeof(loaded.content));
    store->loaded = loaded;
    memcpy(store->seen, before, sizeof(before));
    return 0;
}

static bool is_current(const struct reference_store *store)
{
    struct identity now[WATCHED_MAX];

    identify_all(store, now);
    return store->loaded.values && memcmp(now, store->seen, sizeof(now)) == 0;
}

int reference_store_get(struct reference_store *store, const struct reference_values **ret,
                        struct error *err)
{
    if (!is_current(store)) {
        loaded_fini(&store->loaded);
        if (load(store, err) < 0)
            return error_wrap(err, "reference values");
    }
    if (check_time(store, store->loaded.values, err) < 0)
        return error_wrap(err, "reference values");
    *ret = store->loaded.values;
    return 0;
}

uint64_t reference_store_generation(const struct reference_store *store)
{
    return store->generation;
}

const struct evidence_endorsements *reference_store_endorsements(
    const struct reference_store *store)
{
    return &store->loaded.endorsements.bytes;
}

uint64_t reference_store_epoch_min(const struct reference_store *store, const char *pod_namespace,
                                   const char *pod_name)
{
    if (!store->loaded.state)
        return UINT64_MAX;
    return reference_state_epoch_min(store->loaded.state, pod_namespace, pod_name);
}
