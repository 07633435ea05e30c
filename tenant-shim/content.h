/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What this node's containerd keeps of images: which one a container was made of, and its blobs, by
 * digest. Asked over gRPC on the address that the shim was started with. */
#include <stddef.h>
#include <stdint.h>
#include "base/scoped.h"

struct content;
struct error;
struct rpc_queue;

int content_new(struct rpc_queue *queue, const char *address, const char *ns, struct content **ret,
                struct error *err) must_check;
void content_free(struct content *content); /* its requests have been freed before */
SCOPED_PTR(struct content, content_free)

struct content_request; /* freeing one that has not ended cancels it */
void content_request_free(struct content_request *request);
SCOPED_PTR(struct content_request, content_request_free)

struct content_events {
    /* found: the digest of the image's index or manifest. */
    void (*found)(void *user, const char *digest);
    void (*data)(void *user, const uint8_t *data, size_t length);
    void (*ended)(void *user); /* of data */
    void (*failed)(void *user, const struct error *err);
};

/* containers.Get(id).image -> images.Get(image).target: found or failed. */
int content_image_of(struct content *content, const char *container_id,
                     const struct content_events *events, void *user, struct content_request **ret,
                     struct error *err) must_check;
/* From offset to the end: data..., then ended or failed. */
int content_read(struct content *content, const char *digest, uint64_t offset,
                 const struct content_events *events, void *user, struct content_request **ret,
                 struct error *err) must_check;
void content_pause(struct content_request *request); /* after the piece in hand */
void content_resume(struct content_request *request);
