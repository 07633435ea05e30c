/* SPDX-License-Identifier: Apache-2.0 */
/* cleave join: the pod that two halves were made of. */
#include <getopt.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "document.h"
#include "halves.h"
#include "verbs.h"

static int usage(FILE *to)
{
    fputs(
        "Usage: cleave join HOST TENANT\n\n"
        "Prints the Pod, as JSON, of which `cleave split` has made these two halves "
        "(docs/spec-split.md), with\n"
        "the API server's defaults and without what says nothing. Halves of two pods, and a host "
        "half that is\n"
        "not what this pod's would be, are errors that say what differs. One of both may be \"-\", "
        "standard input.\n\n"
        "Exit code: 0 it is done, 1 it is not (and says why), 2 the command line was wrong.\n",
        to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int join(const char *host_path, const char *tenant_path, struct error *err)
{
    scoped(js_freep) struct js *host = NULL, *tenant = NULL, *pod = NULL;
    scoped(freep) char *text = NULL;

    if (document_read(host_path, &host, err) < 0 || document_read(tenant_path, &tenant, err) < 0 ||
        halves_join(host, tenant, &pod, err) < 0)
        return -1;
    text = js_print_canonical(pod);
    return puts(text) < 0 || fflush(stdout) != 0
               ? error_set(err, STATUS_UNAVAILABLE, "standard output cannot be written")
               : 0;
}

int join_main(int argc, char *argv[])
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    struct error err;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1)
        return usage(option == 'h' ? stdout : stderr);
    if (argc - optind != 2)
        return usage(stderr);
    if (join(argv[optind], argv[optind + 1], &err) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "cleave join: %s\n", err.message);
    return EXIT_FAILURE;
}
