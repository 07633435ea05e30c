/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "minting.h"
#include "program.h"
#include "secure/initdata.h"
#include "secure/mint.h"

enum { RECORD_MAX = 64 * 1024 };

struct record {
    char *directory; /* RECORD_DIRECTORY/<cri_sandbox_id> */
    char *lock_path;
    int lock;
    struct js *notes; /* {"sandbox_id": ..., whatever the provisioner adds} */
};

/* The holder of a lock may remove its file: whoever waited then holds a file that is gone. */
static int lock_current(const char *path, int *ret, struct error *err)
{
    for (;;) {
        struct stat held, named;
        scoped(closep) int fd = -1;

        if (file_lock(path, &fd, err) < 0)
            return -1;
        if (fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino) {
            *ret = take_fd(fd);
            return 0;
        }
    }
}

static int load(struct record *record, struct error *err)
{
    scoped(freep) char *path = xformat("%s/record.json", record->directory);
    scoped(freep) char *text = NULL;
    size_t length;

    if (file_read(path, RECORD_MAX, &text, &length, err) < 0)
        return -1;
    if (js_parse(text, length, &record->notes, err) < 0)
        return error_wrap(err, "%s", path);
    return 0;
}

int record_open(const char *cri_sandbox_id, enum record_open how, struct record **ret,
                struct error *err)
{
    scoped(record_closep) struct record *record = xnew(struct record);

    record->lock = -1;
    record->directory = xformat("%s/%s", RECORD_DIRECTORY, cri_sandbox_id);
    record->lock_path = xformat("%s/%s.lock", RECORD_DIRECTORY, cri_sandbox_id);
    /* A create that was killed at its very beginning has left its lock alone: it goes with close.
     */
    if ((how == RECORD_CREATE || file_exists(record->directory) ||
         file_exists(record->lock_path)) &&
        (file_make_directories(RECORD_DIRECTORY, 0700, err) < 0 ||
         lock_current(record->lock_path, &record->lock, err) < 0))
        return -1;
    if (how == RECORD_MUST_EXIST && !file_exists(record->directory))
        return error_set(err, STATUS_NOT_FOUND, "no host half is known for '%s'", cri_sandbox_id);
    if (load(record, err) < 0) {
        if (err->status != STATUS_NOT_FOUND)
            return -1;
        record->notes = js_new_object();
    }
    *ret = take_ptr(record);
    return 0;
}

void record_close(struct record *record)
{
    if (record->lock >= 0 && !file_exists(record->directory))
        (void) unlink(record->lock_path); /* nothing came of it: leave no lock file behind */
    closep(&record->lock);
    js_free(record->notes);
    free(record->directory);
    free(record->lock_path);
    free(record);
}

static int mint_here(struct record *record, const struct provision_request *request,
                     const struct tenant_conf *conf, struct error *err)
{
    struct mint mint;

    if (minting_make(record->directory, request, conf, &mint, err) < 0)
        return -1;
    js_set_string(record->notes, "sandbox_id", mint.sandbox_id);
    mint_fini(&mint);
    return record_save(record, err);
}

/* A predecessor may have minted for another description of this pod. */
static int check_sealing(const struct record *record, const struct provision_request *request,
                         struct error *err)
{
    scoped(initdata_freep) struct initdata *initdata = NULL;
    scoped(freep) char *path = record_initdata_path(record);

    if (initdata_load(path, &initdata, err) < 0)
        return -1;
    if (initdata_check_sealing(initdata, request->is_sealed ? request->manifest_digest : NULL,
                               err) < 0)
        return error_wrap(err, "the host half exists already");
    return 0;
}

int record_mint(struct record *record, const struct provision_request *request,
                const struct tenant_conf *conf, struct error *err)
{
    scoped(freep) char *from = NULL, *to = NULL;

    if (!record_sandbox_id(record)) {
        /* What a killed predecessor minted without telling anybody. */
        if (file_remove_tree(record->directory, err) < 0 ||
            file_make_directories(record->directory, 0700, err) < 0 ||
            mint_here(record, request, conf, err) < 0)
            return -1;
    }
    from = xformat("%s/%s", record->directory, record_sandbox_id(record));
    to = xformat("%s/%s", MINT_DIRECTORY, record_sandbox_id(record));
    if (!file_exists(to) && rename(from, to) < 0)
        return error_set(err, STATUS_INTERNAL, "cannot move the new identity to %s", to);
    return check_sealing(record, request, err);
}

const char *record_sandbox_id(const struct record *record)
{
    return js_get_string(record->notes, "sandbox_id");
}

char *record_initdata_path(const struct record *record)
{
    return xformat("%s/%s/initdata.toml", MINT_DIRECTORY, record_sandbox_id(record));
}

char *record_key_path(const struct record *record)
{
    return xformat("%s/%s/key.pem", MINT_DIRECTORY, record_sandbox_id(record));
}

struct js *record_notes(struct record *record)
{
    return record->notes;
}

int record_save(struct record *record, struct error *err)
{
    scoped(freep) char *path = xformat("%s/record.json", record->directory);
    scoped(freep) char *text = js_print(record->notes);

    if (file_make_directories(record->directory, 0700, err) < 0)
        return -1;
    return file_write_atomic(path, text, strlen(text), 0600, err);
}

int record_remove(struct record *record, struct error *err)
{
    if (record_sandbox_id(record) && mint_remove(NULL, record_sandbox_id(record), err) < 0)
        return -1;
    return file_remove_tree(record->directory, err);
}
