/* SPDX-License-Identifier: Apache-2.0 */
#include "shares.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "io/loop.h"
#include "pod_share.h"
#include "share_server.h"
#include "spec_rules.h"

struct question {
    struct question *next;
    char *text;
    struct spec_share *share;      /* of an addition */
    struct share_request *request; /* NULL: of a removal, or nobody wants it any more */
};

struct share_request {
    struct share_request *next;
    struct shares *shares;
    size_t open; /* questions */
    bool has_failed;
    struct error why;
    shares_done_fn *done;
    void *user;
};

enum stage { STAGE_NEW, STAGE_STARTING, STAGE_STARTED, STAGE_ENDED };

struct shares {
    struct loop *loop;
    struct pod_share *share;
    enum stage stage;
    struct error why; /* of an end */
    struct share_server *server;
    struct question *questions; /* the first one was asked */
    struct share_request *requests;
    struct source *tell;
};

/* ---- who waits ------------------------------------------------------------------------------- */

static void unlink_request(struct share_request *request)
{
    struct share_request **at = &request->shares->requests;

    while (*at && *at != request)
        at = &(*at)->next;
    if (*at)
        *at = request->next;
}

/* Whoever is told may add and free others: begin anew after each. */
static void on_tell(void *user)
{
    struct shares *shares = user;

    for (struct share_request *request = shares->requests; request; request = request->next) {
        bool over = shares->stage == STAGE_ENDED ||
                    (request->open == 0 && (request->has_failed || shares->stage == STAGE_STARTED));
        struct error err = request->has_failed ? request->why : shares->why;
        bool failed = request->has_failed || shares->stage == STAGE_ENDED;

        if (!over)
            continue;
        source_rearm(shares->tell, 0);
        unlink_request(request);
        request->shares = NULL;
        request->done(request->user, failed ? &err : NULL);
        return;
    }
}

static void question_free(struct question *question)
{
    free(question->text);
    free(question);
}

static void forget_questions(struct shares *shares)
{
    while (shares->questions) {
        struct question *question = shares->questions;

        shares->questions = question->next;
        question_free(question);
    }
}

static void end(struct shares *shares, const struct error *err)
{
    if (shares->stage == STAGE_ENDED)
        return;
    shares->stage = STAGE_ENDED;
    shares->why = *err;
    (void) error_wrap(&shares->why, "the pod's live share");
    log_error("%s", shares->why.message);
    forget_questions(shares);
    share_server_free(take_ptr(shares->server));
    source_rearm(shares->tell, 0);
}

/* ---- what is asked --------------------------------------------------------------------------- */

static void ask_next(struct shares *shares)
{
    struct error err;

    if (shares->questions && share_server_ask(shares->server, shares->questions->text, &err) < 0)
        end(shares, &err);
}

static void enqueue(struct shares *shares, char *text, struct spec_share *share,
                    struct share_request *request)
{
    struct question *question = xnew(struct question), **at = &shares->questions;
    bool first = !*at;

    question->text = text;
    question->share = share;
    question->request = request;
    while (*at)
        at = &(*at)->next;
    *at = question;
    if (first)
        ask_next(shares);
}

/* "ok NAME", "no STATUS WORDS" */
static void take_answer(struct shares *shares, const struct question *question, const char *words)
{
    struct share_request *request = question->request;
    bool good = text_starts(words, "ok");
    char *end_of_status;
    long status;

    if (!request && good && question->share)
        shares_remove(shares, words + strlen("ok "));
    if (!request && !good)
        log_warn("cleave-share: '%s' -> '%s'", question->text, words);
    if (!request || !question->share)
        return;
    request->open--;
    source_rearm(shares->tell, 0);
    if (good) {
        question->share->name = xstrdup(words + strlen("ok "));
    } else if (!request->has_failed) {
        status = strtol(words + strlen("no "), &end_of_status, 10);
        request->has_failed = true;
        (void) error_set(&request->why,
                         status > 0 && status <= STATUS_UNAUTHENTICATED ? (enum status) status
                                                                        : STATUS_INTERNAL,
                         "mount '%s':%s", question->share->destination, end_of_status);
    }
}

static void on_answered(void *user, const char *words)
{
    struct shares *shares = user;
    struct question *question = shares->questions;
    struct error err;

    if (!question || (!text_starts(words, "ok") && !text_starts(words, "no ")) ||
        (text_starts(words, "ok") && question->share && !text_starts(words, "ok "))) {
        error_set(&err, STATUS_INTERNAL, "cleave-share says '%.64s'", words);
        end(shares, &err);
        return;
    }
    take_answer(shares, question, words);
    shares->questions = question->next;
    question_free(question);
    ask_next(shares);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void on_server_ended(void *user, const char *how)
{
    struct error err;

    error_set(&err, STATUS_FAILED_PRECONDITION, "cleave-share has ended: %s", how);
    end(user, &err);
}

static void on_share_ended(void *user, const struct error *err)
{
    end(user, err);
}

/* The guest has not heard of it: another container may try again. */
static void give_up_start(struct shares *shares, const struct error *err)
{
    for (struct share_request *request = shares->requests; request; request = request->next) {
        request->has_failed = true;
        request->why = *err;
        (void) error_wrap(&request->why, "the pod's live share");
        request->open = 0;
    }
    forget_questions(shares);
    share_server_free(take_ptr(shares->server));
    shares->stage = STAGE_NEW;
    source_rearm(shares->tell, 0);
}

static void on_share_started(void *user, const struct error *err)
{
    struct shares *shares = user;

    if (err) {
        if (shares->stage == STAGE_STARTING)
            give_up_start(shares, err);
        return;
    }
    if (shares->stage == STAGE_STARTING)
        shares->stage = STAGE_STARTED;
    source_rearm(shares->tell, 0);
}

static int start(struct shares *shares, struct error *err)
{
    static const struct share_server_events events = {.answered = on_answered,
                                                      .ended = on_server_ended};
    int stream;

    if (share_server_start(shares->loop, &events, shares, &stream, &shares->server, err) < 0)
        return -1;
    shares->stage = STAGE_STARTING;
    if (pod_share_start(shares->share, stream, on_share_started, shares, err) == 0)
        return 0;
    give_up_start(shares, err);
    return -1;
}

int shares_new(struct loop *loop, struct pod_share *share, struct shares **ret, struct error *err)
{
    scoped(shares_freep) struct shares *shares = xnew(struct shares);

    shares->loop = loop;
    shares->share = share;
    if (loop_after(loop, LOOP_NEVER, on_tell, shares, &shares->tell, err) < 0)
        return -1;
    pod_share_on_ended(share, on_share_ended, shares);
    *ret = take_ptr(shares);
    return 0;
}

void shares_free(struct shares *shares)
{
    if (!shares)
        return;
    for (struct share_request *request = shares->requests; request; request = request->next)
        request->shares = NULL;
    if (shares->tell) /* else it was never told whom to tell */
        pod_share_on_ended(shares->share, NULL, NULL);
    forget_questions(shares);
    share_server_free(shares->server);
    source_free(shares->tell);
    free(shares);
}

int shares_add(struct shares *shares, struct spec_share *list, size_t count, shares_done_fn *done,
               void *user, struct share_request **ret, struct error *err)
{
    struct share_request *request;

    if (shares->stage == STAGE_ENDED) {
        *err = shares->why;
        return -1;
    }
    if (shares->stage == STAGE_NEW && start(shares, err) < 0)
        return -1;
    request = xnew(struct share_request);
    request->shares = shares;
    request->open = count;
    request->done = done;
    request->user = user;
    request->next = shares->requests;
    shares->requests = request;
    for (size_t i = 0; i < count && shares->stage != STAGE_ENDED; i++)
        enqueue(shares, xformat("add %s:%s", list[i].options, list[i].source), &list[i], request);
    *ret = request;
    return 0;
}

/* The first one was asked, and its answer comes; the others are not, or a storage that hangs would
 * find all that was given up meanwhile in its queue. */
static void withdraw(struct shares *shares, const struct share_request *request)
{
    struct question **at = &shares->questions;

    if (*at && (*at)->request == request)
        (*at)->request = NULL;
    while (*at) {
        struct question *question = *at;

        if (question->request == request) {
            *at = question->next;
            question_free(question);
        } else {
            at = &question->next;
        }
    }
}

void share_request_free(struct share_request *request)
{
    if (!request)
        return;
    if (request->shares) {
        withdraw(request->shares, request);
        unlink_request(request);
    }
    free(request);
}

void shares_remove(struct shares *shares, const char *name)
{
    if (shares->stage != STAGE_ENDED && shares->server)
        enqueue(shares, xformat("remove %s", name), NULL, NULL);
}
