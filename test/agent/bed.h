/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One stub guest in a network namespace of its own, and the tenant's end of its channel. Every step
 * blocks, turning the loop; what fails ends the program with a sentence. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <protobuf-c/protobuf-c.h>

#include "agent.pb-c.h"
#include "base/error.h"
#include "grpc/client.h"

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void) fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                 \
            bed_die(__VA_ARGS__);                                                                  \
        }                                                                                          \
    } while (0)

enum { BED_WAIT_MS = 20 * 1000 };

struct bed;

/* What is not the usual: a guest with evidence `sample`. */
struct bed_options {
    const char *evidence;
    const char *tpm;                /* the guest's, as --tpm */
    const char *values;             /* reference values, JSON */
    bool pod_network;               /* the initdata's is the tenant's: Configure must bring it */
    void (*network_is_there)(void); /* before the guest */
    char *(*manifest)(struct bed *bed); /* made before the guest, whose initdata says sealed */
};

struct bed {
    struct bed_options options;
    struct reference_values *values;
    struct loop *loop;
    struct rpc_queue *queue;
    char directory[64];
    pid_t guest;
    struct key *key;
    struct initdata *initdata;
    struct channel *control_channel, *bulk_channel;
    struct rpc_channel *control, *bulk;
    bool control_ended;
    unsigned serial; /* idempotency keys */
    uint64_t renewals;
    char digest[80]; /* of the busybox layer */
    char *manifest;  /* of a sealed guest */
};

void bed_open(struct bed *bed);
/* Not connected yet. */
void bed_open_with(struct bed *bed, const struct bed_options *options);
/* One try to appraise the guest. */
bool bed_dial(struct bed *bed, struct error *err);
void bed_connect(struct bed *bed);
void bed_disconnect(struct bed *bed);
bool bed_guest_lives(const struct bed *bed);
/* Waits until the guest has ended; its status. */
int bed_wait_guest(struct bed *bed);
void bed_close(struct bed *bed);

/* Turns the loop until *flag, at most BED_WAIT_MS. */
void bed_until(struct bed *bed, const bool *flag, const char *what);
void bed_turn(struct bed *bed, uint64_t ms);
char *bed_key(struct bed *bed); /* a fresh idempotency key, valid until the next */

/* A unary call on control, or on bulk if it is "/agent.Bulk/..."; the status, and the reply (freed
 * by the caller) if OK. */
enum status bed_call(struct bed *bed, const char *method, const void *message,
                     const ProtobufCMessageDescriptor *reply_type, void *ret_reply,
                     char *ret_sentence);
/* The same, but must be OK. */
void *bed_must(struct bed *bed, const char *method, const void *message,
               const ProtobufCMessageDescriptor *reply_type);
/* A container whose layer is busybox's; request says what else is wanted of it. */
enum status bed_create(struct bed *bed, const char *id, const char *spec,
                       Agent__CreateRequest *request, char *ret_sentence);
void bed_start(struct bed *bed, const char *id);
/* Waits for it; exec_id "": init. */
unsigned bed_exit_status(struct bed *bed, const char *id, const char *exec_id);
/* One thing was shown: says so, with the time that it took; and at the end how many. */
void bed_step(const char *name);
void bed_steps_end(void);
void bed_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* blobs.c: a layer with busybox is made, so that its digest is known, and goes into the guest. */
void blobs_make(struct bed *bed);
void blobs_push(struct bed *bed);
