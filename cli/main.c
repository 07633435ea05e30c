/* SPDX-License-Identifier: Apache-2.0 */
/* cleave VERB; kubectl finds it as the plug-in kubectl-cleave. */
#include <stdio.h>

#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "verbs.h"

struct verb {
    const char *name;
    int (*run)(int argc, char *argv[]);
    const char *help;
};

static const struct verb verbs[] = {
    {"check", check_main, "what is wrong on this node, and what to do about it"},
    {"diff", diff_main, "what two manifests of sealed pods say differently"},
    {"evidence", evidence_main, "a verdict on a hardware report, offline, from files"},
    {"explain", explain_main, "which half of a split pod gets which field, and why"},
    {"join", join_main, "the pod that two halves were made of"},
    {"measure", measure_main, "what the hardware will say of a guest, calculated offline"},
    {"policy", policy_main, "what a file of reference values demands, in words"},
    {"split", split_main,
     "a sealed pod: what its guest will run, and the Pod for the tenant's cluster"},
    {"status", status_main, "the last appraisal of the pods of this tenant node"},
    {"verify", verify_main, "a sealed pod's manifest, held against the pod and its images"},
    {"version", version_main, "this build: its version, the evidence that its channel takes"},
};

static int help(FILE *to)
{
    fputs("Usage: cleave VERB [ARGUMENTS]     (also: kubectl cleave VERB)\n\n", to);
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
        fprintf(to, "  %-8s %s\n", verbs[i].name, verbs[i].help);
    fputs("\n`cleave VERB --help` says more. Exit code 2: the command line was wrong.\n", to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

int main(int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : "";

    log_open("cleave");
    log_set_level(LOG_LEVEL_WARN);
    if (text_equal(name, "--version"))
        name = "version";
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
        if (text_equal(verbs[i].name, name))
            return verbs[i].run(argc - 1, argv + 1);
    if (text_equal(name, "--help") || text_equal(name, "-h") || text_equal(name, "help"))
        return help(stdout);
    if (argc < 2)
        return help(stderr);
    fprintf(stderr, "cleave: there is no verb '%s'; `cleave --help` lists them\n", name);
    return EXIT_USAGE;
}
