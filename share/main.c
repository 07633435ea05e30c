/* SPDX-License-Identifier: Apache-2.0 */
/* cleave-share FD [CONTROL] [SHARE...]: one for each pod, serves directories of the node to the
 * pod's guest. FD is a stream of FUSE messages; whoever starts it holds the other end, and the
 * keys. CONTROL is a socket by which shares come and go (keeper.h); without it they are those of
 * the command line (export.h).
 *
 * cleave-share check: whether this node lets it (trial.h). If not, {"message": WHY} on stdout. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "processes.h"
#include "trial.h"

static int parse_fd(const char *text, int *ret, struct error *err)
{
    uint64_t fd;

    if (!text_to_u64(text, &fd) || fd < 3 || fd > 65535 || fcntl((int) fd, F_SETFD, FD_CLOEXEC) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is no descriptor", text);
    *ret = (int) fd;
    return 0;
}

static int parse(int argc, char *argv[], struct processes_options *ret, struct error *err)
{
    int first = argc > 2 && !strchr(argv[2], ':') ? 3 : 2;

    ret->control = -1;
    if (argc < 3 || argc - first > PROCESSES_EXPORTS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "usage: cleave-share FD [CONTROL] [NAME:OPTIONS:PATH...] | check");
    if (parse_fd(argv[1], &ret->peer, err) < 0 ||
        (first == 3 && parse_fd(argv[2], &ret->control, err) < 0))
        return -1;
    for (int i = first; i < argc; i++)
        if (export_parse(argv[i], &ret->exports[ret->count++], err) < 0)
            return -1;
    return 0;
}

static int check(void)
{
    scoped(js_freep) struct js *answer = js_new_object();
    scoped(freep) char *text = NULL;
    struct error err;

    if (trial_run(&err) == 0)
        return EXIT_SUCCESS;
    js_set_string(answer, "message", err.message);
    text = js_print(answer);
    (void) !write(STDOUT_FILENO, text, strlen(text));
    return EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    struct processes_options options = {0};
    struct error err;

    log_open("share");
    if (argc == 2 && text_equal(argv[1], "check"))
        _exit(check());
    if (parse(argc, argv, &options, &err) == 0 && processes_run(&options, &err) == 0)
        _exit(EXIT_SUCCESS); /* what else runs at an exit (a leak checker) wants a /proc */
    log_error("%s", err.message);
    _exit(EXIT_FAILURE);
}
