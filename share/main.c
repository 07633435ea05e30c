/* SPDX-License-Identifier: Apache-2.0 */
/* cleave-share FD SHARE...: one process per pod, which serves directories of the node to the pod's
 * guest. FD is a stream of FUSE messages; whoever starts it holds the other end, and the keys. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "confine.h"
#include "export.h"
#include "server.h"

SCOPED_PTR(struct server, server_free)

static int prepare_process(struct error *err)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return error_errno(err, errno, "read the limit of open files");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        return error_errno(err, errno, "raise the limit of open files");
    (void) umask(0); /* the guest's kernel has applied the one that counts */
    (void) signal(SIGXFSZ, SIG_IGN);
    (void) signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int run(int peer, const struct export *exports, size_t count, struct error *err)
{
    scoped(server_freep) struct server *server = NULL;
    scoped(closep) int own_files = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int root;

    if (own_files < 0)
        return error_errno(err, errno, "open '/proc/self/fd'");
    if (prepare_process(err) < 0 || confine_mounts(exports, count, err) < 0 ||
        confine_privileges(err) < 0)
        return -1;
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(err, errno, "open the root of the shares");
    if (server_new(&(struct server_files){peer, root, take_fd(own_files)}, &server, err) < 0)
        return -1;
    return server_run(server, err);
}

static int parse(int argc, char *argv[], struct export *exports, int *ret_peer, struct error *err)
{
    char *end;
    long peer;

    if (argc < 3 || argc - 2 > CONFINE_EXPORTS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "usage: cleave-share FD NAME:OPTIONS:PATH...");
    peer = strtol(argv[1], &end, 10);
    if (*end || peer < 3 || peer > 65535 || fcntl((int) peer, F_SETFD, FD_CLOEXEC) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is no descriptor of the peer",
                         argv[1]);
    for (int i = 2; i < argc; i++)
        if (export_parse(argv[i], &exports[i - 2], err) < 0)
            return -1;
    *ret_peer = (int) peer;
    return 0;
}

int main(int argc, char *argv[])
{
    struct export exports[CONFINE_EXPORTS_MAX];
    struct error err;
    int peer = -1;

    log_open("share");
    if (parse(argc, argv, exports, &peer, &err) < 0 ||
        run(peer, exports, (size_t) argc - 2, &err) < 0) {
        log_error("%s", err.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
