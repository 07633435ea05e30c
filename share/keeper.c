/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "database.h"
#include "export.h"
#include "root.h"
#include "server.h"
#include "source.h"

enum { REQUEST_MAX = PATH_MAX + 64, ANSWER_MAX = 512 };

struct share {
    struct share *next;
    struct source source; /* closed */
    struct export export; /* without the path */
    unsigned uses;
};

struct keeper {
    const struct keeper_files *files;
    const struct root *root;
    struct share *shares;
    size_t count;
    unsigned long long serial;
};

static struct share *find(const struct keeper *keeper, const char *name)
{
    for (struct share *share = keeper->shares; share; share = share->next)
        if (text_equal(share->export.name, name))
            return share;
    return NULL;
}

static struct share *find_same(const struct keeper *keeper, const struct source *source,
                               const struct export *export)
{
    for (struct share *share = keeper->shares; share; share = share->next)
        if (share->export.access == export->access &&
            share->export.propagation == export->propagation &&
            source_is_same(&share->source, source))
            return share;
    return NULL;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static void warn_of_database(const struct source *source, const struct export *export)
{
    const char *whose = source->is_directory && export->access == EXPORT_READ_WRITE
                            ? database_in(source->fd)
                            : NULL;

    if (whose)
        log_warn("'%s' has the data of %s: on a live share its locks (fcntl) hold in this guest "
                 "only, so that they keep no server elsewhere away, and each fsync is a trip to "
                 "this node",
                 export->path, whose);
}

/* -1 in *ret_tree if there is one that is the same, else the tree that is to be attached. In the
 * node's namespace, because only there it can be taken. */
static int take(const struct keeper *keeper, const struct export *export, struct source *source,
                int *ret_tree, struct error *err)
{
    *ret_tree = -1;
    if (source_open(export->path, source, err) < 0 ||
        source_identify(source, keeper->files->proc, err) < 0)
        return -1;
    if (find_same(keeper, source, export))
        return 0;
    if (keeper->count == KEEPER_SHARES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the pod has more than %d shares",
                         KEEPER_SHARES_MAX);
    warn_of_database(source, export);
    return source_clone(source, export, ret_tree, err);
}

/* Without the way back nothing more can be done: the process ends. */
static int take_there(const struct keeper *keeper, const struct export *export,
                      struct source *source, int *ret_tree, struct error *err)
{
    int failed;

    if (setns(keeper->files->node, CLONE_NEWNS) < 0)
        return error_errno(err, errno, "enter the node's mount namespace");
    failed = take(keeper, export, source, ret_tree, err);
    source_close(source);
    if (setns(keeper->files->here, CLONE_NEWNS) < 0) {
        log_error("cannot return from the node's mount namespace: %s", strerror(errno));
        abort();
    }
    return failed;
}

static int attach(struct keeper *keeper, const struct source *source, const struct export *export,
                  int tree, struct error *err)
{
    struct share *share = xnew(struct share);

    share->source = *source;
    share->export = *export;
    share->export.path = NULL;
    (void) snprintf(share->export.name, sizeof(share->export.name), "s%llu", ++keeper->serial);
    if (root_attach(keeper->root, tree, share->export.name, err) < 0) {
        free(share);
        return -1;
    }
    share->next = keeper->shares;
    keeper->shares = share;
    keeper->count++;
    return 0;
}

static int add(struct keeper *keeper, const char *text, struct share **ret, struct error *err)
{
    struct source source = {.fd = -1};
    struct export export;
    scoped(closep) int tree = -1;

    if (export_parse_nameless(text, &export, err) < 0 ||
        take_there(keeper, &export, &source, &tree, err) < 0 ||
        (tree >= 0 && attach(keeper, &source, &export, tree, err) < 0))
        return -1;
    *ret = find_same(keeper, &source, &export);
    (*ret)->uses++;
    return 0;
}

/* If it is so far behind that it does not hear it, the guest forgets in its own time. */
static void tell_server(const struct keeper *keeper, const char *name)
{
    char record[SERVER_NAME_SIZE] = "";

    (void) snprintf(record, sizeof(record), "%.63s", name);
    (void) !write(keeper->files->told, record, sizeof(record));
}

static int remove_one(struct keeper *keeper, const char *name, struct error *err)
{
    struct share *share = find(keeper, name), **at = &keeper->shares;
    int failed;

    if (!share)
        return error_set(err, STATUS_NOT_FOUND, "there is no share '%.64s'", name);
    if (--share->uses > 0)
        return 0;
    while (*at != share)
        at = &(*at)->next;
    *at = share->next;
    keeper->count--;
    free(share);
    failed = root_detach(keeper->root, name, err);
    tell_server(keeper, name);
    return failed;
}

static int perform(struct keeper *keeper, const char *request, char *answer, struct error *err)
{
    static const char adds[] = "add ", removes[] = "remove ";
    struct share *share;

    if (text_starts(request, adds)) {
        if (add(keeper, request + strlen(adds), &share, err) < 0)
            return -1;
        return text_format(answer, ANSWER_MAX, err, "ok %s", share->export.name);
    }
    if (text_starts(request, removes)) {
        if (remove_one(keeper, request + strlen(removes), err) < 0)
            return -1;
        return text_format(answer, ANSWER_MAX, err, "ok");
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is no request", request);
}

/* 1: the end. */
static int serve(struct keeper *keeper, struct error *err)
{
    char request[REQUEST_MAX + 1], answer[ANSWER_MAX];
    struct error fault;
    ssize_t length = recv(keeper->files->control, request, REQUEST_MAX, MSG_TRUNC);

    if (length < 0)
        return errno == EINTR ? 0 : error_errno(err, errno, "receive a request");
    if (length == 0)
        return 1;
    if (length > REQUEST_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a request of more than %d bytes",
                         REQUEST_MAX);
    request[length] = '\0';
    if (perform(keeper, request, answer, &fault) < 0)
        (void) snprintf(answer, sizeof(answer), "no %d %.400s", (int) fault.status, fault.message);
    if (send(keeper->files->control, answer, strlen(answer), MSG_NOSIGNAL) < 0)
        return errno == EPIPE ? 1 : error_errno(err, errno, "send an answer");
    return 0;
}

/* ---- the server ------------------------------------------------------------------------------ */

static int judge_end(pid_t server, struct error *err)
{
    int status = 0;

    if (waitpid(server, &status, 0) < 0)
        return error_errno(err, errno, "wait for the server");
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
        return 0;
    if (WIFSIGNALED(status))
        return error_set(err, STATUS_INTERNAL, "the server was ended by signal %d",
                         WTERMSIG(status));
    return error_set(err, STATUS_INTERNAL, "the server has ended"); /* and said why */
}

static int keep(struct keeper *keeper, int server, struct error *err)
{
    struct pollfd polled[] = {{.fd = keeper->files->control, .events = POLLIN},
                              {.fd = server, .events = POLLIN}};
    int result = 0;

    while (result == 0 && polled[1].revents == 0) {
        if (poll(polled, ARRAY_LENGTH(polled), -1) < 0 && errno != EINTR)
            return error_errno(err, errno, "wait for a request");
        if (polled[0].revents)
            result = serve(keeper, err);
    }
    return result;
}

int keeper_run(const struct keeper_files *files, const struct root *root, pid_t server,
               struct error *err)
{
    struct keeper keeper = {.files = files, .root = root};
    scoped(closep) int watched = (int) syscall(SYS_pidfd_open, server, 0);
    int result = watched < 0 ? error_errno(err, errno, "watch the server")
                             : keep(&keeper, watched, err);

    if (result == 0)
        return judge_end(server, err);
    /* One that waits for a storage that hangs ends with that. */
    (void) kill(server, SIGKILL);
    return result < 0 ? -1 : 0;
}
