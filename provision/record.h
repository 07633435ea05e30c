/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a provisioner knows of one pod: a directory under /run/cleave/t/provision, named by the
 * tenant's sandbox id and locked while it is open. A key and initdata are minted inside it and
 * moved to /run/cleave/t/<sandbox_id> only when the record names them, so that a program that is
 * killed at any point leaves nothing that `delete` would not find. */
#include <stdbool.h>

#define RECORD_DIRECTORY "/run/cleave/t/provision"

struct error;
struct js;
struct provision_request;
struct record;
struct tenant_conf;

/* Waits for the lock. With RECORD_MUST_EXIST an absent record is STATUS_NOT_FOUND. */
enum record_open { RECORD_CREATE, RECORD_MUST_EXIST };
int record_open(const char *cri_sandbox_id, enum record_open how, struct record **ret,
                struct error *err) __attribute__((warn_unused_result));
/* Unlocks; the record stays. */
void record_close(struct record *record);
static inline void record_closep(struct record **p)
{
    if (*p)
        record_close(*p);
}

/* Mints unless the record has an identity already, which must be sealed as the request is. */
int record_mint(struct record *record, const struct provision_request *request,
                const struct tenant_conf *conf, struct error *err)
    __attribute__((warn_unused_result));
/* Hex; NULL before record_mint. */
const char *record_sandbox_id(const struct record *record);
char *record_initdata_path(const struct record *record); /* the caller frees */
char *record_key_path(const struct record *record);

/* Whatever else the provisioner keeps: a JSON object that record_save writes. */
struct js *record_notes(struct record *record);
int record_save(struct record *record, struct error *err) __attribute__((warn_unused_result));
/* Removes key, initdata and record; the record is closed after this all the same. */
int record_remove(struct record *record, struct error *err) __attribute__((warn_unused_result));
