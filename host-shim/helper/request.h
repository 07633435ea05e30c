/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The question that a host shim asks its helper, one JSON object on stdin, and the answer on
 * stdout. The fields stand in ../machine.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/dial_out.h"

struct error;
struct js;

enum { REQUEST_MAX = 64 * 1024, REQUEST_ID_MAX = 76, REQUEST_PATH_SIZE = 256 };

struct request {
    char *id;
    char directory[REQUEST_PATH_SIZE]; /* /run/cleave/h/<id> */
    pid_t parent;                      /* 0: the helper may outlive its caller */
    char *netns;
    uint8_t *initdata;
    size_t initdata_length;
    uint32_t vcpus;
    uint64_t memory;
    char *cgroup_parent;      /* NULL: none */
    struct dial_out dial_out; /* for the network block */
    char *uri;                /* of libvirt; NULL: as host.conf says */
    unsigned call_timeout;    /* seconds */
    char *scratch;            /* directory of scratch disks; NULL: as host.conf says */
    pid_t pid;                /* 0: not known, or of another boot */
    uint64_t start_time;
    bool late;
};

enum request_scope { REQUEST_ID_ONLY, REQUEST_CREATE };

/* Reads fd to its end. Unknown fields are tolerated, a wrong version is not. */
int request_read(int fd, enum request_scope scope, struct request *ret, struct error *err)
    __attribute__((warn_unused_result));
int request_parse(const char *text, size_t length, enum request_scope scope, struct request *ret,
                  struct error *err) __attribute__((warn_unused_result));
void request_clear(struct request *request);
/* Dies with the caller: nobody would hear the answer. FAILED_PRECONDITION if it is dead already. */
int request_bind_to_parent(const struct request *request, struct error *err)
    __attribute__((warn_unused_result));

/* Takes reply (NULL: an empty object). */
void request_answer(struct js *reply);
void request_fail(const struct error *err);
