/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest in parts; the guest is the test. */
#include "sealing.h"

#include <string.h>

#include "base/error.h"
#include "codec_agent.h"
#include "link.h"
#include "sealed/manifest.h"
#include "suite.h"

enum { PART = 256 * 1024 };

/* ---- the guest ---- */

static char taken[MANIFEST_SIZE_MAX];
static size_t length; /* of it */
static unsigned parts;
static struct agent_ask asked; /* done NULL: nothing is */
static bool was_cancelled;

struct link_call *agent_seal(const struct agent_ask *ask, const struct agent_part *part)
{
    ck_assert_ptr_null(asked.done);
    ck_assert_uint_eq(part->offset, length);
    ck_assert_uint_le(part->length, PART);
    ck_assert_uint_le(part->offset + part->length, part->total);
    memcpy(taken + length, part->data, part->length);
    length += part->length;
    parts++;
    asked = *ask;
    return (struct link_call *) &asked;
}

void link_cancel(struct link_call *call)
{
    was_cancelled = call != NULL;
}

static void answer(const struct error *err)
{
    const struct agent_ask ask = asked;
    const struct agent_reply reply = {0};

    asked.done = NULL;
    ask.done(ask.user, err ? NULL : &reply, err);
}

/* ---- who seals ---- */

static char text[MANIFEST_SIZE_MAX];
static struct manifest manifest = {.text = text};
static struct sealing *sealing;
static unsigned told;
static struct error why; /* OK: it was taken */

static void on_sealed(void *user, const struct error *err)
{
    told++;
    why = err ? *err : (struct error){0};
    sealing_free(take_ptr(sealing));
}

static void begin(size_t size)
{
    for (size_t i = 0; i < size; i++)
        text[i] = (char) ('a' + i % 25 + i / PART);
    manifest.length = size;
    length = parts = told = 0;
    sealing = sealing_new(NULL, &manifest, on_sealed, NULL);
}

START_TEST(a_manifest_is_sent_whole_part_by_part)
{
    static const struct {
        size_t size;
        unsigned parts;
    } each[] = {{1, 1}, {PART - 1, 1}, {PART, 1}, {PART + 1, 2}, {3 * PART, 3}, {sizeof(text), 4}};

    for (size_t i = 0; i < ARRAY_LENGTH(each); i++) {
        begin(each[i].size);
        while (asked.done) {
            ck_assert_uint_eq(told, 0);
            answer(NULL);
        }
        ck_assert_uint_eq(told, 1);
        ck_assert_int_eq(why.status, STATUS_OK);
        ck_assert_uint_eq(parts, each[i].parts);
        ck_assert_uint_eq(length, each[i].size);
        ck_assert_int_eq(memcmp(taken, text, length), 0);
    }
}
END_TEST

START_TEST(a_refusal_ends_it_with_its_own_words)
{
    struct error err;

    begin(2 * PART);
    answer(NULL);
    error_set(&err, STATUS_PERMISSION_DENIED, "guest: another digest");
    answer(&err);
    ck_assert_uint_eq(told, 1);
    ck_assert_int_eq(why.status, STATUS_PERMISSION_DENIED);
    ck_assert_str_eq(why.message, "the manifest: guest: another digest");
    ck_assert_ptr_null(asked.done);
}
END_TEST

START_TEST(an_agent_without_sealed_pods_is_told_by_its_image)
{
    struct error err;

    begin(1);
    error_set(&err, STATUS_UNIMPLEMENTED, "guest: no such method");
    answer(&err);
    ck_assert_int_eq(why.status, STATUS_UNIMPLEMENTED);
    ck_assert_ptr_nonnull(strstr(why.message, "a sealed pod needs a guest image"));
}
END_TEST

START_TEST(who_gives_up_is_not_told)
{
    begin(1);
    sealing_free(take_ptr(sealing));
    ck_assert(was_cancelled);
    ck_assert_uint_eq(told, 0);
}
END_TEST

int main(void)
{
    return suite_run("sealing", (const TTest *[]){a_manifest_is_sent_whole_part_by_part,
                                                  a_refusal_ends_it_with_its_own_words,
                                                  an_agent_without_sealed_pods_is_told_by_its_image,
                                                  who_gives_up_is_not_told, NULL});
}
