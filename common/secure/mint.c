/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/mint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/scoped.h"
#include "base/text.h"
#include "secure/key.h"

enum { EPOCH_TEXT_MAX = 32, NAME_MAX_LENGTH = 253 };

/* Names are Kubernetes' own text: hashed, they cannot be paths. */
static char *epoch_path(const char *directory, const char *pod_namespace, const char *pod_name)
{
    scoped(freep) char *pod = xformat("%s/%s", pod_namespace, pod_name);
    uint8_t digest[SHA256_SIZE];
    char name[2 * SHA256_SIZE + 1];

    digest_sha256(pod, strlen(pod), digest);
    hex_encode(digest, sizeof(digest), name);
    return xformat("%s/%s", directory, name);
}

static int epoch_read(const char *path, uint64_t *ret, struct error *err)
{
    scoped(freep) char *text = NULL;
    size_t length;

    /* Never start over: a smaller epoch would bless an old manifest. */
    if (file_read(path, EPOCH_TEXT_MAX, &text, &length, err) < 0) {
        if (err->status != STATUS_NOT_FOUND)
            return error_wrap(err, "epoch store");
        *ret = 0;
        return 0;
    }
    if (length && text[length - 1] == '\n')
        text[--length] = '\0';
    if (strlen(text) != length || !text_to_u64(text, ret))
        return error_set(err, STATUS_DATA_LOSS, "epoch store '%s' is damaged", path);
    return 0;
}

static int check_names(const char *pod_namespace, const char *pod_name, struct error *err)
{
    const char *names[] = {pod_namespace, pod_name};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (!names[i] || !names[i][0] || strlen(names[i]) > NAME_MAX_LENGTH ||
            strchr(names[i], '/'))
            return error_set(err, STATUS_INVALID_ARGUMENT, "mint: no usable pod name or namespace");
    return 0;
}

static int make_content(const struct mint_options *options, const struct key *key,
                        struct initdata_content *content, struct error *err)
{
    if (options->extra_peer_count > INITDATA_PEERS_MAX - 1)
        return error_set(err, STATUS_INVALID_ARGUMENT, "mint: more than %d extra peers",
                         INITDATA_PEERS_MAX - 1);
    content->algorithm = initdata_algorithm_of(options->limits.evidence);
    content->mode = options->mode;
    content->limits = options->limits;
    content->network = options->network;
    memcpy(content->manifest_digest, options->manifest_digest, sizeof(content->manifest_digest));
    random_bytes(content->sandbox_id, sizeof(content->sandbox_id));
    content->peers[0].role = PEER_CONTROL;
    memcpy(content->peers[0].spki, key_spki(key), KEY_SPKI_SIZE);
    for (size_t i = 0; i < options->extra_peer_count; i++)
        content->peers[1 + i] = options->extra_peers[i];
    content->peer_count = 1 + options->extra_peer_count;
    return 0;
}

static int write_files(const struct mint *mint, const char *directory, const struct key *key,
                       struct error *err)
{
    scoped(freep) char *own = xformat("%s/%s", directory, mint->sandbox_id);

    if (file_make_directories(directory, 0700, err) < 0)
        return -1;
    if (mkdir(own, 0700) < 0)
        return error_errno(err, errno, "make '%s'", own);
    if (key_save(key, mint->key_path, err) < 0 ||
        file_write_atomic(mint->initdata_path, mint->initdata->bytes, mint->initdata->length, 0600,
                          err) < 0) {
        struct error ignored;

        (void) !mint_remove(directory, mint->sandbox_id, &ignored);
        return -1;
    }
    return 0;
}

int mint_make(const struct mint_options *options, struct mint *ret, struct error *err)
{
    const char *directory = options->directory ? options->directory : MINT_DIRECTORY;
    const char *epochs = options->epochs ? options->epochs : MINT_EPOCHS;
    scoped(key_freep) struct key *key = NULL;
    scoped(mint_fini) struct mint mint = {0};
    struct initdata_content content = {0};

    if (key_generate(&key, err) < 0 || make_content(options, key, &content, err) < 0 ||
        epoch_next(epochs, options->pod_namespace, options->pod_name, &content.epoch, err) < 0 ||
        initdata_make(&content, &mint.initdata, err) < 0)
        return error_wrap(err, "mint");
    mint.epoch = content.epoch;
    hex_encode(content.sandbox_id, sizeof(content.sandbox_id), mint.sandbox_id);
    mint.initdata_path = xformat("%s/%s/initdata.toml", directory, mint.sandbox_id);
    mint.key_path = xformat("%s/%s/key.pem", directory, mint.sandbox_id);
    if (write_files(&mint, directory, key, err) < 0)
        return error_wrap(err, "mint");
    *ret = mint;
    memset(&mint, 0, sizeof(mint));
    return 0;
}

void mint_fini(struct mint *mint)
{
    initdata_free(mint->initdata);
    free(mint->initdata_path);
    free(mint->key_path);
    memset(mint, 0, sizeof(*mint));
}

int mint_remove(const char *directory, const char *sandbox_id, struct error *err)
{
    uint8_t id[INITDATA_SANDBOX_ID_SIZE];

    if (hex_decode(sandbox_id, id, sizeof(id), err) < 0)
        return error_wrap(err, "sandbox id");
    scoped(freep) char *path = xformat("%s/%s", directory ? directory : MINT_DIRECTORY, sandbox_id);
    return file_remove_tree(path, err);
}

int epoch_next(const char *path, const char *pod_namespace, const char *pod_name, uint64_t *ret,
               struct error *err)
{
    scoped(freep) char *lock_path = xformat("%s/lock", path);
    scoped(closep) int lock = -1;
    char text[EPOCH_TEXT_MAX];
    uint64_t epoch = 0;

    if (check_names(pod_namespace, pod_name, err) < 0 ||
        file_make_directories(path, 0700, err) < 0 || file_lock(lock_path, &lock, err) < 0)
        return -1;
    scoped(freep) char *file = epoch_path(path, pod_namespace, pod_name);
    if (epoch_read(file, &epoch, err) < 0)
        return -1;
    if (epoch == UINT64_MAX)
        return error_set(err, STATUS_OUT_OF_RANGE, "epochs of '%s' are used up", pod_name);
    epoch++;
    int length = snprintf(text, sizeof(text), "%" PRIu64 "\n", epoch);
    if (file_write_atomic(file, text, (size_t) length, 0600, err) < 0)
        return -1;
    *ret = epoch;
    return 0;
}
