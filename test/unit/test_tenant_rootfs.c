/* SPDX-License-Identifier: Apache-2.0 */
/* Which image a container gets, where this node has it, has a part of it, or does not know it: over
 * a containerd and a guest that answer from here. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "content.h"
#include "io/loop.h"
#include "link.h"
#include "oci/image.h"
#include "push.h"
#include "rootfs.h"
#include "tree.h"

#define LAYER "sha256:1111111111111111111111111111111111111111111111111111111111111111"

enum question { NONE, IMAGE, DOCUMENT, TREE };

struct content_request {
    int unused;
};
struct push {
    struct push_options options;
    push_done_fn *done;
    void *user;
    bool gone;
};
struct tree {
    int unused;
};

static struct loop *loop;
static struct content_events events; /* of what was asked last */
static void *events_user;
static enum question question;
static char asked[REFERENCE_DIGEST_TEXT];
static struct push *push;
static push_states_fn *states_done;
static void *states_user;
static bool complete;
static struct rootfs *rootfs;
static struct error outcome;
static size_t layers_told;
static bool over;

/* ---- what rootfs.c stands on ------------------------------------------------------------------
 */

static void ask(enum question what, const struct content_events *to, void *user)
{
    question = what;
    events = *to;
    events_user = user;
}

int content_image_of(struct content *content, const char *container_id,
                     const struct content_events *to, void *user, struct content_request **ret,
                     struct error *err)
{
    ask(IMAGE, to, user);
    *ret = xnew(struct content_request);
    return 0;
}

int content_read(struct content *content, const char *digest, uint64_t offset,
                 const struct content_events *to, void *user, struct content_request **ret,
                 struct error *err)
{
    ask(DOCUMENT, to, user);
    snprintf(asked, sizeof(asked), "%s", digest);
    *ret = xnew(struct content_request);
    return 0;
}

void content_request_free(struct content_request *request)
{
    free(request);
}

int tree_read(struct loop *of, const char *where, uint64_t offset, const struct content_events *to,
              void *user, struct tree **ret, struct error *err)
{
    ck_assert_str_eq(where, "the root");
    ask(TREE, to, user);
    *ret = xnew(struct tree);
    return 0;
}

void tree_free(struct tree *tree)
{
    free(tree);
}

int push_new(const struct push_options *options, push_done_fn *done, void *user, struct push **ret,
             struct error *err)
{
    push = xnew(struct push);
    *push = (struct push){*options, done, user, false};
    *ret = push;
    return 0;
}

bool push_content_is_gone(const struct push *of)
{
    return of->gone;
}

void push_free(struct push *of)
{
    if (of)
        push = NULL;
    free(of);
}

struct link_call *push_ask(struct link *link, const char *const *digests, size_t count,
                           push_states_fn *done, void *user)
{
    ck_assert_uint_eq(count, 1);
    states_done = done;
    states_user = user;
    return NULL;
}

void link_cancel(struct link_call *call) {}

void link_listen(struct link *link, struct link_listener *listener)
{
    listener->changed(listener, (struct rpc_channel *) &loop, (struct rpc_channel *) &loop);
}

void link_leave(struct link *link, struct link_listener *listener) {}

/* ---- the tests --------------------------------------------------------------------------------
 */

static void on_done(void *user, const struct agent_layer *layers, size_t count,
                    const struct error *err)
{
    ck_assert(!over);
    over = true;
    layers_told = count;
    outcome = err ? *err : (struct error){0};
}

static void turn(void)
{
    struct error err;

    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(loop_turn(loop, 0, &err), 0);
}

static bool is_sealed;

static void begin(void)
{
    static int anything;
    const struct rootfs_options options = {.content = (struct content *) &anything,
                                           .tree = "the root",
                                           .container_id = "one",
                                           .needs_digests = is_sealed};
    struct rootfs_options all = options;
    struct error err;

    ck_assert_int_eq(loop_new(&loop, &err), 0);
    all.loop = loop;
    over = complete = false;
    question = NONE;
    states_done = NULL;
    ck_assert_int_eq(rootfs_prepare(&all, on_done, NULL, &rootfs, &err), 0);
    ck_assert_int_eq(question, IMAGE);
}

static void end(void)
{
    rootfs_free(rootfs);
    loop_free(loop);
}

static void fail_question(enum status status)
{
    struct error err;

    error_set(&err, status, "containerd: not here");
    events.failed(events_user, &err);
    turn();
}

static void digest_of(const char *text, char ret[REFERENCE_DIGEST_TEXT])
{
    uint8_t digest[SHA256_SIZE];

    digest_sha256(text, strlen(text), digest);
    reference_format_digest(digest, ret);
}

static void serve(const char *text)
{
    ck_assert_int_eq(question, DOCUMENT);
    events.data(events_user, (const uint8_t *) text, strlen(text));
    events.ended(events_user);
    turn();
}

static const char config[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":"
                             "\"layers\",\"diff_ids\":[\"" LAYER "\"]}}";
static char manifest[1024];

/* Up to the question for the manifest. */
static void find_image(void)
{
    char digest[REFERENCE_DIGEST_TEXT];

    digest_of(config, digest);
    snprintf(manifest, sizeof(manifest),
             "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
             "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":"
             "\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
             "\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" LAYER "\",\"size\":10}]}",
             digest, strlen(config));
    digest_of(manifest, digest);
    events.found(events_user, digest);
    turn();
}

static void begin_layer(void)
{
    const struct push_state state = {.digest = LAYER};

    begin();
    find_image();
    serve(manifest);
    serve(config);
    ck_assert_ptr_nonnull(states_done);
    states_done(states_user, &state, 1, NULL);
    turn();
    ck_assert_ptr_nonnull(push);
    ck_assert_ptr_null(push->options.tree);
}

static void end_push(enum status status, bool gone)
{
    struct error err;

    error_set(&err, status, "that is why");
    push->gone = gone;
    push->done(push->user, &err);
    turn();
}

static void expect_failure(enum status status)
{
    ck_assert(over);
    ck_assert_int_eq(outcome.status, status);
    ck_assert_int_ne(question, TREE);
    end();
}

START_TEST(an_image_that_containerd_does_not_know_is_an_error)
{
    begin();
    fail_question(STATUS_NOT_FOUND);
    expect_failure(STATUS_NOT_FOUND);
}
END_TEST

START_TEST(a_missing_manifest_or_configuration_is_an_error)
{
    begin();
    find_image();
    fail_question(STATUS_NOT_FOUND);
    expect_failure(STATUS_NOT_FOUND);

    begin();
    find_image();
    serve(manifest);
    fail_question(STATUS_NOT_FOUND);
    expect_failure(STATUS_NOT_FOUND);
}
END_TEST

START_TEST(a_guest_cannot_bring_its_tenant_to_the_files)
{
    begin_layer();
    end_push(STATUS_NOT_FOUND, false);
    expect_failure(STATUS_NOT_FOUND);
}
END_TEST

START_TEST(a_layer_that_is_gone_is_made_of_the_files)
{
    struct push_state state = {.complete = true};

    begin_layer();
    end_push(STATUS_NOT_FOUND, true);
    ck_assert(!over);
    ck_assert_int_eq(question, TREE);
    events.data(events_user, (const uint8_t *) "the files", 9);
    events.ended(events_user);
    turn();
    states_done(states_user, &(struct push_state){0}, 1, NULL);
    turn();
    ck_assert_ptr_nonnull(push);
    ck_assert_str_eq(push->options.tree, "the root");
    ck_assert_uint_eq(push->options.blob.size, 9);
    push->done(push->user, NULL);
    turn();
    states_done(states_user, &state, 1, NULL);
    turn();
    ck_assert(over && outcome.status == STATUS_OK);
    ck_assert_uint_eq(layers_told, 1);
    end();
}
END_TEST

START_TEST(in_a_sealed_pod_files_are_no_layer)
{
    is_sealed = true;
    begin_layer();
    end_push(STATUS_NOT_FOUND, true);
    expect_failure(STATUS_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(outcome.message, "image of 'one': the pod is sealed"));
}
END_TEST

START_TEST(files_that_cannot_be_read_are_an_error)
{
    begin_layer();
    end_push(STATUS_NOT_FOUND, true);
    ck_assert_int_eq(question, TREE);
    question = NONE;
    fail_question(STATUS_FAILED_PRECONDITION);
    expect_failure(STATUS_FAILED_PRECONDITION);
}
END_TEST

int main(void)
{
    return suite_run("tenant_rootfs",
                     (const TTest *[]){an_image_that_containerd_does_not_know_is_an_error,
                                       a_missing_manifest_or_configuration_is_an_error,
                                       a_guest_cannot_bring_its_tenant_to_the_files,
                                       a_layer_that_is_gone_is_made_of_the_files,
                                       in_a_sealed_pod_files_are_no_layer,
                                       files_that_cannot_be_read_are_an_error, NULL});
}
