/* SPDX-License-Identifier: Apache-2.0 */
#include "attester.h"

#include <stdbool.h>
#include <string.h>

#include "attest/wire.h"
#include "attester_queue.h"
#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/child.h"
#include "io/loop.h"
#include "secure/maker.h"

static const char *const no_environment[] = {NULL};

/* Where a type's report comes from. */
static const struct kind {
    const char *evidence;
    size_t digest_size;
    size_t device, log; /* members of struct attester_devices */
} kinds[] = {
    {ATTEST_SNP, 64, offsetof(struct attester_devices, tsm), SIZE_MAX},
    {ATTEST_TDX, 64, offsetof(struct attester_devices, tsm),
     offsetof(struct attester_devices, ccel)},
    {ATTEST_TPM, 32, offsetof(struct attester_devices, tpm),
     offsetof(struct attester_devices, tpm_log)},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

struct attester {
    struct loop *loop;
    struct attester_devices devices;
    bool bound[KINDS];
    struct attester_queue *queue; /* once a type has been chosen */
};

static const char *member(const struct attester_devices *devices, size_t offset)
{
    return offset == SIZE_MAX ? NULL : *(const char *const *) ((const char *) devices + offset);
}

static int find_kind(const char *evidence)
{
    for (int i = 0; i < KINDS; i++)
        if (text_equal(kinds[i].evidence, evidence))
            return i;
    return -1;
}

int attester_new(struct loop *loop, const struct attester_devices *devices, struct attester **ret,
                 struct error *err)
{
    struct attester *attester = xnew(struct attester);

    attester->loop = loop;
    attester->devices = *devices;
    *ret = attester;
    return 0;
}

void attester_free(struct attester *attester)
{
    if (!attester)
        return;
    attester_queue_free(attester->queue);
    free(attester);
}

/* ---- initdata -------------------------------------------------------------------------------- */

struct binding {
    bool done, good;
    char answer[16];
    struct error err;
};

static void on_bound(void *user, const struct child_result *result)
{
    struct binding *binding = user;
    char reason[256];

    binding->done = true;
    if (result->wait_status == 0 && !result->overflowed &&
        text_format(binding->answer, sizeof(binding->answer), &binding->err, "%s",
                    result->output) == 0) {
        binding->good = true;
        return;
    }
    child_explain(result, reason, sizeof(reason));
    error_set(&binding->err, STATUS_FAILED_PRECONDITION, "%s", reason);
}

static int ask_to_bind(struct attester *attester, const struct child_options *options,
                       struct error *err)
{
    scoped(child_freep) struct child *child = NULL;
    struct binding binding = {0};
    int kind;

    if (child_start(attester->loop, options, on_bound, &binding, &child, err) < 0)
        return -1;
    while (!binding.done)
        if (loop_turn(attester->loop, ATTESTER_DEADLINE_MS, err) < 0)
            return -1;
    if (!binding.good) {
        *err = binding.err;
        return -1;
    }
    kind = find_kind(binding.answer);
    if (kind < 0)
        return error_set(err, STATUS_INTERNAL, "an unknown answer");
    attester->bound[kind] = true;
    return 0;
}

/* A TPM that is not a device file is there because the maker of a stub guest said so. */
static bool is_there(const char *device)
{
    static const char prefix[] = "device:";

    if (!device)
        return false;
    if (text_starts(device, prefix))
        return file_exists(device + strlen(prefix));
    return device[0] != '/' || file_exists(device);
}

int attester_bind(struct attester *attester, const void *initdata, size_t length, struct error *err)
{
    const struct {
        const char *type, *device, *other;
    } places[] = {
        {ATTEST_ANY_TSM, attester->devices.tsm, attester->devices.td},
        {ATTEST_TPM, attester->devices.tpm, NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        const char *other = places[i].other ? places[i].other : ATTEST_NONE;
        const char *argv[] = {attester->devices.program, ATTEST_BIND, places[i].type,
                              places[i].device,          other,       NULL};
        const struct child_options options = {
            .argv = argv,
            .environment = no_environment,
            .input = initdata,
            .input_length = length,
            .deadline_ms = ATTESTER_DEADLINE_MS,
        };

        if (is_there(places[i].device) && ask_to_bind(attester, &options, err) < 0)
            return error_wrap(err, "initdata and %s", places[i].type);
    }
    return 0;
}

int attester_choose(struct attester *attester, const char *evidence, const struct maker **ret,
                    struct error *err)
{
    int kind = find_kind(evidence);
    struct attester_question question = {.argv = {attester->devices.program, ATTEST_REPORT}};
    const char *log;

    if (kind < 0) {
        *ret = NULL;
        return 0;
    }
    if (!attester->bound[kind])
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the initdata asks for %s evidence, which this machine cannot give",
                         evidence);
    log = member(&attester->devices, kinds[kind].log);
    question.argv[2] = kinds[kind].evidence;
    question.argv[3] = member(&attester->devices, kinds[kind].device);
    question.argv[4] = log ? log : ATTEST_NONE;
    question.digest_size = kinds[kind].digest_size;
    if (attester_queue_new(attester->loop, &question, &attester->queue, err) < 0)
        return -1;
    *ret = attester_queue_maker(attester->queue);
    return 0;
}
