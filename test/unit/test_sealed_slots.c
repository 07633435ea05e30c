/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdio.h>

#include "sealed_fixture.h"
#include "sealed_slots.h"

#define CONTAINER(name, kind)                                                                      \
    "{\"name\":\"" name "\",\"kind\":\"" kind "\",\"config\":\"" FIXTURE_DIGEST                    \
    "\",\"layers\":[\"" FIXTURE_DIGEST "\"],\"spec\":{\"ociVersion\":\"1.0.2\",\"process\":{"      \
    "\"args\":[\"/x\"]}},\"mounts\":[],\"environment\":[],"                                        \
    "\"exec\":[],\"stdin\":false}"

static struct manifest *manifest_with(const char *policy)
{
    scoped(freep) char *text = xformat(
        "{" FIXTURE_HEAD ",\"restart_policy\":\"%s\",\"service_environment\":false,"
        "\"debug\":false,\"volumes\":{},\"containers\":[" CONTAINER("i", "init") "," CONTAINER(
            "s", "sidecar") "," CONTAINER("j",
                                          "init") "," CONTAINER("a",
                                                                "app") "," CONTAINER("b",
                                                                                     "app") "]}",
        policy);

    return fixture_manifest(text);
}

/* Words of a script: X+ is created, X- may not be, X! is started, X? gets a signal, X0 and X7 end
 * with that. */
struct life {
    const char *policy, *script, *why; /* of the last refusal */
};

#define INITIALISED "i+ i! i0 s+ s! j+ j! j0 "

static const struct life lives[] = {
    {"Always", INITIALISED "a+ a! b+ b!", NULL},
    {"Always", INITIALISED "b+ b! a+ a!", NULL},
    /* the order */
    {"Always", "s-", "begins when the init container 'i' has ended with 0"},
    {"Always", "i+ s-", "init container 'i'"},
    {"Always", "i+ i! s-", "init container 'i'"},
    {"Always", "i+ i! i7 s-", "init container 'i'"},
    {"Always", "i+ i0 s-", "init container 'i'"}, /* its program never ran */
    {"Always", "i+ i! i0 j-", "begins when the sidecar 's' was started"},
    {"Always", "i+ i! i0 s+ j-", "the sidecar 's'"},
    {"Always", "i+ i! i0 s+ s! a-", "container 'a' begins when the init container 'j'"},
    {"Always", "i+ i! i7 i+ i! s-", "init container 'i'"},
    {"Always", "i+ i! i7 i+ i! i0 s+", NULL},
    /* what ends with 0 because it was asked to has not done its work */
    {"Always", "i+ i! i? i0 s-", "and not by a signal that was sent to it"},
    {"Always", "i+ i! i? i0 i+ i! i0 s+", NULL},
    {"OnFailure", "i+ i! i? i0 i+ i? i! i0 s+", NULL},
    {"Never", "i+ i! i? i0 i-", "does not come again"},
    /* a sidecar that has ended was started all the same */
    {"Always", "i+ i! i0 s+ s! s7 j+", NULL},
    /* one at a time */
    {"Always", "i+ i-", "container 'i' of the manifest lives"},
    {"Always", "i+ i! i-", "lives"},
    {"Always", INITIALISED "a+ a! a-", "container 'a' of the manifest lives"},
    {"Always", INITIALISED "s-", "container 's' of the manifest lives"},
    /* again: apps */
    {"Always", INITIALISED "a+ a! a0 a+ a! a7 a+", NULL},
    {"OnFailure", INITIALISED "a+ a! a7 a+ a! a7 a+ a! a0 a-",
     "'a' (app) has ended with 0, and does not come again: the manifest's restart policy is "
     "OnFailure"},
    {"Never", INITIALISED "a+ a! a7 a-", "has ended with 7"},
    {"Never", INITIALISED "a+ a! a0 a-", "restart policy is Never"},
    {"Never", INITIALISED "a+ a! a0 b+ b!", NULL},
    /* again: init containers */
    {"Always", "i+ i! i0 i-", "'i' (init) has ended with 0"},
    {"OnFailure", "i+ i! i7 i+ i! i0 i-", "has ended with 0"},
    {"Never", "i+ i! i7 i-", "has ended with 7"},
    /* again: sidecars, always */
    {"Never", INITIALISED "s0 s+ s! s7 s+", NULL},
    {"OnFailure", INITIALISED "s0 s+", NULL},
    /* what was never started is no attempt */
    {"Never", INITIALISED "a+ a7 a+ a7 a+ a! a7 a-", "has ended with 7"},
    {"Never", "i+ i7 i+ i! i0 s+", NULL},
};

static void play(const struct life *life, const struct manifest *manifest,
                 struct sealed_slots *slots)
{
    struct error err = {.message = ""};

    for (const char *word = life->script; *word; word += 2 + (word[2] == ' ')) {
        const char name[] = {*word, '\0'};
        const struct manifest_slot *slot = manifest_slot(manifest, name);
        int checked;

        switch (word[1]) {
        case '+':
        case '-':
            checked = sealed_slots_check(slots, slot, &err);
            ck_assert_msg((checked == 0) == (word[1] == '+'), "%s: %s: at '%s': %s", life->policy,
                          life->script, word, err.message);
            ck_assert_int_eq(sealed_slots_take(slots, slot, &err), checked);
            ck_assert(checked == 0 || err.status == STATUS_FAILED_PRECONDITION);
            break;
        case '!':
            sealed_slots_started(slots, slot);
            break;
        case '?':
            sealed_slots_told(slots, slot);
            break;
        default:
            sealed_slots_ended(slots, slot, (unsigned) (word[1] - '0'));
        }
    }
    ck_assert_msg(!life->why || strstr(err.message, life->why), "%s: %s: %s", life->policy,
                  life->script, err.message);
}

START_TEST(containers_come_in_order_one_at_a_time_and_again_as_the_policy_says)
{
    const struct life *life = &lives[_i];
    scoped(manifest_freep) struct manifest *manifest = manifest_with(life->policy);
    scoped(sealed_slots_freep) struct sealed_slots *slots = sealed_slots_new(manifest);

    play(life, manifest, slots);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("sealed_slots");

    tcase_add_loop_test(tests, containers_come_in_order_one_at_a_time_and_again_as_the_policy_says,
                        0, ARRAY_LENGTH(lives));
    return suite_run_case("sealed_slots", tests);
}
