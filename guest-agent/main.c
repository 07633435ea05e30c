/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "namespaces.h"

static const char usage[] = "usage: cleave-agent --stub --initdata FILE --net FILE [--tpm TPM]\n"
                            "       cleave-agent --version\n"
                            "Without options it is pid 1 of a cleave guest and of nothing else.\n"
                            "Evidence of the type \"sample\" is insecure: it proves nothing.\n";

int main(int argc, char *argv[])
{
    static const struct option table[] = {
        {"stub", no_argument, NULL, 's'},
        {"initdata", required_argument, NULL, 'i'},
        {"net", required_argument, NULL, 'n'},
        {"version", no_argument, NULL, 'v'},
        {"tpm", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct boot_options options = {.devices = {.program = "/usr/bin/cleave-attest"}};
    bool stub = false;
    int option;

    if (getpid() == 1 && argc == 1 && strcmp(argv[0], NAMESPACES_KEEPER) == 0)
        namespaces_keep(); /* pid 1 of another namespace */
    /* A kernel hands words of its command line that it does not know to pid 1: they are not ours.
     */
    if (getpid() == 1 && (argc < 2 || strcmp(argv[1], "--stub") != 0))
        boot(&platform_vm, &options);
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == 'v')
            return puts("cleave-agent " CLEAVE_VERSION) < 0;
        else if (option == 's')
            stub = true;
        else if (option == 'i')
            options.initdata_path = optarg;
        else if (option == 'n')
            options.network_path = optarg;
        else if (option == 't')
            options.devices.tpm = optarg;
        else
            return fputs(usage, option == 'h' ? stdout : stderr), option != 'h';
    }
    if (!stub || !options.initdata_path || !options.network_path || optind != argc || getpid() != 1)
        return fputs(usage, stderr), EXIT_FAILURE;
    boot(&platform_stub, &options);
}
