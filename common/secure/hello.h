/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The frames before gRPC: u8 type, u32 length, body. Each type has its own limit, checked before
 * anything is allocated; trailing bytes in a body are an error. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct writer;

enum frame_type {
    FRAME_HELLO = 1,    /* tenant */
    FRAME_EVIDENCE = 2, /* guest */
    FRAME_ACCEPT = 3,   /* tenant */
    FRAME_REJECT = 4,   /* tenant */
    FRAME_JOIN = 5,     /* tenant */
    FRAME_JOINED = 6,   /* guest */
};

enum {
    HELLO_VERSION = 1,
    FRAME_HEADER_SIZE = 5,
    FRAME_BODY_MAX = 1024 * 1024,
    HELLO_NONCE_SIZE = 32,
    HELLO_MAC_SIZE = 32,
    HELLO_CONTROL_ID_SIZE = 16,
    HELLO_INSTANCE_SIZE = 32,
    EVIDENCE_MAX = 64 * 1024,
    ENDORSEMENTS_MAX = 128 * 1024,
    EVENT_LOG_MAX = 640 * 1024,
    REJECT_TEXT_MAX = 400,
};

struct blob {
    const uint8_t *data;
    size_t length;
};

struct hello {
    uint16_t number;
    uint8_t nonce[HELLO_NONCE_SIZE];
    uint8_t evidence; /* enum evidence_code */
};

struct evidence_body { /* blobs are borrowed from the body */
    uint8_t type;
    uint8_t instance[HELLO_INSTANCE_SIZE];
    struct blob evidence, endorsements, event_log, initdata;
};

struct reject {
    uint32_t code;                  /* enum appraisal_check */
    char text[REJECT_TEXT_MAX + 1]; /* cut, valid UTF-8 */
};

struct join {
    uint8_t class;
    uint16_t serial;
    uint8_t control_id[HELLO_CONTROL_ID_SIZE];
    uint8_t nonce[HELLO_NONCE_SIZE];
    uint8_t mac[HELLO_MAC_SIZE];
};

const char *frame_name(uint8_t type);
/* Looks at the first bytes of a stream: *ret_type and *ret_length once the header is there. Returns
 * 1 if the header is complete, 0 if more is needed, -1 for an unknown type or a length beyond its
 * type's limit. */
int frame_peek(const uint8_t *data, size_t size, uint8_t *ret_type, uint32_t *ret_length,
               struct error *err) __attribute__((warn_unused_result));

int hello_parse(const void *body, size_t length, struct hello *ret, struct error *err)
    __attribute__((warn_unused_result));
int evidence_body_parse(const void *body, size_t length, struct evidence_body *ret,
                        struct error *err) __attribute__((warn_unused_result));
int reject_parse(const void *body, size_t length, struct reject *ret, struct error *err)
    __attribute__((warn_unused_result));
int join_parse(const void *body, size_t length, struct join *ret, struct error *err)
    __attribute__((warn_unused_result));
int joined_parse(const void *body, size_t length, uint8_t ret_mac[HELLO_MAC_SIZE],
                 struct error *err) __attribute__((warn_unused_result));

/* The body alone, as the RPC Appraise answers it. */
void evidence_body_write(struct writer *writer, const struct evidence_body *body);
/* Whole frames, header included. */
void hello_write(struct writer *writer, const struct hello *hello);
void evidence_write(struct writer *writer, const void *body, size_t length);
void accept_write(struct writer *writer);
void reject_write(struct writer *writer, uint32_t code, const char *text); /* text is cut */
void join_write(struct writer *writer, const struct join *join);
void joined_write(struct writer *writer, const uint8_t mac[HELLO_MAC_SIZE]);
