/* SPDX-License-Identifier: Apache-2.0 */
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "confine.h"
#include "keeper.h"
#include "root.h"
#include "server.h"
#include "source.h"

SCOPED_PTR(struct server, server_free)

enum { FILES_MAX = 65536 }; /* more than nodes.h, handles.h and locks.h together allow */

/* Whatever the limit of the shim is: we are root still. */
static int raise_files(struct error *err)
{
    const struct rlimit wanted = {FILES_MAX, FILES_MAX};
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return error_errno(err, errno, "read the limit of open files");
    if (files.rlim_max < FILES_MAX && setrlimit(RLIMIT_NOFILE, &wanted) == 0)
        return 0;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        return error_errno(err, errno, "raise the limit of open files");
    return 0;
}

static int prepare_process(struct error *err)
{
    if (raise_files(err) < 0)
        return -1;
    (void) umask(0); /* until something is made, with the mask of who makes it */
    (void) signal(SIGXFSZ, SIG_IGN);
    (void) signal(SIGPIPE, SIG_IGN);
    return 0;
}

/* All are taken before anything is mounted: one may lie where the root is made. */
static int take_all(const struct processes_options *options, int *trees, struct error *err)
{
    for (size_t i = 0; i < options->count; i++) {
        struct source source = {.fd = -1};
        int failed = source_open(options->exports[i].path, &source, err);

        if (failed == 0)
            failed = source_clone(&source, &options->exports[i], &trees[i], err);
        source_close(&source);
        if (failed < 0)
            return error_wrap(err, "share '%s'", options->exports[i].name);
    }
    return 0;
}

static int build(const struct processes_options *options, const int *trees, struct root *root,
                 struct error *err)
{
    if (root_make(root, err) < 0)
        return -1;
    for (size_t i = 0; i < options->count; i++)
        if (root_attach(root, trees[i], options->exports[i].name, err) < 0)
            return -1;
    return root_enter(root, err);
}

static int become_root(const struct processes_options *options, struct root *root,
                       struct error *err)
{
    int trees[PROCESSES_EXPORTS_MAX];
    int failed;

    for (size_t i = 0; i < PROCESSES_EXPORTS_MAX; i++)
        trees[i] = -1;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return error_errno(err, errno, "make a mount namespace");
    failed = take_all(options, trees, err);
    if (failed == 0)
        failed = build(options, trees, root, err);
    for (size_t i = 0; i < options->count; i++)
        closep(&trees[i]);
    return failed;
}

/* Takes the files. */
static int serve(const struct server_files *files, int removals, struct error *err)
{
    scoped(server_freep) struct server *server = NULL;

    if (confine_privileges(err) < 0 || server_new(files, &server, err) < 0)
        return -1;
    server_hear_of_removals(server, removals);
    return server_run(server, err);
}

static int serve_alone(const struct processes_options *options, int proc, struct error *err)
{
    struct root root = {-1, -1};
    int own_files = openat(proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (own_files < 0)
        return error_errno(err, errno, "open '/proc/self/fd'");
    if (become_root(options, &root, err) < 0)
        return -1;
    closep(&root.places);
    return serve(&(struct server_files){options->peer, root.directory, own_files}, -1, err);
}

/* In the child: what the keeper has is closed. */
static _Noreturn void serve_beside(const struct processes_options *options,
                                   const struct keeper_files *keeper, struct root *root,
                                   int removals)
{
    int own_files = openat(keeper->proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct error err;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* until the first file is made for a user */
    (void) close(keeper->control);
    (void) close(keeper->here);
    (void) close(keeper->node);
    (void) close(keeper->proc);
    (void) close(keeper->told);
    (void) close(root->places);
    if (own_files < 0) {
        log_error("open '/proc/self/fd': %s", strerror(errno));
        _exit(EXIT_FAILURE);
    }
    if (serve(&(struct server_files){options->peer, root->directory, own_files}, removals, &err) <
        0) {
        log_error("%s", err.message);
        _exit(EXIT_FAILURE);
    }
    _exit(EXIT_SUCCESS);
}

static int serve_and_keep(const struct processes_options *options, int proc, struct error *err)
{
    struct keeper_files keeper = {.control = options->control, .proc = proc};
    struct root root = {-1, -1};
    int told[2];
    pid_t server;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    keeper.node = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (become_root(options, &root, err) < 0)
        return -1;
    keeper.here = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (keeper.node < 0 || keeper.here < 0)
        return error_errno(err, errno, "open the mount namespaces");
    if (confine_children(err) < 0)
        return -1;
    if (pipe2(told, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_errno(err, errno, "make a pipe to the server");
    keeper.told = told[1];
    server = fork();
    if (server < 0)
        return error_errno(err, errno, "start the server");
    if (server == 0)
        serve_beside(options, &keeper, &root, told[0]);
    (void) close(told[0]);
    (void) close(options->peer);
    return keeper_run(&keeper, &root, server, err);
}

int processes_run(const struct processes_options *options, struct error *err)
{
    scoped(closep) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (proc < 0)
        return error_errno(err, errno, "open '/proc'");
    if (prepare_process(err) < 0)
        return -1;
    return options->control < 0 ? serve_alone(options, proc, err)
                                : serve_and_keep(options, proc, err);
}

/* The way into the node's namespace is the keeper's, when a share is added. */
int processes_try(struct error *err)
{
    const struct processes_options options = {
        .exports = {{.name = "trial", .path = "/etc", .access = EXPORT_ALL_READ_ONLY}}, .count = 1};
    scoped(closep) int node = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    struct root root = {-1, -1};

    if (node < 0)
        return error_errno(err, errno, "open the node's mount namespace");
    if (prepare_process(err) < 0 || become_root(&options, &root, err) < 0)
        return -1;
    if (setns(node, CLONE_NEWNS) < 0)
        return error_errno(err, errno, "enter the node's mount namespace");
    if (confine_children(err) < 0)
        return -1;
    return confine_privileges(err);
}
